//! The cross-check: the account's own sums by operation, held against the sums of its rows.
//!
//! Rows are matched one by one; whether the list has all of them only the account itself can tell.
//! Once a day is over and its rows are read, its sums are asked for, kept as a note for reports, and
//! where they are not the rows' it is said, once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use tokio::task::spawn_blocking;

use super::matching::is_documented;
use super::run::{ReconcileError, Reconciler, ReconcilerSettings};
use super::{notes, telemetry};
use crate::account::{AccountClient, AccountError, Sums};
use crate::catalogue::{Catalogue, usage_kind};
use crate::clock::Clock;
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::store::Reader;
use crate::ledger::{Ledger, Record, StoreError, TakenSum};
use crate::transaction::TransactionSource;

/// Days asked about in one run: after downtime they are made up for a few at a time.
const DAYS_A_RUN: usize = 3;
/// Days that are made up for, and days that are kept.
const DAYS_BACK: i64 = 31;
const DAYS_KEPT: i64 = 400;
/// The page may be absent: it is tried again after this.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Sums are shown with two decimals in places (dossier section 3.2), charges with four.
const SUM_ROUNDING: i64 = 10_000;
const ROW_ROUNDING: i64 = 50;
/// What v1 operations are called in the legacy sums.
const PLATFORM: &str = "platform";

/// Paths as the legacy sums still write them, and as they are now (dossier section 2.8).
const OLD_PATHS: [(&str, &str); 2] = [
    (
        "/api/linkedin/lead/by_link/",
        "/api/linkedin/leads/by_link/",
    ),
    (
        "/api/linkedin/company/by_link/",
        "/api/linkedin/companies/by_link/",
    ),
];

/// The last day that was asked about.
fn until_name(source: TransactionSource) -> String {
    format!("usage.{}.until", source.as_str())
}

fn day_name(source: TransactionSource, day: Date) -> String {
    format!("usage.{}.{day}", source.as_str())
}

