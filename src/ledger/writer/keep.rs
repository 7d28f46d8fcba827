//! Records on their way to the store: after the calls of a turn, in a transaction of their own.

use tokio::sync::oneshot;

use crate::ledger::record::Record;
use crate::ledger::request::LedgerError;
use crate::ledger::store::StoreError;

use super::Writer;

/// Records that wait for the end of the turn, and who gave them.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) records: Vec<Record>,
    pub(super) reply: oneshot::Sender<Result<(), LedgerError>>,
}

impl Writer {
    /// Keeps what was given in this turn. No call waits for it: they have been answered.
    pub(super) fn keep_records(&mut self) {
        for Keeping { records, reply } in std::mem::take(&mut self.keeping) {
            let kept = if self.unsure.is_some() {
                Err(StoreError::Failed(self.failure()))
            } else {
                self.store.keep(&records)
            };
            match &kept {
                Ok(()) | Err(StoreError::NotKept(_)) => {}
                Err(error) => self.keeping_failed(error),
            }
            // Nobody minds if the caller has left.
            drop(reply.send(kept.map_err(LedgerError::from)));
        }
    }

    /// Records are no reason to refuse calls; but what a store remembers after a failure is worth
    /// nothing, so it is read again, and one that cannot be read is treated as one that fails.
    fn keeping_failed(&mut self, error: &StoreError) {
        if self.unsure.is_some() {
            return; // Failing already: recovery reads it.
        }
        match self.store.reread() {
            Ok(tail) if tail.seq == self.last_seq => {
                tracing::warn!(%error, "what reconciliation found could not be kept");
            }
            Ok(_) | Err(_) => self.commit_failed(error),
        }
    }
}
