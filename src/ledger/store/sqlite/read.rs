//! What a reader is asked, each as one statement or a few.

use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::credits::Credits;
use crate::ids::TeamId;
use crate::ledger::archive::{ArchiveSpan, Archived};
use crate::ledger::entry::{Entry, HoldId, NoteKind, Origin};
use crate::ledger::store::{BeganSum, Derived, OpenHold, Reader, Spend, StoreError, SumRow, Tail};
use crate::ledger::window::{QUARTER_MICROS, at_micros, quarter_of, quarter_start};

use super::mark;
use super::months::{By, Sums};
use super::reader::SqliteReader;

/// The first quarter hour that begins at or after `moment`.
fn quarter_from(moment: Timestamp) -> i64 {
    -((-moment.as_microsecond()).div_euclid(QUARTER_MICROS))
}

impl Reader for SqliteReader {
    fn tail(&self) -> Result<Tail, StoreError> {
        let last = self
            .connection()
            .prepare_cached("SELECT seq, recorded_at FROM entries ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let archived = self.archived()?;
        Ok(match last {
            Some((seq, recorded_at)) if seq > archived.seq => Tail {
                seq,
                recorded_at: Some(at_micros(recorded_at)),
            },
            _ => archived,
        })
    }

    fn entries(&self, after_seq: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let after = after_seq.max(self.archived()?.seq);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.select("seq > ?1 ORDER BY seq LIMIT ?2", [after, limit])
    }

    fn entries_recorded(
        &self,
        from: Timestamp,
        to: Timestamp,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let first = self.first_recorded(from)?.max(after_seq.saturating_add(1));
        let end = to.as_microsecond();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut entries = self.select("seq >= ?1 ORDER BY seq LIMIT ?2", [first, limit])?;
        entries.retain(|entry| entry.recorded_at.as_microsecond() < end);
        Ok(entries)
    }

    fn each_of_team(
        &self,
        team: &TeamId,
        first: i64,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.walk_back(team, first, visit)
    }

    fn open_holds(&self) -> Result<Vec<OpenHold>, StoreError> {
        let mut holds = Vec::new();
        self.in_one_view(&mut || {
            for (hold, marked) in mark::open_now(self.connection())? {
                let one = |seq: Option<i64>| match seq {
                    Some(seq) => Ok(self.entries(seq - 1, 1)?.pop()),
                    None => Ok::<_, StoreError>(None),
                };
                let held = one(Some(hold.get()))?
                    .filter(|entry| entry.hold == hold)
                    .ok_or_else(|| StoreError::Damaged(format!("hold {hold} has no entry")))?;
                let mut open = crate::ledger::store::memory::opened(&held);
                if let Some(bound) = one(marked.bound)? {
                    open.bound_at = Some(bound.recorded_at);
                    open.job = bound.job;
                }
                open.doubted_at = one(marked.doubted)?.map(|entry| entry.recorded_at);
                holds.push(open);
            }
            Ok(())
        })?;
        Ok(holds)
    }

    fn began_sums(&self, from: Option<i64>, together: bool) -> Result<Vec<BeganSum>, StoreError> {
        let first = from.unwrap_or(i64::MIN);
        if together {
            let sums = self.sums_of(By::Beginning, from, None)?;
            let sum = |(numbers, (_, settled))| {
                Ok(BeganSum {
                    quarter: first,
                    origin: self.origin(numbers)?,
                    settled: Credits::from_micros(settled),
                })
            };
            return sums.into_iter().map(sum).collect();
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT began_quarter, team, \"key\", operation, sum(settled) FROM sums \
             WHERE began_quarter >= ?1 GROUP BY began_quarter, team, \"key\", operation",
        )?;
        let mut rows = statement.query([first])?;
        let mut sums = Vec::new();
        while let Some(row) = rows.next()? {
            sums.push(BeganSum {
                quarter: row.get(0)?,
                origin: self.origin((row.get(1)?, row.get(2)?, row.get(3)?))?,
                settled: Credits::from_micros(row.get(4)?),
            });
        }
        Ok(sums)
    }

    fn each_charge(
        &self,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Origin, Timestamp, Credits),
    ) -> Result<(), StoreError> {
        // No charge is recorded before its call began.
        let first = self.first_recorded(from)?;
        let mut statement = self.connection().prepare_cached(
            "SELECT team, \"key\", operation, began_at, amount FROM entries \
             WHERE seq >= ?1 AND kind IN (3, 6) AND began_at >= ?2 AND began_at < ?3",
        )?;
        let span = [first, from.as_microsecond(), to.as_microsecond()];
        let mut rows = statement.query(span)?;
        let mut last: Option<((i64, i64, i64), Origin)> = None;
        while let Some(row) = rows.next()? {
            let numbers = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (began_at, amount) = (at_micros(row.get(3)?), Credits::from_micros(row.get(4)?));
            match &last {
                Some((same, origin)) if *same == numbers => visit(origin, began_at, amount),
                _ => {
                    let origin = self.origin(numbers)?;
                    visit(&origin, began_at, amount);
                    last = Some((numbers, origin));
                }
            }
        }
        Ok(())
    }

