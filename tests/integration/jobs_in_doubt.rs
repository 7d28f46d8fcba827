//! Bulk jobs when something goes wrong: a cut, an end that cannot be read, a restart, a person.

use generect_guard::clock::Clock;
use generect_guard::ledger::{Decision, EntryKind, Resolution};
use generect_guard::simulator::{Fault, MetaFault};
use jiff::SignedDuration;

use crate::jobs::{PHONES, books, items, plan, poll, settled_at, submit};
use crate::support::credits;

/// The job runs and will be charged, and nobody knows its id.
#[tokio::test]
async fn a_submission_whose_answer_is_cut_is_in_doubt_and_not_sent_again() {
    for fault in [
        Fault::CutAfterCharge,
        Fault::CutMidBody,
        Fault::TruncatedJson,
    ] {
        let world = plan().start().await;
        world.simulator.faults().next_on(1, PHONES, fault.clone());
        let answer = world.post(PHONES, &items(3, 0)).await;
        assert_eq!(answer.header("guard-charge"), "", "{fault:?}");
        world
            .budget_when("growth-month", |budget| budget.in_doubt == credits("1.2"))
            .await;
        let again = world.post(PHONES, &items(3, 0)).await;
        assert_eq!(
            (again.status, again.refusal()),
            (504, "call_in_doubt"),
            "{fault:?}"
        );
        assert_eq!(world.simulator.complete_jobs(), 1, "{fault:?}: sent once");
        assert_eq!(world.simulator.truth().total_charged(), credits("1.2"));
        assert_eq!(books(&world).await, ["0", "1.2", "1.2"]);
        world.end().await;
    }
}

#[tokio::test]
async fn an_end_that_cannot_be_read_is_a_doubt_until_a_poll_can_be_read() {
    for fault in [
        Fault::Meta(MetaFault::Null),
        Fault::Meta(MetaFault::Word),
        Fault::Meta(MetaFault::Negative),
        Fault::Meta(MetaFault::ChargeMissing),
    ] {
        let world = plan().start().await;
        let job = submit(&world, &items(2, 0)).await;
        world.simulator.complete_jobs();
        world.simulator.faults().on(PHONES, fault.clone());
        for _ in 0..3 {
            poll(&world, &job).await;
        }
        world
            .budget_when("growth-month", |budget| budget.in_doubt == credits("0.8"))
            .await;
        world.simulator.faults().clear();
        poll(&world, &job).await;
        settled_at(&world, "0.8").await;
        let entries = world.end_with_nothing_open().await;
        let doubts = entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Doubted);
        assert_eq!(doubts.count(), 1, "{fault:?}");
    }
}

/// Whatever goes wrong with a poll: the job is as it was.
#[tokio::test]
async fn a_poll_that_fails_changes_nothing() {
    let world = plan().start().await;
    let job = submit(&world, &items(2, 0)).await;
    let path = format!("{PHONES}{job}/");
    world.simulator.complete_jobs();
    let failure = |status| Fault::Failure {
        status,
        charged: false,
        says_charge: true,
    };
    for fault in [
        Fault::CutAfterCharge,
        Fault::CutMidBody,
        Fault::TruncatedJson,
        Fault::Meta(MetaFault::Missing),
        Fault::Meta(MetaFault::Broken),
        Fault::Throttled {
            retry_after_s: None,
        },
        Fault::Redirect {
            status: 302,
            charged: false,
        },
        Fault::Html {
            status: 200,
            charged: false,
        },
        failure(500),
        failure(404),
    ] {
        world.simulator.faults().next_on(1, &job, fault.clone());
        let answer = world.get(&path).await;
        assert_eq!(
            books(&world).await,
            ["0", "0.8", "0"],
            "{fault:?} {}",
            answer.text
        );
    }
    poll(&world, &job).await;
    settled_at(&world, "0.8").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_outlives_the_guard_that_submitted_it() {
    let world = plan().start().await;
    let body = items(3, 0);
    let first = submit(&world, &body).await;
    let second = submit(&world, &body).await;
    world.simulator.advance_jobs();
    let world = world.restarted(plan()).await;
    assert_eq!(
        books(&world).await,
        ["0", "2.4", "0"],
        "held, and not in doubt"
    );
    let path = format!("{PHONES}{first}/");
    assert_eq!(world.get_as("sales-crm", &path).await.status, 403);
    assert_eq!(
        poll(&world, &first).await.json()["meta"]["status"],
        "processing"
    );
    world.simulator.complete_jobs();
    poll(&world, &first).await;
    world
        .budget_when("growth-month", |budget| budget.settled == credits("1.2"))
        .await;
    let world = world.restarted(plan()).await;
    poll(&world, &first).await;
    assert_eq!(
        books(&world).await,
        ["1.2", "1.2", "0"],
        "not a second time"
    );
    poll(&world, &second).await;
    settled_at(&world, "2.4").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_that_a_person_has_ended_is_not_ended_again_by_a_poll() {
    let world = plan().start().await;
    let job = submit(&world, &items(2, 0)).await;
    let hold = world.ledger().job(&job.as_str().into()).unwrap().hold;
    let resolution = Resolution {
        decision: Decision::Settle(credits("0.8")),
        who: "ops".into(),
        reason: "the vendor's support said so".into(),
    };
    world.ledger().resolve(hold, resolution).await.unwrap();
    world.simulator.complete_jobs();
    poll(&world, &job).await;
    settled_at(&world, "0.8").await;
    world.end_with_nothing_open().await;
}

/// The upstream forgets a job after 24 hours; the books do not forget what it may have taken.
#[tokio::test]
async fn a_job_that_nobody_polled_in_time_stays_held() {
    let clock = Clock::manual("2026-10-06T10:00:00Z".parse().unwrap());
    let world = plan().clock(clock.clone()).start().await;
    let job = submit(&world, &items(2, 0)).await;
    world.simulator.complete_jobs();
    clock.advance(SignedDuration::from_hours(25));
    let answer = world.get(&format!("{PHONES}{job}/")).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (404, ""),
        "{}",
        answer.text
    );
    assert_eq!(books(&world).await, ["0", "0.8", "0"]);
    world.end().await;
}
