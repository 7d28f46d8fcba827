//! Records in a file: an older file is brought up to date, a spoiled one is found out, a copy has
//! everything, and anybody can read them with SQL.

use generect_guard::ledger::{
    EntryKind, FindingKind, MatchedBy, Record, Store, open_locked, open_reader,
};
use jiff::Timestamp;
use rusqlite::Connection;

use crate::entries::{entry, story, told};
use crate::support::{NOON, Place, at, finding, matched, micros, note, row, row_id};

/// The first schema, as it was released.
const FIRST: &str = include_str!("../../src/ledger/store/migrations/0001.sql");

/// A ledger as the first version left it: entries 1 to 12 of the story, under the first schema.
fn first_version() -> Place {
    let (place, written) = (Place::file(), Place::file());
    drop(told(&written));
    let old = Connection::open(place.path()).unwrap();
    old.execute_batch(FIRST).unwrap();
    old.pragma_update(None, "application_id", 0x6747_4C64)
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let copied = format!(
        "ATTACH '{}' AS new; DELETE FROM main.facts; \
         INSERT INTO main.names SELECT * FROM new.names; \
         INSERT INTO main.entries SELECT * FROM new.entries; \
         INSERT INTO main.sums SELECT * FROM new.sums; \
         INSERT INTO main.open_holds SELECT * FROM new.open_holds; \
         INSERT INTO main.facts SELECT * FROM new.facts WHERE name IN ('mark', 'probes');",
        written.path().display()
    );
    old.execute_batch(&copied).unwrap();
    place
}