/// The first moment of a day, UTC. The ends of time stop it.
fn midnight(day: Date) -> Timestamp {
    let zoned = day.to_zoned(TimeZone::UTC);
    zoned.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// The day of a moment, UTC.
fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn later(day: Date, days: i64) -> Date {
    let last = if days < 0 { Date::MIN } else { Date::MAX };
    day.checked_add(days.days()).unwrap_or(last)
}

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

/// Where the account's sums are not those of its rows, beyond rounding: the key, what the account
/// says, what its rows say. Key by key if all keys are known; else the totals only.
fn differing(theirs: &Sums, rows: &RowSums) -> Vec<(String, Credits, Credits)> {
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
        let found = beyond(said, total).then(|| ("all".to_owned(), said, total.1));
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
        .map(|(key, said, sum)| (key.to_owned(), said, sum.1))
        .collect()
}

/// The account's sums of the days `[first, end)`, as far as they were asked for.
///
/// # Errors
/// What the store says.
pub fn kept_usage(
    reader: &dyn Reader,
    source: TransactionSource,
    first: Date,
    end: Date,
) -> Result<BTreeMap<Date, Sums>, StoreError> {
    let until = reader.note(&until_name(source))?;
    let Some(until) = until.and_then(|text| text.parse::<Date>().ok()) else {
        return Ok(BTreeMap::new());
    };
    let mut day = first.max(later(until, -DAYS_KEPT));
    let mut kept = BTreeMap::new();
    while day < end && day <= until {
        let text = reader.note(&day_name(source, day))?.unwrap_or_default();
        if let Ok(sums) = serde_json::from_str::<BTreeMap<String, Credits>>(&text) {
            let sums = sums.into_iter().map(|(key, sum)| (key.into(), sum));
            kept.insert(day, sums.collect());
        }
        day = later(day, 1);
    }
    Ok(kept)
}

/// Asks for the sums of each day that is over. See the module.
pub struct CrossCheck {
    settings: ReconcilerSettings,
    client: AccountClient,
    ledger: Ledger,
    clock: Clock,
    not_before: Option<Timestamp>,
}

impl Reconciler {
    /// The cross-check of the same account and ledger.
    pub fn cross_check(&self) -> CrossCheck {
        CrossCheck {
            settings: self.settings.clone(),
            client: self.client.clone(),
            ledger: self.ledger.clone(),
            clock: self.clock.clone(),
            not_before: None,
        }
    }
}

impl CrossCheck {
    /// Asks about the next days that are over, if there are any. What cannot be asked or kept is
    /// said, and tried again in an hour.
    pub async fn run(&mut self) {
        let now = self.clock.now();
        if self.not_before.is_some_and(|at| now < at) {
            return;
        }
        if let Err(error) = self.next_days().await {
            self.not_before = now.checked_add(AGAIN_AFTER).ok();
            tracing::warn!("the account's own sums are not checked for now: {error}");
        }
    }

    async fn next_days(&self) -> Result<(), ReconcileError> {
        let settings = self.settings.clone();
        let open = move || Self::days(&settings);
        for day in spawn_blocking(open).await?? {
            let mut sums = self.ask(day).await?;
            for sum in sums.values_mut() {
                *sum = sum.in_units_of(self.settings.factor);
            }
            let found = self.compare(day, sums.clone()).await?;
            self.ledger.keep(self.records(day, &sums)).await?;
            if !found.is_empty() {
                telemetry::usage_differs(day, self.settings.source, &found);
            }
        }
        Ok(())
    }

    /// The days to ask about now, oldest first: over, read completely, and within the ledger's time.
    fn days(settings: &ReconcilerSettings) -> Result<Vec<Date>, StoreError> {
        let reader = (settings.open_reader)()?;
        let Some((start, read_until)) = notes::span(&*reader)? else {
            return Ok(Vec::new());
        };
        let read = read_until.checked_sub(settings.rows_late);
        let end = day_of(read.unwrap_or(Timestamp::MIN));
        let asked = reader.note(&until_name(settings.source))?;
        let asked = asked.and_then(|text| text.parse::<Date>().ok());
        let first_whole = later(day_of(start), i64::from(midnight(day_of(start)) < start));
        let mut day = first_whole.max(later(end, -DAYS_BACK));
        if let Some(asked) = asked {
            day = day.max(later(asked, 1));
        }
        let mut days = Vec::new();
        while day < end && days.len() < DAYS_A_RUN {
            days.push(day);
            day = later(day, 1);
        }
        Ok(days)
    }

    async fn ask(&self, day: Date) -> Result<Sums, AccountError> {
        let (sums, unreadable) = match self.settings.source {
            TransactionSource::V1 => {
                let end = midnight(later(day, 1));
                let usage = self.client.usage(midnight(day), end).await?;
                (usage.breakdown, usage.unreadable)
            }
            TransactionSource::Legacy => {
                let spent = self.client.spent(day, day).await?;
                (by_present_path(spent.by_path()), spent.unreadable)
            }
        };
        if !unreadable.is_empty() {
            tracing::warn!(usage.day = %day, usage.keys = ?unreadable, "sums of the account cannot be read");
        }
        Ok(sums)
    }

    async fn compare(
        &self,
        day: Date,
        theirs: Sums,
    ) -> Result<Vec<(String, Credits, Credits)>, ReconcileError> {
        let settings = self.settings.clone();
        let compare = move || {
            let reader = (settings.open_reader)()?;
            let (catalogue, _) = (settings.in_force)();
            let rows = reader.taken_by_kind(midnight(day), midnight(later(day, 1)))?;
            let learned = notes::kinds(&*reader)?;
            let rows = RowSums::of(settings.source, rows.iter(), &learned, &catalogue);
            Ok::<_, StoreError>(differing(&theirs, &rows))
        };
        Ok(spawn_blocking(compare).await??)
    }

    /// The day's sums, how far the days go, and a day less at the other end.
    fn records(&self, day: Date, sums: &Sums) -> Vec<Record> {
        let source = self.settings.source;
        let sums: BTreeMap<&str, Credits> = (sums.iter())
            .map(|(key, sum)| (key.as_ref(), *sum))
            .collect();
        let note = |name, value| Record::Note { name, value };
        vec![
            // Texts only: nothing in them can fail to be written.
            note(day_name(source, day), serde_json::to_string(&sums).ok()),
            note(until_name(source), Some(day.to_string())),
            note(day_name(source, later(day, -DAYS_KEPT)), None),
        ]
    }
}

fn by_present_path(sums: Sums) -> Sums {
    let mut present = Sums::new();
    for (path, sum) in sums {
        let renamed = OLD_PATHS.iter().find(|(old, _)| *old == path.as_ref());
        let path = renamed.map_or(path, |(_, new)| (*new).into());
        let known = present.entry(path).or_default();
        *known = known.saturating_add(sum);
    }
    present
}

#[cfg(test)]
mod tests {
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
        let line = |(key, said, rows): (String, Credits, Credits)| format!("{key} {said} {rows}");
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
