//! Calls in doubt: what is known of each, and what would decide it.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::spend::{HoldLine, HoldState, SpendReport};
use super::tables::{printable, utc};
use crate::credits::Credits;
use crate::ids::{KeyId, OperationName, TeamId};
use crate::ledger::StoreError;
use crate::ledger::store::Reader;
use crate::reconciliation;
use crate::transaction::TransactionId;

/// The doubts, and how far the account is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoubtsReport {
    /// The moment it is told of.
    pub as_of: Timestamp,
    /// Up to when the account's list has been read completely; absent: never.
    pub read_until: Option<Timestamp>,
    /// Each doubt, oldest first.
    pub doubts: Vec<DoubtLine>,
}

/// One doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoubtLine {
    /// Its hold: the number that `resolve` asks for.
    pub id: i64,
    /// Who pays.
    pub team: TeamId,
    /// Which key was used.
    pub key: KeyId,
    /// What was called.
    pub operation: OperationName,
    /// The most it can have been charged; held until the doubt ends.
    pub most: Credits,
    /// When the call began.
    pub began_at: Timestamp,
    /// Why its outcome is not known.
    pub because: Option<String>,
    /// What reconciliation waits for; absent: it has not looked yet.
    pub waits_for: Option<String>,
    /// Rows of the account that could be its charge.
    pub candidates: Vec<Candidate>,
}

/// A row that could be a doubt's charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Its name.
    pub transaction: String,
    /// When the account wrote it.
    pub at: Option<Timestamp>,
    /// What it is for, in the account's words.
    pub kind: Option<String>,
    /// What was taken.
    pub charge: Option<Credits>,
    /// How far it is.
    pub status: Option<&'static str>,
}

/// Explains the doubts that stand in `report`.
///
/// # Errors
/// What the store says when it cannot be read.
pub fn doubts_report(
    reader: &dyn Reader,
    report: &SpendReport,
) -> Result<DoubtsReport, StoreError> {
    let undecided = reconciliation::undecided(reader)?;
    let count = reconciliation::undecided_count(reader)?;
    let open = report.holds.iter();
    let mut doubts = Vec::new();
    for hold in open.filter(|hold| hold.state == HoldState::InDoubt) {
        let known = undecided.iter().find(|known| known.hold == hold.id);
        let mut candidates = Vec::new();
        for name in known.map_or(&[][..], |known| &known.candidates) {
            candidates.push(candidate(reader, name)?);
        }
        let is_beyond = undecided.last().is_some_and(|last| last.hold < hold.id);
        let untold = (is_beyond && count > undecided.len()).then(|| {
            let told = undecided.len();
            format!("not told: of {count} undecided calls the oldest {told} are explained")
        });
        let waits_for = known.map(|known| known.why.clone()).or(untold);
        doubts.push(doubt(hold, waits_for, candidates));
    }
    Ok(DoubtsReport {
        as_of: report.as_of,
        read_until: reconciliation::read_until(reader)?,
        doubts,
    })
}

fn candidate(reader: &dyn Reader, name: &str) -> Result<Candidate, StoreError> {
    let row = match name.parse::<TransactionId>() {
        Ok(id) => reader.transaction(&id)?,
        Err(_) => None,
    };
    Ok(Candidate {
        transaction: name.to_owned(),
        at: row.as_ref().map(|row| row.at),
        kind: row.as_ref().map(|row| row.kind.to_string()),
        charge: row.as_ref().map(crate::transaction::Transaction::charge),
        status: row.as_ref().map(|row| row.status.as_str()),
    })
}

fn doubt(hold: &HoldLine, waits_for: Option<String>, candidates: Vec<Candidate>) -> DoubtLine {
    DoubtLine {
        id: hold.id,
        team: hold.team.clone(),
        key: hold.key.clone(),
        operation: hold.operation.clone(),
        most: hold.quote,
        began_at: hold.began_at,
        because: hold.why.clone(),
        waits_for,
        candidates,
    }
}

/// Writes it for a person.
pub fn doubts_text(report: &DoubtsReport) -> String {
    let mut out = String::new();
    match report.read_until {
        Some(at) => {
            let _ = writeln!(out, "The account's list is read up to {}.", utc(at));
        }
        None => out.push_str("The account's list has not been read yet: run `reconcile`.\n"),
    }
    if report.doubts.is_empty() {
        out.push_str("Nothing is in doubt.\n");
    }
    for doubt in &report.doubts {
        let _ = writeln!(
            out,
            "\nHold {}: {} of team {} (key {}), began {}, at most {}",
            doubt.id,
            doubt.operation,
            doubt.team,
            doubt.key,
            utc(doubt.began_at),
            doubt.most.counted()
        );
        let because = doubt.because.as_deref().unwrap_or("not told");
        let _ = writeln!(out, "  in doubt because: {}", printable(because));
        let waits = doubt.waits_for.as_deref();
        let waits = waits.unwrap_or("reconciliation has not looked at it yet");
        let _ = writeln!(out, "  not decided because: {waits}");
        for candidate in &doubt.candidates {
            let _ = writeln!(out, "  could be {}", told(candidate));
        }
        let _ = writeln!(
            out,
            "  you can decide: generect-guard resolve {0} --charge CREDITS --reason WHY\n  \
             or if nothing was charged: generect-guard resolve {0} --release --reason WHY",
            doubt.id
        );
    }
    out
}

fn told(candidate: &Candidate) -> String {
    let mut words = vec![candidate.transaction.clone()];
    words.extend(candidate.charge.map(|charge| charge.counted().to_string()));
    words.extend(candidate.kind.clone());
    words.extend(candidate.at.map(utc));
    words.extend(candidate.status.map(str::to_owned));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_call_is_in_doubt_cannot_steer_a_terminal() {
        let doubt = DoubtLine {
            id: 7,
            team: "growth".into(),
            key: "growth-crm".into(),
            operation: "phone_find".into(),
            most: Credits::ZERO,
            began_at: Timestamp::UNIX_EPOCH,
            because: Some("the answer says \u{1b}[2J".into()),
            waits_for: None,
            candidates: Vec::new(),
        };
        let told = doubts_text(&DoubtsReport {
            as_of: Timestamp::UNIX_EPOCH,
            read_until: None,
            doubts: vec![doubt],
        });
        assert!(told.contains("the answer says  [2J"), "{told}");
    }
}
