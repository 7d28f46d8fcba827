//! The default store: one SQLite file, which anybody can open with SQL (see the views `ledger`,
//! `spend`, `account_rows`, `disagreements`, `changed` and
//! `saved` in the migrations).

mod append;
mod archive;
mod atomic;
mod changes;
mod checkpoint;
mod codes;
mod connection;
mod copy;
mod derived;
mod digests;
mod keep;
mod mark;
mod months;
mod names;
mod of_team;
mod read;
mod reader;
mod records;
mod schema;
mod since;
mod soundness;
mod wal;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use crate::ledger::archive::Archived;
use crate::ledger::entry::Entry;
use crate::ledger::record::Record;

use super::{HearMigrating, LedgerLock, LockError, Reader, Store, StoreError, Tail};

use atomic::atomically;
use checkpoint::Checkpoints;
use names::Numbers;
use since::Since;

pub use archive::{open_archive, sync_archive};
pub use reader::SqliteReader;
pub use soundness::check_closed;

/// The writing side of a ledger file. Does not take the ledger's lock: see [`open_locked`].
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    /// The connection that writes; reads go the same way.
    reader: SqliteReader,
    numbers: Numbers,
    /// The last entry, as far as this process knows; `None` after a failure.
    last: Option<i64>,
    /// `None` until something is written, and after a failure.
    since: Option<Since>,
    checkpoints: Checkpoints,
}

/// Why a ledger could not be opened by the one who would own it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else owns it, or nobody can.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes the lock and opens the ledger for writing. The lock must live as long as the store.
///
/// # Errors
/// Who has the lock, or what is wrong with the file, as far as can be seen in little time; each names the
/// path.
pub fn open_locked(path: &Path, now: Timestamp) -> Result<(LedgerLock, SqliteStore), OpenError> {
    open_locked_heard(path, now, &HearMigrating::nobody())
}

/// The same; `hear` is told while a ledger of an older schema is brought to this program's.
///
/// # Errors
/// See [`open_locked`].
pub fn open_locked_heard(
    path: &Path,
    now: Timestamp,
    hear: &HearMigrating,
) -> Result<(LedgerLock, SqliteStore), OpenError> {
    // The place is looked at first: a lock file in a folder that does not exist is a worse message.
    connection::check_place(path)?;
    let lock = LedgerLock::acquire(path, now)?;
    // Before the database has a say: it takes what is left of a file for the whole.
    soundness::check_pages(path)?;
    let store =
        SqliteStore::open_heard(path, hear).map_err(|error| soundness::named(path, error))?;
    soundness::check_contents(path, &store.reader)?;
    Ok((lock, store))
}

/// Opens a ledger for reading, also beside a running guard.
///
/// # Errors
/// What is wrong with the file, by its path.
pub fn open_reader(path: &Path) -> Result<Box<dyn Reader>, StoreError> {
    Ok(Box::new(SqliteReader::open(path)?))
}

impl SqliteStore {
    /// Opens or creates the ledger at `path` for writing.
    ///
    /// # Errors
    /// What is wrong with the file, by its path.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_heard(path, &HearMigrating::nobody())
    }

    fn open_heard(path: &Path, hear: &HearMigrating) -> Result<Self, StoreError> {
        let connection = connection::open_writing(path, hear)?;
        Ok(Self {
            path: path.to_owned(),
            reader: SqliteReader::over(connection),
            numbers: Numbers::default(),
            last: None,
            since: None,
            checkpoints: Checkpoints::start(path.to_owned())?,
        })
    }

    fn connection(&self) -> &Connection {
        self.reader.connection()
    }

    fn last(&self) -> Result<i64, StoreError> {
        match self.last {
            Some(last) => Ok(last),
            None => Ok(self.reader.tail()?.seq),
        }
    }

    /// To be put back after a commit.
    fn take_since(&mut self) -> Result<Since, StoreError> {
        match self.since.take() {
            Some(since) => Ok(since),
            None => Since::read(&self.reader),
        }
    }

    fn write(&mut self, batch: &[Entry], last: i64) -> Result<(), StoreError> {
        let end = batch.last().map_or(last, |entry| entry.seq);
        let mut since = self.take_since()?;
        let connection = self.reader.connection();
        let since = atomically(connection, || {
            append::write(connection, &mut self.numbers, batch, &mut since)?;
            match since.is_long() {
                true => since.put_down(connection),
                false => Ok(since),
            }
        })?;
        self.since = Some(since);
        self.last = Some(end);
        Ok(())
    }
}

impl Store for SqliteStore {
    fn reader(&self) -> &dyn Reader {
        &self.reader
    }

    fn append(&mut self, batch: &[Entry]) -> Result<(), StoreError> {
        let last = self.last()?;
        for (seq, entry) in (last + 1..).zip(batch) {
            if entry.seq != seq {
                return Err(StoreError::Failed(format!(
                    "entry {} does not continue the ledger at {seq}",
                    entry.seq
                )));
            }
        }
        let written = self.write(batch, last);
        match &written {
            Ok(()) => self.checkpoints.committed(self.connection()),
            Err(_) => {
                self.last = None;
                self.numbers.forget();
            }
        }
        written
    }

    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let connection = self.connection();
        atomically(connection, || keep::keep(connection, records))?;
        self.checkpoints.committed(self.connection());
        Ok(())
    }

    fn archive(&mut self, archived: &Archived) -> Result<(), StoreError> {
        let tail = self.reader.tail()?;
        let since = self.take_since()?;
        let connection = self.connection();
        let since = atomically(connection, || {
            // What stays must not need what goes: the mark, and the sums by month, move to the end.
            let since = since.put_down(connection)?;
            Self::put_archive(connection, tail, archived)?;
            Ok(since)
        })?;
        self.since = Some(since);
        self.checkpoints.committed(self.connection());
        Ok(())
    }

    fn clear_archived(&mut self, limit: usize) -> Result<usize, StoreError> {
        let removed = self.remove_archived(i64::try_from(limit).unwrap_or(i64::MAX))?;
        self.checkpoints.committed(self.connection());
        Ok(removed)
    }

    /// Opens the file anew: after a failed sync nothing a connection remembers is worth anything.
    fn reread(&mut self) -> Result<Tail, StoreError> {
        self.last = None;
        self.numbers.forget();
        self.since = None;
        let connection = connection::open_writing(&self.path, &HearMigrating::nobody())?;
        self.reader = SqliteReader::over(connection);
        let tail = self.reader.tail()?;
        self.last = Some(tail.seq);
        Ok(tail)
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        let sql = "UPDATE facts SET value = value + 1 WHERE name = 'probes'";
        self.connection().prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
