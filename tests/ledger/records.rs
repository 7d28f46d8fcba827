//! What reconciliation keeps: one list of checks that every store must pass, and what only files
//! can get wrong.

use std::collections::BTreeSet;

use generect_guard::ledger::{
    Change, ChangeKind, Closing, EntryKind, FindingKind, FoundSum, HoldId, KeptFinding, MatchedBy,
    Reader, Record, SavedBy, Saving, Store, StoreError, TakenSum,
};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::entries::entry;
use crate::support::{NOON, Place, at, finding, matched, micros, note, row, row_id};

fn id(number: i64) -> HoldId {
    number.to_string().parse().unwrap()
}

/// Holds 1 to `holds`, all held.
fn with_holds(place: &Place, holds: i64) -> Box<dyn Store> {
    let mut store = place.store();
    let held = |seq| entry(seq, EntryKind::Held, seq, seq, seq, 100);
    store
        .append(&(1..=holds).map(held).collect::<Vec<_>>())
        .unwrap();
    store
}

fn open_ids(reader: &dyn Reader) -> Vec<String> {
    let open = reader.open_transactions(Timestamp::MIN).unwrap();
    open.iter().map(|row| row.id.id.to_string()).collect()
}

#[test]
fn a_row_is_kept_once_as_it_was_read_last() {
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        let pending = Transaction {
            status: TransactionStatus::Pending,
            ..row("a", 5, 40)
        };
        let legacy = TransactionId {
            source: TransactionSource::Legacy,
            ..row_id("a")
        };
        let twin = Transaction {
            id: legacy.clone(),
            ..row("a", 5, 40)
        };
        store
            .keep(&[Record::Transaction(pending), Record::Transaction(twin)])
            .unwrap();
        let last = row("a", 6, 30);
        store.keep(&[Record::Transaction(last.clone())]).unwrap();
        store.keep(&[Record::Transaction(last.clone())]).unwrap();
        drop(store);
        let reader = place.reader();
        assert_eq!(reader.transaction(&row_id("a")).unwrap(), Some(last));
        assert_eq!(
            reader.transaction(&legacy).unwrap().unwrap().amount,
            micros(-40),
            "each list has ids of its own"
        );
        assert_eq!(reader.transaction(&row_id("b")).unwrap(), None);
        assert_eq!(reader.open_transactions(Timestamp::MIN).unwrap().len(), 2);
        place.assert_sound();
    }
}

#[test]
fn a_row_is_open_until_it_is_matched_or_found_and_belongs_to_one_hold() {
    for place in Place::both() {
        let mut store = with_holds(&place, 3);
        let rows = ["a", "b", "c"].map(|id| Record::Transaction(row(id, 5, 40)));
        store.keep(&rows).unwrap();
        assert_eq!(open_ids(store.reader()), ["a", "b", "c"]);
        let found = finding("f", FindingKind::TheirsOnly, Some("b"), 40);
        let first = matched("a", id(2), MatchedBy::Charge);
        store.keep(&[first, Record::Found(found.clone())]).unwrap();
        assert_eq!(open_ids(store.reader()), ["c"]);
        // A later match takes the place of the first; a later finding names another row.
        store
            .keep(&[
                matched("a", id(3), MatchedBy::Doubt),
                matched("c", id(3), MatchedBy::Doubt),
            ])
            .unwrap();
        assert_eq!(store.reader().matches_of(id(2)).unwrap(), []);
        let of = store.reader().matches_of(id(3)).unwrap();
        let ids: Vec<_> = of.iter().map(|one| &*one.transaction.id).collect();
        assert_eq!(ids, ["a", "c"]);
        let holds = |seq| store.reader().matched_after(seq).unwrap();
        assert_eq!(holds(0), BTreeSet::from([id(3)]));
        assert_eq!(holds(3), BTreeSet::new());
        let elsewhere = finding("f", FindingKind::TheirsOnly, Some("a"), 40);
        store
            .keep(&[
                Record::Found(elsewhere),
                Record::Unmatched(row_id("a")),
                Record::Unmatched(row_id("c")),
                Record::Unmatched(row_id("never kept")),
            ])
            .unwrap();
        assert_eq!(open_ids(store.reader()), ["b", "c"], "a is named by f");
        drop(store);
        place.assert_sound();
    }
}

