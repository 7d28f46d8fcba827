//! Reading records from a ledger file.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, params};

use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};
use crate::ledger::change::{KeptChange, Saving};
use crate::ledger::entry::HoldId;
use crate::ledger::record::{Finding, Match};
use crate::ledger::store::records::in_credits;
use crate::ledger::store::{
    After, Closing, FoundSum, KeptFinding, KeptRow, Reader, RecordReader, RecordsCheck, StoreError,
    TakenSum,
};
use crate::ledger::window::at_micros;
use crate::transaction::{Transaction, TransactionId};

use super::codes::{FINDINGS, SOURCES, STATUSES, WAYS, code, decoded};
use super::connection::WITH_RECORDS;
use super::reader::SqliteReader;

/// The columns of a row, in the order [`SqliteReader::row`] reads them.
const TRANSACTION: &str = "SELECT source, id, at, kind, amount, status FROM transactions";

/// The columns of a finding, in the order [`SqliteReader::finding`] reads them.
const FINDING: &str = "SELECT f.name, f.kind, f.found_at, f.at, f.operation, f.team, f.drift, \
     f.hold, f.\"transaction\", x.source, x.id, f.detail, f.closed_at, f.closed_why FROM findings f \
     LEFT JOIN transactions x ON x.number = f.\"transaction\"";

/// Sums in two parts, which together are wider than an integer of the database: the account may
/// say anything, and a sum that overflows would be an error for ever.
const TAKEN: &str = "SELECT at - (at % ?3 + ?3) % ?3 AS day, source, kind, count(*), \
     sum(amount / 1000000), sum(amount % 1000000) FROM transactions \
     WHERE at >= ?1 AND at < ?2 AND amount < 0 AND status = 2 GROUP BY day, source, kind";

const FOUND: &str = "SELECT kind, count(*), sum(closed_at IS NULL), \
     sum(drift / 1000000), sum(drift % 1000000), \
     sum(iif(closed_at IS NULL, drift / 1000000, 0)), \
     sum(iif(closed_at IS NULL, drift % 1000000, 0)) \
     FROM findings WHERE at >= ?1 AND at < ?2 GROUP BY kind ORDER BY kind";

const DAY_MICROS: i64 = 86_400_000_000;

/// What can be wrong with records: the sentence about a fault, around the thing it is about, and
/// how it is found.
const FAULTS: [(&str, &str, &str); 5] = [
    (
        "a match names row ",
        ", which is not there",
        "SELECT m.\"transaction\" FROM matches m \
         LEFT JOIN transactions x ON x.number = m.\"transaction\" WHERE x.number IS NULL",
    ),
    (
        "a match names hold ",
        ", which was never made",
        "SELECT m.hold FROM matches m LEFT JOIN entries e \
         ON e.seq = m.hold AND e.hold = m.hold AND e.kind = 1 WHERE e.seq IS NULL AND m.hold > ?1",
    ),
    (
        "finding ",
        " names a row that is not there",
        "SELECT f.name FROM findings f LEFT JOIN transactions x ON x.number = f.\"transaction\" \
         WHERE f.\"transaction\" IS NOT NULL AND x.number IS NULL",
    ),
    (
        "finding ",
        " names a hold that was never made",
        "SELECT f.name FROM findings f LEFT JOIN entries e \
         ON e.seq = f.hold AND e.hold = f.hold AND e.kind = 1 \
         WHERE f.hold IS NOT NULL AND e.seq IS NULL AND f.hold > ?1",
    ),
    (
        "row ",
        " is open and explained, or neither",
        "SELECT x.id FROM transactions x WHERE x.open <> (\
         NOT EXISTS (SELECT 1 FROM matches m WHERE m.\"transaction\" = x.number) AND \
         NOT EXISTS (SELECT 1 FROM findings f WHERE f.\"transaction\" = x.number))",
    ),
];

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("a record has no known {what}"))
}

