//! Moving the write-ahead log into the file, off the writer's thread.
//!
//! A passive checkpoint never waits for anybody and nobody waits for it, so a thread of its own
//! does it every second while there is something to move. The log is begun anew only when all of it
//! has been moved while nobody writes: under a load without a pause that would never be so. Then,
//! when the log has grown long, the writer moves the little that is left itself, between two batches.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::ledger::store::StoreError;

use super::connection::open_beside;

/// How often to look whether there is something to move.
const INTERVAL: Duration = Duration::from_secs(1);
/// Frames (pages of 4 KiB) after which the log should begin anew: 32 MiB.
const FRAMES_LONG: i64 = 8_192;

#[derive(Debug, Default)]
struct Signals {
    /// Commits so far.
    commits: AtomicU64,
    /// The log is long and nearly all moved: the writer should move the rest.
    finish: AtomicBool,
}

/// The thread, and its way to the writer.
#[derive(Debug)]
pub(super) struct Checkpoints {
    signals: Arc<Signals>,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    pub(super) fn start(path: PathBuf) -> Result<Self, StoreError> {
        let signals = Arc::new(Signals::default());
        let (stop, stopped) = channel();
        let connection = open_beside(&path)?;
        let theirs = Arc::clone(&signals);
        let thread = std::thread::Builder::new()
            .name("ledger-checkpoints".into())
            .spawn(move || run(&connection, &theirs, &stopped))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self {
            signals,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// A batch was committed on `connection`.
    pub(super) fn committed(&self, connection: &Connection) {
        self.signals.commits.fetch_add(1, Ordering::Relaxed);
        if self.signals.finish.swap(false, Ordering::Relaxed)
            && let Err(error) = checkpoint(connection)
        {
            // The entries are safe in the log; only the file is behind.
            tracing::warn!(%error, "the ledger's log could not be moved into its file");
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How many frames the log has, after moving what could be moved.
fn checkpoint(connection: &Connection) -> Result<i64, StoreError> {
    let frames = connection
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row([], |row| row.get(1))?;
    Ok(frames)
}

fn run(connection: &Connection, signals: &Signals, stopped: &Receiver<()>) {
    let mut moved = 0;
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let commits = signals.commits.load(Ordering::Relaxed);
        if commits == moved {
            continue;
        }
        match checkpoint(connection) {
            Ok(frames) => {
                moved = commits;
                signals
                    .finish
                    .store(frames > FRAMES_LONG, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(%error, "the ledger's log could not be moved into its file");
            }
        }
    }
}
