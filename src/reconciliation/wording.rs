//! What findings are called, and what they say. Pure.
//!
//! The same disagreement found again has the same name, also after a restart: so it is kept once.

use std::sync::Arc;

use jiff::Timestamp;

use super::open::{FoundOf, OpenCharge};
use crate::credits::Credits;
use crate::ledger::{Finding, FindingKind, HoldId};
use crate::transaction::{Transaction, TransactionId};

/// What the names of findings about charges without a row begin with.
pub(super) const OURS_ONLY: &str = "ours_only:";
/// The same about rows that are nobody's.
pub(super) const THEIRS_ONLY: &str = "theirs_only:";

/// The name of the finding that a hold's charge has no row.
pub(super) fn ours_only_name(hold: HoldId) -> Arc<str> {
    format!("{OURS_ONLY}{hold}").into()
}

/// What is said of a charge that has no row.
pub(super) fn ours_only(hold: HoldId, charge: &OpenCharge, now: Timestamp) -> Finding {
    Finding {
        name: ours_only_name(hold),
        kind: FindingKind::OursOnly,
        found_at: now,
        at: charge.began_at,
        operation: Some(charge.operation.clone()),
        team: Some(charge.team.clone()),
        drift: Credits::ZERO.saturating_sub(charge.amount),
        hold: Some(hold),
        transaction: None,
        detail: format!(
            "hold {hold} was settled at {}, and the account's list is complete for its time without a row for it",
            charge.amount
        ),
    }
}

/// The name of the finding that a row is nobody's.
pub(super) fn theirs_only_name(row: &TransactionId) -> Arc<str> {
    format!("{THEIRS_ONLY}{row}").into()
}

/// What is said of a row that is nobody's.
pub(super) fn theirs_only(row: &Transaction, now: Timestamp) -> Finding {
    Finding {
        name: theirs_only_name(&row.id),
        kind: FindingKind::TheirsOnly,
        found_at: now,
        at: row.at,
        operation: None,
        team: None,
        drift: row.charge(),
        hold: None,
        transaction: Some(row.id.clone()),
        detail: format!(
            "{} for {:?} at {}: no call through the guard explains it",
            row.charge(),
            row.kind,
            row.at
        ),
    }
}

/// What was found of a row that takes another amount now.
pub(super) fn again(row: &Transaction, found: FoundOf, now: Timestamp) -> Finding {
    let late = match found {
        FoundOf::Theirs => return theirs_only(row, now),
        FoundOf::Late(late) => *late,
    };
    let detail = match late.hold {
        Some(hold) => came_late(hold, row.charge()),
        None => late.detail,
    };
    Finding {
        found_at: now,
        drift: row.charge(),
        detail,
        ..late
    }
}

fn came_late(hold: HoldId, charge: Credits) -> String {
    format!("hold {hold} had been released, and then a row of {charge} came for it")
}

/// What is said of a row that came late.
pub(super) fn late(hold: HoldId, call: OpenCharge, row: &Transaction, now: Timestamp) -> Finding {
    let charge = row.charge();
    Finding {
        name: format!("late:{}", row.id).into(),
        kind: FindingKind::Late,
        found_at: now,
        at: call.began_at,
        operation: Some(call.operation),
        team: Some(call.team),
        drift: charge,
        hold: Some(hold),
        transaction: Some(row.id.clone()),
        detail: came_late(hold, charge),
    }
}

/// What is said of one whose team is charged for it after all.
pub(super) fn charged(mut late: Finding) -> Finding {
    late.drift = Credits::ZERO;
    late.detail += "; its team is charged by a correction";
    late
}

/// The name of the finding that a row has changed after its match.
pub(super) fn changed(row: &TransactionId) -> String {
    format!("changed:{row}")
}

/// What is said of a row that took another amount when it was decided upon: `more` than that now.
pub(super) fn changed_since(
    hold: HoldId,
    row: &Transaction,
    more: Credits,
    now: Timestamp,
) -> Finding {
    Finding {
        name: changed(&row.id).into(),
        kind: FindingKind::AmountDiffers,
        found_at: now,
        at: row.at,
        operation: None,
        team: None,
        drift: more,
        hold: Some(hold),
        transaction: Some(row.id.clone()),
        detail: changed_detail(hold, row),
    }
}

pub(super) fn changed_detail(hold: HoldId, row: &Transaction) -> String {
    let (taken, status) = (row.taken(), row.status.as_str());
    format!("the row of hold {hold} changed after its match: it takes {taken} now ({status})")
}
