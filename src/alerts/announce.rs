//! An event in the log and in the metrics.

use jiff::{SignedDuration, Timestamp};

use super::alert::Alert;
use super::event::{Event, Facts};
use crate::credits::Credits;
use crate::ids::BudgetId;
use crate::metrics;

/// The figures of an event, by the field they stand under in the log.
#[derive(Default)]
struct Fields<'a> {
    budget: Option<&'a BudgetId>,
    percent: Option<u32>,
    limit: Option<Credits>,
    spent: Option<Credits>,
    balance: Option<Credits>,
    runs_out_at: Option<Timestamp>,
    unattributed: Option<Credits>,
    drift: Option<Credits>,
    doubt_since: Option<Timestamp>,
    reading_age: Option<SignedDuration>,
}

impl<'a> Fields<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut fields = Self::default();
        match facts {
            Facts::BudgetShare {
                budget,
                percent,
                limit,
                spent,
                ..
            } => {
                fields.budget = Some(budget);
                fields.percent = Some(*percent);
                fields.limit = Some(*limit);
                fields.spent = Some(*spent);
            }
            Facts::BalanceBelow { balance, .. } => fields.balance = Some(*balance),
            Facts::RunsOutWithin {
                balance,
                runs_out_at,
                ..
            } => {
                fields.balance = Some(*balance);
                fields.runs_out_at = Some(*runs_out_at);
            }
            Facts::UnattributedAbove { unattributed, .. } => {
                fields.unattributed = Some(*unattributed);
            }
            Facts::DriftAbove { drift, .. } => fields.drift = Some(*drift),
            Facts::DoubtOlderThan { since, .. } => fields.doubt_since = Some(*since),
            Facts::ReadingOlderThan { age, .. } => fields.reading_age = Some(*age),
        }
        fields
    }
}

/// The macros of `tracing` take a level that is known beforehand.
macro_rules! line {
    ($level:ident, $event:ident, $fields:ident) => {
        tracing::$level!(
            target: "alert",
            {
                alert.id = %$event.alert,
                alert.kind = $event.facts.kind(),
                alert.event = %$event.id,
                budget.id = $fields.budget.map(tracing::field::display),
                budget.percent = $fields.percent,
                budget.limit = $fields.limit.map(tracing::field::display),
                budget.spent = $fields.spent.map(tracing::field::display),
                account.balance = $fields.balance.map(tracing::field::display),
                account.runs_out_at = $fields.runs_out_at.map(tracing::field::display),
                account.unattributed = $fields.unattributed.map(tracing::field::display),
                account.drift = $fields.drift.map(tracing::field::display),
                account.reading_age_s = $fields.reading_age.map(|age| age.as_secs()),
                doubt.since = $fields.doubt_since.map(tracing::field::display)
            },
            "{}",
            $event.facts
        )
    };
}

/// Writes one line and counts one.
pub(super) fn announce(event: &Event) {
    let fields = Fields::of(&event.facts);
    if event.facts.is_urgent() {
        line!(warn, event, fields);
    } else {
        line!(info, event, fields);
    }
    count(&event.alert, event.facts.kind(), 1);
}

/// Makes the counter of an alert exist, so that its first rise can be seen as one.
pub(super) fn expect(alert: &Alert) {
    count(&alert.id, alert.condition.kind(), 0);
}

fn count(alert: &str, kind: &'static str, times: u64) {
    ::metrics::counter!(metrics::ALERTS, metrics::ALERT => alert.to_owned(), metrics::KIND => kind)
        .increment(times);
}
