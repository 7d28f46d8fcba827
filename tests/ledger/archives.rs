//! Closed months move to archives: nothing that is asked of the books answers otherwise afterwards,
//! whatever moment the process dies at.

use std::path::Path;

use generect_guard::ledger::store::{Reader, open_archive};
use generect_guard::ledger::{
    ArchiveError, Decision, EntryKind, FindingKind, Record, Resolution, SqliteStore, Store,
    checked_archive, open_reader,
};
use rusqlite::Connection;

use crate::closed_months::{
    APRIL, MARCH, NOW, archive, asked, entries_in, opened, opened_now, place_of, told, written,
};
use crate::half_a_year::Story;
use crate::support::{Place, assert_sound, at, finding, request, row_id, settle};

#[tokio::test]
async fn what_is_asked_of_the_books_is_answered_as_before() {
    let place = told();
    let before = asked(&*place.reader(), &[]);
    let all = entries_in(&place);
    let [first, second] = ["to-march.db", "to-april.db"].map(|name| place_of(&place, name));
    archive(&place, MARCH, &first).await;
    assert_eq!(asked(&*place.reader(), &opened(&[&first])), before);
    let after_one = entries_in(&place);
    assert!(after_one < all, "{after_one} of {all} entries are left");
    archive(&place, APRIL, &second).await;
    assert!(entries_in(&place) < after_one);
    let archives = opened(&[&first, &second]);
    assert_eq!(asked(&*place.reader(), &archives), before);

    let known = place.reader().archives().unwrap();
    assert_eq!(known[0].span.last + 1, known[1].span.first);
    let whole = place
        .reader()
        .verify_with(&archives, &mut |_, _| {})
        .unwrap();
    assert!(whole.is_sound(), "{whole:#?}");
    assert_eq!((whole.entries, whole.archives, whole.unread), (all, 2, 0));
    let rest = place.reader().verify(&mut |_, _| {}).unwrap();
    assert!(rest.is_sound(), "{rest:#?}");
    assert_eq!(rest.entries + rest.unread, all);
}

#[tokio::test]
async fn calls_go_on_after_archiving_and_count_on() {
    let place = told();
    let path = place_of(&place, "archive.db");
    archive(&place, APRIL, &path).await;
    let tail = place.reader().tail().unwrap().seq;
    let ledger = opened_now(&place);
    for number in 0..3_000 {
        let hold = ledger.hold(request("growth", 5)).await.unwrap();
        if number == 0 {
            assert_eq!(hold.id().get(), tail + 1);
        }
        settle(hold, 4);
    }
    let held_before = Resolution {
        decision: Decision::Release,
        who: "ann".into(),
        reason: "a test".into(),
    };
    let archived = "1".parse().unwrap();
    ledger.resolve(archived, held_before).await.unwrap_err();
    ledger.close().await.unwrap();
    assert_sound(&*place.reader());
    let archives = opened(&[&path]);
    let report = place
        .reader()
        .verify_with(&archives, &mut |_, _| {})
        .unwrap();
    assert!(report.is_sound(), "{report:#?}");
}

#[tokio::test]
async fn months_of_which_nothing_is_left_do_not_begin_the_numbers_anew() {
    let place = Place::file();
    let story = Story::tell();
    let march = story
        .entries
        .iter()
        .take_while(|entry| entry.recorded_at < at(MARCH));
    let entries: Vec<_> = march.cloned().collect();
    let last = entries.last().unwrap().clone();
    // The one that began before midnight has not ended yet.
    let entries = match last.kind {
        EntryKind::Held => entries[..entries.len() - 1].to_vec(),
        _ => entries,
    };
    place.store().append(&entries).unwrap();
    let tail = place.reader().tail().unwrap();
    archive(&place, MARCH, &place_of(&place, "archive.db")).await;
    assert_eq!(entries_in(&place), 0);
    assert_eq!(place.reader().tail().unwrap(), tail);
    let ledger = opened_now(&place);
    let hold = ledger.hold(request("growth", 5)).await.unwrap();
    assert_eq!(hold.id().get(), tail.seq + 1);
    settle(hold, 5);
    ledger.close().await.unwrap();
    assert_sound(&*place.reader());
}