#[test]
fn a_ledger_of_the_first_version_is_read_as_it_is_and_upgraded_by_its_next_writer() {
    let place = first_version();
    let all = story().concat();
    // Beside the old file: entries are there, records are none.
    let reader = place.reader();
    assert_eq!(reader.entries(0, 100).unwrap(), all);
    assert_eq!(reader.open_transactions(Timestamp::MIN).unwrap(), []);
    assert_eq!(reader.note("read_until").unwrap(), None);
    let from_to = (Timestamp::MIN, Timestamp::MAX);
    assert_eq!(reader.found(from_to.0, from_to.1).unwrap(), []);
    let changes = reader.changes(from_to.0, from_to.1, 0, 10).unwrap();
    assert_eq!(changes, []);
    assert_eq!(reader.savings(from_to.0, from_to.1).unwrap(), []);
    let corrections = reader.corrections_of(all[0].hold).unwrap();
    assert_eq!(corrections, [all[9].clone()]);
    place.assert_sound();
    let version = |place: &Place| {
        let connection = Connection::open(place.path()).unwrap();
        connection
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(version(&place), 1, "reading changes nothing");
    // Its next writer.
    let mut store = place.store();
    assert_eq!(version(&place), 5);
    assert_eq!(store.reader().entries(0, 100).unwrap(), all);
    let hold = all[0].hold;
    store
        .keep(&[
            Record::Transaction(row("a", 2, 60)),
            matched("a", hold, MatchedBy::Charge),
        ])
        .unwrap();
    let next = entry(13, EntryKind::Held, 13, 3_000, 3_000, 1);
    store.append(&[next]).unwrap();
    drop(store);
    drop(place.store());
    assert_eq!(place.reader().matches_of(hold).unwrap().len(), 1);
    place.assert_sound();
}

/// The story, and an account that agrees with it but for one finding.
fn reconciled() -> Place {
    let place = Place::file();
    let mut store = told(&place);
    let [first, third] = [0, 2].map(|index| story().concat()[index].hold);
    let mut found = finding("theirs c", FindingKind::TheirsOnly, Some("c"), 7);
    found.hold = Some(third);
    store
        .keep(&[
            Record::Transaction(row("a", 2, 60)),
            Record::Transaction(row("b", 1_000, 250)),
            Record::Transaction(row("c", 9, 7)),
            Record::Transaction(row("d", 10, 8)),
            matched("a", first, MatchedBy::Charge),
            matched("b", third, MatchedBy::Doubt),
            Record::Found(found),
            note("read_until", "noon"),
        ])
        .unwrap();
    drop(store);
    place
}

#[test]
fn verify_counts_the_records_and_names_what_does_not_agree() {
    let report = reconciled().reader().verify(&mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:#?}");
    let counts = (report.transactions, report.matches, report.findings);
    assert_eq!(counts, (4, 2, 1));
    for (sql, says) in [
        (
            "DELETE FROM transactions WHERE id = 'a'",
            "a match names row 1, which is not there",
        ),
        (
            "UPDATE matches SET hold = 4 WHERE hold = 3",
            "a match names hold 4, which was never made",
        ),
        (
            "UPDATE matches SET hold = 99 WHERE hold = 3",
            "a match names hold 99, which was never made",
        ),
        (
            "DELETE FROM transactions WHERE id = 'c'",
            "finding theirs c names a row that is not there",
        ),
        (
            "UPDATE findings SET hold = 12",
            "finding theirs c names a hold that was never made",
        ),
        (
            "UPDATE transactions SET open = 1 WHERE id = 'a'",
            "row a is open and explained, or neither",
        ),
        (
            "UPDATE transactions SET open = 0 WHERE id = 'd'",
            "row d is open and explained, or neither",
        ),
        ("DELETE FROM matches WHERE hold = 1", "row a is open"),
        ("DELETE FROM findings", "row c is open"),
        (
            "UPDATE entries SET amount = -61 WHERE seq = 10",
            "hold 1 is corrected to less than nothing",
        ),
        (
            "UPDATE entries SET began_at = 7 WHERE seq = 10",
            "entry 10 tells another team, key, operation or beginning",
        ),
    ] {
        let place = reconciled();
        let connection = Connection::open(place.path()).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = OFF")
            .unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let report = place.reader().verify(&mut |_, _| {}).unwrap();
        let all = report.mismatches.join("\n");
        assert!(all.contains(says), "{sql}: {all}");
    }
}

#[test]
fn a_backup_has_the_records_too() {
    let place = reconciled();
    let copy = Place::file();
    place.reader().backup(&copy.path(), &mut |_, _| {}).unwrap();
    let reader = open_reader(&copy.path()).unwrap();
    assert_eq!(reader.note("read_until").unwrap().unwrap(), "noon");
    let report = reader.verify(&mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!((report.transactions, report.matches), (4, 2));
    // And it is a ledger that can be gone on with.
    drop(reader);
    let (_lock, mut store) = open_locked(&copy.path(), at(NOON)).unwrap();
    store.keep(&[Record::Transaction(row("e", 11, 9))]).unwrap();
    assert_eq!(
        store_amount(&store, "e"),
        Some(micros(-9)),
        "kept in the copy"
    );
    assert_eq!(place.reader().transaction(&row_id("e")).unwrap(), None);
}

/// What was removed leaves its room in the file; a copy has none of it, and is the same ledger.
#[test]
fn a_backup_is_no_larger_than_what_is_in_it() {
    let size = |place: &Place| std::fs::metadata(place.path()).unwrap().len();
    let (place, full, small) = (reconciled(), Place::file(), Place::file());
    let copied = |copy: &Place| {
        let mut steps = Vec::new();
        let mut progress = |done, all| steps.push((done, all));
        place.reader().backup(&copy.path(), &mut progress).unwrap();
        let (done, all) = steps.pop().unwrap();
        assert_eq!(done, all, "it is told that all is done");
        size(copy)
    };
    let notes = |value: Option<String>| {
        let record = |number| Record::Note {
            name: format!("note {number}"),
            value: value.clone(),
        };
        (0..1_000).map(record).collect::<Vec<_>>()
    };
    let mut store = place.store();
    store.keep(&notes(Some("x".repeat(500)))).unwrap();
    let before = copied(&full);
    store.keep(&notes(None)).unwrap();
    drop(store);
    assert!(size(&place) >= before, "the ledger keeps its size");
    let after = copied(&small);
    assert!(after < before / 2, "{after} of {before} bytes");
    let (theirs, ours) = (small.reader(), place.reader());
    assert_eq!(
        theirs.entries(0, 1_000).unwrap(),
        ours.entries(0, 1_000).unwrap()
    );
    assert_eq!(theirs.note("read_until").unwrap().unwrap(), "noon");
    small.assert_sound();
    drop(theirs);
    let (_lock, mut store) = open_locked(&small.path(), at(NOON)).unwrap();
    store.keep(&[Record::Transaction(row("e", 11, 9))]).unwrap();
    let again = place.reader().backup(&small.path(), &mut |_, _| {});
    let error = again.unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
}

fn store_amount(store: &impl Store, id: &str) -> Option<generect_guard::credits::Credits> {
    let row = store.reader().transaction(&row_id(id)).unwrap();
    row.map(|row| row.amount)
}

#[test]
fn anybody_can_read_the_records_with_sql() {
    let place = reconciled();
    let mut store = place.store();
    let nonsense = generect_guard::transaction::Transaction {
        amount: micros(i64::MIN),
        ..row("nonsense", 99, 0)
    };
    let close = Record::Closed {
        name: "theirs c".into(),
        at: at(NOON),
        why: "a colleague's search".into(),
    };
    store.keep(&[Record::Transaction(nonsense), close]).unwrap();
    drop(store);
    let connection = Connection::open(place.path()).unwrap();
    let lines = |sql: &str| {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0));
        rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    let rows = lines(
        "SELECT concat_ws(' ', source, id, at, kind, credits, status, hold, matched_by, team) \
         FROM account_rows ORDER BY at, id",
    );
    assert_eq!(
        rows[0],
        "v1 a 2026-03-10T12:00:02.000000Z search_leads -0.000060 success 1 charge growth"
    );
    assert_eq!(rows.len(), 5);
    assert!(rows[3].contains("-9223372036854.775808"), "{}", rows[3]);
    let disagreements = lines(
        "SELECT concat_ws(' ', name, kind, at, drift, \"transaction\", closed_at, closed_why) \
         FROM disagreements",
    );
    assert_eq!(
        disagreements,
        [
            "theirs c theirs_only 2026-03-10T12:00:09.000000Z 0.000007 c \
             2026-03-10T12:00:00.000000Z a colleague's search"
        ]
    );
}
