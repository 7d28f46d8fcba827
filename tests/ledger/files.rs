//! A ledger's file: what was done to it by hand is found out, a copy of it is whole, anybody can read it
//! with SQL, and one process owns it.

use generect_guard::clock::Clock;
use generect_guard::ledger::store::open_locked;
use generect_guard::ledger::{LedgerLock, LockError, SqliteStore, StoreError, open_reader};
use tempfile::TempDir;

use crate::entries::told;
use crate::support::{NOON, Place, at, request, settle, with_budgets};

/// What somebody may do to a ledger's file, and what `verify` then says.
const SPOILED: &[(&str, &str)] = &[
    ("UPDATE sums SET settled = settled + 1", "the entries say"),
    ("UPDATE sums SET calls = 9", "says 9 calls"),
    ("DELETE FROM sums", "is missing"),
    (
        "UPDATE entries SET amount = amount + 1 WHERE seq = 4",
        "the entries say",
    ),
    (
        "UPDATE entries SET recorded_at = 1 WHERE seq = 8",
        "recorded before the one ahead",
    ),
    (
        "UPDATE entries SET kind = 3 WHERE seq = 10",
        "it was settled before",
    ),
    (
        "UPDATE entries SET hold = 5 WHERE seq = 9",
        "it was released before",
    ),
    (
        "UPDATE entries SET hold = 99 WHERE seq = 9",
        "there is no such hold",
    ),
    (
        "UPDATE entries SET hold = 11 WHERE seq = 10",
        "cannot be corrected",
    ),
    ("DELETE FROM entries WHERE seq = 6", "stands where 6 should"),
    (
        "UPDATE entries SET began_at = 5 WHERE seq = 8",
        "another team, key, operation or beginning",
    ),
    (
        "UPDATE entries SET job = NULL WHERE seq = 6",
        "bound to no job",
    ),
    (
        "INSERT INTO open_holds VALUES (5, NULL, NULL); UPDATE facts SET value = 9 WHERE name = 'mark'",
        "the list of open holds",
    ),
    (
        "UPDATE facts SET value = 9 WHERE name = 'mark'",
        "the list of open holds does not",
    ),
    (
        "UPDATE facts SET value = 99 WHERE name = 'mark'",
        "after the last one",
    ),
];

#[test]
fn verify_names_what_does_not_agree() {
    let spoil = |sql: &str| {
        let place = Place::file();
        drop(told(&place));
        let connection = rusqlite::Connection::open(place.path()).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = OFF")
            .unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        place.reader().verify(&mut |_, _| {})
    };
    for (sql, says) in SPOILED {
        let report = spoil(sql).unwrap();
        let all = report.mismatches.join("\n");
        assert!(all.contains(says), "{sql}: {all}");
    }
    for (sql, says) in [
        (
            "DELETE FROM names WHERE name = 'search_leads'",
            "not in the list of names",
        ),
        (
            "UPDATE entries SET evidence = 99 WHERE seq = 4",
            "entry 4 has no known evidence",
        ),
    ] {
        let error = spoil(sql).unwrap_err();
        assert!(error.to_string().contains(says), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_backup_beside_a_running_guard_is_a_sound_ledger() {
    let place = Place::file();
    let ledger = place.open(with_budgets(Vec::new()), &Clock::manual(at(NOON)));
    for _ in 0..20 {
        settle(ledger.hold(request("growth", 5)).await.unwrap(), 4);
    }
    let copy = Place::file();
    place.reader().backup(&copy.path(), &mut |_, _| {}).unwrap();
    copy.assert_sound();
    assert!(copy.reader().tail().unwrap().seq >= 39);
    let again = place.reader().backup(&copy.path(), &mut |_, _| {});
    let error = again.unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    ledger.close().await.unwrap();
}

#[test]
fn anybody_can_read_the_ledger_with_sql() {
    let place = Place::file();
    drop(told(&place));
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    let line: String = connection
        .query_row(
            "SELECT kind || ' ' || began_at || ' ' || team || ' ' || credits FROM ledger WHERE seq = 10",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(
        line,
        "corrected 2026-03-10T12:00:00.000000Z growth -0.000010"
    );
    let calls: i64 = connection
        .query_row("SELECT sum(calls) FROM spend", [], |row| row.get(0))
        .unwrap();
    assert_eq!(calls, 2);
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let why = |name: &str| SqliteStore::open(&path(name)).unwrap_err().to_string();

    let missing = why("no/such/folder/ledger.db");
    assert!(
        missing.contains("no/such/folder does not exist"),
        "{missing}"
    );
    std::fs::create_dir(path("folder")).unwrap();
    assert!(why("folder").contains("it is a folder"));
    std::fs::write(path("text"), "x".repeat(5_000)).unwrap();
    let text = why("text");
    assert!(
        text.contains("not a database") && text.contains("text"),
        "{text}"
    );
    let other = rusqlite::Connection::open(path("other")).unwrap();
    other
        .execute_batch("CREATE TABLE customers (name TEXT)")
        .unwrap();
    assert!(why("other").contains("another program"));
    drop(SqliteStore::open(&path("newer")).unwrap());
    let newer = rusqlite::Connection::open(path("newer")).unwrap();
    newer.execute_batch("PRAGMA user_version = 999").unwrap();
    assert!(matches!(
        SqliteStore::open(&path("newer")),
        Err(StoreError::Newer { found: 999, .. })
    ));
    assert!(matches!(
        open_reader(&path("newer")),
        Err(StoreError::Newer { .. })
    ));
    let nothing = open_reader(&path("nothing")).err().unwrap().to_string();
    assert!(nothing.contains("there is no such file"), "{nothing}");
    assert!(!path("nothing").exists(), "reading makes no file");
}

#[test]
fn one_process_owns_a_ledger_and_the_other_is_told_who() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let (lock, store) = open_locked(&path, at(NOON)).unwrap();
    let error = LedgerLock::acquire(&path, at(NOON)).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LockError::Held { .. }));
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    assert!(text.contains("since 2026-03-10T12:00:00Z"), "{text}");
    assert!(open_locked(&path, at(NOON)).is_err());
    drop((lock, store));
    drop(open_locked(&path, at(NOON)).unwrap());
    let lost = folder.path().join("no/ledger.db");
    let error = open_locked(&lost, at(NOON)).err().unwrap().to_string();
    assert!(error.contains("does not exist"), "{error}");
}
