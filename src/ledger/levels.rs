//! How full the budgets are, for whoever must know at once and need not know exactly.
//!
//! The writer's tallies show what they count as they count it; everybody else reads it without a
//! message. Nothing is held or refused by these figures: that is decided in the book alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::credits::Credits;

use super::budget::Filter;
use super::entry::Origin;

/// The levels of all budgets.
#[derive(Debug, Default)]
pub(super) struct Levels(ArcSwap<Vec<Arc<Level>>>);

/// How full one budget is. The figures are set one after another: a reader between them sees some of
/// one change and some of the next.
#[derive(Debug)]
pub(super) struct Level {
    filter: Filter,
    /// Settled and held, in micro-credits.
    used: AtomicI64,
    /// With what was granted, in micro-credits.
    limit: AtomicI64,
    /// The end of the window all this is of, in microseconds.
    until: AtomicI64,
}

impl Levels {
    /// Other budgets from now on.
    pub(super) fn replace(&self, levels: Vec<Arc<Level>>) {
        self.0.store(Arc::new(levels));
    }

    /// Whether any budget that covers `origin` is used beyond `percent` of its limit at `now`.
    pub(super) fn any_beyond(&self, percent: u32, origin: &Origin, now: Timestamp) -> bool {
        let levels = self.0.load();
        let mut covering = (levels.iter())
            .filter(|level| (level.filter).covers(&origin.team, &origin.key, &origin.operation));
        covering.any(|level| level.is_beyond(percent, now))
    }
}

impl Level {
    /// That of a budget of which nothing is known yet.
    pub(super) fn of(filter: Filter) -> Arc<Self> {
        Arc::new(Self {
            filter,
            used: AtomicI64::new(0),
            limit: AtomicI64::new(0),
            until: AtomicI64::new(i64::MAX),
        })
    }

    /// How it stands until the window ends, if it does.
    pub(super) fn set(&self, used: Credits, limit: Credits, until: Option<Timestamp>) {
        let until = until.map_or(i64::MAX, Timestamp::as_microsecond);
        self.used.store(used.micros(), Ordering::Relaxed);
        self.limit.store(limit.micros(), Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
    }

    fn is_beyond(&self, percent: u32, now: Timestamp) -> bool {
        let over = now.as_microsecond() >= self.until.load(Ordering::Relaxed);
        // The new window begins with nothing; what was granted in the old one ended with it.
        let used = if over {
            0
        } else {
            self.used.load(Ordering::Relaxed)
        };
        let limit = self.limit.load(Ordering::Relaxed);
        i128::from(used) * 100 > i128::from(limit) * i128::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_level_is_beyond_a_share_only_above_it_and_within_its_window() {
        let level = Level::of(Filter::default());
        let (now, end) = (at("2026-03-10T12:00:00Z"), at("2026-03-11T00:00:00Z"));
        let credits = Credits::from_micros;
        level.set(credits(80), credits(100), Some(end));
        assert!(!level.is_beyond(80, now));
        level.set(credits(81), credits(100), Some(end));
        assert!(level.is_beyond(80, now));
        assert!(!level.is_beyond(80, end), "another day");
        level.set(credits(81), credits(200), Some(end));
        assert!(!level.is_beyond(80, now), "more was granted");
        level.set(credits(i64::MAX), credits(1), None);
        assert!(level.is_beyond(99, Timestamp::MAX));
    }
}
