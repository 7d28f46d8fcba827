//! Which alerts are told: from what is seen now and what was told before. Pure.
//!
//! What has windows is told once a window: a budget's share in its window, what is summed up over
//! a day on that day; and again where the budget was given more room since, or the day's bound was
//! raised. What has none is told when it begins, and again only after it was plainly
//! over; the gap between beginning and being over keeps a level that trembles from being told
//! again and again. A rolling budget has no windows in this sense: it moves with the time.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alert::{Alert, Condition, Snapshot};
use super::event::{Event, Facts};
use crate::credits::Credits;
use crate::ledger::BudgetStatus;

/// A rolling budget's share is over when it is this many points of percent lower.
const BACK_PERCENT: u32 = 5;
/// A low balance is over when it is higher by this part of the bound …
const BACK_PART: i64 = 20;
/// … and at least by this much.
const BACK_CREDITS: Credits = Credits::from_micros(1_000_000);
/// A span of time is over when it is longer, or shorter, by this part.
const BACK_TIME_PART: i32 = 4;
/// What was told in a window is remembered for this long after its end, so that a clock that is set
/// back tells nothing twice.
const KEPT_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What was told. Outlives the process as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State {
    /// By the occasion: the alert, the budget and the window, as far as there are such.
    told: BTreeMap<String, Told>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// The highest share that was told and not left since; 1 where there is only one thing to tell.
    level: u32,
    /// The highest share that was ever told.
    #[serde(default)]
    most: u32,
    /// The end of the window, if it has one.
    until: Option<Timestamp>,
    /// What it was told of: the budget's limit with its grants, or the bound of a day.
    #[serde(default)]
    of: Option<Credits>,
}

/// What is to be told now, and what has been told then.
pub fn judge(
    alerts: &[Alert],
    snapshot: &Snapshot,
    state: &State,
    now: Timestamp,
) -> (Vec<Event>, State) {
    let mut judge = Judge {
        now,
        day: now.to_zoned(TimeZone::UTC).date(),
        told: state.told.clone(),
        events: Vec::new(),
    };
    judge.told.retain(|occasion, told| {
        let alert = occasion.split('/').next().unwrap_or_default();
        alerts.iter().any(|known| &*known.id == alert)
            && told
                .until
                .is_none_or(|until| now < later(until, KEPT_AFTER))
    });
    for alert in alerts {
        judge.alert(alert, snapshot);
    }
    (judge.events, State { told: judge.told })
}

/// How a level without windows stands.
enum Level {
    /// It is to be told.
    Reached,
    /// Neither.
    Between,
    /// It is over.
    Back,
}

impl Level {
    fn of(reached: bool, back: bool) -> Self {
        match (reached, back) {
            (true, _) => Self::Reached,
            (false, true) => Self::Back,
            (false, false) => Self::Between,
        }
    }
}

struct Judge {
    now: Timestamp,
    day: Date,
    told: BTreeMap<String, Told>,
    events: Vec<Event>,
}

impl Judge {
    fn alert(&mut self, alert: &Alert, seen: &Snapshot) {
        match &alert.condition {
            Condition::BudgetShare { budget, percents } => {
                for status in &seen.budgets {
                    if budget.as_ref().is_none_or(|only| *only == status.id) {
                        self.budget(alert, percents, status);
                    }
                }
            }
            Condition::BalanceBelow(below) => self.balance(alert, *below, seen),
            Condition::RunsOutWithin(within) => self.run_out(alert, *within, seen),
            Condition::UnattributedAbove(above) => {
                let (above, unattributed) = (*above, seen.unattributed_today);
                let day = self.day;
                let facts = Facts::UnattributedAbove {
                    above,
                    day,
                    unattributed,
                };
                self.once_today(alert, unattributed > above, above, facts);
            }
            Condition::DriftAbove(above) => {
                let (above, drift) = (*above, seen.drift_today.magnitude());
                let day = self.day;
                let facts = Facts::DriftAbove { above, day, drift };
                self.once_today(alert, drift > above, above, facts);
            }
            Condition::DoubtOlderThan(older_than) => self.doubt(alert, *older_than, seen),
            Condition::ReadingOlderThan(older_than) => self.reading(alert, *older_than, seen),
        }
    }

    fn balance(&mut self, alert: &Alert, below: Credits, seen: &Snapshot) {
        let Some((balance, read_at)) = seen.balance else {
            return;
        };
        let gap = Credits::from_micros(below.micros() / BACK_PART).max(BACK_CREDITS);
        let back = balance >= below.saturating_add(gap);
        let facts = Facts::BalanceBelow {
            below,
            balance,
            read_at,
        };
        self.level(alert, &Level::of(balance < below, back), facts);
    }

    fn run_out(&mut self, alert: &Alert, within: SignedDuration, seen: &Snapshot) {
        // Without a reading nobody knows whether it lasts.
        let Some((balance, _)) = seen.balance else {
            return;
        };
        let runs_out_at = seen.runs_out_at.unwrap_or(Timestamp::MAX);
        let left = runs_out_at.duration_since(self.now);
        let back = left > within.saturating_add(within / BACK_TIME_PART);
        let facts = Facts::RunsOutWithin {
            within,
            runs_out_at,
            balance,
        };
        self.level(alert, &Level::of(left <= within, back), facts);
    }

    fn doubt(&mut self, alert: &Alert, older_than: SignedDuration, seen: &Snapshot) {
        let since = seen.oldest_doubt.unwrap_or(self.now);
        let age = self.now.duration_since(since);
        let back = age < older_than - older_than / BACK_TIME_PART;
        let facts = Facts::DoubtOlderThan { older_than, since };
        self.level(alert, &Level::of(age >= older_than, back), facts);
    }

