//! What a process that died had decided, and what the next makes of it.

use generect_guard::ledger::{Decision, EntryKind, FindingKind, Note, NoteKind};
use jiff::SignedDuration;

use crate::support::{Books, LONG_ENOUGH, credits, settle};

/// A doubt was settled by a row, and the process died before the row was tied to it.
#[tokio::test]
async fn a_row_that_decided_is_never_found_again_as_somebody_elses() {
    let mut books = Books::new().await;
    books.doubt("0.04").await;
    books.list.took("txn_1", books.clock.now(), "0.02");
    books.list.took("txn_2", books.clock.now(), "0.03");
    books.pass(SignedDuration::from_secs(30));
    assert_eq!(
        books.run().await.undecided,
        1,
        "which of the two is not known"
    );
    let note = Note {
        kind: NoteKind::Transaction,
        text: "v1:txn_1".into(),
    };
    let settled = Decision::Settle(credits("0.02"));
    let hold = books.ledger.open_calls().await.unwrap()[0].hold;
    books.ledger.decide(hold, settled, note).await.unwrap();
    for _ in 0..3 {
        books.restart().await;
        books.pass(LONG_ENOUGH);
        books.run().await;
    }
    let theirs = (
        FindingKind::TheirsOnly,
        "theirs_only:v1:txn_2".to_owned(),
        "0.03".to_owned(),
    );
    assert_eq!(books.open_findings(), [theirs]);
    let rows = books.reader().matches_of(hold).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].transaction.to_string(), "v1:txn_1");
    assert_eq!(
        books.settled_and_drift(),
        (credits("0.02"), credits("0.03"))
    );
    books.assert_sound();
}

/// A row that was tied to a call is the call's also for the next process: if it changes, that is a
/// difference of this call, and no charge of anybody else.
#[tokio::test]
async fn a_row_that_changes_after_a_restart_is_still_its_calls() {
    for (status, amount, drift) in [("error", "-0.04", "-0.04"), ("success", "-0.06", "0.02")] {
        let mut books = Books::new().await;
        books.call("0.04").await;
        books.list.took("txn_1", books.clock.now(), "0.04");
        books.pass(LONG_ENOUGH);
        assert_eq!(books.run().await.matched, 1);
        books.restart().await;
        books.list.change("txn_1", |row| {
            row.status = status;
            row.credits = amount.into();
        });
        books.pass(SignedDuration::from_secs(30));
        books.run().await;
        let changed = (
            FindingKind::AmountDiffers,
            "changed:v1:txn_1".to_owned(),
            drift.to_owned(),
        );
        assert_eq!(books.open_findings(), [changed]);
        let ended = (1, EntryKind::Settled, "0.04".to_owned());
        assert_eq!(books.endings(), [ended]);
        books.assert_sound();
    }
}

/// A charge at a price that nobody expects, made just before the guard ended. A charge that was looked at is
/// not held against the prices again, whatever they are by then.
#[tokio::test]
async fn charges_before_a_restart_are_held_against_the_prices_once() {
    let mut books = Books::new().await;
    books.call("0.04").await;
    books.list.took("txn_1", books.clock.now(), "0.04");
    books.run().await;
    books.call("0.05").await;
    books.list.took("txn_2", books.clock.now(), "0.05");
    books.restart().await;
    let summary = books.run().await;
    assert_eq!(
        summary.findings.keys().collect::<Vec<_>>(),
        [&FindingKind::UnexpectedPrice]
    );
    let day = "unexpected_price:search_database_leads:2026-05-04";
    let found = (FindingKind::UnexpectedPrice, day.to_owned(), "0".to_owned());
    assert_eq!(books.open_findings(), [found]);
    let note = |books: &Books| books.reader().note("reconciliation.priced").unwrap();
    let priced = note(&books);
    assert_eq!(
        priced.as_deref(),
        Some("4"),
        "both calls, although neither is matched"
    );
    books.restart().await;
    let summary = books.run().await;
    assert!(summary.findings.is_empty(), "{summary}");
    assert_eq!(note(&books), priced);
}

/// A person settled a doubt of an hour ago, the list has no row for it, and that was found and told. The next
/// process reads its end again, because a call beside it is not explained yet.
#[tokio::test]
async fn what_was_found_of_a_doubt_that_was_settled_late_is_not_told_again_after_a_restart() {
    for charges_kept in [0, usize::MAX] {
        let mut books = Books::keeping(charges_kept).await;
        books.doubt("0.04").await;
        let hold = books.ledger.open_calls().await.unwrap()[0].hold;
        books.pass(LONG_ENOUGH);
        let beside = books.hold("0.02").await;
        let note = Note {
            kind: NoteKind::Operator,
            text: "the vendor says so".into(),
        };
        let settled = Decision::Settle(credits("0.04"));
        books.ledger.decide(hold, settled, note).await.unwrap();
        settle(beside, "0.02");
        books.written().await;
        let told = books.run().await.findings;
        assert_eq!(told.keys().collect::<Vec<_>>(), [&FindingKind::OursOnly]);
        let found = books.open_findings();
        books.restart().await;
        let again = books.run().await.findings;
        assert!(again.is_empty(), "{charges_kept} kept: {again:?}");
        assert_eq!(books.open_findings(), found);
        // It is explained as any other if its row comes after all.
        books
            .list
            .took("txn_1", books.clock.now() - LONG_ENOUGH, "0.04");
        assert_eq!(books.run().await.closed, 1, "{charges_kept} kept");
        assert_eq!(books.open_findings(), []);
        books.assert_sound();
    }
}