#[test]
fn a_finding_is_closed_once_and_open_again_when_it_is_found_again() {
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        let mut found = finding("f", FindingKind::OursOnly, None, -40);
        found.hold = Some(id(1));
        found.team = Some("growth".into());
        found.operation = Some("search_leads".into());
        let close = |second: i64, why: &str| Record::Closed {
            name: "f".into(),
            at: at(NOON) + SignedDuration::from_secs(second),
            why: why.into(),
        };
        store.keep(&[close(1, "nothing to close")]).unwrap();
        store.keep(&[Record::Found(found.clone())]).unwrap();
        store
            .keep(&[close(100, "the row came"), close(200, "again")])
            .unwrap();
        let all = |open_only| {
            let reader = place.reader();
            let (from, to) = (Timestamp::MIN, Timestamp::MAX);
            reader.findings(from, to, open_only, None, 10).unwrap()
        };
        let closed = Closing {
            at: at(NOON) + SignedDuration::from_secs(100),
            why: "the row came".into(),
        };
        let kept = KeptFinding {
            finding: found.clone(),
            closed: Some(closed),
        };
        assert_eq!(
            all(false),
            std::slice::from_ref(&kept),
            "the first explanation stays"
        );
        assert_eq!(all(true), []);
        store.keep(&[Record::Found(found)]).unwrap();
        assert_eq!(
            all(true),
            [KeptFinding {
                closed: None,
                ..kept
            }]
        );
        place.assert_sound();
    }
}

#[test]
fn of_records_that_name_what_is_not_there_none_is_kept() {
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        let known = Record::Transaction(row("a", 5, 40));
        let stray = |row: Option<&str>, hold| {
            let mut found = finding("f", FindingKind::Late, row, 1);
            found.hold = hold;
            Record::Found(found)
        };
        for (wrong, says) in [
            (
                matched("b", id(1), MatchedBy::Charge),
                "row v1:b, which was never kept",
            ),
            (
                matched("a", id(2), MatchedBy::Charge),
                "hold 2, which was never made",
            ),
            (
                matched("a", id(0), MatchedBy::Charge),
                "hold 0, which was never made",
            ),
            (stray(Some("b"), None), "row v1:b"),
            (stray(None, Some(id(7))), "hold 7"),
        ] {
            let batch = [known.clone(), note("read_until", "noon"), wrong];
            let error = store.keep(&batch).unwrap_err();
            assert!(matches!(error, StoreError::NotKept(_)), "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
        let reader = store.reader();
        assert_eq!(reader.transaction(&row_id("a")).unwrap(), None);
        assert_eq!(reader.note("read_until").unwrap(), None);
    }
}

#[test]
fn notes_are_remembered_replaced_and_forgotten() {
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        store.keep(&[note("a", "one"), note("b", "")]).unwrap();
        store.keep(&[note("a", "two")]).unwrap();
        drop(store);
        assert_eq!(place.reader().note("a").unwrap().unwrap(), "two");
        assert_eq!(place.reader().note("b").unwrap().unwrap(), "");
        let forget = Record::Note {
            name: "a".into(),
            value: None,
        };
        place.store().keep(&[forget.clone(), forget]).unwrap();
        assert_eq!(place.reader().note("a").unwrap(), None);
    }
}

#[test]
fn what_the_account_took_is_summed_by_day_list_and_kind_from_final_rows_alone() {
    let day = 86_400;
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        let mut rows = vec![
            row("a", 5, 40),
            row("b", 6, 2),
            row("next day", day, 7),
            row("refund", 7, -40),
            row("pending", 8, 1_000),
            row("elsewhere", 9, 3),
        ];
        rows[4].status = TransactionStatus::Pending;
        rows[5].kind = "email_find".into();
        // What no account can have taken still makes no sum fail.
        let nonsense = ["x", "y"].map(|id| Transaction {
            kind: "nonsense".into(),
            amount: micros(i64::MIN),
            ..row(id, 10, 0)
        });
        rows.extend(nonsense);
        let records = rows.into_iter().map(Record::Transaction);
        store.keep(&records.collect::<Vec<_>>()).unwrap();
        let sum = |day: &str, kind: &str, rows, taken| TakenSum {
            day: at(day),
            source: TransactionSource::V1,
            kind: kind.into(),
            rows,
            taken: micros(taken),
        };
        let (today, tomorrow) = ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z");
        let taken = store
            .reader()
            .taken_by_kind(Timestamp::MIN, Timestamp::MAX)
            .unwrap();
        assert_eq!(
            taken,
            [
                sum(today, "email_find", 1, 3),
                sum(today, "nonsense", 2, i64::MAX),
                sum(today, "search_leads", 2, 42),
                sum(tomorrow, "search_leads", 1, 7),
            ]
        );
        let from = at(NOON) + SignedDuration::from_secs(6);
        let to = at(NOON) + SignedDuration::from_secs(9);
        let some = store.reader().taken_by_kind(from, to).unwrap();
        assert_eq!(some, [sum(today, "search_leads", 1, 2)]);
    }
}

