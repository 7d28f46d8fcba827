//! Changes and savings in a ledger file. What writes is called inside a transaction.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};
use crate::ledger::change::{Change, KeptChange, Saving};
use crate::ledger::store::StoreError;
use crate::ledger::window::at_micros;

use super::codes::{CHANGES, SAVINGS, code, decoded};
use super::connection::WITH_CHANGES;
use super::names::Numbers;
use super::reader::SqliteReader;

const PUT_CHANGE: &str = "INSERT INTO changes (name, at, who, what, about, detail, reason) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING";

const PUT_SAVING: &str = "INSERT INTO savings (day, team, operation, how, calls, credits) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (day, team, operation, how) \
     DO UPDATE SET calls = excluded.calls, credits = excluded.credits";

/// Keeps a change, once under its name.
pub(super) fn keep_change(connection: &Connection, change: &Change) -> Result<(), StoreError> {
    let values = params![
        &*change.name,
        change.at.as_microsecond(),
        change.who,
        code(&CHANGES, &change.what),
        change.about,
        change.detail,
        change.reason,
    ];
    connection.prepare_cached(PUT_CHANGE)?.execute(values)?;
    Ok(())
}

/// Keeps a sum in the place of the one before.
pub(super) fn keep_saving(
    connection: &Connection,
    numbers: &mut Numbers,
    saving: &Saving,
) -> Result<(), StoreError> {
    let team = numbers.of(connection, saving.team.as_str())?;
    let operation = numbers.of(connection, saving.operation.as_str())?;
    let values = params![
        saving.day.as_microsecond(),
        team,
        operation,
        code(&SAVINGS, &saving.how),
        i64::try_from(saving.calls).unwrap_or(i64::MAX),
        saving.credits.micros(),
    ];
    connection.prepare_cached(PUT_SAVING)?.execute(values)?;
    Ok(())
}

impl SqliteReader {
    pub(super) fn read_changes(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<KeptChange>, StoreError> {
        let sql = "SELECT number, name, at, who, what, about, detail, reason FROM changes \
             WHERE at >= ?1 AND at < ?2 AND number > ?3 ORDER BY number LIMIT ?4";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = params![from.as_microsecond(), to.as_microsecond(), after, limit];
        self.gather_since(WITH_CHANGES, sql, values, change)
    }

    pub(super) fn read_savings(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Saving>, StoreError> {
        let sql = "SELECT s.day, t.name, o.name, s.how, s.calls, s.credits FROM savings s \
             JOIN names t ON t.id = s.team JOIN names o ON o.id = s.operation \
             WHERE s.day >= ?1 AND s.day < ?2 ORDER BY s.day, t.name, o.name, s.how";
        let span = [from.as_microsecond(), to.as_microsecond()];
        self.gather_since(WITH_CHANGES, sql, span, saving)
    }
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("a record has no known {what}"))
}

fn change(row: &Row<'_>) -> Result<KeptChange, StoreError> {
    Ok(KeptChange {
        number: row.get(0)?,
        change: Change {
            name: row.get::<_, String>(1)?.into(),
            at: at_micros(row.get(2)?),
            who: row.get(3)?,
            what: decoded(&CHANGES, row.get(4)?).ok_or_else(|| damaged("kind of change"))?,
            about: row.get(5)?,
            detail: row.get(6)?,
            reason: row.get(7)?,
        },
    })
}

fn saving(row: &Row<'_>) -> Result<Saving, StoreError> {
    Ok(Saving {
        day: at_micros(row.get(0)?),
        team: TeamId::from(row.get::<_, String>(1)?),
        operation: OperationName::from(row.get::<_, String>(2)?),
        how: decoded(&SAVINGS, row.get(3)?).ok_or_else(|| damaged("way to save"))?,
        calls: row.get::<_, i64>(4)?.unsigned_abs(),
        credits: Credits::from_micros(row.get(5)?),
    })
}
