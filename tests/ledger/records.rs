//! The account's rows and the notes that reconciliation keeps: one list of checks that every store must
//! pass.

use std::collections::BTreeSet;

use generect_guard::ledger::{FindingKind, MatchedBy, Reader, Record, StoreError, TakenSum};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::{SignedDuration, Timestamp};

use crate::entries::{id, with_holds};
use crate::support::{NOON, Place, at, finding, matched, micros, note, row, row_id};

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
