//! Archives: files of the ledger's own schema, with the entries of a span and another mark in their
//! header, so that none is taken for a ledger.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::counted::counted;
use crate::ledger::archive::{ArchiveSpan, Archived};
use crate::ledger::store::{HearMigrating, Reader, StoreError, Tail};
use crate::ledger::window::{at_micros, quarter_of};

use super::SqliteStore;
use super::connection::{self, ARCHIVE_ID, WITH_ARCHIVES, open_reading, unusable};
use super::reader::SqliteReader;
use super::schema;

/// Entries copied in one transaction, which is as long as a reader keeps the log from beginning anew.
const SOME: i64 = 65_536;

/// The names of the notes in which an archive says what it has.
const FIRST: &str = "archive.first";
const LAST: &str = "archive.last";
const BEFORE: &str = "archive.before";

/// Opens an archive for reading; says what it has.
///
/// # Errors
/// What is wrong with the file, by its path.
pub fn open_archive(path: &Path) -> Result<(Box<dyn Reader>, ArchiveSpan), StoreError> {
    if !path.exists() {
        return Err(unusable(path, "there is no such file"));
    }
    let (connection, _) = open_reading(path, ARCHIVE_ID)?;
    let reader = SqliteReader::over(connection);
    let number = |name: &str| {
        let sql = "SELECT value FROM notes WHERE name = ?1";
        let value: Option<String> = reader
            .connection()
            .prepare_cached(sql)?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let value = value.and_then(|text| text.parse::<i64>().ok());
        value.ok_or_else(|| unusable(path, "the archive does not say what it has"))
    };
    let (first, last) = (number(FIRST)?, number(LAST)?);
    let before = at_micros(number(BEFORE)?);
    let tail = reader.tail()?;
    let span = ArchiveSpan {
        first,
        last,
        recorded_at: tail.recorded_at.unwrap_or(before),
        before,
    };
    if tail.seq != last || reader.first_seq()? != Some(first) {
        return Err(unusable(
            path,
            "it does not have the entries it says it has",
        ));
    }
    Ok((Box::new(reader), span))
}

impl SqliteReader {
    /// How far the archives go.
    pub(super) fn archived(&self) -> Result<Tail, StoreError> {
        let none = Tail {
            seq: 0,
            recorded_at: None,
        };
        if self.version() < WITH_ARCHIVES {
            return Ok(none);
        }
        let sql = "SELECT last, recorded_at FROM archives ORDER BY last DESC LIMIT 1";
        let mut statement = self.connection().prepare_cached(sql)?;
        let last = statement.query_row([], |row| {
            Ok(Tail {
                seq: row.get(0)?,
                recorded_at: Some(at_micros(row.get(1)?)),
            })
        });
        Ok(last.optional()?.unwrap_or(none))
    }

    /// The first entry that is not archived.
    pub(super) fn first_seq(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT seq FROM entries WHERE seq > ?1 ORDER BY seq LIMIT 1";
        let mut statement = self.connection().prepare_cached(sql)?;
        let archived = self.archived()?.seq;
        Ok(statement
            .query_row([archived], |row| row.get(0))
            .optional()?)
    }

    pub(super) fn read_archives(&self) -> Result<Vec<Archived>, StoreError> {
        let sql = "SELECT first, last, recorded_at, before, digest, sums, path FROM archives \
             ORDER BY first";
        self.gather_since(WITH_ARCHIVES, sql, [], |row| {
            let span = ArchiveSpan {
                first: row.get(0)?,
                last: row.get(1)?,
                recorded_at: at_micros(row.get(2)?),
                before: at_micros(row.get(3)?),
            };
            Ok(Archived {
                span,
                digest: row.get(4)?,
                sums: row.get(5)?,
                path: row.get(6)?,
            })
        })
    }

    /// Copies the span into a new file. It has another name until it is whole and synced.
    pub(super) fn copy_span(
        &self,
        path: &Path,
        span: &ArchiveSpan,
        progress: &mut dyn FnMut(i64, i64),
    ) -> Result<(), StoreError> {
        connection::check_place(path)?;
        let part = beside(path, ".part");
        let failed = |error: std::io::Error| unusable(path, error.to_string());
        // Of a run that was broken off.
        if part.exists() {
            fs::remove_file(&part).map_err(failed)?;
        }
        let ledger = self.connection().path().unwrap_or_default().to_owned();
        let copied = copy(&part, &ledger, span, progress);
        copied.inspect_err(|_| drop(fs::remove_file(&part)))?;
        File::open(&part)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&part, path))
            .map_err(failed)?;
        sync_archive(path)
    }
}

