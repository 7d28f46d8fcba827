//! Is the file whole? What can be known before it is written to, in little time.
//!
//! Nothing here proves that a large file has no fault: that is what `verify` does, and a running guard in
//! the background. But a file that was cut, or whose log is another's, or whose newest entries cannot be
//! read, is not written to.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::Connection;

use crate::ledger::store::{HearMigrating, StoreError};
use crate::ledger::verify;

use super::connection::{LEDGER_ID, unusable};
use super::reader::SqliteReader;
use super::schema::migrate;
use super::wal::{self, beside};

const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// What to do about it.
const ADVICE: &str = "stop, keep a copy of the file with its -wal and -shm, and put a backup in its place \
     with `restore` (the README says how)";

fn damaged(path: &Path, what: &str) -> StoreError {
    unusable(path, format!("{what}: {ADVICE}"))
}

/// The same error with the file's name, and what to do.
pub(super) fn named(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged(what) => damaged(path, &what),
        StoreError::Failed(what) => unusable(path, what),
        named => named,
    }
}

/// Whether all pages there must be are there, in the file or in its log. Nobody may have it open.
pub(super) fn check_pages(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| unusable(path, error.to_string());
    let Ok(mut file) = File::open(path) else {
        return check_no_log(path); // There is none yet, or opening it will say why not.
    };
    let bytes = file.metadata().map_err(failed)?.len();
    let mut header = Vec::with_capacity(HEADER);
    file.by_ref()
        .take(HEADER as u64)
        .read_to_end(&mut header)
        .map_err(failed)?;
    let log = wal::look(path).map_err(failed)?;
    if let Some(fault) = log.fault {
        return Err(damaged(path, &fault));
    }
    if bytes == 0 && log.pages.is_empty() {
        return Ok(()); // New, or the making of it was broken off.
    }
    let number = |at: usize, length: usize| {
        let bytes = header.get(at..at + length).unwrap_or_default();
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        // What never was a database is told so by whoever opens it.
        return if log.pages.is_empty() && header.len() == HEADER {
            Ok(())
        } else {
            Err(damaged(path, "its first page is damaged"))
        };
    }
    let page = match number(16, 2) {
        1 => 65_536,
        size => size,
    };
    if !page.is_power_of_two() || page < 512 {
        return Err(damaged(path, "its first page is damaged"));
    }
    let pages = log.pages_after.map_or(number(28, 4), u64::from);
    let missing = (bytes / page + 1..=pages)
        .find(|page| !u32::try_from(*page).is_ok_and(|page| log.pages.contains(&page)));
    if let Some(missing) = missing {
        let should = pages * page;
        return Err(damaged(
            path,
            &format!(
                "it was cut, or its log (-wal) is another's: page {missing} is missing; it has {bytes} \
                 bytes and should have {should}"
            ),
        ));
    }
    Ok(())
}

/// A log without its file is what is left of a ledger.
fn check_no_log(path: &Path) -> Result<(), StoreError> {
    let log = beside(path, "-wal");
    match std::fs::metadata(&log) {
        Ok(log) if log.len() > 0 => Err(damaged(
            path,
            "its log (-wal) is there, and the file is not",
        )),
        _ => Ok(()),
    }
}

/// Whether the schema is ours, and the newest entries and their sums agree.
pub(super) fn check_contents(path: &Path, reader: &SqliteReader) -> Result<(), StoreError> {
    let check = || {
        let mut faults = missing_schema(reader.connection())?;
        if faults.is_empty() {
            faults = verify::newest(reader)?.mismatches;
        }
        Ok::<_, StoreError>(faults)
    };
    let faults = check().map_err(|error| named(path, error))?;
    match faults.first() {
        Some(fault) => Err(damaged(path, fault)),
        None => Ok(()),
    }
}

/// Tables, indexes and views that are not as the migrations make them.
fn missing_schema(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut model = Connection::open_in_memory()?;
    migrate(
        &mut model,
        Path::new(":memory:"),
        LEDGER_ID,
        &HearMigrating::nobody(),
    )?;
    let parts = |connection: &Connection| {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<BTreeSet<(String, String)>, _>>()
    };
    let (must, has) = (parts(&model)?, parts(connection)?);
    let missing = must.difference(&has);
    Ok(missing
        .map(|(name, _)| format!("its schema is damaged: {name} is not what it must be"))
        .collect())
}

/// Looks at a ledger that nobody writes, without opening it as a database: for who is about to read it.
///
/// # Errors
/// What is wrong with the file, by its path, and what to do.
pub fn check_closed(path: &Path) -> Result<(), StoreError> {
    check_pages(path)
}
