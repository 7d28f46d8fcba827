//! Moves closed months out of the ledger, into an archive that somebody wrote.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::audit::{self, Asker};
use super::message::{HearProgress, Running};
use crate::ledger::{
    ArchiveError, ArchiveSpan, Archived, ChangeKind, checked_archive, open_reader,
};
use crate::reconciliation;

/// What becomes of the room. Giving it back would write the whole file anew, beside the calls.
const ROOM: &str = "; the ledger's file keeps its size, and new entries take the freed room (a smaller file is what \
                    `backup` writes: `restore` puts it in the ledger's place while no guard runs)";

/// The archive is held against the ledger by the one who is going to remove the entries, not only by
/// the one who wrote it.
pub(super) async fn archive(running: &Running, file: PathBuf, by: Asker) -> Result<String, String> {
    let (path, now, hear) = (running.path.clone(), by.at, running.hear.clone());
    let has_guard = running.reload.is_some();
    let checked = spawn_blocking(move || check(&path, &file, now, has_guard, &hear)).await;
    let checked = checked.map_err(|error| error.to_string())?;
    let archived = checked.map_err(|error| error.to_string())?;
    let ArchiveSpan {
        first,
        last,
        before,
        ..
    } = archived.span;
    let all = last - first + 1;
    let words = format!(
        "entries {first} to {last}, recorded before {before}, are in the archive {}; sums, budgets and \
         reports are as they were",
        archived.path
    );
    let change = by.change(
        ChangeKind::Archived,
        format!("entries {first} to {last}"),
        words.clone(),
    );
    let written = running.ledger.archive(archived).await;
    written.map_err(|error| error.to_string())?;
    let told = audit::keep(&running.ledger, change).await;
    // With a guard, calls go on beside it, and it is not waited for.
    let (ledger, hear) = (running.ledger.clone(), running.hear.clone());
    let cleared = tokio::spawn(async move {
        let mut progress = |done| {
            let done = i64::try_from(done).unwrap_or(i64::MAX);
            hear.tell("removing", done, all);
        };
        ledger.clear_archived(&mut progress).await
    });
    if !has_guard {
        let cleared = cleared.await.map_err(|error| error.to_string())?;
        cleared.map_err(|error| error.to_string())?;
    }
    Ok(words + &told + ROOM)
}

fn check(
    path: &std::path::Path,
    file: &std::path::Path,
    now: Timestamp,
    has_guard: bool,
    hear: &HearProgress,
) -> Result<Archived, ArchiveError> {
    let reader = open_reader(path)?;
    let mut rested = Instant::now();
    let archived = checked_archive(&*reader, file, now, &mut |done, all| {
        hear.tell("comparing", done, all);
        if has_guard {
            // Calls want the processor too: it has half of one.
            std::thread::sleep(rested.elapsed().min(Duration::from_millis(100)));
            rested = Instant::now();
        }
    })?;
    if let Some(seq) = reconciliation::explained_up_to(&*reader)?
        && seq < archived.span.last
    {
        return Err(ArchiveError::Unexplained { seq });
    }
    Ok(archived)
}
