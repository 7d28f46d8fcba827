//! A connection that reads a ledger file, beside whoever writes it, and what all reads are made of.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::credits::Credits;
use crate::ids::JobId;
use crate::ledger::entry::{Entry, EntryKind, Fingerprint, HoldId, Note, NoteKind, Origin};
use crate::ledger::store::{Reader, StoreError};
use crate::ledger::window::{at_micros, quarter_of};

use super::connection::{LEDGER_ID, UP_TO_DATE, open_reading};
use super::months::Sums;
use super::names::Names;

/// The columns of an entry, in the order [`SqliteReader::entry`] reads them.
pub(super) const ENTRY: &str = "SELECT seq, kind, hold, began_at, recorded_at, team, \"key\", operation, \
     amount, job, budget, fingerprint, evidence, detail FROM entries";

/// A connection that reads.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    names: RefCell<Names>,
    /// The last step of the schema that the file has met.
    version: i64,
}

impl SqliteReader {
    /// Opens a ledger for reading.
    ///
    /// # Errors
    /// What is wrong with the file, by its path.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (connection, version) = open_reading(path, LEDGER_ID)?;
        Ok(Self {
            version,
            ..Self::over(connection)
        })
    }

    /// Over a ledger whose schema is up to date.
    pub(super) fn over(connection: Connection) -> Self {
        Self {
            connection,
            names: RefCell::new(Names::default()),
            version: UP_TO_DATE,
        }
    }

    /// The last step of the schema that the file has met.
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    pub(super) fn kind(&self, number: i64) -> Result<Arc<str>, StoreError> {
        self.names.borrow_mut().kind(&self.connection, number)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn origin(&self, numbers: (i64, i64, i64)) -> Result<Origin, StoreError> {
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
            None if row.get_ref(13)? != ValueRef::Null => return Err(damaged("evidence")),
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

    pub(super) fn select(
        &self,
        condition: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Entry>, StoreError> {
        self.select_by("NOT INDEXED", condition, values)
    }

    /// By an index that is named: left to itself the database reads all entries rather than sort a few.
    /// Without one named ("") it chooses.
    pub(super) fn select_by(
        &self,
        index: &str,
        condition: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{ENTRY} {index} WHERE {condition}"))?;
        let mut rows = statement.query(values)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(self.entry(row)?);
        }
        Ok(entries)
    }

    /// The first entry recorded at or after `moment` that is not archived, or the one after the last. Times never fall
    /// along the numbers, so a few looks find it without an index.
    pub(super) fn first_recorded(&self, moment: Timestamp) -> Result<i64, StoreError> {
        let mut look = self
            .connection
            .prepare_cached("SELECT recorded_at FROM entries WHERE seq = ?1")?;
        let high = self.tail()?.seq + 1;
        let (mut low, mut high) = (self.first_seq()?.unwrap_or(high), high);
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
    pub(super) fn add_recorded(
        &self,
        from: Timestamp,
        to: Timestamp,
        sums: &mut Sums,
    ) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        if let Some(until) = self.archived()?.recorded_at
            && from <= until
            && self.has_sums(quarter_of(from), quarter_of(to))?
        {
            return Err(StoreError::Archived { until });
        }
        let span = [self.first_recorded(from)?, self.first_recorded(to)?];
        let sql = "SELECT team, \"key\", operation, sum(kind = 3), sum(amount) FROM entries \
             WHERE seq >= ?1 AND seq < ?2 AND kind IN (3, 6) GROUP BY team, \"key\", operation";
        self.add_rows(sql, span, sums)
    }
}
