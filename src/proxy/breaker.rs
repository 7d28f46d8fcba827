//! Holds billable calls back while the upstream keeps failing.
//!
//! Each call sent into an outage leaves its hold in doubt, so an hour of outage would turn a
//! month's budget into doubts. The rule is small: so many failures within a while, and no fewer
//! than there were successes, and there is a pause. After it calls go out again; if they fail
//! the count fills as quickly as before.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When to pause and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures within the while that open it.
    pub failures: u32,
    /// The while, counted from its first call.
    pub within: Duration,
    /// How long billable calls are held back.
    pub pause: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    failures: u32,
    successes: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// A closed breaker: calls go out.
    pub fn new(settings: BreakerSettings) -> Self {
        ::metrics::gauge!(crate::metrics::BREAKER_OPEN).set(0);
        Self {
            settings,
            state: Mutex::default(),
        }
    }

    /// Whether a billable call may go out now; if not, how long until one may.
    pub fn check(&self) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = state.open_until else {
            return Ok(());
        };
        let now = Instant::now();
        if now < until {
            return Err(until - now);
        }
        *state = State::default();
        tracing::info!("billable calls go out again after the pause");
        ::metrics::gauge!(crate::metrics::BREAKER_OPEN).set(0);
        Ok(())
    }

    /// Tells how a billable exchange went. A failure is an answer that never came whole, or a 5xx.
    pub fn record(&self, failed: bool) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open_until.is_some() {
            return;
        }
        if state
            .since
            .is_none_or(|since| now - since > self.settings.within)
        {
            *state = State {
                since: Some(now),
                ..State::default()
            };
        }
        if failed {
            state.failures += 1;
        } else {
            state.successes += 1;
        }
        if state.failures >= self.settings.failures && state.failures >= state.successes {
            state.open_until = Some(now + self.settings.pause);
            ::metrics::gauge!(crate::metrics::BREAKER_OPEN).set(1);
            tracing::error!(
                failures = state.failures,
                pause = ?self.settings.pause,
                "the upstream keeps failing: billable calls are held back"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings {
            failures: 3,
            within: Duration::from_secs(10),
            pause: Duration::from_secs(5),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_the_pause_closes_it() {
        let breaker = breaker();
        breaker.record(true);
        breaker.record(true);
        assert!(breaker.check().is_ok());
        breaker.record(true);
        assert_eq!(breaker.check(), Err(Duration::from_secs(5)));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(breaker.check().is_ok());
        breaker.record(true);
        assert!(
            breaker.check().is_ok(),
            "one failure after the pause is not three"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn failures_among_more_successes_or_far_apart_do_not_open_it() {
        let breaker = breaker();
        for failed in [true, false, false, true, false, false, true, false] {
            breaker.record(failed);
        }
        assert!(breaker.check().is_ok());
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(6)).await;
            breaker.record(true);
        }
        assert!(breaker.check().is_ok());
    }
}
