//! What reconciliation says about itself: one line a finding, and its figures.

use ::metrics::{counter, gauge};
use jiff::{SignedDuration, Timestamp};

use super::matching::DoubtEnd;
use super::run::ReconcileError;
use super::summary::Summary;
use crate::account::PullReport;
use crate::ledger::{BalanceIs, Finding};
use crate::metrics;

/// A finding is new.
pub(super) fn found(finding: &Finding) {
    let kind = finding.kind.as_str();
    counter!(metrics::FINDINGS, metrics::KIND => kind).increment(1);
    tracing::warn!(
        target: "finding",
        {
        finding.name = finding.name.as_ref(),
        finding.kind = kind,
        finding.at = %finding.at,
        finding.drift = finding.drift.to_string(),
        team.id = finding.team.as_ref().map(|team| team.as_str()),
        operation = finding.operation.as_ref().map(|name| name.as_str()),
        hold.id = finding.hold.map(|hold| hold.to_string()),
        transaction.id = finding.transaction.as_ref().map(ToString::to_string),
        },
        "{}", finding.detail
    );
}

/// A doubt, or a job, was ended by the account's list.
pub(super) fn doubt_ended(end: &DoubtEnd, is_allocated: bool) {
    let how = match (is_allocated, end.matches.is_empty()) {
        (true, _) => "allocated",
        (false, true) => "released",
        (false, false) => "settled",
    };
    counter!(metrics::DOUBTS_ENDED, metrics::HOW => how).increment(1);
    tracing::info!(
        hold.id = %end.hold,
        charge = %end.charge,
        "a hold was {how} by the account's transactions"
    );
}

/// A span of the list was read.
pub(super) fn pulled(report: &PullReport) {
    if let Some(first) = report.unreadable.first() {
        let id = first.id.as_deref().unwrap_or("without an id");
        tracing::warn!(
            rows = report.unreadable_count,
            transaction.id = id,
            reason = first.why.as_str(),
            "rows of the account's list cannot be read; no doubt of their time is released by absence"
        );
    }
    if let Some(stop) = report.stop {
        counter!(metrics::LIST_UNREAD).increment(1);
        tracing::warn!(
            span.from = %report.span.from,
            span.to = %report.span.to,
            read_from = %report.read_from,
            pages = report.pages,
            "the account's list was not read to its beginning: {stop}; doubts of that time stay held until it is"
        );
    }
}

/// The list has been read completely up to `read_until`.
pub(super) fn behind(now: Timestamp, read_until: Timestamp) {
    let lag = now.duration_since(read_until).max(SignedDuration::ZERO);
    gauge!(metrics::RECONCILIATION_LAG).set(lag.as_secs_f64());
}

/// The balance means something else than the settings say.
pub(super) fn balance_seems(seems: BalanceIs) {
    match seems {
        BalanceIs::Gross => tracing::error!(
            "the readings say that the balance is gross of running jobs, and account.balance_is says \"net\": what jobs will take is counted too late, and a floor may be passed; set it to \"gross\""
        ),
        BalanceIs::Net => tracing::info!(
            "the readings say that the balance is net of running jobs: account.balance_is = \"net\" would let more calls pass while jobs run"
        ),
    }
}

/// Charges departed from what was expected.
pub(super) fn prices_departed(operations: usize) {
    tracing::warn!(
        operations,
        "charges are no multiples of the prices in force; the account's prices are asked for"
    );
}

/// A run has ended.
pub(super) fn ended(run: &Result<Summary, ReconcileError>) {
    match run {
        Ok(summary) => {
            counter!(metrics::RECONCILIATIONS, metrics::OUTCOME => "done").increment(1);
            let undecided = u32::try_from(summary.undecided).unwrap_or(u32::MAX);
            gauge!(metrics::UNDECIDED).set(f64::from(undecided));
            if !summary.is_quiet() {
                tracing::info!(
                    rows = summary.rows,
                    matched = summary.matched,
                    settled = summary.settled.0,
                    released = summary.released,
                    undecided = summary.undecided,
                    "the books were held against the account's list"
                );
            }
        }
        Err(error) => {
            counter!(metrics::RECONCILIATIONS, metrics::OUTCOME => "failed").increment(1);
            tracing::warn!("reconciliation will try again: {error}");
        }
    }
}
