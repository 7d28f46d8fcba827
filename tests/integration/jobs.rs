//! Bulk jobs: held from their submission to their end, and counted once.

use std::sync::Arc;
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::ledger::EntryKind;
use generect_guard::simulator::Fault;
use generect_guard::simulator::settings::{JobErrorCharge, JobPace};
use tokio::task::JoinSet;

use crate::support::{Answered, Plan, UNTIL_TOLD, World, credits};

pub const PHONES: &str = "/api/v1/phone/find/bulk/";

pub fn plan() -> Plan {
    Plan::one_team("200")
        .key("growth-night", "growth", "")
        .key("finance", "growth", "account = true")
        .team("sales", "")
        .key("sales-crm", "sales", "")
        .budget(
            "sales-month",
            "team = \"sales\"\nlimit = 200\nper = \"month\"",
        )
        .simulator(|settings| settings.job_pace = JobPace::ByHand)
}

pub fn items(found: usize, missed: usize) -> String {
    let found = (0..found).map(|number| format!(r#"{{"lead_id":"lead-{number}"}}"#));
    let missed = (0..missed).map(|number| format!(r#"{{"lead_id":"not-found-{number}"}}"#));
    let all: Vec<String> = found.chain(missed).collect();
    format!(r#"{{"leads":[{}]}}"#, all.join(","))
}

pub async fn submit(world: &World, body: &str) -> String {
    let answer = world.post(PHONES, body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["meta"]["job_id"].as_str().unwrap().to_owned()
}

pub async fn poll(world: &World, job: &str) -> Answered {
    let answer = world.get(&format!("{PHONES}{job}/")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

/// Settled, held (with what is in doubt), in doubt.
pub async fn books(world: &World) -> [String; 3] {
    let budget = world.budget("growth-month").await;
    [budget.settled, budget.held, budget.in_doubt].map(|amount| amount.to_string())
}

pub async fn settled_at(world: &World, amount: &str) {
    let amount = credits(amount);
    world
        .budget_when("growth-month", |budget| {
            budget.settled == amount && budget.held == Credits::ZERO
        })
        .await;
    assert_eq!(world.simulator.truth().total_charged(), amount);
}

#[tokio::test]
async fn a_job_is_held_until_a_poll_shows_its_end() {
    let world = plan().start().await;
    let job = submit(&world, &items(3, 2)).await;
    assert_eq!(books(&world).await, ["0", "2", "0"]);
    assert_eq!(poll(&world, &job).await.json()["meta"]["status"], "pending");
    world.simulator.advance_jobs();
    assert_eq!(
        poll(&world, &job).await.json()["meta"]["status"],
        "processing"
    );
    assert_eq!(books(&world).await, ["0", "2", "0"]);
    world.simulator.complete_jobs();
    assert_eq!(
        books(&world).await,
        ["0", "2", "0"],
        "nobody has looked yet"
    );
    assert_eq!(
        poll(&world, &job).await.json()["meta"]["status"],
        "completed"
    );
    settled_at(&world, "1.2").await;
    let charged = world.charged("growth", "phone_find_bulk").await;
    assert_eq!(charged, "1.2", "counted as what was submitted");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_is_its_teams_and_nobody_elses() {
    let world = plan().start().await;
    let job = submit(&world, &items(1, 0)).await;
    let path = format!("{PHONES}{job}/");
    let answer = world.get_as("sales-crm", &path).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (403, "operation_not_allowed")
    );
    assert!(!answer.text.contains("lead"), "{}", answer.text);
    let polls = || {
        let seen = world.simulator.truth().requests().into_iter();
        seen.filter(|seen| seen.path == path).count()
    };
    assert_eq!(polls(), 0, "refused before it was sent");
    assert_eq!(
        world.get_as("growth-night", &path).await.status,
        200,
        "another key of the team"
    );
    assert_eq!(polls(), 1);
    world.simulator.complete_jobs();
    poll(&world, &job).await;
    settled_at(&world, "0.4").await;
    assert_eq!(world.budget("sales-month").await.settled, Credits::ZERO);
    // It stays the team's after its end.
    assert_eq!(world.get_as("sales-crm", &path).await.status, 403);
    assert_eq!(
        poll(&world, &job).await.json()["meta"]["status"],
        "completed"
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_the_guard_does_not_know_is_polled_only_by_who_may_see_the_account() {
    let world = plan().start().await;
    for job in ["0b8a5a52-0000-4000-8000-000000000000", "x"] {
        let path = format!("{PHONES}{job}/");
        let refused = world.get(&path).await;
        assert_eq!(
            (refused.status, refused.refusal()),
            (403, "operation_not_allowed")
        );
        let passed = world.get_as("finance", &path).await;
        assert_eq!(
            (passed.status, passed.refusal()),
            (404, ""),
            "{}",
            passed.text
        );
    }
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_settled_once_however_often_and_concurrently_it_is_polled() {
    let world = Arc::new(plan().start().await);
    let job = submit(&world, &items(2, 1)).await;
    world.simulator.complete_jobs();
    let mut polls = JoinSet::new();
    for _ in 0..60 {
        let (world, job) = (Arc::clone(&world), job.clone());
        polls.spawn(async move { poll(&world, &job).await });
    }
    for answer in polls.join_all().await {
        assert_eq!(answer.json()["meta"]["amount_charged"].to_string(), "0.8");
    }
    settled_at(&world, "0.8").await;
    poll(&world, &job).await;
    assert_eq!(world.charged("growth", "phone_find_bulk").await, "0.8");
    let entries = Arc::into_inner(world)
        .unwrap()
        .end_with_nothing_open()
        .await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds,
        [EntryKind::Held, EntryKind::Bound, EntryKind::Settled]
    );
}

#[tokio::test]
async fn a_job_that_ends_in_error_is_settled_at_what_it_says() {
    for (charge, expected) in [
        (JobErrorCharge::Nothing, "0"),
        (JobErrorCharge::Half, "0.8"),
    ] {
        let plan = plan().simulator(|settings| settings.job_error_charge = charge);
        let world = plan.start().await;
        let job = submit(&world, &items(4, 0)).await;
        world.simulator.fail_jobs();
        assert_eq!(poll(&world, &job).await.json()["meta"]["status"], "error");
        settled_at(&world, expected).await;
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn a_job_that_found_nobody_frees_its_hold() {
    let world = plan().start().await;
    let job = submit(&world, &items(0, 5)).await;
    assert_eq!(books(&world).await, ["0", "2", "0"]);
    world.simulator.complete_jobs();
    poll(&world, &job).await;
    settled_at(&world, "0").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_that_is_charged_more_than_its_hold_is_recorded_in_full() {
    let world = plan().start().await;
    world
        .simulator
        .faults()
        .next_on(1, PHONES, Fault::Overrun(credits("5")));
    let job = submit(&world, &items(2, 0)).await;
    world.simulator.complete_jobs();
    poll(&world, &job).await;
    settled_at(&world, "5.8").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn an_answer_too_large_to_keep_settles_its_job_all_the_same() {
    let world = plan()
        .set("server", "answer_bytes_kept = 1024")
        .simulator(|settings| settings.answer_bytes_min = 200_000)
        .start()
        .await;
    let job = submit(&world, &items(2, 0)).await;
    assert_eq!(
        books(&world).await,
        ["0", "0.8", "0"],
        "also the id came late"
    );
    world.simulator.complete_jobs();
    let answer = poll(&world, &job).await;
    assert!(answer.text.len() >= 200_000);
    settled_at(&world, "0.8").await;
    world.end_with_nothing_open().await;
}

/// A client that has its job's id may poll at once, also when the answer was too large to keep: its
/// last piece waits until the job is bound.
#[tokio::test]
async fn a_large_answer_is_whole_only_when_its_job_is_bound() {
    let world = plan()
        .set("server", "answer_bytes_kept = 1024")
        .simulator(|settings| settings.answer_bytes_min = 200_000)
        .start()
        .await;
    let slow = Fault::SlowHeaders(UNTIL_TOLD);
    world.simulator.faults().next_on(1, PHONES, slow);
    let body = items(2, 0);
    let mut submission = Box::pin(submit(&world, &body));
    let other = rusqlite::Connection::open(world.ledger_path()).unwrap();
    let held = world.budget_when("growth-month", |budget| budget.held == credits("0.8"));
    tokio::select! {
        _ = &mut submission => panic!("answered before it was held"),
        _ = held => {}
    }
    // Nothing can be written now, so nothing can be bound.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.simulator.faults().hurry();
    let early = tokio::time::timeout(Duration::from_millis(900), &mut submission).await;
    assert!(
        early.is_err(),
        "the answer was whole before the job was bound"
    );
    other.execute_batch("ROLLBACK").unwrap();
    let job = submission.as_mut().await;
    drop(submission);
    world.simulator.complete_jobs();
    poll(&world, &job).await;
    settled_at(&world, "0.8").await;
    world.end_with_nothing_open().await;
}
