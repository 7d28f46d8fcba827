//! One process owns a ledger.
//!
//! The lock is an advisory lock on a file beside the ledger, so the system gives it back when its
//! owner dies in any way. What the file says is only for people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The right to write one ledger, for as long as this lives.
#[derive(Debug)]
pub struct LedgerLock {
    file: File,
    path: PathBuf,
}

/// Why the right was not given.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error(
        "the ledger {ledger} belongs to a running guard ({held_by}): stop it first; or let it run and use `reload`, \
         `resolve`, `grant`, `pause`, `resume`, `reconcile` or `archive`, which ask it"
    )]
    Held {
        /// The ledger.
        ledger: String,
        /// What the lock file says about its owner.
        held_by: String,
    },
    /// The lock file cannot be used.
    #[error(
        "the lock file {path} cannot be used: {why}; it stands beside the ledger: check ledger.path, and who may write there"
    )]
    Unusable {
        /// The lock file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl LedgerLock {
    /// Takes the lock of the ledger at `ledger`; `now` is written into it for people to read.
    ///
    /// # Errors
    /// [`LockError::Held`] says who has it.
    pub fn acquire(ledger: &Path, now: Timestamp) -> Result<Self, LockError> {
        let path = lock_path(ledger);
        let unusable = |error: std::io::Error| LockError::Unusable {
            path: path.display().to_string(),
            why: error.to_string(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut held_by = String::new();
                // Only for the message: an owner that has not written its name yet is still one.
                let _ = file.read_to_string(&mut held_by);
                let held_by = held_by.trim();
                return Err(LockError::Held {
                    ledger: ledger.display().to_string(),
                    held_by: if held_by.is_empty() {
                        "it did not say who it is".into()
                    } else {
                        held_by.into()
                    },
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let text = format!("process {}, since {now}\n", std::process::id());
        file.set_len(0).map_err(unusable)?;
        file.seek(SeekFrom::Start(0)).map_err(unusable)?;
        file.write_all(text.as_bytes()).map_err(unusable)?;
        Ok(Self { file, path })
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LedgerLock {
    fn drop(&mut self) {
        // The file stays: removing it would let two owners lock two files of the same name.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