    fn reading(&mut self, alert: &Alert, older_than: SignedDuration, seen: &Snapshot) {
        // A guard that just started has waited for a moment only; that is no reading.
        let back =
            seen.balance.is_some() && seen.reading_age < older_than - older_than / BACK_TIME_PART;
        let facts = Facts::ReadingOlderThan {
            older_than,
            age: SignedDuration::from_secs(seen.reading_age.as_secs()),
        };
        self.level(
            alert,
            &Level::of(seen.reading_age >= older_than, back),
            facts,
        );
    }

    /// Tells what has no window when it begins.
    fn level(&mut self, alert: &Alert, level: &Level, facts: Facts) {
        let occasion = alert.id.to_string();
        match level {
            Level::Between => {}
            Level::Back => {
                self.told.remove(&occasion);
            }
            Level::Reached if self.told.contains_key(&occasion) => {}
            Level::Reached => {
                let id = format!("{occasion}/{}", self.now);
                let told = Told {
                    level: 1,
                    most: 1,
                    until: None,
                    of: None,
                };
                self.tell(alert, occasion, told, id, facts);
            }
        }
    }

    /// Tells what is summed up over a day, once on that day for each bound that is higher than the
    /// one before.
    fn once_today(&mut self, alert: &Alert, reached: bool, above: Credits, facts: Facts) {
        let occasion = format!("{}/{}", alert.id, self.day);
        let told = self.told.get(&occasion);
        let is_told = told.is_some_and(|told| told.of.is_none_or(|before| above <= before));
        if reached && !is_told {
            let tomorrow = self.day.tomorrow().unwrap_or(self.day);
            let until = tomorrow.to_zoned(TimeZone::UTC).map(|at| at.timestamp());
            let id = match told {
                Some(_) => format!("{occasion}/{above}"),
                None => occasion.clone(),
            };
            let told = Told {
                level: 1,
                most: 1,
                until: until.ok(),
                of: Some(above),
            };
            self.tell(alert, occasion, told, id, facts);
        }
    }

    /// Tells the highest share that was reached and not told, and with it all those below.
    fn budget(&mut self, alert: &Alert, percents: &[u32], status: &BudgetStatus) {
        let window = status.window;
        let rolling = window.is_rolling();
        let name = format!("{}/{}", alert.id, status.id);
        let occasion = match window.start {
            Some(start) if !rolling => format!("{name}/{start}"),
            _ => name,
        };
        if rolling {
            self.rolled_back(&occasion, percents, status);
        }
        self.widened(&occasion, percents, status);
        let told = self.told.get(&occasion);
        let (level, most) = told.map_or((0, 0), |told| (told.level, told.most));
        let reached = highest(percents, |percent| percent > level && has(status, percent));
        if reached == 0 {
            return;
        }
        let limit = status.limit_with_grants();
        let id = if rolling || reached <= most {
            format!("{occasion}/{}/{reached}", self.now)
        } else {
            format!("{occasion}/{reached}")
        };
        let facts = Facts::BudgetShare {
            budget: status.id.clone(),
            percent: reached,
            limit,
            spent: spent(status),
            in_doubt: status.in_doubt,
            resets_at: status.resets_at,
        };
        let told = Told {
            level: reached,
            most: reached.max(most),
            until: window.end,
            of: Some(limit),
        };
        self.tell(alert, occasion, told, id, facts);
    }

    /// Forgets the shares that a budget has left because it was given more room: by a grant, or by
    /// settings that were read again.
    fn widened(&mut self, occasion: &str, percents: &[u32], status: &BudgetStatus) {
        let Some(told) = self.told.get_mut(occasion) else {
            return;
        };
        let (level, now) = (told.level, status.limit_with_grants());
        if told.of.is_some_and(|before| now > before) {
            told.level = highest(percents, |percent| percent <= level && has(status, percent));
        }
        told.of = Some(now);
    }

    /// Forgets the shares that a rolling budget has plainly left.
    fn rolled_back(&mut self, occasion: &str, percents: &[u32], status: &BudgetStatus) {
        let Some(told) = self.told.get_mut(occasion) else {
            return;
        };
        let level = told.level;
        let still = highest(percents, |percent| {
            let gap = BACK_PERCENT.min(percent / 2);
            percent <= level && has(status, percent - gap)
        });
        if still == 0 {
            self.told.remove(occasion);
        } else {
            told.level = still;
        }
    }

    fn tell(&mut self, alert: &Alert, occasion: String, told: Told, id: String, facts: Facts) {
        self.told.insert(occasion, told);
        self.events.push(Event {
            id: id.into(),
            alert: Arc::clone(&alert.id),
            at: self.now,
            facts,
        });
    }
}

/// The highest share that passes, 0 if none does.
fn highest(percents: &[u32], passes: impl Fn(u32) -> bool) -> u32 {
    let passing = percents.iter().copied().filter(|percent| passes(*percent));
    passing.max().unwrap_or(0)
}

/// What of a budget is used up. Quotes of running calls are mostly more than they take, and a
/// budget that was full for a second only would be told for all of its window.
fn spent(status: &BudgetStatus) -> Credits {
    status.settled.saturating_add(status.in_doubt)
}

/// Whether so many percent of a budget are used up. Nothing spent is no share of anything, also
/// where the limit is zero.
fn has(status: &BudgetStatus, percent: u32) -> bool {
    let (spent, limit) = (spent(status), status.limit_with_grants());
    spent > Credits::ZERO
        && i128::from(spent.micros()) * 100 >= i128::from(limit.micros()) * i128::from(percent)
}

fn later(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}
