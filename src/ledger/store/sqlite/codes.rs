//! Closed lists by number, as rows are stored. A number is never given a new meaning.

use crate::ledger::change::{ChangeKind, SavedBy};
use crate::ledger::record::{FindingKind, MatchedBy};
use crate::transaction::{TransactionSource, TransactionStatus};

pub(super) const SOURCES: [TransactionSource; 2] =
    [TransactionSource::V1, TransactionSource::Legacy];
pub(super) const STATUSES: [TransactionStatus; 4] = [
    TransactionStatus::Pending,
    TransactionStatus::Success,
    TransactionStatus::Error,
    TransactionStatus::Unknown,
];
pub(super) const WAYS: [MatchedBy; 4] = MatchedBy::ALL;
pub(super) const FINDINGS: [FindingKind; 8] = FindingKind::ALL;
pub(super) const CHANGES: [ChangeKind; 6] = ChangeKind::ALL;
pub(super) const SAVINGS: [SavedBy; 4] = SavedBy::ALL;

/// The number of `one` in its list, from 1.
pub(super) fn code<T: PartialEq>(all: &[T], one: &T) -> i64 {
    (1..)
        .zip(all)
        .find(|(_, listed)| *listed == one)
        .map_or(0, |(number, _)| number)
}

/// What a number stands for.
pub(super) fn decoded<T: Copy>(all: &[T], code: i64) -> Option<T> {
    let place = usize::try_from(code).ok()?.checked_sub(1)?;
    all.get(place).copied()
}
