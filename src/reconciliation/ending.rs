//! How the account's list ends doubts and jobs, and corrects what was decided without it.

use tokio::task::spawn_blocking;

use super::judge::Late;
use super::keeping::Judged;
use super::matching::{Answer, DoubtEnd};
use super::notes::UndecidedNote;
use super::open::ABSENT;
use super::question::Asked;
use super::run::{ReconcileError, Reconciler};
use super::state::State;
use super::summary::Summary;
use super::{telemetry, wording};
use crate::credits::Credits;
use crate::ledger::{Decision, Entry, Finding, FindingKind, HoldId, Note, NoteKind, ResolveError};
use crate::transaction::TransactionId;

/// How the evidence goes on of an entry that is not certain, before the reason and a bracket.
const ALLOCATED: &str = " (allocated: ";
/// What the name of its finding begins with, before the hold.
pub(super) const ALLOCATED_NAME: &str = "allocated:";
/// Why it mostly is not.
const NOTHING_ELSE: &str = "nothing else decided about it within a day";

impl Reconciler {
    /// Ends the doubts that the account's list decides. One that has ended meanwhile stays as it is.
    /// Gives those that are not ended although there is no row: the list's silence must be worth
    /// something.
    pub(super) async fn end_doubts(
        &self,
        state: &mut State,
        answer: &Answer,
        asked: &Asked,
        summary: &mut Summary,
    ) -> Result<Vec<UndecidedNote>, ReconcileError> {
        let mut kept = Vec::new();
        for end in &answer.ended {
            let doubt = asked.doubts.iter().find(|doubt| doubt.hold == end.hold);
            let why = why_uncertain(end);
            if end.matches.is_empty()
                && let Some(why) = asked.no_silence(end.hold, &state.open, &state.notes)
            {
                kept.push(UndecidedNote {
                    hold: end.hold.get(),
                    why: why.to_owned(),
                    candidates: Vec::new(),
                });
                continue;
            }
            let (decision, note) = decision(end, why.as_deref());
            let entry = match self.ledger.decide(end.hold, decision, note).await {
                Ok(entry) => entry,
                Err(ResolveError::Ledger(error)) => return Err(error.into()),
                // A poll or a person was first; the next run sees what they did.
                Err(_) => continue,
            };
            telemetry::doubt_ended(end, why.is_some());
            let rows = end.matches.iter().cloned();
            let mut judged = state.open.tie(rows, "its call was found");
            if !end.matches.is_empty() && why.is_none() {
                let shown = doubt.and_then(|doubt| state.notes.show(&doubt.operation));
                judged.records.extend(shown);
            }
            judged.found.extend(allocated(&entry));
            self.keep(state, vec![judged], summary).await?;
            match (why.is_some(), end.matches.is_empty()) {
                (true, _) => summary.allocated += 1,
                (false, true) => summary.released += 1,
                (false, false) => {
                    summary.settled.0 += 1;
                    summary.settled.1 = summary.settled.1.saturating_add(end.charge);
                }
            }
        }
        Ok(kept)
    }

    /// A charge that came after its hold had been released for want of it is its team's after all.
    pub(super) async fn take_late(
        &self,
        state: &mut State,
        late: Vec<Late>,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        for one in late {
            let Late {
                hold,
                row,
                is_certain,
                finding,
            } = one;
            let judged = if is_certain && self.correct(hold, finding.drift, &row).await? {
                let mut booked = state.open.booked_late(&row, hold);
                booked.found.push(wording::charged(finding));
                booked
            } else {
                Judged::found(finding)
            };
            self.keep(state, vec![judged], summary).await?;
        }
        Ok(())
    }

    /// Charges a released hold after all. Says whether its team is charged now.
    async fn correct(
        &self,
        hold: HoldId,
        charge: Credits,
        row: &TransactionId,
    ) -> Result<bool, ReconcileError> {
        let open_reader = self.settings.open_reader.clone();
        let ended = spawn_blocking(move || open_reader.open()?.ending_of(hold)).await??;
        let Some(ended) = ended else {
            return Ok(false);
        };
        let note = Note {
            kind: NoteKind::Transaction,
            text: row.to_string(),
        };
        match self.ledger.correct(ended, charge, note).await {
            Ok(_) | Err(ResolveError::AlreadyCorrected { .. }) => Ok(true),
            Err(ResolveError::Ledger(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(hold.id = %hold, "a late row is not booked: {error}");
                Ok(false)
            }
        }
    }
}

/// What the ledger is told, and what that rests on: an entry that was allocated says so itself, for the
/// process may die before that is found.
fn decision(end: &DoubtEnd, why_allocated: Option<&str>) -> (Decision, Note) {
    let also = why_allocated.map_or_else(String::new, |why| format!("{ALLOCATED}{why})"));
    if end.matches.is_empty() {
        return (Decision::Release, Note::reason(ABSENT.to_owned() + &also));
    }
    let ids = end
        .matches
        .iter()
        .map(|found| found.transaction.to_string());
    let note = Note {
        kind: NoteKind::Transaction,
        text: ids.collect::<Vec<_>>().join(" ") + &also,
    };
    (Decision::Settle(end.charge), note)
}

/// Why what was decided is not certain, if it is not.
fn why_uncertain(end: &DoubtEnd) -> Option<String> {
    if end.allocated {
        return Some(NOTHING_ELSE.to_owned());
    }
    let other = end.perhaps?;
    Some(format!(
        "the end of hold {other} is not certain either, and nobody knows which of the two was charged"
    ))
}

/// The rows that an entry rests on.
pub(super) fn rows_of(entry: &Entry) -> impl Iterator<Item = TransactionId> {
    let text = entry.evidence.as_ref().map(|note| note.text.as_str());
    let text = text.unwrap_or_default();
    let rows = text.split_once(ALLOCATED).map_or(text, |(rows, _)| rows);
    rows.split_whitespace().filter_map(|id| id.parse().ok())
}

/// Whether an entry ended a doubt that nothing decided.
pub(super) fn is_allocated(entry: &Entry) -> bool {
    why_allocated(entry).is_some()
}

fn why_allocated(entry: &Entry) -> Option<&str> {
    let note = entry.evidence.as_ref().filter(|note| match note.kind {
        NoteKind::Transaction => true,
        NoteKind::Reason => note.text.starts_with(ABSENT),
        _ => false,
    });
    let (_, why) = note?.text.split_once(ALLOCATED)?;
    why.strip_suffix(')')
}

/// What was allocated is said, so that a person can put it right.
pub(super) fn allocated(entry: &Entry) -> Option<Finding> {
    let why = why_allocated(entry)?;
    let first = rows_of(entry).next();
    let hold = entry.hold;
    let detail = match &first {
        Some(row) if why != NOTHING_ELSE => {
            format!("hold {hold} was given the row {row}, which is not certain: {why}")
        }
        None if why != NOTHING_ELSE => {
            format!("hold {hold} was released, which is not certain: {why}")
        }
        Some(row) => format!(
            "nothing decided about hold {hold} within a day: it was given the nearest row, {row}"
        ),
        None => format!(
            "nothing decided about hold {hold} within a day: it was released, since no row was near"
        ),
    };
    Some(Finding {
        name: format!("{ALLOCATED_NAME}{hold}").into(),
        kind: FindingKind::Allocated,
        found_at: entry.recorded_at,
        at: entry.recorded_at,
        operation: None,
        team: None,
        drift: Credits::ZERO,
        hold: Some(hold),
        transaction: first,
        detail,
    })
}