/// Sees to it that an archive is on disk under its name, whoever wrote or copied it and wherever that was
/// broken off.
///
/// # Errors
/// What the system says, by the path.
pub fn sync_archive(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let synced = |path: &Path| File::open(path)?.sync_all();
    synced(path)
        .and_then(|()| synced(folder))
        .map_err(|error| unusable(path, error.to_string()))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn copy(
    part: &Path,
    ledger: &str,
    span: &ArchiveSpan,
    progress: &mut dyn FnMut(i64, i64),
) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut copy = Connection::open_with_flags(part, flags)
        .map_err(|error| unusable(part, error.to_string()))?;
    // Nobody reads it before it is whole: it needs no journal, and one sync at its end.
    copy.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF",
    )?;
    schema::migrate(&mut copy, part, ARCHIVE_ID, &HearMigrating::nobody())?;
    copy.execute("ATTACH ?1 AS ledger", [ledger])?;
    copy.execute_batch("INSERT INTO main.names SELECT * FROM ledger.names")?;
    let quarters = [i64::MIN, quarter_of(span.before)];
    copy.execute(
        "INSERT INTO main.sums SELECT * FROM ledger.sums \
         WHERE recorded_quarter >= coalesce((SELECT max(before) / 900000000 FROM ledger.archives), ?1) \
         AND recorded_quarter < ?2",
        quarters,
    )?;
    let all = span.last - span.first + 1;
    let mut next = span.first;
    while next <= span.last {
        let end = (next + SOME).min(span.last + 1);
        copy.execute(
            "INSERT INTO main.entries SELECT * FROM ledger.entries WHERE seq >= ?1 AND seq < ?2",
            [next, end],
        )?;
        next = end;
        progress(next - span.first, all);
    }
    let before = span.before.as_microsecond();
    for (name, value) in [(FIRST, span.first), (LAST, span.last), (BEFORE, before)] {
        let sql = "INSERT INTO main.notes (name, value) VALUES (?1, ?2)";
        copy.execute(sql, params![name, value.to_string()])?;
    }
    copy.execute_batch("DETACH ledger")?;
    Ok(())
}

impl SqliteStore {
    /// Writes the line of an archive. Called inside a transaction.
    pub(super) fn put_archive(
        connection: &Connection,
        tail: Tail,
        archived: &Archived,
    ) -> Result<(), StoreError> {
        let span = &archived.span;
        let sql = "SELECT count(*) FROM open_holds WHERE hold <= ?1";
        let open: i64 = connection.query_row(sql, [span.last], |row| row.get(0))?;
        let sql = "SELECT coalesce(max(last), 0) FROM archives";
        let before: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        if open > 0 || span.first != before + 1 || span.last > tail.seq {
            return Err(StoreError::NotKept(format!(
                "the ledger is archived up to entry {before} and goes to {}, and {} not ended that began before \
                 entry {}: {} to {} cannot be archived now",
                tail.seq,
                counted(open, "call has", "calls have"),
                span.last,
                span.first,
                span.last
            )));
        }
        let sql = "INSERT INTO archives (first, last, before, recorded_at, digest, sums, path) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = params![
            span.first,
            span.last,
            span.before.as_microsecond(),
            span.recorded_at.as_microsecond(),
            archived.digest,
            archived.sums,
            archived.path,
        ];
        connection.execute(sql, values)?;
        Ok(())
    }

    /// Removes up to `limit` entries that are archived; says how many.
    pub(super) fn remove_archived(&self, limit: i64) -> Result<usize, StoreError> {
        // Grants are few, and budgets over years still count them.
        let sql = "DELETE FROM entries WHERE seq IN \
             (SELECT seq FROM entries WHERE seq <= ?1 AND kind <> 7 ORDER BY seq LIMIT ?2)";
        let archived = self.reader.archived()?.seq;
        Ok(self
            .reader
            .connection()
            .prepare_cached(sql)?
            .execute([archived, limit])?)
    }
}
