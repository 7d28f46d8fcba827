//! Decisions from outside: the end of a hold that nobody else can end, and the correction of a
//! charge.

use crate::credits::Credits;
use crate::ledger::entry::{Entry, EntryKind, HoldId, Note, is_charge};
use crate::ledger::request::{Decision, ResolveError};

use super::{Book, Decided};

impl Book {
    /// Decides about a decision from outside, and takes it into the books. `Ok(None)`: the hold is
    /// not open; how it ended only the store knows.
    pub(in crate::ledger) fn resolve(
        &mut self,
        hold: HoldId,
        decision: Decision,
        evidence: Note,
        seq: i64,
    ) -> Result<Option<Decided>, ResolveError> {
        let Some(call) = self.open.get(&hold) else {
            return Ok(None);
        };
        if call.doubted_at.is_none() && call.job.is_none() {
            return Err(ResolveError::StillLive(hold));
        }
        let (kind, amount) = match decision {
            Decision::Settle(charge) if !is_charge(charge) => {
                return Err(ResolveError::NotACharge(charge));
            }
            Decision::Settle(charge) => (EntryKind::Settled, charge),
            Decision::Release => (EntryKind::Released, call.quote),
        };
        Ok(self.decide(hold, kind, amount, evidence, seq))
    }

    /// Decides about a correction of what an ended hold was charged, and takes it into the books.
    /// `before` are the corrections it has had.
    pub(in crate::ledger) fn correct(
        &mut self,
        ended: &Entry,
        before: &[Entry],
        difference: Credits,
        evidence: Note,
        seq: i64,
    ) -> Result<Entry, ResolveError> {
        let hold = ended.hold;
        let same = |entry: &&Entry| entry.evidence.as_ref() == Some(&evidence);
        if let Some(twin) = before.iter().find(same) {
            let seq = twin.seq;
            return Err(ResolveError::AlreadyCorrected { hold, seq });
        }
        let charged = Some(ended).filter(|entry| entry.kind == EntryKind::Settled);
        let amounts = charged.into_iter().chain(before).map(|entry| entry.amount);
        let total = amounts.fold(difference, Credits::saturating_add);
        if !is_charge(total) {
            return Err(ResolveError::NotACharge(total));
        }
        let entry = Entry {
            seq,
            kind: EntryKind::Corrected,
            recorded_at: self.now,
            amount: difference,
            evidence: Some(evidence),
            ..ended.clone()
        };
        self.apply(&entry);
        Ok(entry)
    }
}