#[tokio::test]
async fn a_process_that_dies_between_any_two_steps_loses_nothing_and_counts_nothing_twice() {
    let figures = asked(&*told().reader(), &[]);
    for step in 0..5 {
        let place = told();
        let path = place_of(&place, "archive.db");
        // What each step left when it was broken off.
        if step == 0 {
            std::fs::write(place_of(&place, "archive.db.part"), "half of it").unwrap();
        }
        if step >= 1 {
            let archived = written(&place, APRIL, &path).unwrap();
            let mut store = SqliteStore::open(&place.path()).unwrap();
            if step >= 2 {
                store.archive(&archived).unwrap();
            }
            if step >= 3 {
                assert_eq!(store.clear_archived(50).unwrap(), 50);
            }
            if step >= 4 {
                while store.clear_archived(50).unwrap() > 0 {}
            }
        }
        let archives = if step >= 2 {
            opened(&[&path])
        } else {
            Vec::new()
        };
        assert_eq!(asked(&*place.reader(), &archives), figures, "step {step}");
        let report = place
            .reader()
            .verify_with(&archives, &mut |_, _| {})
            .unwrap();
        assert!(report.is_sound(), "step {step}: {report:#?}");
        // It is repeated.
        if step < 2 {
            archive(&place, APRIL, &path).await;
        } else {
            let error = written(&place, APRIL, &path).unwrap_err();
            assert!(matches!(error, ArchiveError::Nothing(_)), "{error}");
            let ledger = opened_now(&place);
            ledger.clear_archived(&mut |_| {}).await.unwrap();
            ledger.close().await.unwrap();
        }
        assert_eq!(
            asked(&*place.reader(), &opened(&[&path])),
            figures,
            "step {step}"
        );
        assert_sound(&*place.reader());
    }
}

#[tokio::test]
async fn what_may_not_be_archived_yet_is_refused_with_the_reason() {
    let place = told();
    let path = place_of(&place, "archive.db");
    let why = |before: &str| written(&place, before, &path).unwrap_err().to_string();
    assert!(why("2026-03-02T00:00:00Z").contains("not the beginning of a month"));
    let late = why("2026-06-01T00:00:00Z");
    assert!(
        late.contains("archive before 2026-05-01T00:00:00Z at most"),
        "{late}"
    );
    assert!(why("2026-01-01T00:00:00Z").contains("nothing recorded before"));
    assert!(!path.exists());

    // A call of February that never ended.
    let open = Place::file();
    let mut story = Story::tell().entries;
    let held = story.iter().position(|entry| {
        entry.kind == EntryKind::Doubted && entry.recorded_at > at("2026-02-02T00:00:00Z")
    });
    story.truncate(held.unwrap() + 1);
    let hold = story.last().unwrap().hold;
    open.store().append(&story).unwrap();
    let error = written(&open, MARCH, &place_of(&open, "archive.db")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("(holds {hold})")) && text.contains("resolve"),
        "{text}"
    );
}

#[tokio::test]
async fn an_archive_that_is_not_what_the_ledger_has_removes_nothing() {
    let place = told();
    let spoiled = [
        (
            "amount",
            "UPDATE entries SET amount = amount + 1 WHERE seq = 9",
        ),
        ("detail", "UPDATE entries SET detail = 'x' WHERE seq = 4"),
        ("print", "UPDATE entries SET fingerprint = 1 WHERE seq = 9"),
        ("missing", "DELETE FROM entries WHERE seq = 30"),
        (
            "shorter",
            "DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)",
        ),
        (
            "name",
            "UPDATE names SET name = 'growth-2' WHERE name = 'growth'",
        ),
        (
            "span",
            "UPDATE notes SET value = '3' WHERE name = 'archive.first'",
        ),
        ("sums", "UPDATE sums SET settled = settled + 1"),
        ("ledger", "PRAGMA application_id = 1732725860"),
    ];
    for (name, sql) in spoiled {
        let path = place_of(&place, name);
        written(&place, APRIL, &path).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = OFF")
            .unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let checked = checked_archive(&*place.reader(), &path, at(NOW), &mut |_, _| {});
        let error = checked.unwrap_err().to_string();
        assert!(error.contains(name), "it names the file: {error}");
    }
    // One that was right once, of another span by now.
    let path = place_of(&place, "archive.db");
    let archived = written(&place, APRIL, &path).unwrap();
    archive(&place, MARCH, &place_of(&place, "march.db")).await;
    let again = checked_archive(&*place.reader(), &path, at(NOW), &mut |_, _| {});
    assert!(matches!(again, Err(ArchiveError::Differs { .. })));
    SqliteStore::open(&place.path())
        .unwrap()
        .archive(&archived)
        .unwrap_err();
    assert_sound(&*place.reader());
}

