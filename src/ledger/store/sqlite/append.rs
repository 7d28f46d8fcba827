//! Writing a batch: entries, and what is derived from them, in one transaction.

use ahash::AHashMap;
use rusqlite::{Connection, params};

use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::store::StoreError;
use crate::ledger::window::quarter_of;

use super::months::Place;
use super::names::Numbers;
use super::since::Since;

const INSERT: &str = "INSERT INTO entries (seq, kind, hold, began_at, recorded_at, team, \"key\", \
     operation, amount, job, budget, fingerprint, evidence, detail) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

/// Tried first, because the row is nearly always there: a quarter hour has many calls of a kind.
const ADD: &str = "UPDATE sums SET calls = calls + ?6, settled = settled + ?7 \
     WHERE began_quarter = ?1 AND recorded_quarter = ?2 AND team = ?3 AND \"key\" = ?4 \
     AND operation = ?5";

const BEGIN: &str = "INSERT INTO sums (began_quarter, recorded_quarter, team, \"key\", operation, \
     calls, settled) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Writes the entries, adds to the sums, and takes down in `since` what is written with the mark. Called
/// inside a transaction.
pub(super) fn write(
    connection: &Connection,
    numbers: &mut Numbers,
    batch: &[Entry],
    since: &mut Since,
) -> Result<(), StoreError> {
    let mut sums: AHashMap<Place, (i64, i64)> = AHashMap::new();
    let mut insert = connection.prepare_cached(INSERT)?;
    for entry in batch {
        let team = numbers.of(connection, entry.team.as_str())?;
        let key = numbers.of(connection, entry.key.as_str())?;
        let operation = numbers.of(connection, entry.operation.as_str())?;
        let budget = match &entry.budget {
            Some(budget) => Some(numbers.of(connection, budget.as_str())?),
            None => None,
        };
        let note = entry.evidence.as_ref();
        insert.execute(params![
            entry.seq,
            entry.kind.number(),
            entry.hold.get(),
            entry.began_at.as_microsecond(),
            entry.recorded_at.as_microsecond(),
            team,
            key,
            operation,
            entry.amount.micros(),
            entry.job.as_ref().map(|job| job.as_str()),
            budget,
            entry.fingerprint.map(|print| print.0.cast_signed()),
            note.map(|note| note.kind.number()),
            note.map(|note| note.text.as_str())
                .filter(|text| !text.is_empty()),
        ])?;
        since.entry(entry);
        if entry.kind.charges() {
            let place = (
                quarter_of(entry.began_at),
                quarter_of(entry.recorded_at),
                team,
                key,
                operation,
            );
            let (calls, settled) = sums.entry(place).or_default();
            *calls += i64::from(entry.kind == EntryKind::Settled);
            *settled = settled
                .checked_add(entry.amount.micros())
                .ok_or_else(|| StoreError::Failed("a sum is too large to be counted".into()))?;
        }
    }
    add(connection, sums, since)
}

fn add(
    connection: &Connection,
    sums: AHashMap<Place, (i64, i64)>,
    since: &mut Since,
) -> Result<(), StoreError> {
    let mut add = connection.prepare_cached(ADD)?;
    // In the order of the table, so that neighbours are found on the page at hand.
    let mut sums = sums.into_iter().collect::<Vec<_>>();
    sums.sort_unstable();
    for (place, (calls, settled)) in sums {
        since.charged(place, (calls, settled))?;
        let (began, recorded, team, key, operation) = place;
        let row = (began, recorded, team, key, operation, calls, settled);
        if add.execute(row)? == 0 {
            connection.prepare_cached(BEGIN)?.execute(row)?;
        }
    }
    Ok(())
}
