//! Decisions from outside: the end of a hold that nobody else can end, the correction of a charge,
//! more room for a budget.

use crate::credits::Credits;
use crate::ids::{KeyId, OperationName, TeamId};
use crate::ledger::entry::{Entry, EntryKind, Evidence, HoldId, Note, is_charge};
use crate::ledger::grant::{Grant, GrantError, Granted};
use crate::ledger::request::{Decision, ResolveError};

use super::{Book, Decided};

impl Book {
    /// Ends a hold by a decision from outside: a person's, or that of the account's own list. `Ok(None)`: the
    /// hold is not open; how it ended only the store knows.
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

    /// Decides about more room for a budget, and takes it into the books as entry `seq`. Never takes
    /// back more than the present window was given.
    pub(in crate::ledger) fn give(
        &mut self,
        grant: Grant,
        seq: i64,
    ) -> Result<Granted, GrantError> {
        let now = self.now;
        let Grant {
            budget,
            amount,
            who,
            reason,
        } = grant;
        let mut tallies = self.tallies.iter();
        let Some(place) = tallies.position(|tally| tally.budget.id == budget) else {
            let known = self.tallies.iter().map(|tally| tally.budget.id.as_str());
            let known = known.collect::<Vec<_>>().join(", ");
            return Err(GrantError::NoSuchBudget { budget, known });
        };
        let tally = &mut self.tallies[place];
        tally.advance(now);
        let granted = tally.status(now).granted;
        let total = granted.saturating_add(amount);
        if total.is_negative() {
            let asked = Credits::ZERO.saturating_sub(amount);
            return Err(GrantError::MoreThanGranted {
                budget,
                asked,
                granted,
            });
        }
        if amount == Credits::ZERO || !is_charge(total) {
            return Err(GrantError::NotAnAmount(amount));
        }
        let entry = Entry {
            seq,
            kind: EntryKind::Granted,
            hold: HoldId::new(seq),
            began_at: now,
            recorded_at: now,
            team: TeamId::from(""),
            key: KeyId::from(""),
            operation: OperationName::from(""),
            amount,
            job: None,
            budget: Some(budget),
            fingerprint: Some(tally.budget.window.fingerprint()),
            evidence: Some(Evidence::Operator { who, reason }.into()),
        };
        self.apply(&entry);
        let status = self.tallies[place].status(now);
        Ok(Granted { entry, status })
    }
}
