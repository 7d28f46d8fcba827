//! Where the account and the books do not agree.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::period::Period;
use super::tables::{plain, table, utc};
use crate::counted::counted;
use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};
use crate::ledger::store::{KeptFinding, Reader};
use crate::ledger::{FindingKind, StoreError};
use crate::reconciliation;

/// Findings read at a time.
const PAGE: usize = 1_000;
/// Findings shown in a table; `--json` has all.
const SHOWN: usize = 100;

/// The findings about a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingsReport {
    /// The span the findings are about.
    pub period: Period,
    /// Up to when the account's list has been read completely; absent: never.
    pub read_until: Option<Timestamp>,
    /// Each kind that occurs, with its sums.
    pub kinds: Vec<KindLine>,
    /// The findings, oldest first.
    pub findings: Vec<FindingLine>,
}

/// All findings of a kind together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindLine {
    /// Which.
    pub kind: &'static str,
    /// How many.
    pub findings: u64,
    /// How many of them nothing explains.
    pub open: u64,
    /// The account's figures less ours, of those that nothing explains, in credits.
    pub drift: Credits,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingLine {
    /// Its name, which never changes.
    pub name: String,
    /// Which kind.
    pub kind: &'static str,
    /// The moment it is about.
    pub at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// Whose call it was, where that is known.
    pub team: Option<TeamId>,
    /// What was called, where that is known.
    pub operation: Option<OperationName>,
    /// The account's figure less ours, in credits.
    pub drift: Credits,
    /// The hold it is about.
    pub hold: Option<i64>,
    /// The account's row it is about.
    pub transaction: Option<String>,
    /// What a person should know.
    pub detail: String,
    /// When it was explained.
    pub closed_at: Option<Timestamp>,
    /// By what.
    pub closed_why: Option<String>,
}

/// Reads the findings about `period`; `open_only`: without those that were explained.
///
/// # Errors
/// What the store says when it cannot be read.
pub fn findings_report(
    reader: &dyn Reader,
    period: Period,
    open_only: bool,
) -> Result<FindingsReport, StoreError> {
    let mut findings: Vec<FindingLine> = Vec::new();
    loop {
        let after = findings.last().map(|last| (last.at, last.name.as_str()));
        let page = reader.findings(period.from, period.to, open_only, after, PAGE)?;
        if page.is_empty() {
            break;
        }
        findings.extend(page.into_iter().map(FindingLine::from));
    }
    let sums = reader.found(period.from, period.to)?;
    let kinds = sums.into_iter().map(|sum| KindLine {
        kind: sum.kind.as_str(),
        findings: sum.findings,
        open: sum.open,
        drift: sum.open_drift,
    });
    Ok(FindingsReport {
        period,
        read_until: reconciliation::read_until(reader)?,
        kinds: kinds.collect(),
        findings,
    })
}

impl From<KeptFinding> for FindingLine {
    fn from(kept: KeptFinding) -> Self {
        let (finding, closed) = (kept.finding, kept.closed);
        Self {
            name: finding.name.to_string(),
            kind: finding.kind.as_str(),
            at: finding.at,
            found_at: finding.found_at,
            team: finding.team,
            operation: finding.operation,
            drift: finding.drift,
            hold: finding.hold.map(crate::ledger::HoldId::get),
            transaction: finding.transaction.map(|id| id.to_string()),
            detail: finding.detail,
            closed_at: closed.as_ref().map(|closed| closed.at),
            closed_why: closed.map(|closed| closed.why),
        }
    }
}

/// Writes it as tables for a terminal.
pub fn findings_text(report: &FindingsReport) -> String {
    let mut out = String::new();
    if report.kinds.is_empty() {
        let _ = match report.read_until {
            Some(until) => writeln!(
                out,
                "Nothing disagrees: the account and the books tell the same, as far as the account's list is \
                 read (up to {}).",
                utc(until)
            ),
            None => writeln!(
                out,
                "The account's list has never been read completely: run `reconcile` to hold the books against it."
            ),
        };
        return out;
    }
    let header = ["finding", "count", "open", "open drift", ""];
    let mut sums = table(plain(), &header, &[1, 2, 3]);
    for line in &report.kinds {
        sums.add_row([
            line.kind.to_owned(),
            line.findings.to_string(),
            line.open.to_string(),
            line.drift.to_string(),
            meaning(line.kind).to_owned(),
        ]);
    }
    let _ = writeln!(out, "{}\n", sums.trim_fmt());
    let mut lines = table(plain(), &["at", "finding", "drift", "what"], &[2]);
    let newest = report.findings.iter().rev().take(SHOWN);
    for line in newest {
        let mut detail = line.detail.clone();
        if let (Some(team), Some(operation)) = (&line.team, &line.operation) {
            detail = format!("{detail} (team {team}, {operation})");
        }
        if let Some(why) = &line.closed_why {
            detail = format!("{detail}; explained: {why}");
        }
        lines.add_row([
            utc(line.at),
            line.kind.to_owned(),
            line.drift.to_string(),
            detail,
        ]);
    }
    let _ = writeln!(out, "{}", lines.trim_fmt());
    let more = report.findings.len().saturating_sub(SHOWN);
    if more > 0 {
        let more = counted(more, "earlier one", "earlier ones");
        let _ = writeln!(out, "and {more}: --json has them all");
    }
    out
}

/// What a kind means and what to do about it.
fn meaning(kind: &str) -> &'static str {
    match FindingKind::from_text(kind) {
        Some(FindingKind::TheirsOnly) => "somebody used the account around the guard",
        Some(FindingKind::OursOnly) => "settled here, and the account has no row for it",
        Some(FindingKind::AmountDiffers) => "both know it, with different amounts; refunds too",
        Some(FindingKind::Late) => "its row came after the doubt had been released",
        Some(FindingKind::Allocated) => {
            "undecided for a day and given what was near, or decided by what that left"
        }
        Some(FindingKind::UnexpectedPrice) => "charged at a price nobody was told of",
        Some(FindingKind::TopUp) => "the account got money",
        Some(FindingKind::Unit) => "figures not in the unit the settings say",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_agrees_before_the_account_was_read() {
        let of = |read_until: Option<&str>| {
            findings_text(&FindingsReport {
                period: Period::month_of(Timestamp::UNIX_EPOCH),
                read_until: read_until.map(|at| at.parse().unwrap()),
                kinds: Vec::new(),
                findings: Vec::new(),
            })
        };
        let unread = of(None);
        assert!(unread.contains("never been read"), "{unread}");
        assert!(!unread.contains("the same"), "{unread}");
        let read = of(Some("2026-11-22T07:24:00Z"));
        assert!(read.contains("the same") && read.contains("2026-11-22 07:24 UTC"));
    }
}