#[test]
fn findings_are_summed_by_kind_the_open_ones_apart() {
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        let found = |name, kind, drift| Record::Found(finding(name, kind, None, drift));
        let (from, to) = (at(NOON), at(NOON) + SignedDuration::from_secs(60));
        let closed = Record::Closed {
            name: "b".into(),
            at: from,
            why: "seen".into(),
        };
        store
            .keep(&[
                found("a", FindingKind::AmountDiffers, 5),
                found("b", FindingKind::TheirsOnly, 40),
                found("c", FindingKind::TheirsOnly, 2),
                found("d", FindingKind::AmountDiffers, -7),
                closed,
            ])
            .unwrap();
        let sum = |kind, findings, open, drift, open_drift| FoundSum {
            kind,
            findings,
            open,
            drift: micros(drift),
            open_drift: micros(open_drift),
        };
        assert_eq!(
            store.reader().found(from, to).unwrap(),
            [
                sum(FindingKind::TheirsOnly, 2, 1, 42, 2),
                sum(FindingKind::AmountDiffers, 2, 2, -2, -2),
            ]
        );
        assert_eq!(store.reader().found(to, Timestamp::MAX).unwrap(), []);
    }
}

/// Anything that can be kept, and some things that cannot.
fn any_record(random: &mut StdRng) -> Record {
    let name = |random: &mut StdRng| ["a", "b", "c", "d", "e", "f"][random.random_range(0..6)];
    let source = |random: &mut StdRng| match random.random_bool(0.5) {
        true => TransactionSource::V1,
        false => TransactionSource::Legacy,
    };
    let any_id = TransactionId {
        source: source(random),
        id: name(random).into(),
    };
    let moment = at(NOON) + SignedDuration::from_hours(random.random_range(-30..30));
    match random.random_range(0..14) {
        0..5 => Record::Transaction(Transaction {
            id: any_id,
            at: moment,
            kind: name(random).into(),
            amount: micros(random.random_range(-50..20)),
            status: [
                TransactionStatus::Pending,
                TransactionStatus::Success,
                TransactionStatus::Error,
                TransactionStatus::Unknown,
            ][random.random_range(0..4)],
        }),
        5..7 => Record::Matched(generect_guard::ledger::Match {
            transaction: any_id,
            hold: id(random.random_range(1..6)),
            how: MatchedBy::ALL[random.random_range(0..4)],
        }),
        7 => Record::Unmatched(any_id),
        8..10 => {
            let kind = FindingKind::ALL[random.random_range(0..8)];
            let mut found = finding(name(random), kind, None, random.random_range(-9..9));
            found.at = moment;
            found.transaction = random.random_bool(0.5).then_some(any_id);
            found.hold = random.random_bool(0.5).then_some(id(2));
            found.team = random.random_bool(0.5).then(|| name(random).into());
            Record::Found(found)
        }
        10 => Record::Changed(Change {
            name: name(random).into(),
            at: moment,
            who: name(random).into(),
            what: ChangeKind::ALL[random.random_range(0..5)],
            about: name(random).into(),
            detail: name(random).into(),
            reason: String::new(),
        }),
        11 => Record::Saved(Saving {
            day: moment,
            team: name(random).into(),
            operation: name(random).into(),
            how: SavedBy::ALL[random.random_range(0..4)],
            calls: random.random_range(0..9),
            credits: micros(random.random_range(0..99)),
        }),
        12 => Record::Closed {
            name: name(random).into(),
            at: moment,
            why: name(random).into(),
        },
        _ => Record::Note {
            name: name(random).into(),
            value: random.random_bool(0.7).then(|| name(random).into()),
        },
    }
}

