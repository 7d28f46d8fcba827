//! Decisions from outside: about single holds (endings of those nobody else can end, and
//! corrections), and about the room of a budget.

use tokio::sync::oneshot;

use crate::credits::Credits;
use crate::ledger::entry::{Entry, EntryKind, HoldId, Note};
use crate::ledger::grant::{Grant, GrantError, Granted};
use crate::ledger::request::{Decision, LedgerError, OpenCall, ResolveError};
use crate::ledger::store::StoreError;

use super::Writer;
use super::batch::{WaitingDecision, WaitingGrant};

type Reply = oneshot::Sender<Result<Entry, ResolveError>>;

impl Writer {
    pub(super) fn decide(
        &mut self,
        hold: HoldId,
        decision: Decision,
        evidence: Note,
        reply: Reply,
    ) {
        let seq = self.next_seq();
        match self.book.resolve(hold, decision, evidence, seq) {
            Ok(Some(decided)) => {
                let entry = decided.entry.clone();
                self.put(decided);
                self.batch.decisions.push(WaitingDecision { entry, reply });
            }
            Ok(None) => drop(reply.send(Err(self.why_not_open(hold)))),
            Err(refused) => drop(reply.send(Err(refused))),
        }
    }

    /// What is open, once everything that is not has its end in the store: who asks goes on to read
    /// there what became of the others.
    pub(super) fn open_calls(&self) -> Result<Vec<OpenCall>, LedgerError> {
        if self.batch.entries.is_empty() {
            Ok(self.book.open_calls())
        } else {
            Err(LedgerError::Store(StoreError::Failed(self.failure())))
        }
    }

    fn why_not_open(&self, hold: HoldId) -> ResolveError {
        let ended = |how| ResolveError::AlreadyEnded { hold, how };
        if let Some(entry) = self.batch.ending_of(hold) {
            return ended(entry.kind);
        }
        let look = || {
            let held = self.entry_at(hold.get())?;
            if held.is_none_or(|entry| entry.kind != EntryKind::Held) {
                return Ok(None);
            }
            self.store.reader().ending_of(hold)
        };
        match look() {
            Ok(Some(entry)) => ended(entry.kind),
            Ok(None) => ResolveError::NoSuchHold(hold),
            Err(error) => ResolveError::Ledger(error.into()),
        }
    }

    fn entry_at(&self, seq: i64) -> Result<Option<Entry>, StoreError> {
        let entries = self.store.reader().entries(seq.saturating_sub(1), 1)?;
        Ok(entries.into_iter().find(|entry| entry.seq == seq))
    }

    pub(super) fn correct(
        &mut self,
        ended: &Entry,
        difference: Credits,
        evidence: Note,
        reply: Reply,
    ) {
        let seq = self.next_seq();
        let corrected = self
            .corrections_of(ended)
            .and_then(|before| self.book.correct(ended, &before, difference, evidence, seq));
        match corrected {
            Ok(entry) => {
                self.batch.entries.push(entry.clone());
                self.batch.decisions.push(WaitingDecision { entry, reply });
            }
            Err(refused) => drop(reply.send(Err(refused))),
        }
    }

    pub(super) fn grant(
        &mut self,
        grant: Grant,
        reply: oneshot::Sender<Result<Granted, GrantError>>,
    ) {
        let seq = self.next_seq();
        match self.book.give(grant, seq) {
            Ok(granted) => {
                self.batch.entries.push(granted.entry.clone());
                self.batch.grants.push(WaitingGrant { granted, reply });
            }
            Err(refused) => drop(reply.send(Err(refused))),
        }
    }

    /// All corrections of a hold so far, if `ended` is really the entry that ended it.
    fn corrections_of(&self, ended: &Entry) -> Result<Vec<Entry>, ResolveError> {
        let hold = ended.hold;
        let failed = |error: StoreError| ResolveError::Ledger(error.into());
        let stored = self.entry_at(ended.seq).map_err(failed)?;
        let ends = matches!(ended.kind, EntryKind::Settled | EntryKind::Released);
        if !ends || stored.as_ref() != Some(ended) {
            return Err(ResolveError::NotEnded(hold));
        }
        let reader = self.store.reader();
        let mut corrections = reader.corrections_of(hold).map_err(failed)?;
        let waiting = self.batch.entries.iter();
        let corrects = |entry: &&Entry| entry.kind == EntryKind::Corrected && entry.hold == hold;
        corrections.extend(waiting.filter(corrects).cloned());
        Ok(corrections)
    }
}
