//! tmp
use super::{LedgerLock, Reader, StoreError};
use jiff::Timestamp;
use std::path::Path;
/// The writing side of a ledger file.
#[derive(Debug)]
pub struct SqliteStore;
/// The reading side.
#[derive(Debug)]
pub struct SqliteReader;
impl SqliteStore {
    /// Opens or creates the ledger at `path` for writing.
    pub fn open(_path: &Path) -> Result<Self, StoreError> {
        Ok(Self)
    }
}
/// Opens a ledger for reading, also beside a running guard.
pub fn open_reader(_path: &Path) -> Result<Box<dyn Reader>, StoreError> {
    Err(StoreError::Failed("not yet".into()))
}
/// Takes the lock and opens the ledger for writing.
pub fn open_locked(
    _path: &Path,
    _now: Timestamp,
) -> Result<(LedgerLock, SqliteStore), crate::ledger::LedgerError> {
    Err(crate::ledger::LedgerError::Closed)
}
