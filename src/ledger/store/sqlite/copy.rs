//! Copies of a whole ledger file.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::ledger::store::{Reader, StoreError};

use super::reader::SqliteReader;

/// Pages copied between two breaths of a backup: 4 MiB, so that a writer waits for milliseconds.
const BACKUP_PAGES: i32 = 1_024;
/// Where more than one page in so many is free, the copy is written anew, without free ones.
const FREE_PART: i64 = 8;
/// How long to wait when somebody else has the file for a moment.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

impl SqliteReader {
    /// Copies every page; `progress` is told how many are done and how many there are.
    pub(super) fn copy_to(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<(), StoreError> {
        if path.exists() {
            return Err(no_copy(
                path,
                "a file of that name exists already; name a new one",
            ));
        }
        if self.is_mostly_used()? {
            self.copy_pages(path, progress)?;
        } else {
            self.copy_used(path, progress)?;
        }
        one_file(path)
    }

    /// Whether few pages of the file are free: what was archived leaves its room to new entries.
    fn is_mostly_used(&self) -> Result<bool, StoreError> {
        let number = |name| {
            let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            self.connection().pragma_query_value(None, name, read)
        };
        Ok(number("freelist_count")? <= number("page_count")? / FREE_PART)
    }

    /// Writes the copy anew, without the free pages: one moment of the ledger too.
    fn copy_used(&self, path: &Path, progress: &mut dyn FnMut(i64, i64)) -> Result<(), StoreError> {
        let name = path.to_str();
        let name = name.ok_or_else(|| no_copy(path, "its name is not UTF-8"))?;
        progress(0, 1);
        self.connection().execute("VACUUM INTO ?1", [name])?;
        // SQLite leaves that to whoever asked for it.
        let synced = File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|error| no_copy(path, error))?;
        progress(1, 1);
        Ok(())
    }

    fn copy_pages(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<(), StoreError> {
        let mut copy = Connection::open(path).map_err(|error| no_copy(path, error))?;
        let backup = Backup::new(self.connection(), &mut copy)?;
        // A view held open keeps the copy one moment of the ledger, however long it takes, and a
        // writer does not have to wait for it.
        let view = self.connection().unchecked_transaction()?;
        self.tail()?;
        loop {
            let step = backup.step(BACKUP_PAGES)?;
            let at = backup.progress();
            progress(
                i64::from(at.pagecount - at.remaining),
                i64::from(at.pagecount),
            );
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => std::thread::sleep(BUSY_PAUSE),
            }
        }
        view.finish()?;
        Ok(())
    }
}

/// Without a log: whoever reads the copy would make one beside it, and it would look like a part of it. A guard
/// that opens it makes its own.
fn one_file(path: &Path) -> Result<(), StoreError> {
    let copy = Connection::open(path).map_err(|error| no_copy(path, error))?;
    let sql = "PRAGMA journal_mode = DELETE";
    let mode: String = copy.query_row(sql, [], |row| row.get(0))?;
    if mode != "delete" {
        return Err(no_copy(path, "its log cannot be left out"));
    }
    Ok(())
}

fn no_copy(path: &Path, why: impl ToString) -> StoreError {
    StoreError::NoCopy {
        path: path.display().to_string(),
        why: why.to_string(),
    }
}
