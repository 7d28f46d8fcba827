//! The digests of entries, as they are kept.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::ledger::digest::Digested;
use crate::ledger::store::StoreError;

fn digested(row: &Row<'_>) -> rusqlite::Result<Digested> {
    Ok(Digested {
        last: row.get(0)?,
        digest: row.get(1)?,
    })
}

/// All of them, in their order.
pub(super) fn read(connection: &Connection) -> Result<Vec<Digested>, StoreError> {
    let sql = "SELECT last, digest FROM digests ORDER BY last";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], digested)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The one the next is chained to. A ledger that lost all of them goes on; `verify` tells.
pub(super) fn newest(connection: &Connection) -> Result<Digested, StoreError> {
    let sql = "SELECT last, digest FROM digests ORDER BY last DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let newest = statement.query_row([], digested).optional()?;
    Ok(newest.unwrap_or(Digested {
        last: 0,
        digest: String::new(),
    }))
}

/// Called inside a transaction.
pub(super) fn put(connection: &Connection, digests: &[Digested]) -> Result<(), StoreError> {
    let sql = "INSERT INTO digests (last, digest) VALUES (?1, ?2)";
    let mut put = connection.prepare_cached(sql)?;
    for Digested { last, digest } in digests {
        put.execute((last, digest))?;
    }
    Ok(())
}