#[tokio::test]
async fn verify_holds_the_archive_against_the_sums_that_were_kept() {
    let place = told();
    let path = place_of(&place, "archive.db");
    archive(&place, APRIL, &path).await;
    let says = |place: &Place, archives: &[Box<dyn Reader>]| {
        let report = place
            .reader()
            .verify_with(archives, &mut |_, _| {})
            .unwrap();
        report.mismatches.join("\n")
    };
    let spoil = |path: &Path, sql: &str| {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    let copy = place_of(&place, "copy.db");
    std::fs::copy(&path, &copy).unwrap();
    spoil(
        &copy,
        "UPDATE entries SET amount = amount + 1 WHERE kind = 3 AND seq < 20",
    );
    let text = says(&place, &opened(&[&copy]));
    assert!(
        text.contains("is not what it was when it was made"),
        "{text}"
    );
    assert!(text.contains("the entries say"), "{text}");
    std::fs::copy(&path, &copy).unwrap();
    spoil(&copy, "UPDATE sums SET settled = settled + 1");
    let text = says(&place, &opened(&[&copy]));
    assert!(
        text.contains("is not what it was when it was made"),
        "{text}"
    );
    spoil(
        &place.path(),
        "UPDATE sums SET settled = settled + 1 \
         WHERE recorded_quarter = (SELECT min(recorded_quarter) FROM sums)",
    );
    let text = says(&place, &[]);
    assert!(
        text.contains("not what they were when these were archived"),
        "{text}"
    );
    assert!(says(&place, &opened(&[&path])).contains("the entries say"));
}

#[tokio::test]
async fn an_archive_is_never_taken_for_a_ledger_nor_a_ledger_for_an_archive() {
    let place = told();
    let path = place_of(&place, "archive.db");
    archive(&place, APRIL, &path).await;
    let error = open_reader(&path).err().unwrap().to_string();
    assert!(error.contains("it is an archive"), "{error}");
    let error = SqliteStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("it is an archive"), "{error}");
    let error = open_archive(&place.path()).err().unwrap().to_string();
    assert!(error.contains("it is a ledger"), "{error}");
}

#[tokio::test]
async fn findings_about_archived_calls_can_still_be_kept() {
    let place = told();
    archive(&place, APRIL, &place_of(&place, "archive.db")).await;
    let mut store = place.store();
    let mut found = finding("late a", FindingKind::Late, Some("a"), 7);
    found.hold = Some("1".parse().unwrap());
    store.keep(&[Record::Found(found.clone())]).unwrap();
    found.hold = Some("99999".parse().unwrap());
    store.keep(&[Record::Found(found)]).unwrap_err();
    assert_eq!(
        store
            .reader()
            .matches_of("1".parse().unwrap())
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.reader().kept_rows(&[row_id("a")]).unwrap().len(), 1);
    assert_sound(store.reader());
}

#[tokio::test]
async fn spend_that_would_need_archived_entries_is_told_to_ask_for_quarter_hours() {
    let place = told();
    archive(&place, APRIL, &place_of(&place, "archive.db")).await;
    let reader = place.reader();
    let (from, to) = (at("2026-02-01T16:40:00Z"), at("2026-05-03T10:00:00Z"));
    let error = reader.spend(from, to).unwrap_err().to_string();
    assert!(error.contains("quarter hour"), "{error}");
    let from = at("2026-02-01T16:30:00Z");
    assert!(
        !reader
            .spend(from, at("2026-05-03T10:07:00Z"))
            .unwrap()
            .is_empty()
    );
}
