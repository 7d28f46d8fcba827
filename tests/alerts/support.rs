//! Alerts, snapshots and the texts they are written as in tables.

use generect_guard::alerts::{Alert, Condition, Event, Facts, Snapshot};
use generect_guard::credits::Credits;
use generect_guard::ledger::{BudgetStatus, CalendarUnit, Filter, Mode, Window, WindowRule};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|_| panic!("{text} is no time"))
}

pub fn credits(text: &str) -> Credits {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no amount"))
}

pub fn span(text: &str) -> SignedDuration {
    text.parse().unwrap_or_else(|_| panic!("{text} is no span"))
}

pub fn alert(id: &str, condition: Condition) -> Alert {
    Alert {
        id: id.into(),
        condition,
        webhook: None,
    }
}

pub fn shares(id: &str, budget: Option<&str>, percents: &[u32]) -> Alert {
    let condition = Condition::BudgetShare {
        budget: budget.map(Into::into),
        percents: percents.to_vec(),
    };
    alert(id, condition)
}

/// Nothing to be told of.
pub fn quiet(now: Timestamp) -> Snapshot {
    Snapshot {
        budgets: Vec::new(),
        balance: Some((credits("1000"), now)),
        runs_out_at: None,
        unattributed_today: Credits::ZERO,
        drift_today: Credits::ZERO,
        oldest_doubt: None,
        reading_age: SignedDuration::ZERO,
    }
}

pub fn month(now: Timestamp) -> Window {
    let unit = CalendarUnit::Month;
    let zone = TimeZone::UTC;
    WindowRule::Calendar { unit, zone }.window_at(now)
}

/// A budget with this much settled of a limit.
pub fn used(id: &str, window: Window, settled: Credits, limit: Credits) -> BudgetStatus {
    BudgetStatus {
        id: id.into(),
        filter: Filter::default(),
        window,
        limit,
        mode: Mode::Enforce,
        granted: Credits::ZERO,
        settled,
        held: Credits::ZERO,
        in_doubt: Credits::ZERO,
        resets_at: window.end,
    }
}

/// `alert budget share` of an event about a budget, `alert` of another.
pub fn told(event: &Event) -> String {
    match &event.facts {
        Facts::BudgetShare {
            budget, percent, ..
        } => format!("{} {budget} {percent}", event.alert),
        _ => event.alert.to_string(),
    }
}

/// The rows of a table written as text, cells apart by `|`.
pub fn rows<const N: usize>(table: &str) -> Vec<[&str; N]> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    let rows: Vec<[&str; N]> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            cells
                .try_into()
                .unwrap_or_else(|_| panic!("{line:?} has not {N} cells"))
        })
        .collect();
    assert!(rows.len() > 2, "the table is read wrongly");
    rows
}
