//! Rows that do not stay as they were. Whatever they become, settled and open drift are what the account
//! took.

use generect_guard::ledger::{Ending, Evidence, FindingKind};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Books, LONG_ENOUGH, credits};

/// Steps of one row: its status and credits, and what settled and open drift are then.
type Steps = [(&'static str, &'static str, &'static str, &'static str)];

/// Takes the row of what `begin` makes through all steps; the process dies and begins anew after each, or not.
async fn goes_through(begin: impl AsyncFn() -> Books, steps: &Steps) -> [Books; 2] {
    let told = async |restarts| {
        let mut books = begin().await;
        goes_on(&mut books, restarts, steps).await;
        books
    };
    [told(false).await, told(true).await]
}

async fn goes_on(books: &mut Books, restarts: bool, steps: &Steps) {
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

/// A row that is nobody's.
async fn of_nobody(credits: &str) -> Books {
    let books = Books::new().await;
    books.list.took("txn_1", books.clock.now(), credits);
    books
}

/// A settled call and its row.
async fn of_a_call() -> Books {
    let mut books = Books::new().await;
    books.call("0.04").await;
    books.list.took("txn_1", books.clock.now(), "0.04");
    books.pass(LONG_ENOUGH);
    assert_eq!(books.run().await.matched, 1);
    books
}

#[tokio::test]
async fn what_somebody_else_was_charged_follows_its_row() {
    let steps = [
        ("success", "-5", "0", "5"),
        ("success", "-3", "0", "3"),
        ("error", "-3", "0", "0"),
        ("success", "-4", "0", "4"),
        ("success", "4", "0", "-4"),
    ];
    goes_through(async || of_nobody("5").await, &steps).await;
}

#[tokio::test]
async fn a_settled_calls_row_may_change_again_and_again() {
    let steps = [
        ("success", "-0.03", "0.04", "-0.01"),
        ("success", "-0.01", "0.04", "-0.03"),
        ("error", "-0.01", "0.04", "-0.04"),
        ("success", "-0.05", "0.04", "0.01"),
        ("success", "-0.04", "0.04", "0"),
    ];
    for books in goes_through(of_a_call, &steps).await {
        assert_eq!(books.open_findings(), []);
    }
}

/// The row of a hold that was released comes after all, also if the guard ended in between. Whose it is
/// is certain, and its team is charged; or two teams may be meant, and it stays a finding.
#[tokio::test]
async fn a_row_that_came_late_is_its_calls_when_it_changes() {
    for restarts in [false, true] {
        for teams in [&["growth"][..], &["growth", "sales"]] {
            let mut books = Books::new().await;
            books.show().await;
            let began_at = books.clock.now();
            for team in teams {
                books.hold_of(team, "0.04").await.doubt("a test");
            }
            books.written().await;
            books.pass(LONG_ENOUGH);
            assert_eq!(books.run().await.released, teams.len());
            if restarts {
                books.restart().await;
            }
            books.list.took("txn_1", began_at, "0.04");
            for (status, amount, took) in [
                ("success", "-0.04", "1.04"),
                ("success", "-0.02", "1.02"),
                ("error", "-0.02", "1"),
                ("success", "-0.03", "1.03"),
            ] {
                books.list.change("txn_1", |row| {
                    row.status = status;
                    row.credits = amount.into();
                });
                books.pass(SignedDuration::from_secs(20));
                books.run().await;
                let now = (status, amount, restarts, books.open_findings());
                assert_eq!(books.accounted(), credits(took), "{now:?}");
                assert_eq!(books.drift_of(FindingKind::TheirsOnly), credits("0"));
                if restarts {
                    books.restart().await;
                }
            }
            let late = books.drift_of(FindingKind::Late);
            assert_eq!(late, credits(if teams.len() == 1 { "0" } else { "0.03" }));
            books.assert_sound();
        }
    }
}

#[tokio::test]
async fn a_refund_that_is_taken_back_is_none() {
    let steps = [
        ("success", "1", "0", "-1"),
        ("success", "2", "0", "-2"),
        ("error", "2", "0", "0"),
    ];
    goes_through(async || of_nobody("0").await, &steps).await;
}

/// A call's row that becomes a refund: what was taken is gone, and more was given.
#[tokio::test]
async fn a_settled_calls_row_may_become_a_refund() {
    let steps = [
        ("success", "1", "0.04", "-1.04"),
        ("success", "-0.04", "0.04", "0"),
    ];
    for books in goes_through(of_a_call, &steps).await {
        assert_eq!(books.open_findings(), []);
    }
}

/// What is set aside again is not taken until it is final.
#[tokio::test]
async fn what_somebody_else_is_charged_may_be_pending_again() {
    let steps = [
        ("success", "-5", "0", "5"),
        ("pending", "-5", "0", "0"),
        ("success", "-2", "0", "2"),
        ("success", "0", "0", "0"),
        ("success", "-1", "0", "1"),
    ];
    goes_through(async || of_nobody("5").await, &steps).await;
}

/// Money of a kind that no charge has had is a top-up, as far as anybody can know; once it is known
/// that calls are charged under that kind, it is a refund.
#[tokio::test]
async fn a_refund_of_an_unknown_kind_says_that_it_may_be_one() {
    let mut books = Books::new().await;
    books.list.took("txn_1", books.clock.now(), "0");
    books.list.change("txn_1", |row| {
        row.kind = "something new".into();
        row.credits = "3".into();
    });
    books.run().await;
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    let found = books.reader().findings(from, to, true, None, 9).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].finding.kind, FindingKind::TopUp);
    let detail = &found[0].finding.detail;
    assert!(
        detail.contains("no charge of a call has had this kind"),
        "{detail}"
    );
}

/// A row dated ahead of every call is nobody's at first. When it decides a job, it is found no more.
#[tokio::test]
async fn a_row_that_decides_a_job_is_not_somebody_elses_any_more() {
    let mut books = Books::new().await;
    books.submit("0.4", "job-1").await;
    books.submit("0.4", "job-2").await;
    books.pass(SignedDuration::from_mins(5));
    books.list.took("txn_1", books.clock.now(), "0.3");
    books.pass(SignedDuration::from_secs(30));
    books.run().await;
    assert_eq!(
        books.open_findings()[0].0,
        FindingKind::TheirsOnly,
        "which of the two jobs has ended is not known"
    );
    let ended = Ending::Settled {
        charge: credits("0.3"),
        evidence: Evidence::Stated { raw: "0.3".into() },
    };
    assert!(books.ledger.end_job(&"job-2".into(), ended));
    books.ended(2).await;
    books.pass(LONG_ENOUGH);
    let summary = books.run().await;
    assert_eq!(summary.matched, 1, "{summary}");
    assert_eq!(summary.closed, 1, "{summary}");
    assert_eq!(books.open_findings(), []);
    books.assert_sound();
}
