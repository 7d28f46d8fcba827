//! Bulk jobs that the guard asks for itself, because nobody else does.

use std::sync::Arc;
use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::ledger::EntryKind;
use generect_guard::simulator::settings::JobErrorCharge;
use generect_guard::simulator::{Fault, MetaFault};
use jiff::SignedDuration;

use crate::jobs::{PHONES, books, items, plan, poll, settled_at, submit};
use crate::support::{Plan, World, credits};

/// Soon enough for a test to wait for.
fn polled_plan() -> Plan {
    plan().set("account", "job_poll_interval = \"20ms\"")
}

fn polls(world: &World, job: &str) -> usize {
    let path = format!("{PHONES}{job}/");
    let seen = world.simulator.truth().requests().into_iter();
    seen.filter(|seen| seen.path == path).count()
}

async fn polled_at_least(world: &World, job: &str, times: usize) {
    while polls(world, job) < times {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_job_that_nobody_asks_for_is_settled_by_the_guards_own_poll() {
    let world = polled_plan().start().await;
    let job = submit(&world, &items(3, 2)).await;
    polled_at_least(&world, &job, 1).await;
    assert_eq!(books(&world).await, ["0", "2", "0"], "it runs");
    world.simulator.complete_jobs();
    settled_at(&world, "1.2").await;
    assert_eq!(
        world.charged("growth", "phone_find_bulk").await,
        "1.2",
        "its team pays, for what it submitted"
    );
    let asked = polls(&world, &job);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(polls(&world, &job), asked, "an ended job is left alone");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_that_ends_in_error_is_settled_at_what_its_poll_states() {
    for (charge, settled) in [
        (JobErrorCharge::Nothing, "0"),
        (JobErrorCharge::Half, "0.8"),
    ] {
        let world = polled_plan()
            .simulator(move |settings| settings.job_error_charge = charge)
            .start()
            .await;
        submit(&world, &items(4, 0)).await;
        world.simulator.fail_jobs();
        settled_at(&world, settled).await;
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn the_guards_polls_and_a_hundred_of_the_teams_settle_a_job_once() {
    let world = Arc::new(polled_plan().start().await);
    let job = submit(&world, &items(4, 0)).await;
    world.simulator.complete_jobs();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (world, job) = (Arc::clone(&world), job.clone());
        asking.spawn(async move { poll(&world, &job).await });
    }
    asking.join_all().await;
    settled_at(&world, "1.6").await;
    let world = Arc::into_inner(world).unwrap();
    let entries = world.end_with_nothing_open().await;
    let settled = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Settled);
    assert_eq!(settled.count(), 1);
}

#[tokio::test]
async fn a_job_bound_before_a_restart_is_polled_after_it() {
    let world = plan().start().await;
    submit(&world, &items(2, 0)).await;
    world.simulator.complete_jobs();
    let world = world.restarted(polled_plan()).await;
    settled_at(&world, "0.8").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_the_upstream_no_longer_knows_is_in_doubt_and_asked_for_no_more() {
    let clock = Clock::manual("2026-05-04T10:00:00Z".parse().unwrap());
    let world = polled_plan().clock(clock.clone()).start().await;
    let job = submit(&world, &items(2, 0)).await;
    clock.advance(SignedDuration::from_hours(25));
    world
        .budget_when("growth-month", |budget| budget.in_doubt == credits("0.8"))
        .await;
    let asked = polls(&world, &job);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(polls(&world, &job), asked);
    world.end().await;
}

#[tokio::test]
async fn an_end_that_cannot_be_read_is_asked_for_again() {
    let world = polled_plan().start().await;
    let fault = Fault::Meta(MetaFault::Null);
    let job = submit(&world, &items(2, 0)).await;
    world.simulator.faults().on(PHONES, fault);
    world.simulator.complete_jobs();
    world
        .budget_when("growth-month", |budget| budget.in_doubt == credits("0.8"))
        .await;
    world.simulator.faults().clear();
    settled_at(&world, "0.8").await;
    assert!(polls(&world, &job) > 1);
    world.end_with_nothing_open().await;
}
