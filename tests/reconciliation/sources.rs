//! The account has two lists of the same charges, under other names.

use generect_guard::ledger::{EntryKind, FindingKind};
use generect_guard::transaction::TransactionSource;
use jiff::SignedDuration;

use crate::list::{Row, SEARCH};
use crate::support::{Books, LONG_ENOUGH, credits};

/// Both lists tell of the same charges under other names. What one has told is not told again by the
/// other.
#[tokio::test]
async fn another_list_begins_where_the_first_was_read_to() {
    let mut books = Books::new().await;
    for (number, charge) in ["0.04", "0.06"].into_iter().enumerate() {
        books.call(charge).await;
        let id = format!("txn_{number}");
        books.list.took(&id, books.clock.now(), charge);
        books.pass(SignedDuration::from_mins(2));
    }
    assert_eq!(books.run().await.rows, 2);
    books.source = TransactionSource::Legacy;
    books.restart().await;
    books.pass(SignedDuration::from_mins(2));
    books.call("0.08").await;
    books.list.took("txn_9", books.clock.now(), "0.08");
    books.pass(LONG_ENOUGH);
    assert_eq!(books.run().await.rows, 1);
    books.run().await;
    assert_eq!(books.open_findings(), []);
    books.restart().await;
    books.run().await;
    assert_eq!(books.open_findings(), []);
    books.assert_sound();
}

/// Near the moment of the change a row that the first list had not shown yet is taken from the second, and
/// those that it had shown are not, also of the same second and amount.
#[tokio::test]
async fn a_row_that_the_first_list_never_showed_is_taken_from_the_other() {
    let mut books = Books::new().await;
    books.show().await;
    for name in ["first", "second", "late"] {
        books.call("0.04").await;
        if name != "late" {
            books.list.took(name, books.clock.now(), "0.04");
        }
    }
    let late_at = books.clock.now();
    books.list.took("theirs", late_at, "5");
    books.doubt("0.3").await;
    books.pass(SignedDuration::from_secs(20));
    books.run().await;
    books.source = TransactionSource::Legacy;
    for _ in 0..3 {
        books.restart().await;
        books.list.took("late", late_at, "0.04");
        books.list.took("late-doubt", late_at, "0.2");
        books.pass(LONG_ENOUGH);
        books.run().await;
    }
    assert_eq!(books.accounted(), credits("6.32"));
    let found = books.open_findings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, FindingKind::TheirsOnly);
    books.source = TransactionSource::V1;
    for _ in 0..3 {
        books.restart().await;
        books.pass(SignedDuration::from_mins(1));
        books.run().await;
    }
    assert_eq!(books.open_findings(), found, "and back again");
    books.assert_sound();
}

/// What the first list left pending is final only in the other.
#[tokio::test]
async fn a_pending_row_of_the_first_list_becomes_final_in_the_other() {
    for hours in [0, 3] {
        let mut books = Books::new().await;
        books.show().await;
        books.doubt("0.3").await;
        books.call("0.04").await;
        books.list.took("txn_2", books.clock.now(), "0.04");
        books.list.put(Row {
            id: "txn_1".into(),
            at: books.clock.now(),
            kind: SEARCH.into(),
            credits: "-0.3".into(),
            status: "pending",
        });
        books.pass(SignedDuration::from_secs(20));
        books.run().await;
        books.pass(SignedDuration::from_hours(hours));
        books.run().await;
        books.source = TransactionSource::Legacy;
        books.restart().await;
        books.list.change("txn_1", |row| {
            (row.status, row.credits) = ("success", "-0.2".into());
        });
        for _ in 0..3 {
            books.pass(LONG_ENOUGH * 3);
            books.run().await;
            books.restart().await;
        }
        let settled = (3, EntryKind::Settled, "0.2".to_owned());
        assert!(books.endings().contains(&settled), "{:?}", books.endings());
        assert_eq!(books.open_findings(), [], "{hours} hours");
        assert_eq!(books.accounted(), credits("1.24"));
        books.assert_sound();
    }
}
