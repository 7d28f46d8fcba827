//! A process that ends at any moment while it brings a ledger to its schema harms nothing: each step is
//! there whole or not at all, and the next start goes on behind the last one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use generect_guard::ledger::store::{open_locked, open_locked_heard};
use generect_guard::ledger::{HearMigrating, Migrating, open_reader};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::schemas::{THEN, of_version};
use crate::support::{Place, assert_sound, at};
use crate::told::{Told, told};

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

fn log_of(path: &Path) -> PathBuf {
    path.with_file_name("ledger.db-wal")
}

/// A ledger of the first schema, and the log of bringing it to the newest.
fn file_and_log() -> (Vec<u8>, Vec<u8>) {
    let place = of_version(1);
    let file = fs::read(place.path()).unwrap();
    let opened = open_locked(&place.path(), at(THEN)).unwrap();
    let log = fs::read(log_of(&place.path())).unwrap();
    assert!(fs::read(place.path()).unwrap() == file, "all is in the log");
    drop(opened);
    (file, log)
}

/// From which schema the ledger at `path` is brought to the newest, if it is.
fn opened(path: &Path) -> Option<i64> {
    let first = Arc::new(Mutex::new(None::<Migrating>));
    let hears = Arc::clone(&first);
    let hear = HearMigrating::new(move |told| {
        hears.lock().unwrap().get_or_insert(told);
    });
    drop(open_locked_heard(path, at(THEN), &hear).unwrap());
    let first = first.lock().unwrap();
    first.map(|told| told.from)
}

fn seen(path: &Path) -> Told {
    let reader = open_reader(path).unwrap();
    assert_sound(&*reader);
    told(&*reader).unwrap()
}

#[test]
fn whenever_a_process_ends_while_it_brings_a_ledger_to_its_schema_the_next_goes_on() {
    let (file, log) = file_and_log();
    let page = usize::from(u16::from_be_bytes([file[16], file[17]]));
    let frames = (log.len() - LOG_HEADER) / (FRAME_HEADER + page);
    let mut from = Vec::new();
    let mut before = None;
    for written in 0..=frames {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        fs::write(&path, &file).unwrap();
        let length = LOG_HEADER + written * (FRAME_HEADER + page);
        fs::write(log_of(&path), &log[..length]).unwrap();
        from.push(opened(&path).unwrap_or(5));
        assert_eq!(opened(&path), None, "it is up to date");
        let seen = seen(&path);
        assert_eq!(
            *before.get_or_insert_with(|| seen_of(&file)),
            seen,
            "{written} of {frames}"
        );
    }
    // Once for each step, and never back.
    assert!(from.is_sorted(), "{from:?}");
    from.dedup();
    assert_eq!(from, [1, 2, 3, 4, 5]);
}

/// What a ledger that nobody has opened for writing tells.
fn seen_of(file: &[u8]) -> Told {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    fs::write(&path, file).unwrap();
    seen(&path)
}

#[test]
fn a_step_that_fails_leaves_nothing_and_is_made_when_nothing_stands_in_its_way() {
    let place: Place = of_version(1);
    let before = seen(&place.path());
    let file = || Connection::open(place.path()).unwrap();
    // What the fourth step works out from these, behind all that it makes, cannot be counted.
    let most = i64::MAX;
    let too_much =
        format!("INSERT INTO sums VALUES (1, 1, 1, 1, 1, 1, {most}), (2, 2, 1, 1, 1, 1, {most})");
    file().execute_batch(&too_much).unwrap();
    for _ in 0..2 {
        open_locked(&place.path(), at(THEN)).unwrap_err();
        let version = file().pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        assert_eq!(version.unwrap(), 3);
        let sums = file().table_exists(None, "month_sums").unwrap();
        assert!(!sums, "what the step made before it failed is gone");
    }
    file()
        .execute_batch("DELETE FROM sums WHERE began_quarter < 3")
        .unwrap();
    assert_eq!(opened(&place.path()), Some(3));
    assert_eq!(seen(&place.path()), before);
}
