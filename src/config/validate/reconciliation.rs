//! `[reconciliation]`: how the books are held against the account's own list.

use std::time::Duration;

use jiff::SignedDuration;

use super::scalars;
use crate::config::complaint::Complaints;
use crate::config::file::ReconciliationFile;
use crate::config::settings::Reconciliation;
use crate::credits::Credits;
use crate::transaction::TransactionSource;

/// A longest span for what is about lateness: a day is what an undecided doubt waits at most.
const LATEST: SignedDuration = SignedDuration::from_hours(24);

/// Checks the section.
pub(super) fn reconciliation(file: &ReconciliationFile, c: &mut Complaints) -> Reconciliation {
    let interval = Duration::from_mins(1);
    let interval = scalars::span(c, "reconciliation.interval", file.interval, interval);
    let sources = [
        ("v1", Some(TransactionSource::V1)),
        ("legacy", Some(TransactionSource::Legacy)),
        ("none", None),
    ];
    let source = file.source.as_deref();
    let default = Some(TransactionSource::V1);
    let source = scalars::word(c, "reconciliation.source", source, &sources, default);
    let mut up_to_a_day = |path: &str, value, default| {
        scalars::span_up_to(c, path, value, SignedDuration::from_secs(default), LATEST)
    };
    let tolerance = up_to_a_day("reconciliation.tolerance", file.tolerance, 30);
    let rows_late = up_to_a_day("reconciliation.rows_late", file.rows_late, 3_600);
    let overlap = up_to_a_day("reconciliation.overlap", file.overlap, 7_200);
    if overlap < rows_late {
        c.error(
            "reconciliation.overlap",
            "is shorter than reconciliation.rows_late: rows that come late would never be read",
            "make it at least as long",
        );
    }
    let factor = file.factor.unwrap_or(Credits::from_micros(1_000_000));
    if factor <= Credits::ZERO {
        c.error(
            "reconciliation.factor",
            "is not above zero",
            "write what one unit of the list is in the account's credits; usually 1",
        );
    }
    Reconciliation {
        interval,
        source,
        tolerance,
        rows_late,
        overlap,
        factor,
    }
}
