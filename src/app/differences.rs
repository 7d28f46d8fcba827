//! What is different between two sets of settings, in a line for the log and the list of changes.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::ledger::Budget;

/// What a reload puts in force, e.g. `budgets: growth-month (limit 200 → 150), +sales-month; rates`.
/// Empty if nothing is different.
pub(super) fn differences(old: &Config, new: &Config) -> String {
    let mut parts = Vec::new();
    let teams = |config: &Config| named(&config.teams, |team| team.team.id.as_str());
    parts.extend(part("teams", &teams(old), &teams(new)));
    let keys = |config: &Config| named(&config.clients, |key| key.client.key.as_str());
    parts.extend(part("keys", &keys(old), &keys(new)));
    parts.extend(budgets(&old.budgets, &new.budgets));
    let alerts = |config: &Config| named(&config.alerts, |alert| &alert.id);
    parts.extend(part("alerts", &alerts(old), &alerts(new)));
    let whole = [
        ("floors", old.floors != new.floors),
        ("rates", old.rates != new.rates),
        ("slots", old.slots != new.slots),
        ("prices", old.prices != new.prices),
        ("operations", operations(old) != operations(new)),
    ];
    let changed = whole.iter().filter(|(_, differs)| *differs);
    parts.extend(changed.map(|(name, _)| (*name).to_owned()));
    parts.join("; ")
}

/// Things by their names, each as the text that tells it from a changed one.
fn named<T: std::fmt::Debug>(things: &[T], name: impl Fn(&T) -> &str) -> BTreeMap<String, String> {
    let things = things.iter();
    things
        .map(|thing| (name(thing).to_owned(), format!("{thing:?}")))
        .collect()
}

fn part(
    kind: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Option<String> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let mut words: Vec<_> = gone.map(|name| format!("-{name}")).collect();
    for (name, text) in new {
        match old.get(name) {
            None => words.push(format!("+{name}")),
            Some(before) if before != text => words.push(name.clone()),
            Some(_) => {}
        }
    }
    (!words.is_empty()).then(|| format!("{kind}: {}", words.join(", ")))
}

fn budgets(old: &[Budget], new: &[Budget]) -> Option<String> {
    let name = |budget: &Budget| budget.id.to_string();
    let before: BTreeMap<_, _> = old.iter().map(|budget| (name(budget), budget)).collect();
    let after: BTreeMap<_, _> = new.iter().map(|budget| (name(budget), budget)).collect();
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let mut words: Vec<_> = gone.map(|name| format!("-{name}")).collect();
    for (name, budget) in &after {
        match before.get(name) {
            None => words.push(format!("+{name} (limit {})", budget.limit)),
            Some(other) if other.limit != budget.limit => {
                words.push(format!("{name} (limit {} → {})", other.limit, budget.limit));
            }
            Some(other) if other != budget => words.push(name.clone()),
            Some(_) => {}
        }
    }
    (!words.is_empty()).then(|| format!("budgets: {}", words.join(", ")))
}

/// What can be called, in an order that does not change.
fn operations(config: &Config) -> BTreeMap<String, String> {
    let operations = config.catalogue.operations();
    let named = operations.map(|one| (one.name.to_string(), format!("{one:?}")));
    named.collect()
}
