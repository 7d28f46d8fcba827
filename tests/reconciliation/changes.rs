//! Rows that do not stay as they were. Whatever they become, settled and open drift are what the account
//! took.

use generect_guard::ids::JobId;
use generect_guard::ledger::FindingKind;
use jiff::SignedDuration;

use crate::support::{Books, LONG_ENOUGH, Row, credits};

/// Steps of one row: its status and credits, and what settled and open drift are then.
type Steps = [(&'static str, &'static str, &'static str, &'static str)];

/// Takes the row through all steps; the process dies and begins anew after each, or not.
async fn goes_through(books: &mut Books, restarts: bool, steps: &Steps) {
    for (status, amount, settled, drift) in steps {
        books.list.change("txn_1", |row| {
            row.status = status;
            row.credits = (*amount).into();
        });
        books.pass(SignedDuration::from_secs(20));
        books.run().await;
        let expected = (credits(settled), credits(drift));
        let found = books.open_findings();
        let now = (status, amount, restarts);
        assert_eq!(books.settled_and_drift(), expected, "{now:?} {found:?}");
        if restarts {
            books.restart().await;
        }
    }
    books.assert_sound();
}

#[tokio::test]
async fn what_somebody_else_was_charged_follows_its_row() {
    for restarts in [false, true] {
        let mut books = Books::new().await;
        books.list.took("txn_1", books.clock.now(), "5");
        let steps = [
            ("success", "-5", "0", "5"),
            ("success", "-3", "0", "3"),
            ("error", "-3", "0", "0"),
            ("success", "-4", "0", "4"),
            ("success", "4", "0", "-4"),
        ];
        goes_through(&mut books, restarts, &steps).await;
    }
}

#[tokio::test]
async fn a_settled_calls_row_may_change_again_and_again() {
    for restarts in [false, true] {
        let mut books = Books::new().await;
        books.call("0.04").await;
        books.list.took("txn_1", books.clock.now(), "0.04");
        books.pass(LONG_ENOUGH);
        assert_eq!(books.run().await.matched, 1);
        let steps = [
            ("success", "-0.03", "0.04", "-0.01"),
            ("success", "-0.01", "0.04", "-0.03"),
            ("error", "-0.01", "0.04", "-0.04"),
            ("success", "-0.05", "0.04", "0.01"),
            ("success", "-0.04", "0.04", "0"),
        ];
        goes_through(&mut books, restarts, &steps).await;
        assert_eq!(books.open_findings(), []);
    }
}

#[tokio::test]
async fn a_row_that_came_late_is_its_calls_when_it_changes() {
    for restarts in [false, true] {
        let mut books = Books::new().await;
        let began_at = books.clock.now();
        books.doubt("0.04").await;
        books.pass(LONG_ENOUGH);
        assert_eq!(books.run().await.released, 1);
        books.list.took("txn_1", began_at, "0.04");
        let steps = [
            ("success", "-0.04", "0", "0.04"),
            ("success", "-0.02", "0", "0.02"),
            ("error", "-0.02", "0", "0"),
        ];
        goes_through(&mut books, restarts, &steps).await;
    }
}

#[tokio::test]
async fn a_refund_that_is_taken_back_is_none() {
    let mut books = Books::new().await;
    books.list.took("txn_1", books.clock.now(), "0");
    let steps = [
        ("success", "1", "0", "-1"),
        ("success", "2", "0", "-2"),
        ("error", "2", "0", "0"),
    ];
    goes_through(&mut books, false, &steps).await;
}

/// A row dated ahead of every call is nobody's at first. When it decides a job, it is found no more.
#[tokio::test]
async fn a_row_that_decides_a_job_is_not_somebody_elses_any_more() {
    let mut books = Books::new().await;
    let hold = books.hold("0.4").await;
    hold.bind_job(JobId::from("job-1")).await.unwrap();
    let ahead = books.clock.now() + SignedDuration::from_mins(5);
    books.list.put(Row {
        id: "txn_1".into(),
        at: ahead,
        kind: crate::support::SEARCH.into(),
        credits: "-0.3".into(),
        status: "success",
    });
    books.pass(SignedDuration::from_secs(30));
    books.run().await;
    assert_eq!(books.open_findings()[0].0, FindingKind::TheirsOnly);
    books.pass(SignedDuration::from_mins(10));
    let summary = books.run().await;
    assert_eq!(summary.settled, (1, credits("0.3")), "{summary}");
    assert_eq!(books.open_findings(), []);
}
