//! Open holds without a scan of everything: a list of those that were open at a mark, and the
//! entries after it.
//!
//! Most holds begin and end between two marks and never touch the list, which spares two writes a
//! call. The mark moves in the transaction of a batch, so the list is never half moved.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::ledger::entry::{EntryKind, HoldId};
use crate::ledger::store::{Marked, StoreError};

/// Entries between two marks: at the start they are read one by one (a millisecond or two), and
/// moving the mark makes one batch in so many entries wait as long.
pub(super) const MARK_EVERY: i64 = 4_096;

/// The mark, and the holds that were open there.
pub(super) fn read(connection: &Connection) -> Result<(i64, Vec<Marked>), StoreError> {
    let mark = connection
        .prepare_cached("SELECT value FROM facts WHERE name = 'mark'")?
        .query_row([], |row| row.get(0))?;
    let mut statement =
        connection.prepare_cached("SELECT hold, bound, doubted FROM open_holds ORDER BY hold")?;
    let rows = statement.query_map([], |row| {
        Ok(Marked {
            hold: HoldId::new(row.get(0)?),
            bound: row.get(1)?,
            doubted: row.get(2)?,
        })
    })?;
    Ok((mark, rows.collect::<Result<_, _>>()?))
}

/// The holds open now, and whether each is new or altered since the mark.
pub(super) fn open_now(connection: &Connection) -> Result<BTreeMap<HoldId, Marked>, StoreError> {
    let (mark, marked) = read(connection)?;
    let mut open = marked
        .into_iter()
        .map(|marked| (marked.hold, marked))
        .collect();
    follow(connection, mark, i64::MAX, &mut open)?;
    Ok(open)
}

/// Follows the entries in `(after, to]`.
fn follow(
    connection: &Connection,
    after: i64,
    to: i64,
    open: &mut BTreeMap<HoldId, Marked>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, kind, hold FROM entries WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query([after, to])?;
    while let Some(row) = rows.next()? {
        let (seq, kind): (i64, i64) = (row.get(0)?, row.get(1)?);
        let hold = HoldId::new(row.get(2)?);
        match EntryKind::from_number(kind) {
            Some(EntryKind::Held) => {
                open.insert(
                    hold,
                    Marked {
                        hold,
                        bound: None,
                        doubted: None,
                    },
                );
            }
            Some(EntryKind::Settled | EntryKind::Released) => {
                open.remove(&hold);
            }
            Some(EntryKind::Bound) => {
                if let Some(marked) = open.get_mut(&hold) {
                    marked.bound = Some(seq);
                }
            }
            Some(EntryKind::Doubted) => {
                if let Some(marked) = open.get_mut(&hold) {
                    marked.doubted = Some(seq);
                }
            }
            Some(EntryKind::Corrected | EntryKind::Granted) | None => {}
        }
    }
    Ok(())
}

/// Moves the mark to entry `to`. Called inside a transaction.
pub(super) fn advance(connection: &Connection, to: i64) -> Result<(), StoreError> {
    let (mark, before) = read(connection)?;
    let before = before
        .into_iter()
        .map(|marked| (marked.hold, marked))
        .collect::<BTreeMap<_, _>>();
    let mut open = before.clone();
    follow(connection, mark, to, &mut open)?;
    let mut remove = connection.prepare_cached("DELETE FROM open_holds WHERE hold = ?1")?;
    for hold in before.keys().filter(|hold| !open.contains_key(hold)) {
        remove.execute([hold.get()])?;
    }
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO open_holds (hold, bound, doubted) VALUES (?1, ?2, ?3)",
    )?;
    for (hold, marked) in open
        .iter()
        .filter(|(hold, now)| before.get(hold) != Some(now))
    {
        put.execute((hold.get(), marked.bound, marked.doubted))?;
    }
    connection
        .prepare_cached("UPDATE facts SET value = ?1 WHERE name = 'mark'")?
        .execute([to])?;
    Ok(())
}
