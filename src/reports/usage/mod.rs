//! Our books beside the account's, by operation; and what the dearest operations would have taken in
//! database mode.

mod checked;
mod dearest;
mod lines;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::period::Period;
use crate::catalogue::{Catalogue, Prices};
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::StoreError;
use crate::ledger::store::{Reader, Spend};
use crate::reconciliation;
use crate::transaction::TransactionSource;

use checked::checked;
use dearest::dearest;
use lines::lines;
pub use text::usage_text;

/// Our books beside the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageReport {
    /// The span: of recording for our side, of their own time for the account's rows.
    pub period: Period,
    /// The account's list that is read; absent: none.
    pub source: Option<&'static str>,
    /// Up to when the list has been read completely; absent: never.
    pub read_until: Option<Timestamp>,
    /// Operations and the kinds of rows that stand for them, the dearest first; what no operation is
    /// known for comes last.
    pub lines: Vec<UsageLine>,
    /// All of them together.
    pub total: UsageSums,
    /// The account's own sums, as far as they were asked for.
    pub checked: Option<Checked>,
    /// The operations that took most, the dearest first.
    pub dearest: Vec<DearLine>,
}

/// One side beside the other, in credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageSums {
    /// Our settled calls.
    pub calls: u64,
    /// What they were charged, corrections included.
    pub settled: Credits,
    /// The account's final rows.
    pub rows: u64,
    /// What they took.
    pub taken: Credits,
    /// The account's figure less ours.
    pub difference: Credits,
}

/// What belongs together and cannot be told apart further: mostly one operation and its kind of row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageLine {
    /// The operations; none where nobody knows what the rows are for.
    pub operations: BTreeSet<OperationName>,
    /// The kinds of rows, in the account's words.
    pub kinds: BTreeSet<String>,
    /// Both sides.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// The account's own sums of some days, beside ours and its rows'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// How many days of the period they are of (UTC).
    pub days: usize,
    /// The first of them.
    pub first: String,
    /// The last.
    pub last: String,
    /// By the account's key.
    pub keys: Vec<KeyLine>,
}

/// One key of the account's sums. All three figures are of the same days, in credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyLine {
    /// The key; absent: rows of which nobody knows the key.
    pub key: Option<String>,
    /// What we settled.
    pub settled: Credits,
    /// What the account's rows took.
    pub taken: Credits,
    /// What its own sums say; absent for rows without a key.
    pub said: Option<Credits>,
}

/// One of the operations that took most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DearLine {
    /// The operation.
    pub operation: OperationName,
    /// Settled calls.
    pub calls: u64,
    /// What they were charged.
    pub settled: Credits,
    /// The operation that does the same on stored data, where there is one.
    pub database: Option<OperationName>,
    /// What the same calls would have been charged there, by the ratio of the unit prices in force.
    pub in_database_mode: Option<Credits>,
}

/// Reads both sides for `period`. `prices` are the configured ones, for as long as the account's own are
/// not known; `source` is the list that is read, if any.
///
/// # Errors
/// What the store says when it cannot be read.
pub fn usage_report(
    reader: &dyn Reader,
    catalogue: &Catalogue,
    prices: &Prices,
    source: Option<TransactionSource>,
    period: Period,
) -> Result<UsageReport, StoreError> {
    let mut report = UsageReport {
        period,
        source: source.map(TransactionSource::as_str),
        read_until: None,
        lines: Vec::new(),
        total: UsageSums::default(),
        checked: None,
        dearest: Vec::new(),
    };
    reader.in_one_view(&mut || {
        report.read_until = reconciliation::read_until(reader)?;
        let learned = reconciliation::kinds(reader)?;
        let spend = by_operation(&reader.spend(period.from, period.to)?);
        let mut rows = reader.taken_by_kind(period.from, period.to)?;
        rows.retain(|row| Some(row.source) == source);
        let names = |kind: &str| reconciliation::operations_of(kind, &learned, catalogue);
        report.lines = lines(&spend, &rows, &names);
        let mut prices = prices.clone();
        reconciliation::put_kept_prices(reader, &mut prices)?;
        report.dearest = dearest(&spend, catalogue, &prices);
        if let Some(source) = source {
            report.checked = checked(reader, catalogue, source, period, &rows, &learned)?;
        }
        Ok(())
    })?;
    for line in &report.lines {
        report.total.add(line.sums);
    }
    Ok(report)
}

impl UsageSums {
    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.settled = self.settled.saturating_add(other.settled);
        self.rows = self.rows.saturating_add(other.rows);
        self.taken = self.taken.saturating_add(other.taken);
        self.difference = self.taken.saturating_sub(self.settled);
    }
}

/// Calls and charges of each operation.
type ByOperation = BTreeMap<OperationName, (u64, Credits)>;

fn by_operation(spend: &[Spend]) -> ByOperation {
    let mut sums = ByOperation::new();
    for line in spend {
        let sum = sums.entry(line.operation.clone()).or_default();
        sum.0 = sum.0.saturating_add(line.calls);
        sum.1 = sum.1.saturating_add(line.settled);
    }
    sums
}
