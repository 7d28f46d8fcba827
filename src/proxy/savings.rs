//! What calls would have taken and did not: answers given again, searches sent to the database.
//!
//! Information, not money: it is summed in memory and written about once a second, so that a kill
//! loses a second of it, and nothing is ever decided by it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::metrics::gauge;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};
use crate::ledger::{Ledger, LedgerError, Record, SavedBy, Saving};
use crate::metrics::{HOW, SAVED, TEAM, credits_as_f64};

/// How often what is new is written.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// A day that has ended stays at hand for another: a clock may be set back over midnight.
const DAYS_AT_HAND: SignedDuration = SignedDuration::from_hours(24);

/// The sums of today. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Savings {
    clock: Clock,
    sums: Arc<Mutex<BTreeMap<Place, Sum>>>,
}

/// What is summed together: day, team, operation, reason.
type Place = (Timestamp, TeamId, OperationName, SavedBy);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    calls: u64,
    credits: Credits,
    /// How many of the calls are on disk.
    written: u64,
}

impl Savings {
    /// Goes on from what was kept of the days at hand: see [`Savings::at_hand_from`].
    pub fn new(clock: Clock, kept: Vec<Saving>) -> Self {
        let sum = |saving: Saving| {
            let sum = Sum {
                calls: saving.calls,
                credits: saving.credits,
                written: saving.calls,
            };
            let place = (saving.day, saving.team, saving.operation, saving.how);
            (place, sum)
        };
        Self {
            clock,
            sums: Arc::new(Mutex::new(kept.into_iter().map(sum).collect())),
        }
    }

    /// The first day (UTC) whose sums must be at hand at `now`.
    pub fn at_hand_from(now: Timestamp) -> Timestamp {
        day_of(now.saturating_sub(DAYS_AT_HAND).unwrap_or(Timestamp::MIN))
    }

    /// A call of `team` would have taken `credits` more than it did.
    pub fn add(&self, team: &TeamId, operation: &OperationName, how: SavedBy, credits: Credits) {
        let day = day_of(self.clock.now());
        let place = (day, team.clone(), operation.clone(), how);
        let mut sums = self.sums();
        let sum = sums.entry(place).or_default();
        sum.calls = sum.calls.saturating_add(1);
        sum.credits = sum.credits.saturating_add(credits);
        drop(sums);
        gauge!(SAVED, TEAM => team.to_string(), HOW => how.as_str())
            .increment(credits_as_f64(credits));
    }

    /// Writes what is new, about once a second, until `ended`.
    pub async fn keep_up(self, ledger: Ledger, ended: CancellationToken) {
        let mut ticks = tokio::time::interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while ended.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.write(&ledger).await {
                tracing::debug!("what was saved is not written yet: {error}");
            }
        }
    }

    /// Writes what is new.
    ///
    /// # Errors
    /// What the ledger says; it is written the next time then.
    pub async fn write(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let due = self.due();
        if due.is_empty() {
            return Ok(());
        }
        let records = due.iter().cloned().map(Record::Saved).collect();
        ledger.keep(records).await?;
        self.written(due);
        Ok(())
    }

    fn due(&self) -> Vec<Saving> {
        let sums = self.sums();
        let due = sums.iter().filter(|(_, sum)| sum.calls != sum.written);
        due.map(|((day, team, operation, how), sum)| Saving {
            day: *day,
            team: team.clone(),
            operation: operation.clone(),
            how: *how,
            calls: sum.calls,
            credits: sum.credits,
        })
        .collect()
    }

    fn written(&self, savings: Vec<Saving>) {
        let oldest = Self::at_hand_from(self.clock.now());
        let mut sums = self.sums();
        for saving in savings {
            let place = (saving.day, saving.team, saving.operation, saving.how);
            if let Some(sum) = sums.get_mut(&place) {
                sum.written = saving.calls;
            }
        }
        sums.retain(|(day, ..), sum| *day >= oldest || sum.calls != sum.written);
    }

    fn sums(&self) -> MutexGuard<'_, BTreeMap<Place, Sum>> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn day_of(at: Timestamp) -> Timestamp {
    let day = at.to_zoned(TimeZone::UTC).start_of_day();
    day.map_or(at, |day| day.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{MemoryStore, Settings, Store};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn open(store: &MemoryStore, clock: &Clock) -> (Ledger, Savings) {
        let from = Savings::at_hand_from(clock.now());
        let kept = store.reader().savings(from, Timestamp::MAX).unwrap();
        let store = Box::new(store.clone());
        let (ledger, writer) = Ledger::open(store, Settings::default(), clock.clone()).unwrap();
        writer.spawn().unwrap();
        (ledger, Savings::new(clock.clone(), kept))
    }

    #[tokio::test]
    async fn sums_go_on_after_a_restart_and_a_clock_set_back_over_midnight_loses_none() {
        let (store, clock) = (
            MemoryStore::new(),
            Clock::manual(at("2026-03-10T23:59:00Z")),
        );
        let (team, operation) = (TeamId::from("growth"), OperationName::from("search_leads"));
        let one = Credits::from_micros(20_000);
        let (ledger, savings) = open(&store, &clock);
        savings.add(&team, &operation, SavedBy::Replayed, one);
        savings.add(&team, &operation, SavedBy::Replayed, one);
        savings.add(&team, &operation, SavedBy::Joined, one);
        savings.write(&ledger).await.unwrap();
        savings.add(&team, &operation, SavedBy::Joined, one); // Killed before it was written.
        clock.set(at("2026-03-11T00:00:10Z"));
        let (ledger, savings) = open(&store, &clock);
        savings.add(&team, &operation, SavedBy::Joined, one);
        savings.write(&ledger).await.unwrap();
        clock.set(at("2026-03-10T23:59:50Z"));
        savings.add(&team, &operation, SavedBy::Replayed, one);
        savings.write(&ledger).await.unwrap();
        let sum = |day, how, calls: u64| Saving {
            day: at(day),
            team: team.clone(),
            operation: operation.clone(),
            how,
            calls,
            credits: one.checked_times(calls).unwrap(),
        };
        let (before, after) = ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z");
        assert_eq!(
            store
                .reader()
                .savings(Timestamp::MIN, Timestamp::MAX)
                .unwrap(),
            [
                sum(before, SavedBy::Replayed, 3),
                sum(before, SavedBy::Joined, 1),
                sum(after, SavedBy::Joined, 1),
            ]
        );
        assert_eq!(savings.due(), [], "what is written is not written again");
    }

    #[tokio::test]
    async fn days_that_are_over_and_written_are_forgotten() {
        let (store, clock) = (
            MemoryStore::new(),
            Clock::manual(at("2026-03-10T12:00:00Z")),
        );
        let (ledger, savings) = open(&store, &clock);
        let add = || savings.add(&"a".into(), &"b".into(), SavedBy::Database, Credits::ZERO);
        for _ in 0..5 {
            add();
            savings.write(&ledger).await.unwrap();
            clock.advance(SignedDuration::from_hours(24));
        }
        assert!(savings.sums().len() <= 2, "{:?}", savings.sums());
        let all = store.reader().savings(Timestamp::MIN, Timestamp::MAX);
        assert_eq!(all.unwrap().len(), 5);
    }
}
