//! Digests of entries: whatever is altered behind the guard's back, in an entry or in a digest, is said,
//! and an honest ledger is never accused.

use std::path::PathBuf;

use generect_guard::clock::Clock;
use generect_guard::ledger::store::open_locked;
use generect_guard::ledger::{Entry, Settings, VerifyReport, archive_span, checked_archive};
use generect_guard::ledger::{open_reader, write_archive};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;

use crate::histories::{History, seeded, told};
use crate::schemas::of_version;
use crate::support::{NOON, Place, assert_sound, at, request, settle};

/// Entries of which all but the newest few have a digest.
const ENTRIES: usize = 10_500;

fn history(random: &mut StdRng, pause: SignedDuration) -> History {
    History::begin(StdRng::seed_from_u64(random.random()), pause)
}

fn some() -> Place {
    told(
        history(&mut seeded("DIGEST_SEED"), SignedDuration::from_secs(2)),
        ENTRIES,
    )
}

fn copied(place: &Place) -> Place {
    let copy = Place::file();
    place.reader().backup(&copy.path(), &mut |_, _| {}).unwrap();
    copy
}

fn alter(place: &Place, sql: &str) {
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    file.execute_batch(sql).unwrap();
}

/// The digests' lines: the last entry of each.
fn spans(place: &Place) -> Vec<i64> {
    let file = Connection::open(place.path()).unwrap();
    let mut statement = file
        .prepare("SELECT last FROM digests ORDER BY last")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What is said of a copy that was altered.
fn said(place: &Place, sql: &str) -> Vec<String> {
    let copy = copied(place);
    alter(&copy, sql);
    match copy.reader().verify(&mut |_, _| {}) {
        Ok(report) => report.mismatches,
        Err(error) => vec![error.to_string()],
    }
}

fn of_span(first: i64, last: i64) -> String {
    format!("entries {first} to {last}, or the digests before and after them, are not as")
}

/// One altered value for each column, whatever it was before.
const ALTERED: [&str; 14] = [
    "seq = seq + 1000000",
    "kind = kind % 7 + 1",
    "hold = hold + 1",
    "began_at = began_at - 1",
    "recorded_at = recorded_at + 1",
    "team = (SELECT max(id) FROM names WHERE id <> team)",
    "\"key\" = (SELECT max(id) FROM names WHERE id <> \"key\")",
    "operation = (SELECT max(id) FROM names WHERE id <> operation)",
    "amount = amount + 1",
    "job = coalesce(job, '') || 'x'",
    "budget = (SELECT max(id) FROM names WHERE id <> coalesce(budget, 0))",
    "fingerprint = coalesce(fingerprint, 0) + 1",
    "evidence = coalesce(evidence, 0) % 6 + 1",
    "detail = coalesce(detail, '') || 'x'",
];

#[test]
fn every_column_of_every_kind_of_entry_is_covered() {
    let mut random = seeded("DIGEST_SEED");
    let place = told(history(&mut random, SignedDuration::from_secs(1)), 5_000);
    let lines = spans(&place);
    let (first, last) = (lines[0] + 1, lines[1]);
    let file = Connection::open(place.path()).unwrap();
    for kind in 1..=7 {
        let sql = "SELECT seq FROM entries WHERE seq > ?1 AND kind = ?2 LIMIT 1";
        let seq: i64 = file
            .query_row(sql, [first + 500, kind], |row| row.get(0))
            .unwrap();
        for altered in ALTERED {
            let sql = format!("UPDATE entries SET {altered} WHERE seq = {seq}");
            let said = said(&place, &sql);
            // What cannot even be read is said of the entry itself.
            let unread = format!("the ledger is damaged: entry {seq} has no known evidence");
            let is_said = |one: &String| one.starts_with(&of_span(first, last)) || *one == unread;
            assert!(said.iter().any(is_said), "kind {kind}: {sql}: {said:#?}");
            let others = said
                .iter()
                .filter(|one| one.contains("digests before"))
                .count();
            assert!(others <= 2, "{sql}: {said:#?}");
        }
    }
}

#[test]
fn a_quote_a_text_and_a_name_that_enter_no_sum_are_covered_and_nothing_else_shows_them() {
    let place = some();
    let lines = spans(&place);
    let (first, last) = (lines[0] + 1, lines[1]);
    for sql in [
        "UPDATE entries SET detail = 'another' WHERE seq = (SELECT min(seq) FROM entries WHERE kind = 3)",
        "UPDATE entries SET fingerprint = 7 WHERE seq = (SELECT min(seq) FROM entries WHERE fingerprint IS NOT NULL)",
        "UPDATE entries SET fingerprint = NULL WHERE seq = (SELECT min(seq) FROM entries WHERE fingerprint IS NOT NULL)",
    ] {
        let said = said(&place, sql);
        assert_eq!(said.len(), 1, "{sql}: {said:#?}");
        assert!(said[0].starts_with(&of_span(first, last)), "{said:#?}");
    }
    let renamed = said(
        &place,
        "UPDATE names SET name = 'another' WHERE name = 'operation-1'",
    );
    assert_eq!(renamed.len(), lines.len() - 1, "{renamed:#?}");
}

#[test]
fn digests_that_are_gone_altered_or_in_another_order_are_said() {
    let place = some();
    let lines = spans(&place);
    let end = lines.len() - 1;
    assert!(end >= 2, "{lines:?}");
    let (first, second, mark) = (lines[0] + 1, lines[1], lines[end]);
    let swap = format!(
        "CREATE TEMP TABLE two AS SELECT * FROM digests WHERE last IN ({0}, {1}); \
         UPDATE digests SET digest = (SELECT digest FROM two WHERE two.last <> digests.last) \
         WHERE last IN ({0}, {1})",
        lines[1], lines[2]
    );
    let spoiled = [
        (swap, of_span(first, second)),
        (
            format!("DELETE FROM digests WHERE last = {second}"),
            of_span(first, lines[2]),
        ),
        (
            format!("UPDATE digests SET last = last + 1 WHERE last = {second}"),
            of_span(first, second + 1),
        ),
        (
            format!("DELETE FROM digests WHERE last = {mark}"),
            format!("go to {} and were written to {mark}", lines[end - 1]),
        ),
        (
            "DELETE FROM digests".to_owned(),
            "the digests of all entries are gone".to_owned(),
        ),
        (
            "DELETE FROM digests WHERE last = 0".to_owned(),
            format!("nothing shows that entries 1 to {second}"),
        ),
        (
            format!("INSERT INTO digests VALUES ({}, 'x')", mark + 100_000),
            "not all of these".to_owned(),
        ),
    ];
    for (sql, says) in spoiled {
        let said = said(&place, &sql);
        let is_said = said.iter().any(|one| one.contains(&says));
        assert!(is_said, "{sql}: {said:#?}");
    }
}

#[test]
fn a_guard_does_not_start_on_newest_entries_that_were_altered() {
    let place = some();
    let seq = spans(&place)[2] - 10;
    drop(open_locked(&place.path(), at(NOON)).unwrap());
    alter(
        &place,
        &format!("UPDATE entries SET fingerprint = 1 WHERE seq = {seq}"),
    );
    let refused = open_locked(&place.path(), at(NOON)).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("are not as they were written") && refused.contains("ledger.db"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_ledger_of_an_older_schema_has_digests_from_its_next_mark_on() {
    let place = of_version(4);
    assert_sound(&*place.reader());
    let clock = Clock::manual(at("2025-11-03T10:40:00Z"));
    let ledger = place.open(Settings::default(), &clock);
    for hours in [0, 2] {
        clock.advance(SignedDuration::from_hours(hours));
        settle(ledger.hold(request("growth", 5)).await.unwrap(), 4);
    }
    ledger.close().await.unwrap();
    let lines = spans(&place);
    assert_eq!(lines[0], 6, "{lines:?}");
    assert!(lines.len() > 1, "the mark moves within an hour: {lines:?}");
    assert_sound(&*place.reader());
    let late = "UPDATE entries SET detail = 'x' WHERE seq = 9";
    assert!(said(&place, late)[0].starts_with(&of_span(7, lines[1])));
    // What was written before has none.
    assert_eq!(
        said(&place, "UPDATE entries SET fingerprint = 1 WHERE seq = 1").len(),
        0
    );
}

fn archived(place: &Place, before: Timestamp, now: Timestamp, name: &str) -> PathBuf {
    let path = place.path().with_file_name(name);
    let reader = place.reader();
    let span = archive_span(&*reader, before, now).unwrap();
    write_archive(&*reader, &span, &path, &mut |_, _| {}).unwrap();
    let archived = checked_archive(&*reader, &path, now, &mut |_, _| {}).unwrap();
    let mut store = place.store();
    store.archive(&archived).unwrap();
    while store.clear_archived(3_000).unwrap() > 0 {}
    path
}

fn verified_with(place: &Place, archives: &[&PathBuf]) -> VerifyReport {
    let open = |path: &&PathBuf| generect_guard::ledger::store::open_archive(path).unwrap().0;
    let archives: Vec<_> = archives.iter().map(open).collect();
    let reader = open_reader(&place.path()).unwrap();
    reader.verify_with(&archives, &mut |_, _| {}).unwrap()
}

/// Some months, up to March at least, of which every call has ended.
fn months(random: &mut StdRng) -> (Place, Vec<Entry>) {
    let mut history = history(random, SignedDuration::from_mins(30));
    let place = Place::file();
    let mut store = place.store();
    let mut all = Vec::new();
    let mut batches = 0;
    let is_over = |all: &[Entry]| {
        let last = all.last();
        last.is_some_and(|last| last.recorded_at > at("2026-03-10T00:00:00Z"))
    };
    while batches < 9 || !is_over(&all) {
        batches += 1;
        let mut batch = history.batch(random.random_range(1..2_000));
        batch.extend(history.end_all());
        store.append(&batch).unwrap();
        all.extend(batch);
    }
    (place, all)
}

#[test]
fn the_digests_go_on_over_archives() {
    let mut random = seeded("DIGEST_SEED");
    let (place, all) = months(&mut random);
    let now = all.last().unwrap().recorded_at + SignedDuration::from_hours(24 * 70);
    let first = archived(&place, at("2026-02-01T00:00:00Z"), now, "january.db");
    let second = archived(&place, at("2026-03-01T00:00:00Z"), now, "february.db");
    assert_sound(&*place.reader());
    let whole = verified_with(&place, &[&first, &second]);
    assert!(whole.is_sound(), "{whole:#?}");
    assert_eq!(whole.entries, i64::try_from(all.len()).unwrap());
    let known = place.reader().archives().unwrap();
    let (ends, lines) = (known.iter().map(|one| one.span.last), spans(&place));
    let (january, february) = (known[0].span.last, known[1].span.last);
    for end in ends {
        assert!(lines.contains(&end), "no span ends with {end}: {lines:?}");
    }
    // The digest where the archives end, and one within.
    let gone = said(
        &place,
        &format!("DELETE FROM digests WHERE last = {february}"),
    );
    assert!(
        gone[0].contains(&format!("archived entries up to {february} is gone")),
        "{gone:#?}"
    );
    let copy = copied(&place);
    alter(
        &copy,
        &format!("DELETE FROM digests WHERE last = {january}"),
    );
    assert_sound(&*copy.reader());
    let found = verified_with(&copy, &[&first, &second]).mismatches;
    // January itself may have several spans, for the mark moves within an hour.
    let before = lines.iter().rfind(|last| **last < january).unwrap();
    let first = format!("entries {} to ", before + 1);
    assert!(found[0].starts_with(&first), "{first}: {found:#?}");
    // The first entries that stayed.
    let after = february + 1;
    let late = said(
        &place,
        &format!("UPDATE entries SET detail = 'x', evidence = 1 WHERE seq = {after}"),
    );
    let next = lines.into_iter().find(|last| *last > february).unwrap();
    assert!(late[0].starts_with(&of_span(after, next)), "{late:#?}");
}
