//! Where entries live, behind one narrow seam.
//!
//! # What every store promises
//!
//! - [`Store::append`] is one transaction: after `Ok` the entries, and what is derived from them,
//!   are synced to stable storage; after `Err` either all or none of them are there, and nobody
//!   knows which until [`Store::reread`].
//! - Sequence numbers run 1, 2, 3 … without gaps, and `recorded_at` never falls along them.
//! - [`Store::keep`] is one such transaction too. Records are kept once under their names.
//! - A reader beside a writer sees whole batches only, and never makes the writer wait.
//! - What is derived (the sums per quarter hour and month, the list of open holds) is exact, and can be
//!   worked out anew from the entries: that is what `verify` does.
//! - Entries that are archived ([`Store::archive`]) are never read here again, whether they are removed
//!   already or not; what was derived from them stays.
//!
//! The calls block; the writer has a thread of its own for them. A store for several guards
//! (PostgreSQL) fits the same seam: lock the counters of a batch, decide with the same pure rules,
//! append, commit.

mod lock;
mod memory;
mod migrating;
mod opening;
mod records;
mod sqlite;

use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::{JobId, KeyId, OperationName, TeamId};

use super::archive::{ArchiveSpan, Archived};
use super::budget::{Budget, BudgetStatus};
use super::digest::Digested;
use super::entry::{Entry, Fingerprint, HoldId, Origin};
use super::record::Record;
use super::verify::VerifyReport;

pub use lock::{LedgerLock, LockError};
pub use memory::MemoryStore;
pub use migrating::{HearMigrating, Migrating};
pub use opening::OpenReader;
pub use records::{
    After, Closing, FoundSum, KeptFinding, KeptRow, RecordReader, RecordsCheck, TakenSum,
};
pub use sqlite::{
    OpenError, SqliteReader, SqliteStore, check_closed, open_archive, open_locked,
    open_locked_heard, open_reader, sync_archive,
};

/// What a store says when it cannot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk, the file system or the database failed.
    #[error("the ledger's store failed: {0}")]
    Failed(String),
    /// The file cannot be used at all; says which and why.
    #[error("the ledger {path} cannot be opened: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// No copy can be made there; says where and why.
    #[error("the ledger cannot be copied to {path}: {why}")]
    NoCopy {
        /// The file that was to be made.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The file was written by a later version.
    #[error(
        "the ledger {path} has schema {found}; this program knows up to {known}: use the newer program"
    )]
    Newer {
        /// The file.
        path: String,
        /// The schema it has.
        found: i64,
        /// The last one we know.
        known: i64,
    },
    /// It holds something no ledger ever wrote.
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    /// It would need entries that are not here any more.
    #[error(
        "what was recorded up to {until} is archived, and of it only sums of whole quarter hours are kept here: begin and end on a quarter hour"
    )]
    Archived {
        /// When the last of them was recorded.
        until: Timestamp,
    },
    /// A record names a row or a hold that is not there. Nothing it was given with was kept; the
    /// store itself is well.
    #[error("a record cannot be kept: {0}")]
    NotKept(String),
}

/// How far a ledger goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The last entry's number; 0 when empty.
    pub seq: i64,
    /// The last entry's time of recording.
    pub recorded_at: Option<Timestamp>,
}

/// A hold that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenHold {
    /// Its number.
    pub hold: HoldId,
    /// Who calls what.
    pub origin: Origin,
    /// What is held.
    pub quote: Credits,
    /// When the call began.
    pub began_at: Timestamp,
    /// What a repeat is recognised by.
    pub fingerprint: Option<Fingerprint>,
    /// The job it is bound to.
    pub job: Option<JobId>,
    /// Since when it is bound.
    pub bound_at: Option<Timestamp>,
    /// Since when it is in doubt.
    pub doubted_at: Option<Timestamp>,
}

/// Charges of calls that began in one quarter hour (or in a span of them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeganSum {
    /// The quarter hour, counted since 1970; the first of the span when they are put together.
    pub quarter: i64,
    /// Who called what.
    pub origin: Origin,
    /// What was charged, corrections included.
    pub settled: Credits,
}

/// Charges recorded in a span, for finance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Who paid.
    pub team: TeamId,
    /// With which key.
    pub key: KeyId,
    /// For what.
    pub operation: OperationName,
    /// Settled calls. A correction alters the sum, not the count.
    pub calls: u64,
    /// What was charged, corrections included.
    pub settled: Credits,
}

