//! What the stand-ins keep their entries in: an SQLite file as the guard's ledger is one, or the least that
//! survives a crash at all.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::{Connection, params};

/// Pages of the log after which it is moved into the file: 32 MiB, as in the guard.
const CHECKPOINT: &str = "PRAGMA wal_autocheckpoint = 8192";

const TABLE: &str = "CREATE TABLE entries (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, \
     hold INTEGER NOT NULL, began_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, \
     team INTEGER NOT NULL, \"key\" INTEGER NOT NULL, operation INTEGER NOT NULL, \
     amount INTEGER NOT NULL, fingerprint INTEGER, detail TEXT) STRICT";
const INSERT: &str = "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// A file of pages has so many, and then begins anew.
const PAGES: u64 = 16_384;
const PAGE: usize = 4_096;
/// What an entry takes in a page: about its width in SQLite.
const ENTRY: usize = 120;

/// One of the two entries of a call.
pub(crate) enum Entry {
    Held,
    Settled { hold: i64, began_at: i64 },
}

/// Keeps a batch: all of it is on disk when [`append`](Self::append) returns.
pub(crate) trait Books: Send + 'static {
    /// The number of the first.
    fn append<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: i64) -> i64;
}

/// A table, and a log before it that is synced with each batch.
pub(crate) struct Sqlite {
    file: Connection,
    seq: i64,
}

impl Sqlite {
    pub(crate) fn create(path: &Path) -> Self {
        let file = Connection::open(path).unwrap();
        let wal = "PRAGMA journal_mode = WAL";
        file.query_row(wal, [], |_| Ok(())).unwrap();
        file.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;")
            .unwrap();
        file.query_row(CHECKPOINT, [], |_| Ok(())).unwrap();
        file.execute_batch(TABLE).unwrap();
        Self { file, seq: 0 }
    }
}

impl Books for Sqlite {
    fn append<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: i64) -> i64 {
        let first = self.seq + 1;
        let transaction = self.file.unchecked_transaction().unwrap();
        let mut insert = self.file.prepare_cached(INSERT).unwrap();
        for entry in entries {
            self.seq += 1;
            let (seq, print) = (
                self.seq,
                self.seq
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()),
            );
            let written = match *entry {
                Entry::Held => insert.execute(params![
                    seq,
                    1,
                    seq,
                    now,
                    now,
                    1,
                    2,
                    3,
                    60_000,
                    print,
                    None::<&str>
                ]),
                Entry::Settled { hold, began_at } => insert.execute(params![
                    seq,
                    3,
                    hold,
                    began_at,
                    now,
                    1,
                    2,
                    3,
                    40_000,
                    None::<i64>,
                    "0.04"
                ]),
            };
            written.unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
        first
    }
}

/// Whole pages over and over in a file that had its full length before, each batch synced: nobody could read
/// books in it. It shows what is left for whoever keeps them, not how they might be kept.
pub(crate) struct Pages {
    file: File,
    page: u64,
    seq: i64,
}

impl Pages {
    pub(crate) fn create(path: &Path) -> Self {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(path).unwrap();
        for page in 0..PAGES {
            file.write_all_at(&[0; PAGE], page * PAGE as u64).unwrap();
        }
        file.sync_all().unwrap();
        Self {
            file,
            page: 0,
            seq: 0,
        }
    }
}

impl Books for Pages {
    fn append<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: i64) -> i64 {
        let first = self.seq + 1;
        let mut bytes = Vec::new();
        for entry in entries {
            self.seq += 1;
            let end = bytes.len() + ENTRY;
            let (hold, began_at) = match *entry {
                Entry::Held => (self.seq, now),
                Entry::Settled { hold, began_at } => (hold, began_at),
            };
            for number in [self.seq, hold, began_at, now] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.resize(end, 0);
        }
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        let pages = (bytes.len() / PAGE) as u64;
        if self.page + pages > PAGES {
            self.page = 0;
        }
        let at = self.page * PAGE as u64;
        self.file.write_all_at(&bytes, at).unwrap();
        self.file.sync_data().unwrap();
        self.page += pages;
        first
    }
}
