//! Which of the account's own sums its rows and our operations stand under, and whether they agree.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::matching::is_documented;
use crate::account::Sums;
use crate::catalogue::{Catalogue, usage_kind};
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::TakenSum;
use crate::transaction::TransactionSource;

/// Sums are shown with two decimals in places (dossier section 3.2), charges with four.
const SUM_ROUNDING: i64 = 10_000;
const ROW_ROUNDING: i64 = 50;
/// What v1 operations are called in the legacy sums.
const PLATFORM: &str = "platform";

/// The operations that rows of a kind stand for: documented ones if there are any, else those that
/// were `learned`. None: nobody knows.
pub fn operations_of(
    kind: &str,
    learned: &[(String, Vec<OperationName>)],
    catalogue: &Catalogue,
) -> Vec<OperationName> {
    let operations = catalogue.operations().map(|operation| &operation.name);
    let documented: Vec<_> = operations
        .filter(|name| is_documented(kind, name.as_str()))
        .cloned()
        .collect();
    if !documented.is_empty() {
        return documented;
    }
    let learned = learned.iter().find(|(name, _)| name == kind);
    learned.map(|(_, names)| names.clone()).unwrap_or_default()
}

/// The key of the account's sums that an operation stands under.
pub fn usage_key(source: TransactionSource, operation: &str, catalogue: &Catalogue) -> String {
    match source {
        TransactionSource::V1 => usage_kind(operation).to_owned(),
        TransactionSource::Legacy => match catalogue.operation(operation) {
            Some(found) if !found.path.starts_with("/api/v1/") => found.path.clone(),
            _ => PLATFORM.to_owned(),
        },
    }
}

/// The key that rows of a kind stand under; `None`: nobody knows, or under several.
fn key_of_rows(
    source: TransactionSource,
    kind: &str,
    learned: &[(String, Vec<OperationName>)],
    catalogue: &Catalogue,
) -> Option<String> {
    if source == TransactionSource::Legacy && kind == PLATFORM {
        return Some(PLATFORM.to_owned());
    }
    let names = operations_of(kind, learned, catalogue);
    let keys: BTreeSet<_> = (names.iter())
        .map(|name| usage_key(source, name.as_str(), catalogue))
        .collect();
    let mut keys = keys.into_iter();
    keys.next().filter(|_| keys.next().is_none())
}

/// Sums of rows by the account's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSums {
    /// Rows whose key is known: how many, and what they took.
    pub by_key: BTreeMap<String, (u64, Credits)>,
    /// Rows whose key is not.
    pub unknown: (u64, Credits),
}

impl RowSums {
    /// Adds up the rows of one list.
    pub fn of<'a>(
        source: TransactionSource,
        rows: impl Iterator<Item = &'a TakenSum>,
        learned: &[(String, Vec<OperationName>)],
        catalogue: &Catalogue,
    ) -> Self {
        let mut sums = Self::default();
        for row in rows.filter(|row| row.source == source) {
            let sum = match key_of_rows(source, &row.kind, learned, catalogue) {
                Some(key) => sums.by_key.entry(key).or_default(),
                None => &mut sums.unknown,
            };
            sum.0 = sum.0.saturating_add(row.rows);
            sum.1 = sum.1.saturating_add(row.taken);
        }
        sums
    }

    fn total(&self) -> (u64, Credits) {
        let add = |sum: (u64, Credits), one: &(u64, Credits)| {
            (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
        };
        self.by_key.values().fold(self.unknown, add)
    }
}

/// One of the account's sums that is not that of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Apart {
    /// The key.
    key: String,
    /// What the account says.
    said: Credits,
    /// What its rows took.
    taken: Credits,
}

impl fmt::Display for Apart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, said, taken } = self;
        write!(out, "{key}: {said} by its sums, {taken} by its rows")
    }
}

