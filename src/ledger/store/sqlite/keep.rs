//! Keeping records. Called inside a transaction.

use rusqlite::{Connection, OptionalExtension, params};

use crate::ledger::entry::HoldId;
use crate::ledger::record::{Finding, Match, Record};
use crate::ledger::store::StoreError;
use crate::transaction::{Transaction, TransactionId};

use super::changes::{keep_change, keep_saving};
use super::codes::{FINDINGS, SOURCES, STATUSES, WAYS, code};
use super::names::Numbers;

/// A row that is read again as it is is not written: pages overlap, and most rows never change.
const PUT_TRANSACTION: &str = "INSERT INTO transactions (source, id, at, kind, amount, status, open) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1) ON CONFLICT (source, id) DO UPDATE \
     SET at = excluded.at, kind = excluded.kind, amount = excluded.amount, status = excluded.status \
     WHERE (at, kind, amount, status) <> (excluded.at, excluded.kind, excluded.amount, excluded.status)";

const PUT_FINDING: &str = "INSERT INTO findings (name, kind, found_at, at, operation, team, drift, \
     hold, \"transaction\", detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
     ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, found_at = excluded.found_at, \
     at = excluded.at, operation = excluded.operation, team = excluded.team, \
     drift = excluded.drift, hold = excluded.hold, \"transaction\" = excluded.\"transaction\", \
     detail = excluded.detail, closed_at = NULL, closed_why = NULL";

/// Whether a row is open is derived from matches and findings whenever one of them changes.
const REFRESH: &str = "UPDATE transactions SET open = \
     NOT EXISTS (SELECT 1 FROM matches WHERE \"transaction\" = ?1) \
     AND NOT EXISTS (SELECT 1 FROM findings WHERE \"transaction\" = ?1) WHERE number = ?1";

/// Keeps records in their order.
pub(super) fn keep(connection: &Connection, records: &[Record]) -> Result<(), StoreError> {
    let mut keeper = Keeper {
        connection,
        numbers: Numbers::default(),
    };
    records.iter().try_for_each(|record| keeper.keep(record))
}

struct Keeper<'a> {
    connection: &'a Connection,
    /// Not those of the entries: what the upstream calls its rows must not pile up in memory.
    numbers: Numbers,
}

impl Keeper<'_> {
    fn keep(&mut self, record: &Record) -> Result<(), StoreError> {
        match record {
            Record::Transaction(transaction) => self.transaction(transaction),
            Record::Matched(matched) => self.matched(matched),
            Record::Unmatched(id) => match self.number(id)? {
                Some(number) => {
                    let sql = "DELETE FROM matches WHERE \"transaction\" = ?1";
                    self.execute(sql, [number])?;
                    self.execute(REFRESH, [number])
                }
                None => Ok(()),
            },
            Record::Found(finding) => self.found(finding),
            Record::Closed { name, at, why } => {
                // The first explanation stays.
                let sql = "UPDATE findings SET closed_at = ?2, closed_why = ?3 \
                     WHERE name = ?1 AND closed_at IS NULL";
                self.execute(sql, params![&**name, at.as_microsecond(), why])
            }
            Record::Note { name, value } => match value {
                Some(value) => {
                    let sql = "INSERT INTO notes (name, value) VALUES (?1, ?2) \
                         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                    self.execute(sql, params![name, value])
                }
                None => self.execute("DELETE FROM notes WHERE name = ?1", params![name]),
            },
            Record::Changed(change) => keep_change(self.connection, change),
            Record::Saved(saving) => keep_saving(self.connection, &mut self.numbers, saving),
        }
    }

    fn transaction(&mut self, row: &Transaction) -> Result<(), StoreError> {
        let kind = self.numbers.of(self.connection, &row.kind)?;
        let values = params![
            code(&SOURCES, &row.id.source),
            &*row.id.id,
            row.at.as_microsecond(),
            kind,
            row.amount.micros(),
            code(&STATUSES, &row.status),
        ];
        self.execute(PUT_TRANSACTION, values)
    }

    fn matched(&self, matched: &Match) -> Result<(), StoreError> {
        let number = self.must_know(&matched.transaction)?;
        self.must_be_a_hold(matched.hold)?;
        let sql = "INSERT INTO matches (\"transaction\", hold, how) VALUES (?1, ?2, ?3) \
             ON CONFLICT (\"transaction\") DO UPDATE SET hold = excluded.hold, how = excluded.how \
             WHERE (hold, how) <> (excluded.hold, excluded.how)";
        let how = code(&WAYS, &matched.how);
        self.execute(sql, [number, matched.hold.get(), how])?;
        let sql = "UPDATE transactions SET open = 0 WHERE number = ?1 AND open = 1";
        self.execute(sql, [number])
    }

    fn found(&mut self, finding: &Finding) -> Result<(), StoreError> {
        let row = match &finding.transaction {
            Some(id) => Some(self.must_know(id)?),
            None => None,
        };
        if let Some(hold) = finding.hold {
            self.must_be_a_hold(hold)?;
        }
        let connection = self.connection;
        let mut numbered = |name: Option<&str>| {
            let number = name.map(|name| self.numbers.of(connection, name));
            number.transpose()
        };
        let operation = numbered(finding.operation.as_ref().map(|name| name.as_str()))?;
        let team = numbered(finding.team.as_ref().map(|name| name.as_str()))?;
        let before: Option<i64> = connection
            .prepare_cached("SELECT \"transaction\" FROM findings WHERE name = ?1")?
            .query_row([&*finding.name], |row| row.get(0))
            .optional()?
            .flatten();
        let values = params![
            &*finding.name,
            code(&FINDINGS, &finding.kind),
            finding.found_at.as_microsecond(),
            finding.at.as_microsecond(),
            operation,
            team,
            finding.drift.micros(),
            finding.hold.map(HoldId::get),
            row,
            finding.detail,
        ];
        self.execute(PUT_FINDING, values)?;
        for number in [before, row].into_iter().flatten() {
            self.execute(REFRESH, [number])?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    fn number(&self, id: &TransactionId) -> Result<Option<i64>, StoreError> {
        let number = self
            .connection
            .prepare_cached("SELECT number FROM transactions WHERE source = ?1 AND id = ?2")?
            .query_row(params![code(&SOURCES, &id.source), &*id.id], |row| {
                row.get(0)
            });
        Ok(number.optional()?)
    }

    fn must_know(&self, id: &TransactionId) -> Result<i64, StoreError> {
        let number = self.number(id)?;
        number
            .ok_or_else(|| StoreError::NotKept(format!("it names row {id}, which was never kept")))
    }

    fn must_be_a_hold(&self, hold: HoldId) -> Result<(), StoreError> {
        let is_hold = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM entries WHERE seq = ?1 AND hold = ?1 AND kind = 1 \
                 UNION ALL SELECT 1 FROM archives WHERE ?1 BETWEEN first AND last",
            )?
            .exists([hold.get()])?;
        if is_hold {
            Ok(())
        } else {
            let why = format!("it names hold {hold}, which was never made");
            Err(StoreError::NotKept(why))
        }
    }
}
