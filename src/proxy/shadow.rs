//! Limits in shadow: what they would have refused is logged, counted and marked on the answer.
//!
//! A limit is tried out before it is in force. It counts every call like one in force, and lets all
//! of them pass. Rates and slowing floors mark a call as it passes them; budgets and refusing floors
//! mark what is held: a call that another limit refuses there is told of that one.

use std::sync::Arc;

use super::exchange::Exchange;
use super::policy::Policy;
use super::refusal::Refusal;
use super::short::Short;
use crate::identity::Priority;
use crate::ledger::Shortfall;
use crate::metrics::{self, LIMIT, NOBODY, REASON, TEAM};

/// Marks the exchange: `limit` would have answered it with `refusal`.
pub(super) fn note(exchange: &Exchange, limit: Arc<str>, refusal: &Refusal) {
    let reason = refusal.reason();
    let mut facts = exchange.facts();
    let client = facts.client.as_ref();
    let team = client.map_or(NOBODY, |client| client.team.id.as_str());
    ::metrics::counter!(
        metrics::SHADOWED,
        LIMIT => Arc::clone(&limit), REASON => reason, TEAM => team.to_owned()
    )
    .increment(1);
    tracing::info!(
        target: "shadow",
        {
        team.id = team,
        key.id = client.map(|client| client.key.as_str()),
        request.id = %exchange.request_id,
        operation = facts.operation.as_ref().map(|name| name.as_str()),
        limit.id = &*limit,
        refusal = reason,
        },
        "{limit} would have refused this call: {}", refusal.detail()
    );
    facts.shadow.push(limit);
}

/// Marks the exchange with every limit that `short` names.
pub(super) fn note_all(exchange: &Exchange, short: Short, policy: &Policy, priority: Priority) {
    for (limit, shortfall) in one_by_one(&short.shortfall, policy, priority) {
        let one = Short {
            shortfall: shortfall.into(),
            operation: short.operation.clone(),
            asked: short.asked,
            items: short.items,
        };
        note(exchange, limit, &Refusal::Short(Box::new(one)));
    }
}

/// The limits of a shortfall, each with its own part of it.
fn one_by_one(
    shortfall: &Shortfall,
    policy: &Policy,
    priority: Priority,
) -> Vec<(Arc<str>, Shortfall)> {
    let budgets = shortfall.budgets.iter().map(|budget| {
        let alone = Shortfall {
            budgets: vec![budget.clone()],
            ..Shortfall::default()
        };
        (budget.status.id.as_str().into(), alone)
    });
    let floor = policy.shadow_floor(priority);
    let account = shortfall.account.iter().zip(floor).map(|(account, floor)| {
        let alone = Shortfall {
            account: Some(account.clone()),
            ..Shortfall::default()
        };
        (Arc::clone(&floor.name), alone)
    });
    budgets.chain(account).collect()
}

/// The names of the limits that `shortfall` has, as they stand in the header.
pub(super) fn names(shortfall: &Shortfall, policy: &Policy, priority: Priority) -> Vec<Arc<str>> {
    let limits = one_by_one(shortfall, policy, priority);
    limits.into_iter().map(|(limit, _)| limit).collect()
}
