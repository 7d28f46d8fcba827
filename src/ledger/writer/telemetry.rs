//! What the writer tells the outside: metrics and log lines.

use std::time::Duration;

use ::metrics::{counter, gauge, histogram};

use crate::ledger::book::Decided;
use crate::ledger::entry::EntryKind;
use crate::metrics::{
    COMMIT_ENTRIES, COMMIT_FAILURES, COMMIT_TIME, HOLDS_OPEN, KEEP_TIME, OPERATION, OVERRUNS, TEAM,
};

pub(super) fn committed(entries: u32, took: Duration, open: usize) {
    histogram!(COMMIT_TIME).record(took);
    histogram!(COMMIT_ENTRIES).record(entries);
    gauge!(HOLDS_OPEN).set(u32::try_from(open).unwrap_or(u32::MAX));
}

pub(super) fn kept(took: Duration) {
    histogram!(KEEP_TIME).record(took);
}

pub(super) fn failed(error: &str) {
    counter!(COMMIT_FAILURES).increment(1);
    tracing::error!(
        error,
        "the ledger cannot be written: calls are refused until it can"
    );
}

pub(super) fn still_failing(error: &str) {
    counter!(COMMIT_FAILURES).increment(1);
    tracing::warn!(error, "the ledger still cannot be written");
}

pub(super) fn recovered(entries: usize) {
    tracing::warn!(
        entries,
        "the ledger can be written again; what had waited is on disk"
    );
}

/// Reports a charge above its hold. It is recorded in full all the same.
pub(super) fn report_overrun(decided: &Decided) {
    let entry = &decided.entry;
    if entry.kind != EntryKind::Settled || entry.amount <= decided.quote {
        return;
    }
    counter!(
        OVERRUNS,
        TEAM => entry.team.to_string(),
        OPERATION => entry.operation.to_string()
    )
    .increment(1);
    tracing::warn!(
        hold.id = entry.hold.get(),
        team.id = %entry.team,
        operation = %entry.operation,
        quote = %decided.quote,
        charge = %entry.amount,
        "overrun: the upstream charged more than was held"
    );
}
