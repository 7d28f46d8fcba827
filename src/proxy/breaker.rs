//! Holds billable calls back while the upstream keeps failing.
//!
//! Each call sent into an outage leaves its hold in doubt, so an hour of outage would turn a
//! month's budget into doubts. The rule is small: so many failures within a while, and no fewer
//! than there were successes, and there is a pause. After it the upstream is asked something free
//! ([`breaker_probe`](super::breaker_probe)), and its answer decides whether billable calls go out
//! again. A pause that comes soon after another, or after a question that was not answered, is twice
//! as long as that, up to a bound.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// While the free question is under way: when to look again.
const PROBE_TIME: Duration = Duration::from_secs(1);

/// When to pause and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures within the while that open it.
    pub failures: u32,
    /// The while, counted from its first call.
    pub within: Duration,
    /// How long billable calls are held back at first.
    pub pause: Duration,
    /// The longest the pause grows to. It is the first again after so long without one.
    pub pause_max: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: Mutex<State>,
    opened: Notify,
}

#[derive(Debug)]
struct State {
    since: Option<Instant>,
    failures: u32,
    successes: u32,
    open_until: Option<Instant>,
    closed_at: Option<Instant>,
    next_pause: Duration,
}

impl Breaker {
    /// A closed breaker: calls go out.
    pub fn new(settings: BreakerSettings) -> Self {
        ::metrics::gauge!(crate::metrics::BREAKER_OPEN).set(0);
        Self {
            settings,
            state: Mutex::new(State {
                since: None,
                failures: 0,
                successes: 0,
                open_until: None,
                closed_at: None,
                next_pause: settings.pause,
            }),
            opened: Notify::new(),
        }
    }

    /// Whether a billable call may go out now; if not, when to ask again.
    pub fn check(&self) -> Result<(), Duration> {
        match self.state().open_until {
            None => Ok(()),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                Err(if left.is_zero() { PROBE_TIME } else { left })
            }
        }
    }

    /// Tells how a billable exchange went. A failure is an answer that never came whole, or a 5xx.
    pub fn record(&self, failed: bool) {
        let now = Instant::now();
        let mut state = self.state();
        if state.open_until.is_some() {
            return;
        }
        if state
            .since
            .is_none_or(|since| now - since > self.settings.within)
        {
            state.since = Some(now);
            (state.failures, state.successes) = (0, 0);
        }
        if failed {
            state.failures += 1;
        } else {
            state.successes += 1;
        }
        if state.failures >= self.settings.failures && state.failures >= state.successes {
            let long_ago = |at: Instant| now - at > self.settings.pause_max;
            if state.closed_at.is_none_or(long_ago) {
                state.next_pause = self.settings.pause;
            }
            let pause = self.pause(&mut state, now);
            ::metrics::gauge!(crate::metrics::BREAKER_OPEN).set(1);
            tracing::error!(
                failures = state.failures,
                ?pause,
                "the upstream keeps failing: billable calls are held back"
            );
            drop(state);
            self.opened.notify_one();
        }
    }

    /// Waits until calls are held back and their pause is over: then the upstream is to be asked.
    pub async fn pause_over(&self) {
        loop {
            let until = self.state().open_until;
            match until {
                Some(until) => return tokio::time::sleep_until(until).await,
                None => self.opened.notified().await,
            }
        }
    }

    /// Tells whether the upstream answered when it was asked after a pause.
    pub fn probed(&self, answered: bool) {
        let now = Instant::now();
        let mut state = self.state();
        if state.open_until.is_none() {
            return;
        }
        if answered {
            *state = State {
                since: None,
                failures: 0,
                successes: 0,
                open_until: None,
                closed_at: Some(now),
                next_pause: state.next_pause,
            };
            ::metrics::gauge!(crate::metrics::BREAKER_OPEN).set(0);
            tracing::info!("the upstream answers: billable calls go out again");
        } else {
            let pause = self.pause(&mut state, now);
            tracing::warn!(
                ?pause,
                "the upstream still does not answer: billable calls stay held back"
            );
        }
    }

    /// Begins a pause and makes the next one longer.
    fn pause(&self, state: &mut State, now: Instant) -> Duration {
        let pause = state.next_pause;
        state.open_until = Some(now + pause);
        state.next_pause = (pause * 2).min(self.settings.pause_max);
        pause
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            pause_max: Duration::from_secs(15),
        })
    }

    fn fail(breaker: &Breaker) {
        for _ in 0..3 {
            breaker.record(true);
        }
    }

    async fn pause_of(breaker: &Breaker) -> u64 {
        let began = Instant::now();
        breaker.pause_over().await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_only_an_answer_after_the_pause_closes_it() {
        let breaker = breaker();
        breaker.record(true);
        breaker.record(true);
        assert!(breaker.check().is_ok());
        breaker.record(true);
        assert_eq!(breaker.check(), Err(Duration::from_secs(5)));
        assert_eq!(pause_of(&breaker).await, 5);
        assert_eq!(breaker.check(), Err(PROBE_TIME), "nobody knows yet");
        breaker.probed(true);
        assert!(breaker.check().is_ok());
        breaker.record(true);
        assert!(
            breaker.check().is_ok(),
            "one failure after the pause is not three"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_bound_and_are_short_again_after_a_time_of_peace() {
        let breaker = breaker();
        fail(&breaker);
        let mut pauses = Vec::new();
        for answered in [false, false, false, true] {
            pauses.push(pause_of(&breaker).await);
            breaker.probed(answered);
        }
        assert_eq!(pauses, [5, 10, 15, 15]);
        tokio::time::advance(Duration::from_secs(11)).await;
        fail(&breaker);
        assert_eq!(pause_of(&breaker).await, 15, "the outage goes on");
        breaker.probed(true);
        tokio::time::advance(Duration::from_secs(16)).await;
        fail(&breaker);
        assert_eq!(pause_of(&breaker).await, 5, "this is another one");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_the_pause_hears_of_one_that_begins_later() {
        let breaker = breaker();
        let mut waiting = std::pin::pin!(breaker.pause_over());
        let early = tokio::time::timeout(Duration::from_secs(60), &mut waiting).await;
        assert!(early.is_err(), "there is no pause");
        fail(&breaker);
        let began = Instant::now();
        waiting.await;
        assert_eq!(began.elapsed(), Duration::from_secs(5));
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
