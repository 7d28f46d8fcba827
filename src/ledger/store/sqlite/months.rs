//! Sums by month, so that a window or a report over years does not read every quarter hour of them.
//!
//! They follow the mark: every few thousand entries the charges since the last time are added, which
//! spares a write a call. Whoever reads adds the entries after that, which are few.

use std::collections::BTreeMap;

use ahash::AHashMap;
use rusqlite::Connection;

use crate::ledger::store::StoreError;
use crate::ledger::window::{QUARTER_MICROS, month_from, month_of, month_start};

use super::connection::WITH_ARCHIVES;
use super::reader::SqliteReader;

/// Team, key, operation.
pub(super) type Numbers = (i64, i64, i64);
/// Calls and their charges, of each.
pub(super) type Sums = BTreeMap<Numbers, (i64, i64)>;
/// Began in, recorded in (quarter hours or months), team, key, operation.
pub(super) type Place = (i64, i64, i64, i64, i64);

const ADD: &str = "INSERT INTO month_sums (began_month, recorded_month, team, \"key\", operation, \
     calls, settled) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
     ON CONFLICT (began_month, recorded_month, team, \"key\", operation) \
     DO UPDATE SET calls = calls + excluded.calls, settled = settled + excluded.settled";

/// Which of its two moments a charge is counted by.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Beginning,
    Recording,
}

impl By {
    const fn column(self) -> &'static str {
        match self {
            Self::Beginning => "began",
            Self::Recording => "recorded",
        }
    }
}

/// Up to which entry the sums by month tell.
pub(super) fn summed(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT value FROM facts WHERE name = 'summed'";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// What was charged since the sums by month were written.
#[derive(Debug, Default)]
pub(super) struct Charged {
    months: Months,
    sums: AHashMap<Place, (i64, i64)>,
}

impl Charged {
    /// Adds calls and their charges, by quarter hours.
    pub(super) fn add(
        &mut self,
        (began, recorded, team, key, operation): Place,
        charged: (i64, i64),
    ) -> Result<(), StoreError> {
        let (began, recorded) = (self.months.of(began), self.months.of(recorded));
        let place = (began, recorded, team, key, operation);
        add(self.sums.entry(place).or_default(), charged)
    }

    /// Writes it into the sums, which tell of the entries up to `to` then. Called inside a transaction.
    pub(super) fn put(self, connection: &Connection, to: i64) -> Result<(), StoreError> {
        let mut put = connection.prepare_cached(ADD)?;
        // In the order of the table.
        for (place, (calls, settled)) in self.sums.into_iter().collect::<BTreeMap<_, _>>() {
            let (began, recorded, team, key, operation) = place;
            put.execute((began, recorded, team, key, operation, calls, settled))?;
        }
        connection
            .prepare_cached("UPDATE facts SET value = ?1 WHERE name = 'summed'")?
            .execute([to])?;
        Ok(())
    }
}

/// Works all of them out from the sums by quarter hour, for the step of the schema that brought them. A
/// `GROUP BY` would sort the latter first, in memory.
pub(super) fn sum_all(connection: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT began_quarter, recorded_quarter, team, \"key\", operation, calls, settled FROM sums";
    let mut charged = Charged::default();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let place = (
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
        );
        charged.add(place, (row.get(5)?, row.get(6)?))?;
    }
    let last = "SELECT coalesce(max(seq), 0) FROM entries";
    let last = connection.query_row(last, [], |row| row.get(0))?;
    charged.put(connection, last)
}

/// The months of quarter hours that are mostly near one another.
#[derive(Debug, Default)]
struct Months {
    /// The last one found, its first quarter hour, and the next one's.
    last: Option<(i64, i64, i64)>,
}

impl Months {
    fn of(&mut self, quarter: i64) -> i64 {
        match self.last {
            Some((month, from, to)) if (from..to).contains(&quarter) => month,
            _ => {
                let month = month_of(quarter);
                self.last = Some((month, month_start(month), month_start(month + 1)));
                month
            }
        }
    }
}

fn add(sum: &mut (i64, i64), (calls, settled): (i64, i64)) -> Result<(), StoreError> {
    sum.0 += calls;
    let whole = sum.1.checked_add(settled);
    sum.1 = whole.ok_or_else(|| StoreError::Failed("a sum is too large to be counted".into()))?;
    Ok(())
}

impl SqliteReader {
    /// The charges of the quarter hours in `[from, to)` (`None`: from the first on, to the last), by one of
    /// their moments: of whole months from the sums by month, of the rest from those by quarter hour.
    pub(super) fn sums_of(
        &self,
        by: By,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<Sums, StoreError> {
        let mut sums = Sums::new();
        let months = (
            from.map_or(i64::MIN, month_from),
            to.map_or(i64::MAX, month_of),
        );
        let from = from.unwrap_or(i64::MIN);
        let to = to.unwrap_or(i64::MAX);
        if self.version() < WITH_ARCHIVES || months.0 >= months.1 {
            self.add_sums("sums", by, "quarter", (from, to), &mut sums)?;
            return Ok(sums);
        }
        let start = |month: i64, end: i64| match month {
            i64::MIN | i64::MAX => end,
            month => month_start(month),
        };
        let whole = (start(months.0, from), start(months.1, to));
        self.add_sums("sums", by, "quarter", (from, whole.0), &mut sums)?;
        self.add_sums("sums", by, "quarter", (whole.1, to), &mut sums)?;
        self.add_sums("month_sums", by, "month", months, &mut sums)?;
        self.add_unsummed(by, whole, &mut sums)?;
        Ok(sums)
    }

    fn add_sums(
        &self,
        table: &str,
        by: By,
        grain: &str,
        (from, to): (i64, i64),
        sums: &mut Sums,
    ) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        let column = by.column();
        let sql = format!(
            "SELECT team, \"key\", operation, sum(calls), sum(settled) FROM {table} \
             WHERE {column}_{grain} >= ?1 AND {column}_{grain} < ?2 GROUP BY team, \"key\", operation"
        );
        self.add_rows(&sql, [from, to], sums)
    }

    /// The charges after those that the sums by month tell of, if they are of the quarter hours in
    /// `[from, to)`.
    fn add_unsummed(
        &self,
        by: By,
        (from, to): (i64, i64),
        sums: &mut Sums,
    ) -> Result<(), StoreError> {
        let column = by.column();
        let sql = format!(
            "SELECT team, \"key\", operation, sum(kind = 3), sum(amount) FROM entries \
             WHERE seq > ?1 AND kind IN (3, 6) AND {column}_at >= ?2 AND {column}_at < ?3 \
             GROUP BY team, \"key\", operation"
        );
        let after = summed(self.connection())?;
        let micros = |quarter: i64| quarter.saturating_mul(QUARTER_MICROS);
        self.add_rows(&sql, [after, micros(from), micros(to)], sums)
    }

    pub(super) fn add_rows(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        sums: &mut Sums,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let place = (row.get(0)?, row.get(1)?, row.get(2)?);
            let sum = sums.entry(place).or_default();
            add(sum, (row.get(3)?, row.get(4)?))?;
        }
        Ok(())
    }
}