/// Everything that can be read, in words.
fn everything(reader: &dyn Reader) -> Vec<String> {
    let day = |hours| at(NOON) + SignedDuration::from_hours(hours);
    let mut all = vec![format!(
        "{:?}",
        reader.open_transactions(Timestamp::MIN).unwrap()
    )];
    for (from, to) in [(day(-50), day(50)), (day(-4), day(7))] {
        all.push(format!("{:?}", paged(reader, from, to)));
        for open_only in [false, true] {
            all.push(format!("{:?}", paged_findings(reader, from, to, open_only)));
        }
        all.push(format!("{:?}", reader.taken_by_kind(from, to).unwrap()));
        all.push(format!("{:?}", reader.found(from, to).unwrap()));
        let changes = reader.changes(from, to, 0, usize::MAX).unwrap();
        let half = changes.len() / 2;
        let after = half.checked_sub(1).map_or(0, |last| changes[last].number);
        let rest = reader.changes(from, to, after, 2).unwrap();
        assert!(changes[half..].starts_with(&rest), "{changes:?} {rest:?}");
        all.push(format!("{changes:?} {rest:?}"));
        all.push(format!("{:?}", reader.savings(from, to).unwrap()));
    }
    for hold in 1..6 {
        all.push(format!("{:?}", reader.matches_of(id(hold)).unwrap()));
        all.push(format!("{:?}", reader.matched_after(hold).unwrap()));
    }
    for name in ["a", "b", "c", "d", "e", "f"] {
        all.push(format!("{:?}", reader.note(name).unwrap()));
        all.push(format!("{:?}", reader.transaction(&row_id(name)).unwrap()));
    }
    all
}

/// Two at a time; the pages must give each row once, oldest first, whatever the moments.
fn paged(reader: &dyn Reader, from: Timestamp, to: Timestamp) -> Vec<Transaction> {
    let mut all: Vec<Transaction> = Vec::new();
    loop {
        let after = all.last().map(|row| (row.at, &row.id));
        let page = reader.transactions(from, to, after, 2).unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let whole = reader.transactions(from, to, None, usize::MAX).unwrap();
    assert_eq!(all, whole);
    all
}

fn paged_findings(
    reader: &dyn Reader,
    from: Timestamp,
    to: Timestamp,
    open_only: bool,
) -> Vec<KeptFinding> {
    let mut all: Vec<KeptFinding> = Vec::new();
    loop {
        let last = all.last().map(|kept| &kept.finding);
        let after = last.map(|finding| (finding.at, &*finding.name));
        let page = reader.findings(from, to, open_only, after, 2).unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let whole = reader.findings(from, to, open_only, None, usize::MAX);
    assert_eq!(all, whole.unwrap());
    all
}

#[test]
fn the_stores_agree_about_any_records_and_keeping_them_again_alters_nothing() {
    let only = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    for seed in only.map_or(0..6, |seed: u64| seed..seed + 1) {
        println!("SEED={seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let (memory, file) = (Place::memory(), Place::file());
        let (mut one, mut other) = (with_holds(&memory, 4), with_holds(&file, 4));
        let (mut kept, mut refused) = (0, 0);
        for _ in 0..40 {
            let length = random.random_range(1..6);
            let batch = (0..length)
                .map(|_| any_record(&mut random))
                .collect::<Vec<_>>();
            let told = one.keep(&batch);
            assert_eq!(told, other.keep(&batch), "{batch:#?} SEED={seed}");
            match told {
                Ok(()) => kept += 1,
                Err(_) => refused += 1,
            }
            let after = everything(one.reader());
            assert_eq!(after, everything(other.reader()), "{batch:#?} SEED={seed}");
            if told.is_ok() {
                one.keep(&batch).unwrap();
                other.keep(&batch).unwrap();
                assert_eq!(after, everything(one.reader()), "{batch:#?} SEED={seed}");
                assert_eq!(after, everything(other.reader()), "{batch:#?} SEED={seed}");
            }
        }
        assert!(kept > 5 && refused > 5, "{kept} kept, {refused} refused");
        drop((one, other));
        file.assert_sound();
    }
}
