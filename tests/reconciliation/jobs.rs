//! Jobs: hours between a beginning that the account may not show and an end that it does.

use generect_guard::ids::JobId;
use generect_guard::ledger::{Decision, Ending, EntryKind, Evidence, FindingKind, Resolution};
use jiff::SignedDuration;

use crate::list::{Row, SEARCH};
use crate::support::{Books, LONG_ENOUGH, credits};

const JOB: &str = "6f1b9d7e-0a52-4f0e-9a53-0d6f2f1f6a01";

async fn submitted(books: &Books) -> JobId {
    books.submit("0.4", JOB).await
}

/// Where the account charges at the end, its list has nothing of a job that runs. That is no evidence.
#[tokio::test]
async fn a_job_that_runs_is_not_released_for_want_of_a_row() {
    let mut books = Books::new().await;
    let job = submitted(&books).await;
    for _ in 0..6 {
        books.pass(SignedDuration::from_mins(30));
        let summary = books.run().await;
        assert_eq!((summary.released, summary.undecided), (0, 1), "{summary}");
    }
    let ended = Ending::Settled {
        charge: credits("0.3"),
        evidence: Evidence::Stated { raw: "0.3".into() },
    };
    assert!(books.ledger.end_job(&job, ended));
    books.written().await;
    books.list.took("txn_1", books.clock.now(), "0.3");
    books.pass(LONG_ENOUGH);
    let summary = books.run().await;
    assert_eq!(summary.matched, 1, "{summary}");
    assert_eq!(books.open_findings(), []);
    books.assert_sound();
}

/// The row is there before anybody has asked for the job: it may be the job's, and is nobody else's.
#[tokio::test]
async fn a_row_of_a_jobs_end_is_the_jobs() {
    let mut books = Books::new().await;
    submitted(&books).await;
    books.pass(SignedDuration::from_hours(3));
    books.list.took("txn_1", books.clock.now(), "0.3");
    books.pass(SignedDuration::from_secs(30));
    let summary = books.run().await;
    assert_eq!(summary.settled, (1, credits("0.3")), "{summary}");
    assert_eq!(books.open_findings(), []);
    books.assert_sound();
}

/// Once somebody else's row happened to explain a call of ours. That says too little of its kind for a second to be
/// the job's.
#[tokio::test]
async fn a_row_of_a_kind_that_explained_a_single_call_is_no_running_jobs() {
    let mut books = Books::new().await;
    let around = |books: &Books, id: &str| {
        books.list.put(Row {
            id: id.into(),
            at: books.clock.now(),
            kind: "email_validate".into(),
            credits: "-0.3".into(),
            status: "success",
        });
    };
    around(&books, "txn_1");
    books.call("0.3").await;
    books.pass(LONG_ENOUGH);
    assert_eq!(books.run().await.matched, 1, "nothing speaks against it");
    submitted(&books).await;
    books.pass(SignedDuration::from_hours(3));
    around(&books, "txn_2");
    books.pass(SignedDuration::from_secs(30));
    let summary = books.run().await;
    assert_eq!((summary.settled.0, summary.undecided), (0, 1), "{summary}");
    books.assert_sound();
}

/// Which of two jobs has ended is not known before one of them is asked for.
#[tokio::test]
async fn a_row_that_two_running_jobs_may_have_decides_neither() {
    let mut books = Books::new().await;
    submitted(&books).await;
    books.submit("0.4", "another").await;
    books.pass(SignedDuration::from_hours(3));
    books.list.took("txn_1", books.clock.now(), "0.3");
    books.pass(SignedDuration::from_secs(30));
    for _ in 0..2 {
        let summary = books.run().await;
        assert_eq!((summary.settled.0, summary.undecided), (0, 2), "{summary}");
        books.restart().await;
    }
    assert_eq!(books.accounted(), credits("0.3"), "as somebody else's");
    books.assert_sound();
}

/// Results are kept for a day. A job that cannot even be asked for is decided like a doubt in the end; but
/// where the list has never shown a charge of its operation, nobody can say that it took nothing.
#[tokio::test]
async fn a_job_that_nobody_can_ask_for_is_not_held_for_ever_if_the_list_is_known_to_show_it() {
    for is_shown in [true, false] {
        let mut books = Books::new().await;
        if is_shown {
            books.show().await;
        }
        submitted(&books).await;
        books.pass(SignedDuration::from_hours(23));
        assert_eq!(books.run().await.undecided, 1, "it may still run");
        books.pass(SignedDuration::from_hours(27));
        let summary = books.run().await;
        let left = if is_shown { 0 } else { 1 };
        assert_eq!(summary.undecided, left, "{summary}");
        let released = books.endings().into_iter();
        let released = released.filter(|(_, kind, _)| *kind == EntryKind::Released);
        assert_eq!(released.count(), 1 - left);
        let found = books.open_findings();
        assert!(
            found
                .iter()
                .all(|(kind, ..)| *kind == FindingKind::Allocated)
        );
        books.assert_sound();
    }
}

/// A person ends a job hours after its submission; its row is dated somewhere between.
#[tokio::test]
async fn a_job_that_a_person_ended_has_its_row_anywhere_up_to_then() {
    for restarts in [false, true] {
        let mut books = Books::new().await;
        for job in ["one", "another"] {
            let hold = books.hold_for("growth", "phone_find_bulk", "0.4").await;
            hold.bind_job(job.into()).await.unwrap();
        }
        books.pass(SignedDuration::from_hours(2));
        books.list.put(Row {
            id: "txn_1".into(),
            at: books.clock.now(),
            kind: "phone_find".into(),
            credits: "-0.3".into(),
            status: "success",
        });
        books.run().await;
        assert_eq!(books.drift_of(FindingKind::TheirsOnly), credits("0.3"));
        books.pass(SignedDuration::from_hours(3));
        books.run().await;
        let hold = books.ledger.open_calls().await.unwrap()[0].hold;
        let resolution = Resolution {
            decision: Decision::Settle(credits("0.3")),
            who: "ann".into(),
            reason: "seen in the bill".into(),
        };
        books.ledger.resolve(hold, resolution).await.unwrap();
        if restarts {
            books.restart().await;
        }
        books.pass(LONG_ENOUGH);
        books.run().await;
        assert_eq!(books.open_findings(), [], "restarts: {restarts}");
        assert_eq!(books.accounted(), credits("0.3"));
        books.assert_sound();
    }
}

/// A row that is set aside at a job's beginning becomes final hours later, where nobody looks for new rows
/// any more.
#[tokio::test]
async fn a_pending_row_is_asked_for_until_it_is_final() {
    for restarts in [false, true] {
        let mut books = Books::new().await;
        submitted(&books).await;
        let began_at = books.clock.now();
        books.call("0.1").await;
        books.list.took("txn_2", began_at, "0.1");
        books.list.put(Row {
            id: "txn_1".into(),
            at: began_at,
            kind: SEARCH.into(),
            credits: "-0.4".into(),
            status: "pending",
        });
        for _ in 0..6 {
            books.pass(SignedDuration::from_mins(30));
            books.run().await;
        }
        if restarts {
            books.restart().await;
        }
        books.list.change("txn_1", |row| {
            row.credits = "-0.3".into();
            row.status = "success";
        });
        books.pass(SignedDuration::from_mins(30));
        let summary = books.run().await;
        assert_eq!(summary.settled, (1, credits("0.3")), "{summary}");
        assert_eq!(books.open_findings(), []);
        books.assert_sound();
    }
}
