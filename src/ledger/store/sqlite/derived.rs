//! Reading what is derived, for those who check it.

use rusqlite::params;

use crate::credits::Credits;
use crate::ledger::store::{Derived, Reader, StoreError, SumRow};
use crate::ledger::window::quarter_of;

use super::connection::{WITH_ARCHIVES, WITH_DIGESTS};
use super::digests;
use super::mark;
use super::months::summed;
use super::reader::SqliteReader;

/// A sum's columns, in the order [`SqliteReader::sum_rows`] reads them.
const SUM: &str = "SELECT began_quarter, recorded_quarter, team, \"key\", operation, calls, settled \
     FROM sums WHERE recorded_quarter >= ?1 AND recorded_quarter < ?2 \
     ORDER BY recorded_quarter, began_quarter, team, \"key\", operation";
const MONTH_SUM: &str = "SELECT began_month, recorded_month, team, \"key\", operation, calls, \
     settled FROM month_sums";

impl SqliteReader {
    pub(super) fn read_derived(&self) -> Result<Derived, StoreError> {
        let mut derived = None;
        self.in_one_view(&mut || {
            let tail = self.tail()?;
            let (mark, marked) = mark::read(self.connection())?;
            let newest = tail.recorded_at.map_or(i64::MIN, quarter_of);
            let mut read = Derived {
                tail,
                mark,
                marked,
                newest: Vec::new(),
                summed: 0,
                months: Vec::new(),
                digests: None,
            };
            self.visit_sums(newest, i64::MAX, &mut |sum| read.newest.push(sum))?;
            if self.version() >= WITH_ARCHIVES {
                read.summed = summed(self.connection())?;
                self.sum_rows(MONTH_SUM, [], &mut |sum| read.months.push(sum))?;
            }
            if self.version() >= WITH_DIGESTS {
                read.digests = Some(digests::read(self.connection())?);
            }
            derived = Some(read);
            Ok(())
        })?;
        derived.ok_or_else(|| StoreError::Failed("nothing was read".into()))
    }

    pub(super) fn visit_sums(
        &self,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(SumRow),
    ) -> Result<(), StoreError> {
        self.sum_rows(SUM, [from, to], visit)
    }

    /// Whether anything was charged in these quarter hours, both included.
    pub(super) fn has_sums(&self, first: i64, last: i64) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM sums WHERE recorded_quarter BETWEEN ?1 AND ?2";
        let mut statement = self.connection().prepare_cached(sql)?;
        Ok(statement.exists([first, last])?)
    }

    fn sum_rows(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        visit: &mut dyn FnMut(SumRow),
    ) -> Result<(), StoreError> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            visit(SumRow {
                began: row.get(0)?,
                recorded: row.get(1)?,
                origin: self.origin((row.get(2)?, row.get(3)?, row.get(4)?))?,
                calls: row.get(5)?,
                settled: Credits::from_micros(row.get(6)?),
            });
        }
        Ok(())
    }

    /// What only a database can get wrong.
    pub(super) fn quick_check(&self) -> Result<Vec<String>, StoreError> {
        let mut defects = Vec::new();
        // The names are few, and each stands there twice: in the list and in its index.
        for ask in ["PRAGMA quick_check(20)", "PRAGMA integrity_check(names)"] {
            let mut check = self.connection().prepare(ask)?;
            let rows = check.query_map(params![], |row| row.get::<_, String>(0))?;
            for row in rows {
                let said = row?;
                if said != "ok" {
                    defects.push(format!("the database says: {said}"));
                }
            }
        }
        Ok(defects)
    }
}
