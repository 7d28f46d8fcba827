//! How fast credits go, and when something is used up at that pace.

use jiff::{SignedDuration, Timestamp};

use super::budget::{BudgetStatus, Filter};
use super::record::{FindingKind, Record};
use super::request::Reading;
use super::store::{Reader, Spend, StoreError};
use crate::credits::Credits;

/// Today's pace is that of the last day.
const DAY: SignedDuration = SignedDuration::from_hours(24);
const DAY_MICROS: i128 = 24 * 60 * 60 * 1_000_000;
/// The note that the account's last reading is kept under.
const READING: &str = "account.reading";

/// What went in the last 24 hours.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Charges that were recorded.
    ours: Vec<Spend>,
    /// What the account took and no call of ours explains.
    around: Credits,
}

impl Pace {
    /// Reads what went in the 24 hours before `now`.
    ///
    /// # Errors
    /// What the store says.
    pub fn read(reader: &dyn Reader, now: Timestamp) -> Result<Self, StoreError> {
        let day_ago = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
        let found = reader.found(day_ago, now)?;
        let around = found.iter().find(|sum| sum.kind == FindingKind::TheirsOnly);
        Ok(Self {
            ours: reader.spend(day_ago, now)?,
            around: around.map_or(Credits::ZERO, |sum| sum.open_drift),
        })
    }

    /// What left the account: through the guard, and around it as far as that was found.
    pub fn of_account(&self) -> Credits {
        let all = Filter::default();
        self.of(&all).saturating_add(self.around)
    }

    /// When a budget is used up at this pace. `None` if it is not, before its window ends; and where
    /// the window is rolling, for it gives back what it takes.
    pub fn runs_out(&self, status: &BudgetStatus, now: Timestamp) -> Option<Timestamp> {
        let window = status.window;
        let at = runs_out_at(status.headroom(), self.of(&status.filter), now)?;
        let in_window = window.end.is_none_or(|end| at < end);
        (in_window && !window.is_rolling()).then_some(at)
    }

    /// What calls of `filter` were charged.
    pub fn of(&self, filter: &Filter) -> Credits {
        let covered = self.ours.iter().filter(|spend| {
            let Spend {
                team,
                key,
                operation,
                ..
            } = spend;
            filter.covers(team, key, operation)
        });
        let settled = covered.map(|spend| spend.settled);
        settled.fold(Credits::ZERO, Credits::saturating_add)
    }
}

impl Reading {
    /// To be kept beside the entries, for those who read them without a guard. It decides nothing.
    pub fn record(self) -> Record {
        Record::Note {
            name: READING.to_owned(),
            value: Some(format!("{} {}", self.balance, self.started_at)),
        }
    }

    /// The one that was kept last; `None`: none was, or its text is another's.
    ///
    /// # Errors
    /// What the store says.
    pub fn kept(reader: &dyn Reader) -> Result<Option<Self>, StoreError> {
        let text = reader.note(READING)?.unwrap_or_default();
        let read = |(balance, started_at): (&str, &str)| {
            let (balance, started_at) = (balance.parse().ok()?, started_at.parse().ok()?);
            Some(Self {
                balance,
                started_at,
            })
        };
        Ok(text.split_once(' ').and_then(read))
    }
}

/// When `left` (a balance or a headroom) is used up if it goes on as in the last 24 hours, in which
/// `spent` was. `None` if that is never, or beyond what a timestamp can say; `now` if nothing is
/// left.
pub fn runs_out_at(left: Credits, spent: Credits, now: Timestamp) -> Option<Timestamp> {
    if left <= Credits::ZERO {
        return Some(now);
    }
    if spent <= Credits::ZERO {
        return None;
    }
    let micros = i128::from(left.micros()) * DAY_MICROS / i128::from(spent.micros());
    let span = SignedDuration::from_micros(i64::try_from(micros).ok()?);
    now.checked_add(span).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_last_day_says_how_long_it_lasts() {
        for (left, spent, ends) in [
            ("100", "100", Some("2026-11-22T12:00:00Z")),
            ("100", "50", Some("2026-11-23T12:00:00Z")),
            ("1", "24", Some("2026-11-21T13:00:00Z")),
            ("0.000001", "9223372036854", Some("2026-11-21T12:00:00Z")),
            ("0", "0", Some("2026-11-21T12:00:00Z")),
            ("-3", "0", Some("2026-11-21T12:00:00Z")),
            ("100", "0", None),
            ("100", "-1", None),
            ("9223372036854", "0.000001", None),
        ] {
            let found = runs_out_at(left.parse().unwrap(), spent.parse().unwrap(), now());
            let ends = ends.map(|text| text.parse().unwrap());
            assert_eq!(found, ends, "{left} left, {spent} spent");
        }
    }

    proptest! {
        #[test]
        fn more_left_never_lasts_shorter_and_more_spent_never_longer(
            left in any::<i64>(), spent in any::<i64>(), more in 0..i64::MAX,
        ) {
            let at = |left: i64, spent: i64| {
                let (left, spent) = (Credits::from_micros(left), Credits::from_micros(spent));
                runs_out_at(left, spent, now()).unwrap_or(Timestamp::MAX)
            };
            prop_assert!(at(left.saturating_add(more), spent) >= at(left, spent));
            prop_assert!(at(left, spent.saturating_add(more)) <= at(left, spent));
            prop_assert!(at(left, spent) >= now());
        }
    }
}
