//! When to ask next: pure rules, no clock.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::credits::Credits;

/// How often the account is asked.
#[derive(Clone, Debug)]
pub struct WatcherSettings {
    /// The ordinary time between two questions.
    pub poll_interval: Duration,
    /// The time between two questions while the balance is near a floor.
    pub fast_interval: Duration,
    /// The floors that being near to matters for.
    pub near: Vec<Credits>,
}

impl WatcherSettings {
    /// A sixth of `poll_interval` near a floor, at least 2 s (the answer is free, but it is
    /// somebody's server), and never slower than the ordinary pace.
    pub fn new(poll_interval: Duration, near: Vec<Credits>) -> Self {
        let fast_interval = (poll_interval / 6).max(Duration::from_secs(2));
        Self {
            poll_interval,
            fast_interval: fast_interval.min(poll_interval),
            near,
        }
    }
}

/// Near is within a fifth of the floor …
const NEAR_SHARE: i64 = 5;
/// … or within ten credits, so that a floor of zero has a near side too.
const NEAR_CREDITS: Credits = Credits::from_micros(10_000_000);
/// Errors slow the questions down to this many ordinary intervals and no further, so that a
/// recovery is noticed before a reading of ordinary patience is long stale.
const BACKOFF_INTERVALS_MAX: u32 = 4;
/// A reading asked for out of turn comes at the earliest this long after the one before, however
/// many ask: a burst of refused calls must not become a burst of questions.
const NUDGE_GAP_MAX: Duration = Duration::from_secs(1);

/// The jitter picks one of this many points.
pub(super) const JITTER_STEPS: u32 = 1000;

/// The floors that being near to matters for; can be changed while the account is watched.
#[derive(Clone, Debug)]
pub struct Near(Arc<ArcSwap<Vec<Credits>>>);

impl Near {
    /// Other floors from the next reading on.
    pub fn replace(&self, floors: Vec<Credits>) {
        self.0.store(Arc::new(floors));
    }
}

/// The state that decides the next pause.
#[derive(Debug)]
pub(super) struct Pace {
    settings: WatcherSettings,
    floors: Near,
    errors: u32,
    near: bool,
}

impl Pace {
    pub(super) fn new(settings: WatcherSettings) -> Self {
        let floors = Near(Arc::new(ArcSwap::from_pointee(settings.near.clone())));
        Self {
            settings,
            floors,
            errors: 0,
            near: false,
        }
    }

    /// The floors, to be changed.
    pub(super) fn floors(&self) -> Near {
        self.floors.clone()
    }

    /// The balance was read.
    pub(super) fn read(&mut self, balance: Credits) {
        self.errors = 0;
        let floors = self.floors.0.load();
        self.near = floors.iter().any(|floor| near(balance, *floor));
    }

    /// The upstream says that the account is empty: a top-up should be seen soon.
    pub(super) fn emptied(&mut self) {
        self.near = true;
    }

    /// The balance could not be read.
    pub(super) fn failed(&mut self) {
        self.errors = self.errors.saturating_add(1);
    }

    /// The pause until the next question, [`jittered`] by `chance` after an error.
    pub(super) fn pause(&self, chance: u32) -> Duration {
        let usual = if self.near {
            self.settings.fast_interval
        } else {
            self.settings.poll_interval
        };
        if self.errors == 0 {
            return usual;
        }
        // The first error repeats at the usual pace, each further one doubles it.
        let doubled = 2_u32.saturating_pow(self.errors - 1);
        let most = self
            .settings
            .poll_interval
            .saturating_mul(BACKOFF_INTERVALS_MAX);
        jittered(usual.saturating_mul(doubled).min(most), chance)
    }

    /// The shortest time between two questions when somebody asks for one out of turn.
    pub(super) fn nudge_gap(&self) -> Duration {
        self.settings.fast_interval.min(NUDGE_GAP_MAX)
    }
}

/// A point between half of `pause` and all of it, picked by `chance` (any number), so that several
/// guards do not return together.
pub(super) fn jittered(pause: Duration, chance: u32) -> Duration {
    let half = pause / 2;
    half + half / JITTER_STEPS * (chance % (JITTER_STEPS + 1))
}

/// Whether `balance` is under, or little above, `floor`. Far below counts too: calls are being
/// refused there, and a top-up should be seen soon.
fn near(balance: Credits, floor: Credits) -> bool {
    let share = Credits::from_micros(floor.magnitude().micros() / NEAR_SHARE);
    balance <= floor.saturating_add(share.max(NEAR_CREDITS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLL: Duration = Duration::from_secs(30);

    fn credits(text: &str) -> Credits {
        text.parse().unwrap()
    }

    fn pace(floors: &[&str]) -> Pace {
        let near = floors.iter().map(|floor| credits(floor)).collect();
        Pace::new(WatcherSettings::new(POLL, near))
    }

    #[test]
    fn near_a_floor_the_account_is_asked_six_times_as_often() {
        let mut pace = pace(&["100", "1000"]);
        for (balance, seconds) in [
            ("5000", 30),
            ("1200.000001", 30),
            ("1200", 5),
            ("1000", 5),
            ("3", 5),
            ("-7", 5),
        ] {
            pace.read(credits(balance));
            assert_eq!(pace.pause(0), Duration::from_secs(seconds), "{balance}");
        }
    }

    #[test]
    fn a_floor_of_zero_has_a_near_side_of_ten_credits() {
        let mut pace = pace(&["0"]);
        pace.read(credits("10"));
        assert_eq!(pace.pause(0), Duration::from_secs(5));
        pace.read(credits("10.000001"));
        assert_eq!(pace.pause(0), POLL);
    }

    #[test]
    fn without_floors_the_pace_is_ordinary() {
        let mut pace = pace(&[]);
        pace.read(credits("-5"));
        assert_eq!(pace.pause(0), POLL);
    }

    #[test]
    fn the_fast_pace_is_at_least_two_seconds_but_never_the_slower_one() {
        let fast =
            |seconds| WatcherSettings::new(Duration::from_secs(seconds), Vec::new()).fast_interval;
        assert_eq!(fast(60), Duration::from_secs(10));
        assert_eq!(fast(6), Duration::from_secs(2));
        assert_eq!(fast(1), Duration::from_secs(1));
    }

    #[test]
    fn errors_double_the_pause_up_to_four_intervals_and_a_reading_ends_that() {
        let mut pace = pace(&["100"]);
        pace.read(credits("100"));
        let mut longest = Vec::new();
        for _ in 0..7 {
            pace.failed();
            longest.push(pace.pause(JITTER_STEPS).as_secs());
        }
        assert_eq!(longest, [5, 10, 20, 40, 80, 120, 120]);
        pace.read(credits("5000"));
        assert_eq!(pace.pause(JITTER_STEPS), POLL);
    }

    proptest! {
        #[test]
        fn the_pause_after_errors_is_never_zero_and_never_above_four_intervals(
            errors in 1_u32..100,
            chance in any::<u32>(),
            poll_ms in 1_u64..10_000_000_000,
        ) {
            let poll = Duration::from_millis(poll_ms);
            let mut pace = Pace::new(WatcherSettings::new(poll, Vec::new()));
            for _ in 0..errors {
                pace.failed();
            }
            prop_assert!(pace.pause(chance) >= poll / 2);
            prop_assert!(pace.pause(chance) <= poll * 4);
        }
    }
}
