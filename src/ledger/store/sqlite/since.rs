//! What the entries since the mark say, kept in memory as they are written: moving the mark does not
//! read them again.
//!
//! Memory is never trusted over the file. Whoever writes takes it out of its place and puts it back
//! after the commit: if anything fails on the way, and after the file was opened, it is worked out anew
//! from the entries. It is as large as what is open and charged between two marks.

use rusqlite::Connection;

use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::store::StoreError;
use crate::ledger::window::quarter_of;

use super::mark::{self, MARK_EVERY, Moves};
use super::months::{Charged, Place, summed};
use super::read::{ENTRY, SqliteReader};

/// See the module's words.
#[derive(Debug)]
pub(super) struct Since {
    mark: i64,
    /// The last entry it knows.
    last: i64,
    moves: Moves,
    charged: Charged,
}

impl Since {
    fn after(mark: i64) -> Self {
        Self {
            mark,
            last: mark,
            moves: Moves::default(),
            charged: Charged::default(),
        }
    }

    /// Works it out from the file.
    pub(super) fn read(reader: &SqliteReader) -> Result<Self, StoreError> {
        let connection = reader.connection();
        let mut since = Self::after(mark::read(connection)?.0);
        // In a ledger that was brought up to date the sums by month may be ahead of the mark.
        let summed = summed(connection)?;
        let mut statement =
            connection.prepare_cached(&format!("{ENTRY} WHERE seq > ?1 ORDER BY seq"))?;
        let mut rows = statement.query([since.mark])?;
        while let Some(row) = rows.next()? {
            let entry = reader.entry(row)?;
            since.entry(&entry);
            if entry.kind.charges() && entry.seq > summed {
                let place = (
                    quarter_of(entry.began_at),
                    quarter_of(entry.recorded_at),
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                );
                let calls = i64::from(entry.kind == EntryKind::Settled);
                since.charged(place, (calls, entry.amount.micros()))?;
            }
        }
        Ok(since)
    }

    /// Takes the next entry.
    pub(super) fn entry(&mut self, entry: &Entry) {
        self.moves.follow(entry.seq, entry.kind, entry.hold);
        self.last = entry.seq;
    }

    /// Takes calls and their charges, by quarter hours.
    pub(super) fn charged(&mut self, place: Place, charged: (i64, i64)) -> Result<(), StoreError> {
        self.charged.add(place, charged)
    }

    /// Whether it is time to move the mark.
    pub(super) fn is_long(&self) -> bool {
        self.last - self.mark >= MARK_EVERY
    }

    /// Moves the mark to the last entry. Called inside a transaction.
    pub(super) fn put_down(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let to = self.last;
        let since = std::mem::replace(self, Self::after(to));
        since.moves.put(connection, to)?;
        since.charged.put(connection, to)
    }
}
