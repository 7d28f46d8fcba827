//! Reads the whole ledger once after a start, for faults that a start has no time to look for.

use std::io;
use std::path::PathBuf;
use tokio::time::Instant;

use ::metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::background;
use crate::ledger::{Ledger, StoreError, open_reader};
use crate::metrics::LEDGER_DAMAGED;

/// It rests so many times as long as it reads.
const RESTS: u32 = 3;

/// Begins to look, on a thread that gives way to calls. Nobody waits for its end: a guard that stops
/// leaves it behind.
///
/// # Errors
/// The system gives no thread.
pub(super) fn begin(path: PathBuf, ledger: Ledger, ended: CancellationToken) -> io::Result<()> {
    // Shown from the start: an alert waits for it to change.
    gauge!(LEDGER_DAMAGED).set(0);
    let work = async move {
        match look(&path, &ended) {
            Ok(None) => tracing::debug!("the whole ledger was read, and agrees"),
            Ok(Some(fault)) | Err(StoreError::Damaged(fault)) => {
                if !ended.is_cancelled() {
                    ledger.distrust(format!("{}: {fault}", path.display()));
                }
            }
            // Read again at the next start, or by `verify`.
            Err(error) => tracing::warn!(%error, "the whole ledger could not be read"),
        }
    };
    drop(background::spawn("ledger-check", work)?);
    Ok(())
}

/// The first fault, if there is one.
fn look(path: &std::path::Path, ended: &CancellationToken) -> Result<Option<String>, StoreError> {
    let reader = open_reader(path)?;
    let mut began = Instant::now();
    let report = reader.verify_books(&mut |_, _| {
        if !ended.is_cancelled() {
            std::thread::sleep(began.elapsed() * RESTS);
        }
        began = Instant::now();
    })?;
    Ok(report.mismatches.into_iter().next())
}
