//! What the entries since the mark say, kept in memory as they are written: moving the mark does not
//! read them again.
//!
//! Memory is never trusted over the file. Whoever writes takes it out of its place and puts it back
//! after the commit: if anything fails on the way, and after the file was opened, it is worked out anew
//! from the entries. It is as large as what is open and charged between two marks.

use jiff::Timestamp;
use rusqlite::Connection;

use crate::ledger::digest::Chain;
use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::store::StoreError;
use crate::ledger::window::quarter_of;

use super::digests;
use super::mark::{self, MARK_EVERY, MARK_WITHIN, Moves};
use super::months::{Charged, Place, summed};
use super::reader::{ENTRY, SqliteReader};

/// See the module's words.
#[derive(Debug)]
pub(super) struct Since {
    mark: i64,
    /// The last entry it knows.
    last: i64,
    /// When the first and the last entry since the mark were recorded.
    recorded: Option<(Timestamp, Timestamp)>,
    moves: Moves,
    charged: Charged,
    chain: Chain,
}

impl Since {
    fn after(mark: i64, chain: Chain) -> Self {
        Self {
            mark,
            last: mark,
            recorded: None,
            moves: Moves::default(),
            charged: Charged::default(),
            chain,
        }
    }

    /// Works it out from the file.
    pub(super) fn read(reader: &SqliteReader) -> Result<Self, StoreError> {
        let connection = reader.connection();
        let chain = Chain::after(digests::newest(connection)?);
        let mut since = Self::after(mark::read(connection)?.0, chain);
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
        self.chain.entry(entry);
        self.last = entry.seq;
        let last = entry.recorded_at;
        let first = self.recorded.map_or(last, |(first, _)| first);
        self.recorded = Some((first, last));
    }

    /// Takes calls and their charges, by quarter hours.
    pub(super) fn charged(&mut self, place: Place, charged: (i64, i64)) -> Result<(), StoreError> {
        self.charged.add(place, charged)
    }

    /// Whether it is time to move the mark.
    pub(super) fn is_long(&self) -> bool {
        let is_old =
            |(first, last): (Timestamp, Timestamp)| first.duration_until(last) >= MARK_WITHIN;
        self.last - self.mark >= MARK_EVERY || self.recorded.is_some_and(is_old)
    }

    /// Moves the mark to the last entry. Called inside a transaction.
    pub(super) fn put_down(self, connection: &Connection) -> Result<Self, StoreError> {
        let to = self.last;
        self.moves.put(connection, to)?;
        self.charged.put(connection, to)?;
        let (ended, chain) = self.chain.end();
        digests::put(connection, &ended)?;
        Ok(Self::after(to, chain))
    }
}
