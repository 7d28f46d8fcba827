//! Closed months that move out of the ledger.
//!
//! An archive has the entries of a span, from the one after the last archive up to the last one that was
//! recorded before a month began. What is derived from them stays in the ledger, so no budget, report
//! or total changes. It is made in this order, so that a crash at any moment loses nothing and counts
//! nothing twice:
//!
//! 1. the entries are copied into a new file, which is synced and only then given its name;
//! 2. the file is read again, held against the ledger by a digest of every entry, and synced again;
//! 3. one commit writes the archive's line into the ledger: from here on its entries are read there;
//! 4. they are removed from the ledger, some at a time. Whatever is left over when the process dies is
//!    ignored, and removed after the next start.

use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tokio::sync::oneshot;

use super::digest::EntriesDigest;
use super::entry::{Entry, HoldId};
use super::handle::Ledger;
use super::request::LedgerError;
use super::store::{Reader, StoreError, open_archive, sync_archive};
use super::window::quarter_of;
use super::writer::Request;
use crate::counted::counted;

/// Entries read at a time.
const PAGE: usize = 8_192;
/// Open holds that are told by their numbers.
const TOLD: usize = 5;

/// The entries that an archive has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSpan {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// When the last was recorded.
    pub recorded_at: Timestamp,
    /// The beginning of a month (UTC): all were recorded before it, and all that were are in this
    /// archive or an earlier one.
    pub before: Timestamp,
}

/// One archive, as the ledger remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// What it has.
    pub span: ArchiveSpan,
    /// Of its entries, each with all it says.
    pub digest: String,
    /// Of the sums recorded in its span, which stay in the ledger.
    pub sums: String,
    /// Where it was written.
    pub path: String,
}

/// Why nothing is archived.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The ledger or the archive cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is too early.
    #[error(
        "{before} is too late: what was recorded since {latest} is needed in the ledger; archive before {latest} at most"
    )]
    TooLate {
        /// What was asked for.
        before: Timestamp,
        /// What can be.
        latest: Timestamp,
    },
    /// Not the beginning of a month.
    #[error("{0} is not the beginning of a month (UTC); only whole months are archived")]
    NoMonth(Timestamp),
    /// There are no such entries, or all are archived.
    #[error("nothing recorded before {0} is left to archive")]
    Nothing(Timestamp),
    /// Calls of that time have not ended.
    #[error(
        "{} not ended that began before {before} (holds {told}): reconcile, or `resolve` each first",
        counted(.count.to_owned(), "call has", "calls have")
    )]
    Open {
        /// The moment asked for.
        before: Timestamp,
        /// How many.
        count: usize,
        /// The first of them.
        told: String,
    },
    /// Reconciliation still needs them.
    #[error(
        "the account's list explains charges up to entry {seq} only: `reconcile` first, or archive months before it"
    )]
    Unexplained {
        /// Up to which entry it is done.
        seq: i64,
    },
    /// The file is another archive, or damaged.
    #[error("the archive {path} does not have what the ledger has: {why}")]
    Differs {
        /// The archive.
        path: String,
        /// What differs.
        why: String,
    },
}

/// What would be archived: everything recorded before `before` that is still here.
///
/// # Errors
/// See [`ArchiveError`].
pub fn archive_span(
    reader: &dyn Reader,
    before: Timestamp,
    now: Timestamp,
) -> Result<ArchiveSpan, ArchiveError> {
    if before != month_start(before, 0)? {
        return Err(ArchiveError::NoMonth(before));
    }
    let latest = month_start(now, 1)?;
    if before > latest {
        return Err(ArchiveError::TooLate { before, latest });
    }
    let tail = reader.tail()?;
    let next = reader.entries_recorded(before, Timestamp::MAX, 0, 1)?.pop();
    let last = next.map_or(tail.seq, |entry| entry.seq - 1);
    let first = reader.archived()?.seq + 1;
    let end = reader.entries(last - 1, 1)?.pop();
    let Some(end) = end.filter(|end| end.seq == last && first <= last) else {
        return Err(ArchiveError::Nothing(before));
    };
    let open = reader.open_holds()?.into_iter().map(|open| open.hold);
    let open: Vec<HoldId> = open.filter(|hold| hold.get() <= last).collect();
    if !open.is_empty() {
        let told = open.iter().take(TOLD).map(ToString::to_string);
        let more = if open.len() > TOLD { ", …" } else { "" };
        return Err(ArchiveError::Open {
            before,
            count: open.len(),
            told: told.collect::<Vec<_>>().join(", ") + more,
        });
    }
    Ok(ArchiveSpan {
        first,
        last,
        recorded_at: end.recorded_at,
        before,
    })
}

/// The beginning of the month so many before that of `moment` (UTC).
fn month_start(moment: Timestamp, ago: i64) -> Result<Timestamp, ArchiveError> {
    let day = moment.to_zoned(TimeZone::UTC).date().first_of_month();
    let first = day.checked_sub(ago.months());
    let first = first.and_then(|day| day.to_zoned(TimeZone::UTC));
    Ok(first
        .map_err(|_| ArchiveError::NoMonth(moment))?
        .timestamp())
}

