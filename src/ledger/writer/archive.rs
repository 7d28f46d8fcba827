//! Entries that go to an archive: the line that says so, and what is removed afterwards.

use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::archive::Archived;
use crate::ledger::request::LedgerError;
use crate::ledger::store::StoreError;

use super::Writer;

/// Entries removed in one turn: a few milliseconds.
const REMOVED_AT_A_TIME: usize = 2_048;

impl Writer {
    /// From here on these entries are read in the archive.
    pub(super) fn archive(&mut self, archived: &Archived) -> Result<(), LedgerError> {
        self.commit();
        self.must_be_written()?;
        let written = self.store.archive(archived);
        self.look_after(written)
    }

    /// Removes some of what is archived; says how many, and what rest calls should have from it.
    pub(super) fn clear_archived(&mut self) -> Result<(usize, Duration), LedgerError> {
        self.must_be_written()?;
        let started = Instant::now();
        let removed = self.store.clear_archived(REMOVED_AT_A_TIME);
        let removed = self.look_after(removed)?;
        Ok((removed, self.rest_since(started)))
    }

    fn must_be_written(&self) -> Result<(), LedgerError> {
        match self.unsure {
            Some(_) => Err(StoreError::Failed(self.failure()).into()),
            None => Ok(()),
        }
    }

    fn look_after<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, LedgerError> {
        if let Err(error) = &outcome
            && !matches!(error, StoreError::NotKept(_))
        {
            self.keeping_failed(error);
        }
        outcome.map_err(LedgerError::from)
    }
}
