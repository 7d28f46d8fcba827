//! The one place that asks for the time.
//!
//! Everything else is given a [`Clock`] or, in pure code, the present moment itself, so that a
//! test can stand at the end of a month or move an hour in a microsecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Tells the present moment, to the microsecond.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until somebody moves it. Clones move together.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(
            start.as_microsecond(),
        ))))
    }

    /// The present moment, cut to the microsecond, which is what the ledger keeps.
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            Source::System => system_micros(),
            Source::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
    }

    /// Moves a manual clock by `span`, backwards if it is negative. A system clock stays.
    pub fn advance(&self, span: SignedDuration) {
        if let Source::Manual(micros) = &self.0 {
            let step = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(step, Ordering::SeqCst);
        }
    }

    /// Puts a manual clock at `moment`. A system clock stays.
    pub fn set(&self, moment: Timestamp) {
        if let Source::Manual(micros) = &self.0 {
            micros.store(moment.as_microsecond(), Ordering::SeqCst);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one call the lint sends everybody to"
)]
fn system_micros() -> i64 {
    Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual("2026-03-29T00:59:59Z".parse().unwrap());
        let other = clock.clone();
        clock.advance(SignedDuration::from_secs(2));
        assert_eq!(other.now().to_string(), "2026-03-29T01:00:01Z");
        other.advance(SignedDuration::from_secs(-62));
        assert_eq!(clock.now().to_string(), "2026-03-29T00:58:59Z");
    }
}
