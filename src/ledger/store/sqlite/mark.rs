//! Open holds without a scan of everything: a list of those that were open at a mark, and the
//! entries after it.
//!
//! Most holds begin and end between two marks and never touch the list, which spares two writes a
//! call. The mark moves in the transaction of a batch, so the list is never half moved.

use std::collections::BTreeMap;

use ahash::AHashMap;
use jiff::SignedDuration;
use rusqlite::Connection;

use crate::ledger::entry::{EntryKind, HoldId};
use crate::ledger::store::{Marked, StoreError};

/// Entries between two marks: at the start they are read one by one (a millisecond or two), and what
/// they say is kept in memory until the mark moves ([`Since`](super::since::Since)).
pub(super) const MARK_EVERY: i64 = 4_096;
/// Where few calls are made it moves with the first entry after this time, so that entries have a digest
/// soon.
pub(super) const MARK_WITHIN: SignedDuration = SignedDuration::from_hours(1);

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

/// The holds that are open now.
pub(super) fn open_now(connection: &Connection) -> Result<BTreeMap<HoldId, Marked>, StoreError> {
    let (mark, marked) = read(connection)?;
    let mut open = marked
        .into_iter()
        .map(|marked| (marked.hold, marked))
        .collect();
    let mut moves = Moves::default();
    let mut statement = connection
        .prepare_cached("SELECT seq, kind, hold FROM entries WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = statement.query([mark])?;
    while let Some(row) = rows.next()? {
        if let Some(kind) = EntryKind::from_number(row.get(1)?) {
            moves.follow(row.get(0)?, kind, HoldId::new(row.get(2)?));
        }
    }
    moves.apply(&mut open);
    Ok(open)
}

/// What became of holds since the mark.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Those that began since, and are open.
    begun: AHashMap<HoldId, Marked>,
    /// What happened to those that began before.
    altered: AHashMap<HoldId, Altered>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Altered {
    ended: bool,
    bound: Option<i64>,
    doubted: Option<i64>,
}

impl Moves {
    /// Takes the next entry.
    pub(super) fn follow(&mut self, seq: i64, kind: EntryKind, hold: HoldId) {
        match kind {
            EntryKind::Held => {
                let (bound, doubted) = (None, None);
                let marked = Marked {
                    hold,
                    bound,
                    doubted,
                };
                self.begun.insert(hold, marked);
            }
            EntryKind::Settled | EntryKind::Released => {
                if self.begun.remove(&hold).is_none() {
                    self.altered.entry(hold).or_default().ended = true;
                }
            }
            EntryKind::Bound => match self.begun.get_mut(&hold) {
                Some(marked) => marked.bound = Some(seq),
                None => self.altered.entry(hold).or_default().bound = Some(seq),
            },
            EntryKind::Doubted => match self.begun.get_mut(&hold) {
                Some(marked) => marked.doubted = Some(seq),
                None => self.altered.entry(hold).or_default().doubted = Some(seq),
            },
            EntryKind::Corrected | EntryKind::Granted => {}
        }
    }

    /// Makes of what was open at the mark what is open now.
    fn apply(self, open: &mut BTreeMap<HoldId, Marked>) {
        for (hold, altered) in self.altered {
            if altered.ended {
                open.remove(&hold);
            } else if let Some(marked) = open.get_mut(&hold) {
                marked.bound = altered.bound.or(marked.bound);
                marked.doubted = altered.doubted.or(marked.doubted);
            }
        }
        open.extend(self.begun);
    }

    /// The same in the list, and moves the mark to entry `to`. Called inside a transaction.
    pub(super) fn put(self, connection: &Connection, to: i64) -> Result<(), StoreError> {
        let mut remove = connection.prepare_cached("DELETE FROM open_holds WHERE hold = ?1")?;
        let mut alter = connection.prepare_cached(
            "UPDATE open_holds SET bound = coalesce(?2, bound), doubted = coalesce(?3, doubted) \
             WHERE hold = ?1",
        )?;
        for (hold, altered) in sorted(self.altered) {
            match altered.ended {
                true => remove.execute([hold.get()])?,
                false => alter.execute((hold.get(), altered.bound, altered.doubted))?,
            };
        }
        let mut put = connection.prepare_cached(
            "INSERT OR REPLACE INTO open_holds (hold, bound, doubted) VALUES (?1, ?2, ?3)",
        )?;
        for (hold, marked) in sorted(self.begun) {
            put.execute((hold.get(), marked.bound, marked.doubted))?;
        }
        connection
            .prepare_cached("UPDATE facts SET value = ?1 WHERE name = 'mark'")?
            .execute([to])?;
        Ok(())
    }
}

/// In the order of the table.
fn sorted<T>(holds: AHashMap<HoldId, T>) -> BTreeMap<HoldId, T> {
    holds.into_iter().collect()
}