/// Writes the archive at `path`, unless it is there already, from a run that was broken off. `progress` is
/// told how many entries are done and how many there are.
///
/// # Errors
/// See [`ArchiveError`].
pub fn write_archive(
    reader: &dyn Reader,
    span: &ArchiveSpan,
    path: &Path,
    progress: &mut dyn FnMut(i64, i64),
) -> Result<(), ArchiveError> {
    if !path.exists() {
        reader.write_archive(path, span, progress)?;
    }
    Ok(())
}

/// Holds the archive at `path` against the entries that the ledger would archive at `now`: every one
/// of them must be in it as it is here.
///
/// # Errors
/// See [`ArchiveError`].
pub fn checked_archive(
    reader: &dyn Reader,
    path: &Path,
    now: Timestamp,
    progress: &mut dyn FnMut(i64, i64),
) -> Result<Archived, ArchiveError> {
    let (archive, has) = open_archive(path)?;
    let differs = |why: String| ArchiveError::Differs {
        path: path.display().to_string(),
        why,
    };
    let span = archive_span(reader, has.before, now)?;
    if span != has {
        return Err(differs(format!(
            "it has entries {} to {}, and {} to {} were to be archived",
            has.first, has.last, span.first, span.last
        )));
    }
    let all = 2 * (span.last - span.first + 1);
    let mut done = 0;
    let mut digest = |reader: &dyn Reader| {
        let mut digest = EntriesDigest::default();
        each(reader, &span, &mut |page| {
            page.iter().for_each(|entry| digest.entry(entry));
            done += i64::try_from(page.len()).unwrap_or_default();
            progress(done, all);
        })?;
        Ok::<_, StoreError>(digest.finish())
    };
    let (theirs, ours) = (digest(&*archive)?, digest(reader)?);
    if theirs != ours {
        let why = "its entries are not those of the ledger; remove the file and archive again";
        return Err(differs(why.into()));
    }
    let sums = sums_digest(reader, &span)?;
    if sums_digest(&*archive, &span)? != sums {
        let why = "its sums are not those of the ledger; remove the file and archive again";
        return Err(differs(why.into()));
    }
    if let Some(defect) = archive.defects()?.pop() {
        return Err(differs(defect));
    }
    // The file may have been copied here, or its writer have died before its name was on disk.
    sync_archive(path)?;
    Ok(Archived {
        span,
        digest: ours,
        sums,
        path: path.display().to_string(),
    })
}

impl Ledger {
    /// From here on the entries of an archive are read there: on disk before it returns. They are still to
    /// be removed ([`clear_archived`](Self::clear_archived)).
    ///
    /// # Errors
    /// What the store says: nothing has changed then.
    pub async fn archive(&self, archived: Archived) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        let archived = Box::new(archived);
        self.ask(Request::Archive { archived, reply }, answer)
            .await?
    }

    /// Removes what is archived and still there, some at a time, with rests between while calls are made.
    /// `progress` is told how many have gone.
    ///
    /// # Errors
    /// What the store says: the rest is ignored, and removed after the next start.
    pub async fn clear_archived(
        &self,
        progress: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), LedgerError> {
        let mut done = 0;
        loop {
            let _turn = self.shared.keeping.lock().await;
            let (reply, answer) = oneshot::channel();
            let (removed, rest) = self.ask(Request::ClearArchived { reply }, answer).await??;
            if removed == 0 {
                return Ok(());
            }
            done += removed;
            progress(done);
            tokio::time::sleep(rest).await;
        }
    }
}

/// Calls `visit` with the entries of the span, page by page; none may be missing.
fn each(
    reader: &dyn Reader,
    span: &ArchiveSpan,
    visit: &mut dyn FnMut(&[Entry]),
) -> Result<(), StoreError> {
    let mut after = span.first - 1;
    while after < span.last {
        let mut page = reader.entries(after, PAGE)?;
        page.retain(|entry| entry.seq <= span.last);
        for entry in &page {
            if entry.seq != after + 1 {
                let missing = format!("entry {} is missing", after + 1);
                return Err(StoreError::Damaged(missing));
            }
            after = entry.seq;
        }
        if page.is_empty() {
            let missing = format!("entry {} is missing", after + 1);
            return Err(StoreError::Damaged(missing));
        }
        visit(&page);
    }
    Ok(())
}

/// The digest of the sums recorded in the span of an archive, as the ledger keeps them.
///
/// # Errors
/// What the store says.
pub(super) fn sums_digest(reader: &dyn Reader, span: &ArchiveSpan) -> Result<String, StoreError> {
    let archives = reader.archives()?.into_iter();
    let before = archives
        .map(|archived| archived.span)
        .rfind(|one| one.last < span.first);
    let from = before.map(|one| one.before);
    let first = from.map_or(i64::MIN, quarter_of);
    let mut digest = EntriesDigest::default();
    reader.each_sum(first, quarter_of(span.before), &mut |sum| digest.sum(&sum))?;
    Ok(digest.finish())
}