/// Where the account's sums are not those of its rows, beyond rounding. Key by key if all keys are
/// known; else the totals only.
pub(super) fn differing(theirs: &Sums, rows: &RowSums) -> Vec<Apart> {
    let beyond = |said: Credits, (count, taken): (u64, Credits)| {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rounding = count
            .saturating_mul(ROW_ROUNDING)
            .saturating_add(SUM_ROUNDING);
        said.saturating_sub(taken).magnitude().micros() > rounding
    };
    if rows.unknown.0 > 0 {
        let said = theirs
            .values()
            .copied()
            .fold(Credits::ZERO, Credits::saturating_add);
        let total = rows.total();
        let found = beyond(said, total).then(|| Apart {
            key: "all".to_owned(),
            said,
            taken: total.1,
        });
        return found.into_iter().collect();
    }
    let keys: BTreeSet<&str> = (theirs.keys().map(AsRef::as_ref))
        .chain(rows.by_key.keys().map(String::as_str))
        .collect();
    let figures = keys.into_iter().map(|key| {
        let said = theirs.get(key).copied().unwrap_or_default();
        let sum = rows.by_key.get(key).copied().unwrap_or_default();
        (key, said, sum)
    });
    figures
        .filter(|(_, said, sum)| beyond(*said, *sum))
        .map(|(key, said, sum)| Apart {
            key: key.to_owned(),
            said,
            taken: sum.1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const V1: TransactionSource = TransactionSource::V1;

    fn taken(kind: &str, rows: u64, micros: i64) -> TakenSum {
        TakenSum {
            day: Timestamp::UNIX_EPOCH,
            source: V1,
            kind: kind.into(),
            rows,
            taken: Credits::from_micros(micros),
        }
    }

    fn told(theirs: &[(&str, i64)], rows: &[TakenSum]) -> Vec<String> {
        let catalogue = Catalogue::built_in().unwrap();
        let learned = [("odd".to_owned(), vec!["phone_find".into()])];
        let rows = RowSums::of(V1, rows.iter(), &learned, &catalogue);
        let theirs = theirs
            .iter()
            .map(|(key, micros)| ((*key).into(), Credits::from_micros(*micros)));
        let found = differing(&theirs.collect(), &rows);
        let line = |apart: Apart| format!("{} {} {}", apart.key, apart.said, apart.taken);
        found.into_iter().map(line).collect()
    }

    #[test]
    fn sums_are_held_against_the_rows_of_their_key() {
        let rows = [
            taken("search_database_leads", 3, 60_000),
            taken("search_database_companies", 1, 20_000),
            taken("odd", 1, 400_000),
        ];
        let agree = [
            ("search_database", 80_000),
            ("phone_find", 400_000),
            ("email_find", 0),
        ];
        assert_eq!(told(&agree, &rows), [""; 0]);
        let rounded = [("search_database", 85_000), ("phone_find", 400_000)];
        assert_eq!(told(&rounded, &rows), [""; 0], "two decimals");
        let more = [
            ("search_database", 80_000),
            ("phone_find", 800_000),
            ("new", 20_000),
        ];
        assert_eq!(told(&more, &rows), ["new 0.02 0", "phone_find 0.8 0.4"]);
        assert_eq!(
            told(&[], &rows),
            ["phone_find 0 0.4", "search_database 0 0.08"]
        );
    }

    #[test]
    fn while_a_kind_is_not_known_only_totals_are_compared() {
        let rows = [
            taken("search_database_leads", 1, 20_000),
            taken("what", 1, 30_000),
        ];
        assert_eq!(told(&[("search_database", 50_000)], &rows), [""; 0]);
        assert_eq!(
            told(&[("search_database", 70_000)], &rows),
            ["all 0.07 0.05"]
        );
    }

    #[test]
    fn legacy_sums_stand_under_paths_and_the_platform() {
        let catalogue = Catalogue::built_in().unwrap();
        let key = |name| usage_key(TransactionSource::Legacy, name, &catalogue);
        assert_eq!(key("search_database_leads"), PLATFORM);
        assert_eq!(key("legacy_leads_by_icp"), "/api/linkedin/leads/by_icp/");
    }
}