/// One derived sum as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SumRow {
    /// The quarter hour (or the month, see [`Derived`]) in which the calls began.
    pub began: i64,
    /// The same, in which their charges were recorded.
    pub recorded: i64,
    /// Who called what.
    pub origin: Origin,
    /// Settled calls.
    pub calls: i64,
    /// Their charges, corrections included.
    pub settled: Credits,
}

/// What is derived, and how far the entries went at that moment; the sums of quarter hours before that of
/// the last entry change no more, and are read apart ([`Reader::each_sum`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The entries it was derived from.
    pub tail: Tail,
    /// The sums recorded in the quarter hour of the last entry, or later.
    pub newest: Vec<SumRow>,
    /// Up to which entry `months` tells.
    pub summed: i64,
    /// Sums by months (UTC, counted since January 1970).
    pub months: Vec<SumRow>,
    /// Up to which entry `marked` tells.
    pub mark: i64,
    /// The holds that were open after entry `mark`.
    pub marked: Vec<Marked>,
    /// The digests of the entries up to `mark`, where a store or schema has them.
    pub digests: Option<Vec<Digested>>,
}

/// A hold in the list of those that were open at the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marked {
    /// Which.
    pub hold: HoldId,
    /// Its bound entry up to the mark.
    pub bound: Option<i64>,
    /// Its doubted entry up to the mark.
    pub doubted: Option<i64>,
}

/// Reading, also beside a running guard.
pub trait Reader: RecordReader + Send {
    /// How far it goes.
    fn tail(&self) -> Result<Tail, StoreError>;

