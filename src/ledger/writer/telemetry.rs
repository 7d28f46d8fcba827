//! What the writer tells the outside: metrics and log lines.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::ledger::book::Decided;
use crate::ledger::entry::EntryKind;

/// How long a batch took to be on disk, in seconds.
const COMMIT_SECONDS: &str = "guard_ledger_commit_seconds";
/// How many entries a batch had.
const BATCH_ENTRIES: &str = "guard_ledger_batch_entries";
/// Batches that could not be written.
const COMMIT_FAILURES: &str = "guard_ledger_commit_failures_total";
/// Holds that have not ended, those in doubt included.
const HOLDS_OPEN: &str = "guard_holds_open";
/// Charges above their hold, by team and operation.
const OVERRUNS: &str = "guard_overruns_total";

pub(super) fn committed(entries: u32, took: Duration, open: usize) {
    histogram!(COMMIT_SECONDS).record(took);
    histogram!(BATCH_ENTRIES).record(entries);
    gauge!(HOLDS_OPEN).set(u32::try_from(open).unwrap_or(u32::MAX));
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
        "team" => entry.team.to_string(),
        "operation" => entry.operation.to_string()
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