fn whole(parts: (i64, i64)) -> i128 {
    i128::from(parts.0) * 1_000_000 + i128::from(parts.1)
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl SqliteReader {
    /// Every row of a query, or none if the ledger is from before there were records.
    fn gather<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.gather_since(WITH_RECORDS, sql, values, read)
    }

    /// Every row of a query over what migration `step` brought, or none if the file has not met it.
    pub(super) fn gather_since<T>(
        &self,
        step: i64,
        sql: &str,
        values: impl rusqlite::Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        if self.version() < step {
            return Ok(found);
        }
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    fn row(&self, row: &Row<'_>) -> Result<Transaction, StoreError> {
        Ok(Transaction {
            id: named(row, 0)?,
            at: at_micros(row.get(2)?),
            kind: self.kind(row.get(3)?)?,
            amount: Credits::from_micros(row.get(4)?),
            status: decoded(&STATUSES, row.get(5)?).ok_or_else(|| damaged("status"))?,
        })
    }

    fn finding(&self, row: &Row<'_>) -> Result<KeptFinding, StoreError> {
        let name = |number: Option<i64>| number.map(|number| self.kind(number)).transpose();
        let operation = name(row.get(4)?)?.map(|name| OperationName::from(&*name));
        let team = name(row.get(5)?)?.map(|name| TeamId::from(&*name));
        let transaction = match row.get::<_, Option<i64>>(8)? {
            Some(_) => Some(named(row, 9)?),
            None => None,
        };
        let closed = match row.get::<_, Option<i64>>(12)? {
            Some(at) => Some(Closing {
                at: at_micros(at),
                why: row.get::<_, Option<String>>(13)?.unwrap_or_default(),
            }),
            None => None,
        };
        let finding = Finding {
            name: row.get::<_, String>(0)?.into(),
            kind: decoded(&FINDINGS, row.get(1)?).ok_or_else(|| damaged("kind"))?,
            found_at: at_micros(row.get(2)?),
            at: at_micros(row.get(3)?),
            operation,
            team,
            drift: Credits::from_micros(row.get(6)?),
            hold: row.get::<_, Option<i64>>(7)?.map(HoldId::new),
            transaction,
            detail: row.get(11)?,
        };
        Ok(KeptFinding { finding, closed })
    }

    fn count(&self, sql: &str) -> Result<i64, StoreError> {
        let counted = self.gather(sql, [], |row| Ok(row.get::<_, i64>(0)?))?;
        Ok(counted.into_iter().sum())
    }
}

/// A row's name from two columns, the list and the id.
fn named(row: &Row<'_>, first: usize) -> Result<TransactionId, StoreError> {
    let source = row.get::<_, Option<i64>>(first)?.unwrap_or_default();
    Ok(TransactionId {
        source: decoded(&SOURCES, source).ok_or_else(|| damaged("source"))?,
        id: row.get::<_, String>(first + 1)?.into(),
    })
}

impl RecordReader for SqliteReader {
    fn open_transactions(&self, from: Timestamp) -> Result<Vec<Transaction>, StoreError> {
        let sql = format!("{TRANSACTION} WHERE open = 1 AND at >= ?1 ORDER BY at, source, id");
        self.gather(&sql, [from.as_microsecond()], |row| self.row(row))
    }

    fn kept_rows(&self, ids: &[TransactionId]) -> Result<Vec<KeptRow>, StoreError> {
        let sql = "SELECT x.source, x.id, x.at, x.kind, x.amount, x.status, m.hold \
             FROM transactions x LEFT JOIN matches m ON m.\"transaction\" = x.number \
             WHERE x.source = ?1 AND x.id = ?2";
        let mut kept = Vec::with_capacity(ids.len());
        for id in ids {
            let values = params![code(&SOURCES, &id.source), &*id.id];
            kept.extend(self.gather(sql, values, |row| {
                let hold = row.get::<_, Option<i64>>(6)?.map(HoldId::new);
                Ok(KeptRow {
                    row: self.row(row)?,
                    hold,
                })
            })?);
        }
        Ok(kept)
    }

    fn transaction(&self, id: &TransactionId) -> Result<Option<Transaction>, StoreError> {
        let sql = format!("{TRANSACTION} WHERE source = ?1 AND id = ?2");
        let values = params![code(&SOURCES, &id.source), &*id.id];
        Ok(self.gather(&sql, values, |row| self.row(row))?.pop())
    }

    fn transactions(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: After<'_, TransactionId>,
        limit: usize,
    ) -> Result<Vec<Transaction>, StoreError> {
        let (at, source, id) = after.map_or((i64::MIN, 0, ""), |(at, id)| {
            (at.as_microsecond(), code(&SOURCES, &id.source), &*id.id)
        });
        let sql = format!(
            "{TRANSACTION} WHERE at >= ?1 AND at < ?2 AND (at, source, id) > (?3, ?4, ?5) \
             ORDER BY at, source, id LIMIT ?6"
        );
        let (from, to) = (from.as_microsecond().max(at), to.as_microsecond());
        let values = params![from, to, at, source, id, limited(limit)];
        self.gather(&sql, values, |row| self.row(row))
    }

    fn matches_of(&self, hold: HoldId) -> Result<Vec<Match>, StoreError> {
        let sql = "SELECT x.source, x.id, m.how FROM matches m \
             LEFT JOIN transactions x ON x.number = m.\"transaction\" WHERE m.hold = ?1 \
             ORDER BY x.source, x.id";
        self.gather(sql, [hold.get()], |row| {
            Ok(Match {
                transaction: named(row, 0)?,
                hold,
                how: decoded(&WAYS, row.get(2)?).ok_or_else(|| damaged("way to match"))?,
            })
        })
    }

    fn matched_after(&self, seq: i64) -> Result<BTreeSet<HoldId>, StoreError> {
        let sql = "SELECT DISTINCT hold FROM matches WHERE hold > ?1 ORDER BY hold";
        let holds = self.gather(sql, [seq], |row| Ok(HoldId::new(row.get(0)?)))?;
        Ok(holds.into_iter().collect())
    }

    fn findings(
        &self,
        from: Timestamp,
        to: Timestamp,
        open_only: bool,
        after: After<'_, str>,
        limit: usize,
    ) -> Result<Vec<KeptFinding>, StoreError> {
        let (at, name) = after.map_or((i64::MIN, ""), |(at, name)| (at.as_microsecond(), name));
        let sql = format!(
            "{FINDING} WHERE f.at >= ?1 AND f.at < ?2 AND (f.at, f.name) > (?3, ?4) \
             AND (f.closed_at IS NULL OR NOT ?5) ORDER BY f.at, f.name LIMIT ?6"
        );
        let (from, to) = (from.as_microsecond().max(at), to.as_microsecond());
        let values = params![from, to, at, name, open_only, limited(limit)];
        self.gather(&sql, values, |row| self.finding(row))
    }

    fn found(&self, from: Timestamp, to: Timestamp) -> Result<Vec<FoundSum>, StoreError> {
        let span = [from.as_microsecond(), to.as_microsecond()];
        self.gather(FOUND, span, |row| {
            Ok(FoundSum {
                kind: decoded(&FINDINGS, row.get(0)?).ok_or_else(|| damaged("kind"))?,
                findings: row.get::<_, i64>(1)?.unsigned_abs(),
                open: row.get::<_, i64>(2)?.unsigned_abs(),
                drift: in_credits(whole((row.get(3)?, row.get(4)?))),
                open_drift: in_credits(whole((row.get(5)?, row.get(6)?))),
            })
        })
    }

    fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM notes WHERE name = ?1";
        Ok(self.gather(sql, [name], |row| Ok(row.get(0)?))?.pop())
    }

    fn changes(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<KeptChange>, StoreError> {
        self.read_changes(from, to, after, limit)
    }

    fn savings(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Saving>, StoreError> {
        self.read_savings(from, to)
    }

    fn taken_by_kind(&self, from: Timestamp, to: Timestamp) -> Result<Vec<TakenSum>, StoreError> {
        let span = [from.as_microsecond(), to.as_microsecond(), DAY_MICROS];
        let mut sums = self.gather(TAKEN, span, |row| {
            Ok(TakenSum {
                day: at_micros(row.get(0)?),
                source: decoded(&SOURCES, row.get(1)?).ok_or_else(|| damaged("source"))?,
                kind: self.kind(row.get(2)?)?,
                rows: row.get::<_, i64>(3)?.unsigned_abs(),
                taken: in_credits(-whole((row.get(4)?, row.get(5)?))),
            })
        })?;
        let order = |sum: &TakenSum| (sum.day, sum.source, Arc::clone(&sum.kind));
        sums.sort_by_key(order);
        Ok(sums)
    }

    fn check_records(&self) -> Result<RecordsCheck, StoreError> {
        let mut check = RecordsCheck::default();
        self.in_one_view(&mut || {
            check.transactions = self.count("SELECT count(*) FROM transactions")?;
            check.matches = self.count("SELECT count(*) FROM matches")?;
            check.findings = self.count("SELECT count(*) FROM findings")?;
            for (before, after, sql) in FAULTS {
                let sql = format!("{sql} LIMIT 1000");
                // Of what is archived nobody here knows whether it was a hold.
                let archived = [self.archived()?.seq];
                let values = if sql.contains("?1") {
                    &archived[..]
                } else {
                    &[]
                };
                let found = self.gather(&sql, rusqlite::params_from_iter(values), |row| {
                    let about = row.get_ref(0)?;
                    let about = match about.as_str() {
                        Ok(text) => text.to_owned(),
                        Err(_) => about.as_i64().unwrap_or_default().to_string(),
                    };
                    Ok(format!("{before}{about}{after}"))
                })?;
                check.defects.extend(found);
            }
            Ok(())
        })?;
        Ok(check)
    }
}
