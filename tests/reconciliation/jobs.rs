//! Jobs: hours between a beginning that the account may not show and an end that it does.

use generect_guard::ids::JobId;
use generect_guard::ledger::{Ending, EntryKind, Evidence, FindingKind};
use jiff::SignedDuration;

use crate::support::{Books, LONG_ENOUGH, Row, SEARCH, credits};

const JOB: &str = "6f1b9d7e-0a52-4f0e-9a53-0d6f2f1f6a01";

async fn submitted(books: &Books) -> JobId {
    let job = JobId::from(JOB);
    let hold = books.hold("0.4").await;
    hold.bind_job(job.clone()).await.unwrap();
    job
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

/// Results are kept for a day. A job that cannot even be asked for is decided like a doubt in the end.
#[tokio::test]
async fn a_job_that_nobody_can_ask_for_is_not_held_for_ever() {
    let mut books = Books::new().await;
    submitted(&books).await;
    books.pass(SignedDuration::from_hours(47));
    assert_eq!(books.run().await.undecided, 1);
    books.pass(SignedDuration::from_hours(2));
    let summary = books.run().await;
    assert_eq!(summary.undecided, 0, "{summary}");
    let [(_, kind, _)] = &books.endings()[..] else {
        panic!("{:?}", books.endings());
    };
    assert_eq!(*kind, EntryKind::Released);
    let found = books.open_findings();
    assert!(
        found.len() <= 1
            && found
                .iter()
                .all(|(kind, ..)| *kind == FindingKind::Allocated)
    );
    books.assert_sound();
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
        books.pass(SignedDuration::from_mins(1));
        let summary = books.run().await;
        assert_eq!(summary.settled, (1, credits("0.3")), "{summary}");
        assert_eq!(books.open_findings(), []);
        books.assert_sound();
    }
}
