//! What a key may still spend, as one number.

use jiff::SignedDuration;

use crate::catalogue::Operation;
use crate::credits::Credits;
use crate::identity::Client;
use crate::ids::BudgetId;
use crate::ledger::{BudgetStatus, Mode, Window};

/// What stands in the balance's place for a key that some operation has no limit for: the page
/// has a number there, and clients compare it. A thousand million, more than any charge.
pub(super) const UNLIMITED: Credits = Credits::from_micros(1_000_000_000_000_000);

/// The shortest and the longest month, with a change of clocks in it.
const MONTH_SHORTEST: SignedDuration = SignedDuration::from_hours(28 * 24 - 2);
const MONTH_LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24 + 2);

/// What a key may still spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// The most that one operation may still take; `None` where one has no limit.
    pub(super) balance: Option<Credits>,
    /// The budget that says so.
    pub(super) budget: Option<BudgetId>,
    /// The most that one operation may take in a month; `None` where one has no monthly limit.
    pub(super) monthly_limit: Option<Credits>,
}

/// What `client` may still spend. An operation has what the tightest budget over it has left, and
/// the key what the operation has that has the most: a budget for one dear operation does not
/// make the key look poor while all others go on.
pub(super) fn left<'a>(
    client: &Client,
    operations: impl Iterator<Item = &'a Operation>,
    budgets: &[BudgetStatus],
) -> Left {
    let mut left = Left {
        balance: Some(Credits::ZERO),
        budget: None,
        monthly_limit: Some(Credits::ZERO),
    };
    let usable = operations
        .filter(|operation| operation.class.is_charged() && client.may_use(&operation.name));
    for (index, operation) in usable.enumerate() {
        let covers = |budget: &&BudgetStatus| {
            let filter = &budget.filter;
            budget.mode == Mode::Enforce
                && filter.covers(&client.team.id, &client.key, &operation.name)
        };
        let covering: Vec<&BudgetStatus> = budgets.iter().filter(covers).collect();
        let tightest = covering.iter().min_by_key(|budget| budget.headroom());
        let headroom = tightest.map(|budget| budget.headroom());
        if index == 0 || is_more(headroom, left.balance) {
            left.balance = headroom;
            left.budget = tightest.map(|budget| budget.id.clone());
        }
        let monthly = covering.iter().filter(|budget| is_month(budget.window));
        let limit = monthly.map(|budget| budget.limit_with_grants()).min();
        if index == 0 || is_more(limit, left.monthly_limit) {
            left.monthly_limit = limit;
        }
    }
    left
}

/// Whether `one` is more than `other`, where nothing stands for no limit.
fn is_more(one: Option<Credits>, other: Option<Credits>) -> bool {
    match (one, other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(one), Some(other)) => one > other,
    }
}

fn is_month(window: Window) -> bool {
    match (window.start, window.end) {
        (Some(start), Some(end)) => {
            (MONTH_SHORTEST..=MONTH_LONGEST).contains(&end.duration_since(start))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::identity::{Priority, Team};
    use crate::ledger::Filter;

    fn client(operations: &[&str]) -> Client {
        let named = operations.iter().map(|name| (*name).into()).collect();
        Client {
            team: Arc::new(Team {
                id: "growth".into(),
                priority: Priority::Normal,
                unlimited: false,
            }),
            key: "crm".into(),
            account: false,
            operations: (!operations.is_empty()).then_some(named),
        }
    }

    /// A budget by its words: `id limit settled days team key operations`, `-` for any.
    fn budget(words: &str) -> BudgetStatus {
        let cells: Vec<&str> = words.split_whitespace().collect();
        let named = |text: &str| (text != "-").then(|| text.to_owned());
        let start = "2026-11-01T00:00:00Z".parse().unwrap();
        let days: i64 = cells[3].parse().unwrap();
        BudgetStatus {
            id: cells[0].into(),
            filter: Filter {
                team: named(cells[4]).map(Into::into),
                key: named(cells[5]).map(Into::into),
                operations: named(cells[6]).map(|names| names.split(',').map(Into::into).collect()),
            },
            window: Window {
                start: Some(start),
                end: (days > 0).then(|| start + SignedDuration::from_hours(24 * days)),
            },
            limit: cells[1].parse().unwrap(),
            mode: Mode::Enforce,
            granted: Credits::ZERO,
            settled: cells[2].parse().unwrap(),
            held: Credits::ZERO,
            in_doubt: Credits::ZERO,
            resets_at: None,
        }
    }

    /// The key's operations | budgets | balance and its budget | monthly limit
    const KEYS: &str = "
        - | month 200 50 30 growth - - | 150 month | 200
        - | month 200 50 30 growth - -; day 20 5 1 growth - - | 15 day | 200
        - | month 200 50 30 growth - -; all 100 90 31 - - - | 10 all | 100
        - | month 200 50 30 growth - -; phones 20 20 7 growth - phone_find | 150 month | 200
        phone_find | month 200 50 30 growth - -; phones 20 20 7 growth - phone_find | 0 phones | 200
        - | month 200 50 30 growth - -; other 1 1 30 sales - -; key 5 0 30 growth forms - | 150 month | 200
        - | year 1000 1 365 growth - -; rolling 30 0 0 growth - - | 30 rolling | -
        - | phones 20 1 30 growth - phone_find | - - | -
        phone_find,email_find | phones 20 1 30 growth - phone_find; mails 9 0 7 growth - email_find | 19 phones | -
        - | over 10 12.5 28 growth - - | -2.5 over | 10
        my_tier | month 200 50 30 growth - - | 0 - | 0
        - | | - - | -
    ";

    #[test]
    fn a_key_has_what_its_best_operation_has_under_its_tightest_budget() {
        let catalogue = Catalogue::built_in().unwrap();
        for line in KEYS.lines().filter(|line| line.contains('|')) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let names: Vec<&str> = cells[0].split(',').filter(|name| *name != "-").collect();
            let budgets = cells[1].split(';').filter(|words| !words.trim().is_empty());
            let budgets: Vec<BudgetStatus> = budgets.map(budget).collect();
            let operations = catalogue.operations().map(AsRef::as_ref);
            let left = left(&client(&names), operations, &budgets);
            let shown = |amount: Option<Credits>| amount.map_or("-".into(), |it| it.to_string());
            let id = left.budget.map_or("-".to_owned(), |id| id.to_string());
            let found = [
                format!("{} {id}", shown(left.balance)),
                shown(left.monthly_limit),
            ];
            assert_eq!(found, [cells[2], cells[3]], "{line}");
        }
    }

    #[test]
    fn a_month_is_told_from_other_windows_in_every_zone() {
        use crate::ledger::{CalendarUnit, WindowRule};
        for zone in ["UTC", "Europe/Kyiv", "Pacific/Apia", "America/New_York"] {
            for day in 0..400 {
                let start: jiff::Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
                let now = start + SignedDuration::from_hours(24 * day);
                for (unit, expected) in [
                    (CalendarUnit::Day, false),
                    (CalendarUnit::Week, false),
                    (CalendarUnit::Month, true),
                    (CalendarUnit::Quarter, false),
                    (CalendarUnit::Year, false),
                ] {
                    let zone = jiff::tz::TimeZone::get(zone).unwrap();
                    let window = WindowRule::Calendar { unit, zone }.window_at(now);
                    assert_eq!(is_month(window), expected, "{unit:?} {now}");
                }
            }
        }
    }
}
