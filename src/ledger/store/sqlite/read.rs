//! Reading a ledger file, beside whoever writes it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::credits::Credits;
use crate::ids::{JobId, TeamId};
use crate::ledger::entry::{Entry, EntryKind, Fingerprint, HoldId, Note, NoteKind, Origin};
use crate::ledger::store::{BeganSum, Derived, OpenHold, Reader, Spend, StoreError, SumRow, Tail};
use crate::ledger::window::{QUARTER_MICROS, at_micros, quarter_of, quarter_start};

use super::connection::{WITH_RECORDS, open_reading};
use super::mark;
use super::names::Names;

/// The columns of an entry, in the order [`SqliteReader::entry`] reads them.
pub(super) const ENTRY: &str = "SELECT seq, kind, hold, began_at, recorded_at, team, \"key\", operation, \
     amount, job, budget, fingerprint, evidence, detail FROM entries";

/// Pages copied between two breaths of a backup: 4 MiB, so that a writer waits for milliseconds.
const BACKUP_PAGES: i32 = 1_024;

/// A connection that reads.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    names: RefCell<Names>,
    has_records: bool,
}

impl SqliteReader {
    /// Opens a ledger for reading.
    ///
    /// # Errors
    /// What is wrong with the file, by its path.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (connection, version) = open_reading(path)?;
        let has_records = version >= WITH_RECORDS;
        Ok(Self {
            has_records,
            ..Self::over(connection)
        })
    }

    /// Over a ledger whose schema is up to date.
    pub(super) fn over(connection: Connection) -> Self {
        Self {
            connection,
            names: RefCell::new(Names::default()),
            has_records: true,
        }
    }

    pub(super) fn has_records(&self) -> bool {
        self.has_records
    }

    pub(super) fn kind(&self, number: i64) -> Result<Arc<str>, StoreError> {
        self.names.borrow_mut().kind(&self.connection, number)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn origin(&self, numbers: (i64, i64, i64)) -> Result<Origin, StoreError> {
        self.names.borrow_mut().origin(&self.connection, numbers)
    }

    pub(super) fn entry(&self, row: &Row<'_>) -> Result<Entry, StoreError> {
        let seq = row.get(0)?;
        let damaged = |what: &str| StoreError::Damaged(format!("entry {seq} has no known {what}"));
        let origin = self.origin((row.get(5)?, row.get(6)?, row.get(7)?))?;
        let evidence = match row.get::<_, Option<i64>>(12)? {
            Some(number) => Some(Note {
                kind: NoteKind::from_number(number).ok_or_else(|| damaged("evidence"))?,
                text: row.get::<_, Option<String>>(13)?.unwrap_or_default(),
            }),
            None => None,
        };
        let budget = match row.get::<_, Option<i64>>(10)? {
            Some(number) => {
                let mut names = self.names.borrow_mut();
                Some(names.budget(&self.connection, number)?)
            }
            None => None,
        };
        Ok(Entry {
            seq,
            kind: EntryKind::from_number(row.get(1)?).ok_or_else(|| damaged("kind"))?,
            hold: HoldId::new(row.get(2)?),
            began_at: at_micros(row.get(3)?),
            recorded_at: at_micros(row.get(4)?),
            team: origin.team,
            key: origin.key,
            operation: origin.operation,
            amount: Credits::from_micros(row.get(8)?),
            job: row.get::<_, Option<String>>(9)?.map(JobId::from),
            budget,
            fingerprint: row
                .get::<_, Option<i64>>(11)?
                .map(|print| Fingerprint(print.cast_unsigned())),
            evidence,
        })
    }

    fn select(
        &self,
        condition: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{ENTRY} WHERE {condition}"))?;
        let mut rows = statement.query(values)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(self.entry(row)?);
        }
        Ok(entries)
    }

    /// The first entry recorded at or after `moment`, or the one after the last. Times never fall
    /// along the numbers, so a few looks find it without an index.
    fn first_recorded(&self, moment: Timestamp) -> Result<i64, StoreError> {
        let mut look = self
            .connection
            .prepare_cached("SELECT recorded_at FROM entries WHERE seq = ?1")?;
        let (mut low, mut high) = (1, self.tail()?.seq + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let recorded_at: Option<i64> = look.query_row([middle], |row| row.get(0)).optional()?;
            let recorded_at = recorded_at
                .ok_or_else(|| StoreError::Damaged(format!("entry {middle} is missing")))?;
            if recorded_at < moment.as_microsecond() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Adds the charges recorded in `[from, to)` to `sums`, entry by entry.
    fn add_recorded(
        &self,
        from: Timestamp,
        to: Timestamp,
        sums: &mut BTreeMap<(i64, i64, i64), (i64, i64)>,
    ) -> Result<(), StoreError> {
        let (first, end) = (self.first_recorded(from)?, self.first_recorded(to)?);
        let mut statement = self.connection.prepare_cached(
            "SELECT team, \"key\", operation, sum(kind = 3), sum(amount) FROM entries \
             WHERE seq >= ?1 AND seq < ?2 AND kind IN (3, 6) GROUP BY team, \"key\", operation",
        )?;
        add_rows(&mut statement, [first, end], sums)
    }
}

fn add_rows(
    statement: &mut rusqlite::CachedStatement<'_>,
    span: [i64; 2],
    sums: &mut BTreeMap<(i64, i64, i64), (i64, i64)>,
) -> Result<(), StoreError> {
    let mut rows = statement.query(span)?;
    while let Some(row) = rows.next()? {
        let place = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (calls, settled) = sums.entry(place).or_default();
        *calls += row.get::<_, i64>(3)?;
        *settled += row.get::<_, i64>(4)?;
    }
    Ok(())
}

/// The first quarter hour that begins at or after `moment`.
fn quarter_from(moment: Timestamp) -> i64 {
    -((-moment.as_microsecond()).div_euclid(QUARTER_MICROS))
}

impl Reader for SqliteReader {
    fn tail(&self) -> Result<Tail, StoreError> {
        let last = self
            .connection
            .prepare_cached("SELECT seq, recorded_at FROM entries ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(Tail {
            seq: last.map_or(0, |(seq, _)| seq),
            recorded_at: last.map(|(_, recorded_at)| at_micros(recorded_at)),
        })
    }

    fn entries(&self, after_seq: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.select("seq > ?1 ORDER BY seq LIMIT ?2", [after_seq, limit])
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
            for (hold, marked) in mark::open_now(&self.connection)? {
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
        let sql = if together {
            "SELECT ?1, team, \"key\", operation, sum(settled) FROM sums \
             WHERE began_quarter >= ?1 GROUP BY team, \"key\", operation"
        } else {
            "SELECT began_quarter, team, \"key\", operation, sum(settled) FROM sums \
             WHERE began_quarter >= ?1 GROUP BY began_quarter, team, \"key\", operation"
        };
        let mut statement = self.connection.prepare_cached(sql)?;
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
        let mut statement = self.connection.prepare_cached(
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
        self.select("kind = 7 AND recorded_at >= ?1 ORDER BY seq", [from])
    }

    fn bound(&self, from: Timestamp) -> Result<Vec<Entry>, StoreError> {
        let from = from.as_microsecond();
        self.select("kind = 2 AND began_at >= ?1 ORDER BY seq", [from])
    }

    fn recorded_seconds(&self, from: Timestamp) -> Result<Vec<(i64, Credits)>, StoreError> {
        let first = self.first_recorded(from)?;
        let mut statement = self.connection.prepare_cached(
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
        let condition = "seq > ?1 AND hold = ?1 AND kind IN (3, 4) ORDER BY seq LIMIT 1";
        Ok(self.select(condition, [hold.get()])?.pop())
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
        self.select("kind = 6 AND hold = ?1 ORDER BY seq", [hold.get()])
    }

    fn spend(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Spend>, StoreError> {
        let mut sums = BTreeMap::new();
        self.in_one_view(&mut || {
            let (first, end) = (quarter_from(from), quarter_of(to));
            if first >= end {
                return self.add_recorded(from, to, &mut sums);
            }
            // Whole quarter hours from the sums, the two ragged ends from the entries.
            let mut statement = self.connection.prepare_cached(
                "SELECT team, \"key\", operation, sum(calls), sum(settled) FROM sums \
                 WHERE recorded_quarter >= ?1 AND recorded_quarter < ?2 \
                 GROUP BY team, \"key\", operation",
            )?;
            add_rows(&mut statement, [first, end], &mut sums)?;
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
        let mut derived = None;
        self.in_one_view(&mut || {
            let tail = self.tail()?;
            let (mark, marked) = mark::read(&self.connection)?;
            let mut sums = Vec::new();
            let mut statement = self.connection.prepare_cached(
                "SELECT began_quarter, recorded_quarter, team, \"key\", operation, calls, settled \
                 FROM sums",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                sums.push(SumRow {
                    began_quarter: row.get(0)?,
                    recorded_quarter: row.get(1)?,
                    origin: self.origin((row.get(2)?, row.get(3)?, row.get(4)?))?,
                    calls: row.get(5)?,
                    settled: Credits::from_micros(row.get(6)?),
                });
            }
            derived = Some(Derived {
                tail,
                sums,
                mark,
                marked,
                defects: self.defects()?,
            });
            Ok(())
        })?;
        derived.ok_or_else(|| StoreError::Failed("nothing was read".into()))
    }

    fn in_one_view(
        &self,
        read: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.connection.is_autocommit() {
            return read(); // Already in one.
        }
        let view = self.connection.unchecked_transaction()?;
        read()?;
        view.finish()?;
        Ok(())
    }

    fn backup(&self, path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            return Err(StoreError::Unusable {
                path: path.display().to_string(),
                why: "a file of that name exists already".into(),
            });
        }
        let mut copy = Connection::open(path).map_err(|error| StoreError::Unusable {
            path: path.display().to_string(),
            why: error.to_string(),
        })?;
        let backup = Backup::new(&self.connection, &mut copy)?;
        // A view held open keeps the copy one moment of the ledger, however long it takes, and a
        // writer does not have to wait for it.
        let view = self.connection.unchecked_transaction()?;
        self.tail()?;
        backup.run_to_completion(BACKUP_PAGES, std::time::Duration::ZERO, None)?;
        view.finish()?;
        Ok(())
    }
}

impl SqliteReader {
    /// What only a database can get wrong.
    fn defects(&self) -> Result<Vec<String>, StoreError> {
        let mut check = self.connection.prepare("PRAGMA quick_check(20)")?;
        let rows = check.query_map(params![], |row| row.get::<_, String>(0))?;
        let mut defects = Vec::new();
        for row in rows {
            let said = row?;
            if said != "ok" {
                defects.push(format!("the database says: {said}"));
            }
        }
        Ok(defects)
    }
}
