//! Copies of a whole ledger file.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::ledger::store::{Reader, StoreError};

use super::read::SqliteReader;

/// Pages copied between two breaths of a backup: 4 MiB, so that a writer waits for milliseconds.
const BACKUP_PAGES: i32 = 1_024;

impl SqliteReader {
    /// Copies every page; `progress` is told how many are done and how many there are.
    pub(super) fn copy_to(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<(), StoreError> {
        if path.exists() {
            return Err(StoreError::Unusable {
                path: path.display().to_string(),
                why: "a file of that name exists already".into(),
            });
        }
        let mut copy = Connection::open(path).map_err(|error| StoreError::Unusable {
            path: path.display().to_string(),
            why: error.to_string(),
        })?;
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

/// How long to wait when somebody else has the file for a moment.
const BUSY_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);