    /// Up to `limit` entries after `after_seq`, in order.
    fn entries(&self, after_seq: i64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Up to `limit` entries recorded in `[from, to)` after `after_seq`, in order.
    fn entries_recorded(
        &self,
        from: Timestamp,
        to: Timestamp,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Calls `visit` with the entries of one team, from the newest back to entry `first`, until
    /// it says to stop.
    fn each_of_team(
        &self,
        team: &TeamId,
        first: i64,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// All holds that have not ended, oldest first.
    fn open_holds(&self) -> Result<Vec<OpenHold>, StoreError>;

    /// Charges by the quarter hour in which the calls began, from `from` on (`None`: all);
    /// `together`: one sum per origin for the whole span.
    fn began_sums(&self, from: Option<i64>, together: bool) -> Result<Vec<BeganSum>, StoreError>;

    /// Calls `visit` with each charge (settled or corrected) of a call that began in `[from, to)`:
    /// its origin, when the call began, the amount.
    fn each_charge(
        &self,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Origin, Timestamp, Credits),
    ) -> Result<(), StoreError>;

    /// All grants recorded at or after `from`, those that are archived too.
    fn grants(&self, from: Option<Timestamp>) -> Result<Vec<Entry>, StoreError>;

    /// The bound entries of calls that began at or after `from`.
    fn bound(&self, from: Timestamp) -> Result<Vec<Entry>, StoreError>;

    /// What was charged in each second (counted since 1970) from the one of `from` on, by the time
    /// of recording. Corrections that give back do not count.
    fn recorded_seconds(&self, from: Timestamp) -> Result<Vec<(i64, Credits)>, StoreError>;

    /// The entry that ended a hold (settled or released), if it did.
    fn ending_of(&self, hold: HoldId) -> Result<Option<Entry>, StoreError>;

    /// The released entries recorded at or after `from` that rest on a person's word, or on a reason
    /// of the guard's own that begins with `reason`, in order.
    fn released_on(&self, from: Timestamp, reason: &str) -> Result<Vec<Entry>, StoreError>;

    /// The corrections of a hold's charge, in order.
    fn corrections_of(&self, hold: HoldId) -> Result<Vec<Entry>, StoreError>;

    /// Charges recorded in `[from, to)`, by team, key and operation.
    fn spend(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Spend>, StoreError>;

    /// What is derived, in one consistent look.
    fn derived(&self) -> Result<Derived, StoreError>;

    /// Calls `visit` with each sum recorded in the quarter hours `[from, to)`, in their order.
    fn each_sum(&self, from: i64, to: i64, visit: &mut dyn FnMut(SumRow))
    -> Result<(), StoreError>;

    /// Faults only this kind of store can have, in its own words.
    fn defects(&self) -> Result<Vec<String>, StoreError>;

    /// The archives that the first entries are in, in order.
    fn archives(&self) -> Result<Vec<Archived>, StoreError>;

    /// Runs several reads on one unchanging view.
    fn in_one_view(
        &self,
        read: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Writes a complete copy to `path`, which must not exist yet; `progress` is told how much is done
    /// and how much there is.
    fn backup(&self, path: &Path, progress: &mut dyn FnMut(i64, i64)) -> Result<(), StoreError>;

    /// Writes the entries of a span into an archive at `path`, with all that is needed to read them. It is
    /// synced before it is found under that name. `progress` as in [`backup`](Self::backup).
    fn write_archive(
        &self,
        path: &Path,
        span: &ArchiveSpan,
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<(), StoreError>;
}

impl dyn Reader + '_ {
    /// How `budgets` stand at `now` (or at the time of the last entry, if that is later), by the
    /// very rules the running guard decides by.
    ///
    /// # Errors
    /// What the store says.
    pub fn budget_statuses(
        &self,
        budgets: &[Budget],
        now: Timestamp,
    ) -> Result<Vec<BudgetStatus>, StoreError> {
        super::book::budget_statuses(self, budgets, now)
    }

    /// Checks the whole ledger but for what is archived; `progress` is told how many entries are done
    /// and how many there are.
    ///
    /// # Errors
    /// What the store says. What does not agree is no error but in the report.
    pub fn verify(&self, progress: &mut dyn FnMut(i64, i64)) -> Result<VerifyReport, StoreError> {
        super::verify::verify(self, &[], progress)
    }

    /// The same with its `archives`: all there are, in their order.
    ///
    /// # Errors
    /// What the stores say. What does not agree is no error but in the report.
    pub fn verify_with(
        &self,
        archives: &[Box<dyn Reader>],
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<VerifyReport, StoreError> {
        super::verify::verify(self, archives, progress)
    }

    /// The same for the entries and what is derived from them alone, without the account's rows and
    /// findings: what calls are decided by.
    ///
    /// # Errors
    /// What the store says. What does not agree is no error but in the report.
    pub fn verify_books(
        &self,
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<VerifyReport, StoreError> {
        super::verify::books(self, &[], progress)
    }

    /// How far the archives go.
    ///
    /// # Errors
    /// What the store says.
    pub fn archived(&self) -> Result<Tail, StoreError> {
        let last = self.archives()?.pop().map(|archived| archived.span);
        Ok(Tail {
            seq: last.map_or(0, |span| span.last),
            recorded_at: last.map(|span| span.recorded_at),
        })
    }
}

/// Writing. One writer at a time: see [`LedgerLock`].
pub trait Store: Send {
    /// Reading what was written.
    fn reader(&self) -> &dyn Reader;

    /// Adds a batch in one synced transaction. The numbers continue those stored.
    fn append(&mut self, batch: &[Entry]) -> Result<(), StoreError>;

    /// Keeps records, in their order, in one synced transaction: all or none. A record that is kept
    /// again as it is alters nothing.
    ///
    /// A match or finding that names a row or a hold which is not there is refused
    /// ([`StoreError::NotKept`]).
    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError>;

    /// From here on the first entries are read in an archive: writes its line, in one synced
    /// transaction. Refused ([`StoreError::NotKept`]) if it does not continue the last, or a hold it
    /// has is open; a store without files has no archives either.
    fn archive(&mut self, archived: &Archived) -> Result<(), StoreError> {
        let first = archived.span.first;
        let why = format!("this kind of store has no archives: entry {first} stays");
        Err(StoreError::NotKept(why))
    }

    /// Removes up to `limit` entries that are archived, but for grants, which budgets over years still
    /// count; says how many. None: nothing is left over.
    fn clear_archived(&mut self, limit: usize) -> Result<usize, StoreError> {
        let _ = limit;
        Ok(0)
    }

    /// After a failure: forgets everything remembered, and looks how far the ledger really goes.
    fn reread(&mut self) -> Result<Tail, StoreError>;

    /// Writes and syncs something that means nothing, to learn whether writing works again.
    fn probe(&mut self) -> Result<(), StoreError>;
}
