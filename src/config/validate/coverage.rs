//! No key without a limit, no limit without a key.
//!
//! The hard cap means nothing to a key that no budget covers, so that is a mistake, not a
//! default: a brand-new key is limited from its first call.

use super::budgets::Budgets;
use super::clients::Keys;
use crate::catalogue::{Catalogue, Operation};
use crate::config::complaint::Complaints;
use crate::identity::{Client, Key};

/// Looks for keys without a limit and budgets without a key. Only where everything it needs
/// could be read: otherwise each mistake there would be told again here.
pub(super) fn coverage(
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
            !budgets
                .filters
                .iter()
                .any(|(_, filter)| filter.covers(&client.team.id, &client.key, &operation.name))
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
    complaints.error(
        format!("key.{}", client.key),
        format!("no budget covers {share}: {}", bare.join(", ")),
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
    for (item, filter) in &budgets.filters {
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
