//! No key without a limit, no limit without a key.
//!
//! The hard cap means nothing to a key that no budget covers, so that is a mistake, not a
//! default: a brand-new key is limited from its first call. A budget in shadow limits nobody.

use super::budgets::Budgets;
use super::clients::Keys;
use crate::catalogue::{Catalogue, Operation};
use crate::config::complaint::Complaints;
use crate::config::settings::TeamSettings;
use crate::identity::{Client, Key};
use crate::ledger::Mode;

/// Looks for keys without a limit and budgets without a key. Only where everything it needs
/// could be read: otherwise each mistake there would be told again here.
pub(super) fn coverage(
    teams: &[TeamSettings],
    keys: &Keys,
    budgets: &Budgets,
    catalogue: Option<&Catalogue>,
    complaints: &mut Complaints,
) {
    let Some(catalogue) = catalogue else {
        return;
    };
    let billable: Vec<&Operation> = catalogue
        .operations()
        .map(AsRef::as_ref)
        .filter(|operation| operation.class.is_charged())
        .collect();
    if budgets.complete {
        for Key { client, .. } in &keys.clients {
            without_limit(client, budgets, &billable, complaints);
        }
    }
    if keys.complete {
        without_key(keys, budgets, &billable, complaints);
    }
    if keys.complete && budgets.complete {
        without_twin(teams, keys, budgets, catalogue, complaints);
    }
}

/// A team that wants the database near the end of a budget, though it has no such budget, or no key
/// that may use both ways.
fn without_twin(
    teams: &[TeamSettings],
    keys: &Keys,
    budgets: &Budgets,
    catalogue: &Catalogue,
    complaints: &mut Complaints,
) {
    let can_be_sent = |client: &Client| {
        catalogue.operations().any(|operation| {
            let twin = catalogue.twin_of(operation);
            let may_use_both = client.may_use(&operation.name)
                && twin.is_some_and(|twin| client.may_use(&twin.name));
            let mut filters = budgets.filters.iter();
            may_use_both
                && filters.any(|(_, filter, mode)| {
                    *mode == Mode::Enforce
                        && filter.covers(&client.team.id, &client.key, &operation.name)
                })
        })
    };
    for settings in teams.iter().filter(|team| team.database_beyond.is_some()) {
        let id = &settings.team.id;
        let mut clients = keys.clients.iter().map(|Key { client, .. }| client);
        if !clients.any(|client| client.team.id == *id && can_be_sent(client)) {
            complaints.warning(
                format!("team.{id}.database_beyond"),
                "has no effect: no key of the team may call a realtime operation that a budget covers and its database twin",
                "add both to a key's operations and a budget for them, or take it out",
            );
        }
    }
}

fn without_limit(
    client: &Client,
    budgets: &Budgets,
    billable: &[&Operation],
    complaints: &mut Complaints,
) {
    if client.team.unlimited {
        return;
    }
    let used = |operation: &&&Operation| client.may_use(&operation.name);
    let usable = billable.iter().filter(used).count();
    let bare: Vec<&str> = billable
        .iter()
        .filter(used)
        .filter(|operation| {
            !budgets.filters.iter().any(|(_, filter, mode)| {
                *mode == Mode::Enforce
                    && filter.covers(&client.team.id, &client.key, &operation.name)
            })
        })
        .map(|operation| operation.name.as_str())
        .collect();
    if bare.is_empty() {
        return;
    }
    let share = if bare.len() == usable {
        format!("any of the {usable} billable operations it may use")
    } else {
        format!(
            "{} of the {usable} billable operations it may use",
            bare.len()
        )
    };
    let on_trial = |(_, _, mode): &(_, _, Mode)| *mode == Mode::Shadow;
    let none = if budgets.filters.iter().any(on_trial) {
        "no budget that enforces"
    } else {
        "no budget"
    };
    complaints.error(
        format!("key.{}", client.key),
        format!("{none} covers {share}: {}", bare.join(", ")),
        format!(
            "add a [[budget]] that does, shorten the key's operations, or set unlimited = true in \
             team.{}",
            client.team.id
        ),
    );
}

fn without_key(
    keys: &Keys,
    budgets: &Budgets,
    billable: &[&Operation],
    complaints: &mut Complaints,
) {
    for (item, filter, _) in &budgets.filters {
        let reached = keys.clients.iter().any(|Key { client, .. }| {
            billable.iter().any(|operation| {
                client.may_use(&operation.name)
                    && filter.covers(&client.team.id, &client.key, &operation.name)
            })
        });
        if !reached {
            complaints.error(
                item,
                "covers no call that any key could make",
                "widen its team, key or operations, add a [[key]], or take it out",
            );
        }
    }
}
