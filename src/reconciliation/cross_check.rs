//! The cross-check: the account's own sums by operation, held against the sums of its rows.
//!
//! Rows are matched one by one; whether the list has all of them only the account itself can tell.
//! Once a day is over and its rows are read, its sums are asked for and kept as a note for reports.
//! Where they are not the rows', a row may have come later than the list is read back for: the day is
//! read again, at once and with the check of the day after. What still differs is said, once.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use tokio::task::spawn_blocking;

use super::notes;
use super::run::{ReconcileError, Reconciler, ReconcilerSettings};
use super::usage::{Apart, RowSums, differing};
use crate::account::{AccountClient, AccountError, Span, Sums};
use crate::clock::Clock;
use crate::credits::Credits;
use crate::ledger::store::Reader;
use crate::ledger::{Ledger, Record, StoreError};
use crate::transaction::TransactionSource;

/// Days asked about in one run: after downtime they are made up for a few at a time.
const DAYS_A_RUN: usize = 3;
/// Days that are made up for, and days that are kept.
const DAYS_BACK: i64 = 31;
const DAYS_KEPT: i64 = 400;
/// The page may be absent: it is tried again after this.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);
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

/// All of a day, UTC.
fn span_of(day: Date) -> Span {
    Span {
        from: midnight(day),
        to: midnight(later(day, 1)),
    }
}

/// The day of a moment, UTC.
fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn later(day: Date, days: i64) -> Date {
    let last = if days < 0 { Date::MIN } else { Date::MAX };
    day.checked_add(days.days()).unwrap_or(last)
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
    ///
    /// The reconciler, of the same account and ledger, reads a day again that does not agree.
    pub async fn run(&mut self, reconciler: &mut Reconciler) {
        let now = self.clock.now();
        if self.not_before.is_some_and(|at| now < at) {
            return;
        }
        if let Err(error) = self.next_days(reconciler).await {
            self.not_before = now.checked_add(AGAIN_AFTER).ok();
            tracing::warn!("the account's own sums are not checked for now: {error}");
        }
    }

    async fn next_days(&self, reconciler: &mut Reconciler) -> Result<(), ReconcileError> {
        let settings = self.settings.clone();
        let open = move || Self::days(&settings);
        for day in spawn_blocking(open).await?? {
            self.look_again(later(day, -1), reconciler).await?;
            let mut sums = self.ask(day).await?;
            for sum in sums.values_mut() {
                *sum = sum.in_units_of(self.settings.factor);
            }
            let apart = match self.compare(day, sums.clone()).await? {
                apart if apart.is_empty() => apart,
                _ => {
                    reconciler.read_again(span_of(day)).await?;
                    self.compare(day, sums.clone()).await?
                }
            };
            self.ledger.keep(self.records(day, &sums)).await?;
            if !apart.is_empty() {
                self.tell(day, &apart);
            }
        }
        Ok(())
    }

    /// The day before was read again and did not agree: by now a row that came late may have come.
    async fn look_again(
        &self,
        day: Date,
        reconciler: &mut Reconciler,
    ) -> Result<(), ReconcileError> {
        let settings = self.settings.clone();
        let kept = move || {
            let reader = settings.open_reader.open()?;
            kept_usage(&*reader, settings.source, day, later(day, 1))
        };
        let Some(sums) = spawn_blocking(kept).await??.remove(&day) else {
            return Ok(());
        };
        if self.compare(day, sums.clone()).await?.is_empty() {
            return Ok(());
        }
        reconciler.read_again(span_of(day)).await?;
        if self.compare(day, sums).await?.is_empty() {
            tracing::info!(usage.day = %day, "the account's own sums of {day} are those of its rows now");
        }
        Ok(())
    }

    /// The days to ask about now, oldest first: over, read completely, and within the ledger's time.
    fn days(settings: &ReconcilerSettings) -> Result<Vec<Date>, StoreError> {
        let reader = settings.open_reader.open()?;
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

    async fn compare(&self, day: Date, theirs: Sums) -> Result<Vec<Apart>, ReconcileError> {
        let settings = self.settings.clone();
        let compare = move || {
            let reader = settings.open_reader.open()?;
            let (catalogue, _) = (settings.in_force)();
            let rows = reader.taken_by_kind(midnight(day), midnight(later(day, 1)))?;
            let learned = notes::kinds(&*reader)?;
            let rows = RowSums::of(settings.source, rows.iter(), &learned, &catalogue);
            Ok::<_, StoreError>(differing(&theirs, &rows))
        };
        Ok(spawn_blocking(compare).await??)
    }

    fn tell(&self, day: Date, apart: &[Apart]) {
        let figures: Vec<_> = apart.iter().map(ToString::to_string).collect();
        tracing::warn!(
            usage.day = %day,
            usage.source = self.settings.source.as_str(),
            "the account's own sums of {day} are not those of its rows ({})",
            figures.join("; ")
        );
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
