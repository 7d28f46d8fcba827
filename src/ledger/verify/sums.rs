//! The derived sums, worked out anew as the entries come by.

use std::collections::BTreeMap;

use ahash::AHashMap;
use jiff::Timestamp;

use crate::counted::counted;
use crate::credits::Credits;
use crate::ledger::entry::{Entry, EntryKind, Origin};
use crate::ledger::store::{Derived, Reader, StoreError, SumRow};
use crate::ledger::window::{month_of, quarter_of};

use super::VerifyReport;

/// Quarter hours that are compared at a time: two days, so that it is rarely asked.
const QUARTERS: i64 = 192;

/// Began in, and who called what.
type Place = (i64, Origin);
/// Calls and their charges, of each.
type Found = AHashMap<Place, (i64, i128)>;

/// What the entries say so far.
pub(super) struct Sums {
    /// By the quarter hour of recording: those that are not compared yet.
    quarters: BTreeMap<i64, Found>,
    /// By the month of recording.
    months: BTreeMap<i64, Found>,
    /// Up to which entry the sums by month tell.
    summed: i64,
    /// The first quarter hour that is not compared.
    next: i64,
    /// The first that may still change.
    newest: i64,
    /// The first month there are entries of.
    first_month: i64,
    month: (i64, i64),
}

fn add(found: &mut Found, place: Place, entry: &Entry) {
    let (calls, settled) = found.entry(place).or_default();
    *calls += i64::from(entry.kind == EntryKind::Settled);
    *settled += i128::from(entry.amount.micros());
}

impl Sums {
    /// For the entries that `derived` tells of.
    pub(super) fn up_to(derived: &Derived) -> Self {
        Self {
            quarters: BTreeMap::new(),
            months: BTreeMap::new(),
            summed: derived.summed,
            next: i64::MIN,
            newest: derived.tail.recorded_at.map_or(i64::MIN, quarter_of),
            first_month: i64::MIN,
            month: (i64::MIN, 0),
        }
    }

    /// What was recorded before is not read.
    pub(super) fn go_on_from(&mut self, before: Timestamp) {
        self.next = quarter_of(before);
        self.first_month = month_of(self.next);
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        if !entry.kind.charges() {
            return;
        }
        let began = quarter_of(entry.began_at);
        let recorded = quarter_of(entry.recorded_at);
        if recorded < self.next {
            return; // Not all of that time is looked at; or it is out of its order, and told so.
        }
        let origin = entry.origin();
        if entry.seq <= self.summed {
            let months = (self.month_of(began), self.month_of(recorded));
            let found = self.months.entry(months.1).or_default();
            add(found, (months.0, origin.clone()), entry);
        }
        let found = self.quarters.entry(recorded).or_default();
        add(found, (began, origin), entry);
    }

    /// Most entries are of the month of the one before.
    fn month_of(&mut self, quarter: i64) -> i64 {
        if self.month.0 != quarter {
            self.month = (quarter, month_of(quarter));
        }
        self.month.1
    }

    /// Compares what is complete when entries have been read that were recorded at `recorded_at`.
    pub(super) fn compare_past(
        &mut self,
        reader: &dyn Reader,
        recorded_at: Timestamp,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let end = quarter_of(recorded_at).min(self.newest);
        if end.saturating_sub(self.next) < QUARTERS {
            return Ok(());
        }
        self.compare_to(reader, end, report)
    }

    fn compare_to(
        &mut self,
        reader: &dyn Reader,
        end: i64,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        if self.next < end {
            let next = self.next;
            reader.each_sum(next, end, &mut |row| {
                compare(&mut self.quarters, "quarter", row, report);
            })?;
            self.next = end;
            let later = self.quarters.split_off(&end);
            tell_missing(
                std::mem::replace(&mut self.quarters, later),
                "quarter",
                report,
            );
        }
        Ok(())
    }

    /// Compares the rest.
    pub(super) fn compare_last(
        &mut self,
        reader: &dyn Reader,
        derived: &Derived,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        self.compare_to(reader, self.newest, report)?;
        for row in derived
            .newest
            .iter()
            .filter(|row| row.recorded >= self.next)
        {
            compare(&mut self.quarters, "quarter", row.clone(), report);
        }
        tell_missing(std::mem::take(&mut self.quarters), "quarter", report);
        if derived.summed > derived.tail.seq {
            let summed = derived.summed;
            report.tell(format!(
                "the sums by month claim to stand at entry {summed}, after the last one"
            ));
        }
        let months = derived.months.iter();
        for row in months.filter(|row| row.recorded >= self.first_month) {
            compare(&mut self.months, "month", row.clone(), report);
        }
        tell_missing(std::mem::take(&mut self.months), "month", report);
        Ok(())
    }
}

/// Holds a stored sum against what the entries say, which is taken out.
fn compare(
    expected: &mut BTreeMap<i64, Found>,
    grain: &str,
    row: SumRow,
    report: &mut VerifyReport,
) {
    report.sums += 1;
    let place = (row.began, row.origin);
    let should = expected
        .get_mut(&row.recorded)
        .and_then(|found| found.remove(&place))
        .unwrap_or((0, 0));
    let found = (row.calls, i128::from(row.settled.micros()));
    if found != should {
        report.tell(different(grain, row.recorded, &place, Some(found), should));
    }
}

fn tell_missing(expected: BTreeMap<i64, Found>, grain: &str, report: &mut VerifyReport) {
    for (recorded, found) in expected {
        for (place, should) in found {
            report.tell(different(grain, recorded, &place, None, should));
        }
    }
}

fn different(
    grain: &str,
    recorded: i64,
    (began, origin): &Place,
    found: Option<(i64, i128)>,
    should: (i64, i128),
) -> String {
    let said = match found {
        Some((calls, settled)) => format!(
            "says {} and {}",
            counted(calls, "call", "calls"),
            in_credits(settled)
        ),
        None => "is missing".to_owned(),
    };
    let Origin {
        team,
        key,
        operation,
    } = origin;
    format!(
        "the sum of {grain} {began}, recorded in {recorded}, of {team} {key} {operation} {said}; \
         the entries say {} and {}",
        counted(should.0, "call", "calls"),
        in_credits(should.1)
    )
}

fn in_credits(micros: i128) -> String {
    i64::try_from(micros).map_or_else(
        |_| format!("{micros} micro-credits"),
        |micros| Credits::from_micros(micros).counted().to_string(),
    )
}