    fn grants(&self, from: Option<Timestamp>) -> Result<Vec<Entry>, StoreError> {
        let from = from.map_or(i64::MIN, Timestamp::as_microsecond);
        let condition = "kind = 7 AND recorded_at >= ?1 ORDER BY seq";
        self.select_by("INDEXED BY granted_entries", condition, [from])
    }

    fn bound(&self, from: Timestamp) -> Result<Vec<Entry>, StoreError> {
        let from = from.as_microsecond();
        let condition = "kind = 2 AND began_at >= ?1 ORDER BY seq";
        self.select_by("INDEXED BY bound_entries", condition, [from])
    }

    fn recorded_seconds(&self, from: Timestamp) -> Result<Vec<(i64, Credits)>, StoreError> {
        let first = self.first_recorded(from)?;
        let mut statement = self.connection().prepare_cached(
            "SELECT recorded_at / 1000000, sum(amount) FROM entries \
             WHERE seq >= ?1 AND kind IN (3, 6) AND amount >= 0 GROUP BY 1",
        )?;
        let rows = statement.query_map([first], |row| {
            Ok((row.get(0)?, Credits::from_micros(row.get(1)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn ending_of(&self, hold: HoldId) -> Result<Option<Entry>, StoreError> {
        // Without an index: it is rarely asked, and the scan begins at the hold, most of which end soon.
        let condition = "seq > ?1 AND hold = ?2 AND kind IN (3, 4) ORDER BY seq LIMIT 1";
        let after = hold.get().max(self.archived()?.seq);
        Ok(self.select(condition, [after, hold.get()])?.pop())
    }

    fn released_on(&self, from: Timestamp, reason: &str) -> Result<Vec<Entry>, StoreError> {
        let first = self.first_recorded(from)?;
        let (ours, persons) = (NoteKind::Reason.number(), NoteKind::Operator.number());
        self.select(
            "seq >= ?1 AND kind = 4 AND (evidence = ?2 \
             OR (evidence = ?3 AND substr(detail, 1, length(?4)) = ?4)) ORDER BY seq",
            params![first, persons, ours, reason],
        )
    }

    fn corrections_of(&self, hold: HoldId) -> Result<Vec<Entry>, StoreError> {
        self.select_by("", "kind = 6 AND hold = ?1 ORDER BY seq", [hold.get()])
    }

    fn spend(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Spend>, StoreError> {
        let mut sums = Sums::new();
        self.in_one_view(&mut || {
            let (first, end) = (quarter_from(from), quarter_of(to));
            if first >= end {
                return self.add_recorded(from, to, &mut sums);
            }
            // Whole quarter hours from the sums, the two ragged ends from the entries.
            sums = self.sums_of(By::Recording, Some(first), Some(end))?;
            self.add_recorded(from, quarter_start(first), &mut sums)?;
            self.add_recorded(quarter_start(end), to, &mut sums)
        })?;
        let mut spends = Vec::with_capacity(sums.len());
        for (numbers, (calls, settled)) in sums {
            let origin = self.origin(numbers)?;
            spends.push(Spend {
                team: origin.team,
                key: origin.key,
                operation: origin.operation,
                calls: calls.max(0).unsigned_abs(),
                settled: Credits::from_micros(settled),
            });
        }
        spends.sort_by(|one, other| {
            (&one.team, &one.key, &one.operation).cmp(&(&other.team, &other.key, &other.operation))
        });
        Ok(spends)
    }

    fn derived(&self) -> Result<Derived, StoreError> {
        self.read_derived()
    }

    fn each_sum(
        &self,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(SumRow),
    ) -> Result<(), StoreError> {
        self.visit_sums(from, to, visit)
    }

    fn defects(&self) -> Result<Vec<String>, StoreError> {
        self.quick_check()
    }

    fn archives(&self) -> Result<Vec<Archived>, StoreError> {
        self.read_archives()
    }

    fn in_one_view(
        &self,
        read: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.connection().is_autocommit() {
            return read(); // Already in one.
        }
        let view = self.connection().unchecked_transaction()?;
        read()?;
        view.finish()?;
        Ok(())
    }

    fn backup(&self, path: &Path, progress: &mut dyn FnMut(i64, i64)) -> Result<(), StoreError> {
        self.copy_to(path, progress)
    }

    fn write_archive(
        &self,
        path: &Path,
        span: &ArchiveSpan,
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<(), StoreError> {
        self.copy_span(path, span, progress)
    }
}
