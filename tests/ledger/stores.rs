//! One list of checks that every store must pass, and what only files can get wrong.

use generect_guard::clock::Clock;
use generect_guard::ledger::store::{Spend, open_locked};
use generect_guard::ledger::{
    CalendarUnit, Entry, EntryKind, Fingerprint, HoldId, Ledger, LedgerLock, LockError,
    MemoryStore, Note, SqliteStore, Store, StoreError, WindowRule, open_reader,
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::support::{
    NOON, Place, assert_sound, at, budget, calendar, micros, request, settle, with_budgets,
};

fn id(number: i64) -> HoldId {
    number.to_string().parse().unwrap()
}

/// An entry of a hold that began `began` seconds after noon, recorded `recorded` seconds after it.
pub fn entry(
    seq: i64,
    kind: EntryKind,
    hold: i64,
    began: i64,
    recorded: i64,
    amount: i64,
) -> Entry {
    let noon = at(NOON);
    Entry {
        seq,
        kind,
        hold: id(hold),
        began_at: noon + SignedDuration::from_secs(began),
        recorded_at: noon + SignedDuration::from_secs(recorded),
        team: "growth".into(),
        key: format!("key-{}", hold % 3).into(),
        operation: "search_leads".into(),
        amount: micros(amount),
        job: (kind == EntryKind::Bound).then(|| "job-1".into()),
        budget: None,
        fingerprint: (kind == EntryKind::Held).then_some(Fingerprint(u64::MAX - 3)),
        evidence: (kind != EntryKind::Held).then(|| Note::reason("a test's reason")),
    }
}

/// Two batches over an hour: settled, released, doubted, bound, corrected, granted.
pub fn story() -> [Vec<Entry>; 2] {
    use EntryKind::{Bound, Corrected, Doubted, Granted, Held, Released, Settled};
    let mut grant = entry(12, Granted, 12, 2_000, 2_000, 77);
    grant.budget = Some("all".into());
    (grant.team, grant.key, grant.operation) = ("".into(), "".into(), "".into());
    [
        vec![
            entry(1, Held, 1, 0, 0, 100),
            entry(2, Held, 2, 1, 1, 200),
            entry(3, Held, 3, 1, 1, 300),
            entry(4, Settled, 1, 0, 2, 60),
        ],
        vec![
            entry(5, Held, 5, 899, 899, 400),
            entry(6, Bound, 2, 1, 900, 200),
            entry(7, Doubted, 3, 1, 901, 300),
            entry(8, Released, 5, 899, 901, 400),
            entry(9, Settled, 3, 1, 1_000, 250),
            entry(10, Corrected, 1, 0, 1_801, -10),
            entry(11, Held, 11, 1_900, 1_900, 5),
            grant,
        ],
    ]
}

fn told(place: &Place) -> Box<dyn Store> {
    let mut store = place.store();
    for batch in story() {
        store.append(&batch).unwrap();
    }
    store
}

#[test]
fn what_was_appended_is_read_back_as_it_was_and_continues() {
    for place in Place::both() {
        let mut store = told(&place);
        let all = story().concat();
        assert_eq!(store.reader().entries(0, 100).unwrap(), all);
        assert_eq!(store.reader().entries(3, 2).unwrap(), all[3..5]);
        let gap = entry(14, EntryKind::Held, 14, 3_000, 3_000, 1);
        store.append(std::slice::from_ref(&gap)).unwrap_err();
        let again = entry(12, EntryKind::Held, 12, 3_000, 3_000, 1);
        store.append(&[again]).unwrap_err();
        let tail = store.reread().unwrap();
        assert_eq!(
            (tail.seq, tail.recorded_at),
            (12, Some(all[11].recorded_at))
        );
        store
            .append(&[entry(13, EntryKind::Held, 13, 3_000, 3_000, 1)])
            .unwrap();
        store.probe().unwrap();
        drop(store);
        assert_eq!(place.reader().tail().unwrap().seq, 13);
        place.assert_sound();
    }
}

#[test]
fn the_stores_agree_on_everything_that_is_read() {
    let (memory, file) = (Place::memory(), Place::file());
    let (one, other) = (told(&memory), told(&file));
    let (one, other) = (one.reader(), other.reader());
    let noon = at(NOON);
    let moments = [
        -100, 0, 1, 2, 450, 900, 901, 1_000, 1_800, 1_801, 2_000, 5_000,
    ]
    .map(|second| noon + SignedDuration::from_secs(second));
    assert_eq!(one.open_holds().unwrap(), other.open_holds().unwrap());
    assert_eq!(one.open_holds().unwrap().len(), 2);
    for from in moments {
        assert_eq!(one.bound(from).unwrap(), other.bound(from).unwrap());
        assert_eq!(
            one.grants(Some(from)).unwrap(),
            other.grants(Some(from)).unwrap()
        );
        assert_eq!(
            one.recorded_seconds(from).unwrap(),
            other.recorded_seconds(from).unwrap()
        );
        for to in moments {
            let page = |after| {
                let pages = [one, other].map(|it| it.entries_recorded(from, to, after, 4).unwrap());
                assert_eq!(pages[0], pages[1], "{from} {to}");
            };
            page(0);
            page(5);
            if from <= to {
                let spent = one.spend(from, to).unwrap();
                assert_eq!(spent, other.spend(from, to).unwrap(), "{from} {to}");
            }
        }
    }
    let quarter = noon.as_second() / 900;
    for from in [None, Some(quarter), Some(quarter + 1)] {
        for together in [false, true] {
            let mut sums = [one, other].map(|it| it.began_sums(from, together).unwrap());
            sums.iter_mut()
                .for_each(|sums| sums.sort_by_key(|sum| sum.origin.clone()));
            assert_eq!(sums[0], sums[1]);
        }
    }
    for hold in 1..13 {
        assert_eq!(
            one.ending_of(id(hold)).unwrap(),
            other.ending_of(id(hold)).unwrap()
        );
    }
}

#[test]
fn the_stores_agree_on_how_budgets_stand() {
    let (memory, file) = (Place::memory(), Place::file());
    let (one, other) = (told(&memory), told(&file));
    let (one, other) = (one.reader(), other.reader());
    let noon = at(NOON);
    let budgets = [
        budget("all", 1_000, WindowRule::Total),
        budget("day", 1_000, calendar(CalendarUnit::Day)),
        budget(
            "hour",
            1_000,
            WindowRule::Rolling(SignedDuration::from_hours(1)),
        ),
        budget(
            "days",
            1_000,
            WindowRule::Rolling(SignedDuration::from_hours(72)),
        ),
    ];
    let now = noon + SignedDuration::from_secs(2_500);
    let statuses = one.budget_statuses(&budgets, now).unwrap();
    assert_eq!(statuses, other.budget_statuses(&budgets, now).unwrap());
    for status in &statuses {
        assert_eq!(
            (status.settled, status.held),
            (micros(300), micros(205)),
            "{}",
            status.id
        );
        assert_eq!(status.in_doubt, micros(0));
    }
    assert_eq!(
        statuses[0].granted,
        micros(77),
        "a grant raises the headroom"
    );
    assert_eq!(statuses[0].headroom(), micros(572));
}

#[test]
fn a_correction_alters_the_sum_and_not_the_count() {
    let place = Place::file();
    let store = told(&place);
    let spend = store
        .reader()
        .spend(Timestamp::MIN, Timestamp::MAX)
        .unwrap();
    let calls = spend.iter().map(|one: &Spend| one.calls).sum::<u64>();
    let settled = spend.iter().map(|one| one.settled.micros()).sum::<i64>();
    assert_eq!((calls, settled), (2, 300));
}

#[tokio::test]
async fn open_holds_are_found_whatever_the_mark_has_passed() {
    let place = Place::file();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(Vec::new()), &clock);
    let old = ledger.hold(request("growth", 5)).await.unwrap();
    let bound = ledger.hold(request("growth", 6)).await.unwrap();
    let bound_id = bound.id();
    bound.bind_job("job-1".into()).await.unwrap();
    let ended = ledger.hold(request("growth", 7)).await.unwrap();
    let ended_id = ended.id();
    pass_a_mark(&ledger).await;
    let derived = place.reader().derived().unwrap();
    assert!(
        derived.mark > 3 && derived.marked.len() >= 3,
        "{:?}",
        derived.marked
    );
    old.doubt("the line was cut");
    settle(ended, 3);
    let late = ledger.hold(request("growth", 8)).await.unwrap();
    let open = place.reader().open_holds().unwrap();
    let quotes = open
        .iter()
        .map(|open| open.quote.micros())
        .collect::<Vec<_>>();
    assert_eq!(quotes, [5, 6, 8]);
    assert!(open[0].doubted_at.is_some());
    assert_eq!(
        (open[1].hold, open[1].job.clone()),
        (bound_id, Some("job-1".into()))
    );
    late.release("a test");
    pass_a_mark(&ledger).await;
    let marked = place.reader().derived().unwrap().marked;
    let holds = marked.iter().map(|marked| marked.hold).collect::<Vec<_>>();
    assert!(holds.starts_with(&[open[0].hold, bound_id]), "{marked:?}");
    assert!(!holds.contains(&ended_id), "what has ended leaves the list");
    ledger.close().await.unwrap();
    place.assert_sound();
}

/// Six thousand entries: more than lie between two marks.
async fn pass_a_mark(ledger: &Ledger) {
    for _ in 0..50 {
        let mut holds = Vec::new();
        for _ in 0..60 {
            let ledger = ledger.clone();
            holds.push(tokio::spawn(async move {
                ledger.hold(request("sales", 1)).await
            }));
        }
        for hold in holds {
            settle(hold.await.unwrap().unwrap(), 1);
        }
    }
}

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

#[test]
fn an_empty_ledger_is_sound() {
    for place in Place::both() {
        assert_sound(place.store().reader());
    }
    assert_sound(&MemoryStore::new());
}
