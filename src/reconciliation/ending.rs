//! How the account's list ends doubts and jobs, and corrects what was decided without it.

use tokio::task::spawn_blocking;

use super::judge::{self, Late};
use super::keeping::Judged;
use super::matching::{Answer, DoubtEnd};
use super::notes::UndecidedNote;
use super::open::ABSENT;
use super::question::Asked;
use super::run::{ReconcileError, Reconciler};
use super::state::State;
use super::summary::Summary;
use super::telemetry;
use crate::credits::Credits;
use crate::ledger::{Decision, Entry, Finding, FindingKind, HoldId, Note, NoteKind, ResolveError};
use crate::transaction::TransactionId;

/// How the evidence ends of an entry that nothing decided.
const ALLOCATED: &str = " (allocated: nothing else decided about it within a day)";

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
            let (decision, note) = decision(end);
            let entry = match self.ledger.decide(end.hold, decision, note).await {
                Ok(entry) => entry,
                Err(ResolveError::Ledger(error)) => return Err(error.into()),
                // A poll or a person was first; the next run sees what they did.
                Err(_) => continue,
            };
            telemetry::doubt_ended(end);
            let rows = end.matches.iter().cloned();
            let mut judged = state.open.tie(rows, "its call was found");
            if !end.matches.is_empty() && !end.allocated {
                let doubt = asked.doubts.iter().find(|doubt| doubt.hold == end.hold);
                let shown = doubt.and_then(|doubt| state.notes.show(&doubt.operation));
                judged.records.extend(shown);
            }
            judged.found.extend(allocated(&entry));
            self.keep(state, vec![judged], summary).await?;
            match (end.allocated, end.matches.is_empty()) {
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
                booked.found.push(judge::charged(finding));
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
fn decision(end: &DoubtEnd) -> (Decision, Note) {
    let also = if end.allocated { ALLOCATED } else { "" };
    if end.matches.is_empty() {
        return (Decision::Release, Note::reason(ABSENT.to_owned() + also));
    }
    let ids = end
        .matches
        .iter()
        .map(|found| found.transaction.to_string());
    let note = Note {
        kind: NoteKind::Transaction,
        text: ids.collect::<Vec<_>>().join(" ") + also,
    };
    (Decision::Settle(end.charge), note)
}

/// Whether an entry ended a doubt that nothing decided.
pub(super) fn is_allocated(entry: &Entry) -> bool {
    let note = entry.evidence.as_ref().filter(|note| match note.kind {
        NoteKind::Transaction => true,
        NoteKind::Reason => note.text.starts_with(ABSENT),
        _ => false,
    });
    note.is_some_and(|note| note.text.ends_with(ALLOCATED))
}

/// What was allocated is said, so that a person can put it right.
pub(super) fn allocated(entry: &Entry) -> Option<Finding> {
    let note = entry.evidence.as_ref().filter(|_| is_allocated(entry))?;
    let first = note.text.split_whitespace().next();
    let first: Option<TransactionId> = first.and_then(|id| id.parse().ok());
    let given = match &first {
        Some(row) => format!("was given the nearest row, {row}"),
        None => "was released, since no row was near".to_owned(),
    };
    let hold = entry.hold;
    Some(Finding {
        name: format!("allocated:{hold}").into(),
        kind: FindingKind::Allocated,
        found_at: entry.recorded_at,
        at: entry.recorded_at,
        operation: None,
        team: None,
        drift: Credits::ZERO,
        hold: Some(hold),
        transaction: first,
        detail: format!("nothing decided about hold {hold} within a day: it {given}"),
    })
}
