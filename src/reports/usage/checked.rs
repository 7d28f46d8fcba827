//! The account's own sums of whole days, beside ours and its rows'.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Checked, KeyLine, by_operation};
use crate::catalogue::Catalogue;
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::StoreError;
use crate::ledger::store::{Reader, TakenSum};
use crate::reconciliation::{self, RowSums};
use crate::reports::period::Period;
use crate::transaction::TransactionSource;

/// The account's own sums of the whole days of `period`, beside the others of the same days.
pub(super) fn checked(
    reader: &dyn Reader,
    catalogue: &Catalogue,
    source: TransactionSource,
    period: Period,
    rows: &[TakenSum],
    learned: &[(String, Vec<OperationName>)],
) -> Result<Option<Checked>, StoreError> {
    let utc = |at: Timestamp| at.to_zoned(TimeZone::UTC);
    let first = utc(period.from).date();
    let whole = utc(period.from).time() == jiff::civil::Time::MIN;
    let first = if whole {
        first
    } else {
        first.tomorrow().unwrap_or(first)
    };
    let days = reconciliation::kept_usage(reader, source, first, utc(period.to).date())?;
    let (Some(first), Some(last)) = (days.keys().next(), days.keys().next_back()) else {
        return Ok(None);
    };
    let mut settled: BTreeMap<String, Credits> = BTreeMap::new();
    let mut said: BTreeMap<String, Credits> = BTreeMap::new();
    let add = |sums: &mut BTreeMap<String, Credits>, key: String, amount: Credits| {
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(amount);
    };
    for (day, sums) in &days {
        let (Ok(from), Ok(to)) = (
            day.to_zoned(TimeZone::UTC),
            day.tomorrow().and_then(|day| day.to_zoned(TimeZone::UTC)),
        ) else {
            continue;
        };
        for (name, (_, sum)) in by_operation(&reader.spend(from.timestamp(), to.timestamp())?) {
            let key = reconciliation::usage_key(source, name.as_str(), catalogue);
            add(&mut settled, key, sum);
        }
        for (key, sum) in sums {
            add(&mut said, key.to_string(), *sum);
        }
    }
    let rows = rows
        .iter()
        .filter(|row| days.contains_key(&utc(row.day).date()));
    let taken = RowSums::of(source, rows, learned, catalogue);
    Ok(Some(Checked {
        days: days.len(),
        first: first.to_string(),
        last: last.to_string(),
        keys: keys(&settled, &said, &taken),
    }))
}

/// The three figures of every key that any side has.
fn keys(
    settled: &BTreeMap<String, Credits>,
    said: &BTreeMap<String, Credits>,
    taken: &RowSums,
) -> Vec<KeyLine> {
    let keys: BTreeSet<&String> = (settled.keys().chain(said.keys()))
        .chain(taken.by_key.keys())
        .collect();
    let line = |key: &String| KeyLine {
        key: Some(key.clone()),
        settled: settled.get(key).copied().unwrap_or_default(),
        taken: (taken.by_key.get(key)).map(|sum| sum.1).unwrap_or_default(),
        said: Some(said.get(key).copied().unwrap_or_default()),
    };
    let mut lines: Vec<_> = keys.into_iter().map(line).collect();
    if taken.unknown.0 > 0 {
        lines.push(KeyLine {
            key: None,
            settled: Credits::ZERO,
            taken: taken.unknown.1,
            said: None,
        });
    }
    lines
}
