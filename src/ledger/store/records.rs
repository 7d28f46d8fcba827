//! Reading what is kept beside the entries.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ledger::change::{KeptChange, Saving};
use crate::ledger::entry::HoldId;
use crate::ledger::record::{Finding, FindingKind, Match};
use crate::transaction::{Transaction, TransactionId, TransactionSource};

use super::StoreError;

/// A finding, and how it was explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFinding {
    /// What does not agree.
    pub finding: Finding,
    /// `None` as long as nothing explains it.
    pub closed: Option<Closing>,
}

/// How a finding was explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// By what.
    pub why: String,
}

/// A row as it is kept, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRow {
    /// As it was read last.
    pub row: Transaction,
    /// The hold it belongs to.
    pub hold: Option<HoldId>,
}

/// What the account took on one day for one kind of thing, by its final rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenSum {
    /// The first moment of the day (UTC).
    pub day: Timestamp,
    /// The list the rows stand in. The lists may tell of the same charges: never add them up.
    pub source: TransactionSource,
    /// What was taken for, in the upstream's words.
    pub kind: Arc<str>,
    /// How many rows.
    pub rows: u64,
    /// Their sum, zero or more.
    pub taken: Credits,
}

/// All findings of one kind together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundSum {
    /// The kind.
    pub kind: FindingKind,
    /// How many there are.
    pub findings: u64,
    /// How many of them nothing explains.
    pub open: u64,
    /// The account's figures less ours, of all.
    pub drift: Credits,
    /// The same, of those that nothing explains.
    pub open_drift: Credits,
}

/// What a check of the records found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordsCheck {
    /// How many rows of the account are kept.
    pub transactions: i64,
    /// How many of them belong to a hold.
    pub matches: i64,
    /// How many findings there are, closed ones included.
    pub findings: i64,
    /// What does not agree, each in a sentence; a thousand of each fault at most.
    pub defects: Vec<String>,
}

/// Where a page of rows or findings goes on: the moment and the name of the last one had.
pub type After<'a, Name> = Option<(Timestamp, &'a Name)>;

/// Reading the records, also beside a running guard. A ledger from before there were records has
/// none.
pub trait RecordReader {
    /// Every row the upstream wrote from `from` on that is neither matched nor named by a finding
    /// (open or closed), whatever its status, oldest first.
    fn open_transactions(&self, from: Timestamp) -> Result<Vec<Transaction>, StoreError>;

    /// Those of these rows that are kept, in no order.
    fn kept_rows(&self, ids: &[TransactionId]) -> Result<Vec<KeptRow>, StoreError>;

    /// One row, as it was read last.
    fn transaction(&self, id: &TransactionId) -> Result<Option<Transaction>, StoreError>;

    /// Up to `limit` rows the upstream wrote in `[from, to)`, oldest first (those of one moment by
    /// their ids).
    fn transactions(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: After<'_, TransactionId>,
        limit: usize,
    ) -> Result<Vec<Transaction>, StoreError>;

    /// The rows that belong to a hold, by their ids.
    fn matches_of(&self, hold: HoldId) -> Result<Vec<Match>, StoreError>;

    /// The holds with a number above `seq` that have rows.
    fn matched_after(&self, seq: i64) -> Result<BTreeSet<HoldId>, StoreError>;

    /// Up to `limit` findings about moments in `[from, to)`, oldest first (those of one moment by
    /// their names); `open_only`: without those that were explained.
    fn findings(
        &self,
        from: Timestamp,
        to: Timestamp,
        open_only: bool,
        after: After<'_, str>,
        limit: usize,
    ) -> Result<Vec<KeptFinding>, StoreError>;

    /// Sums of the findings about moments in `[from, to)`, one for each kind that occurs, in the
    /// order of the kinds.
    fn found(&self, from: Timestamp, to: Timestamp) -> Result<Vec<FoundSum>, StoreError>;

    /// What is remembered under a name.
    fn note(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Up to `limit` changes made in `[from, to)` with a number above `after`, oldest first.
    fn changes(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<KeptChange>, StoreError>;

    /// What was saved on the days that begin in `[from, to)`, by day, team, operation and reason.
    fn savings(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Saving>, StoreError>;

    /// What the account took by its final rows (status success, amount below zero) of `[from, to)`,
    /// by day, list and kind.
    fn taken_by_kind(&self, from: Timestamp, to: Timestamp) -> Result<Vec<TakenSum>, StoreError>;

    /// Checks that records agree with one another and with the entries, in one consistent look.
    fn check_records(&self) -> Result<RecordsCheck, StoreError>;
}

/// A sum that may be wider than credits: stops at their ends.
pub(super) fn in_credits(micros: i128) -> Credits {
    let most = i128::from(i64::MAX);
    Credits::from_micros(i64::try_from(micros.clamp(-most, most)).unwrap_or(i64::MAX))
}
