//! Promise 11: as far as the last reading and our own books show, no call is sent that could take
//! the balance below its caller's floor.

use std::sync::Arc;
use std::time::Duration;

use generect_guard::simulator::Fault;
use generect_guard::simulator::settings::JobPace;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Plan, World, credits};

pub const SEARCH: &str = "/api/v1/search/database/leads/";
const PHONES: &str = "/api/v1/phone/find/bulk/";

/// A team of each priority, and an account of 100.
pub fn plan() -> Plan {
    let team = |plan: Plan, id: &str| {
        let priority = format!("priority = \"{id}\"");
        plan.team(id, &priority).key(&format!("{id}-key"), id, "")
    };
    let plan = ["low", "normal", "high"]
        .into_iter()
        .fold(Plan::default(), team);
    plan.budget("all", "limit = 100000\nper = \"total\"")
        .simulator(|settings| settings.balance = credits("100"))
}

pub fn refuse(plan: Plan, priority: &str, below: &str) -> Plan {
    plan.toml(&format!(
        "[[floor]]\npriority = \"{priority}\"\nbelow = {below}\naction = \"refuse\""
    ))
}

pub fn rows(name: &str, rows: u64) -> String {
    format!(r#"{{"job_titles":["{name}"],"limit_by":{rows}}}"#)
}

/// Waits for a reading of the account that was begun after now.
pub async fn next_reading(world: &World) {
    let readings = || {
        let seen = world.simulator.truth().requests();
        seen.iter()
            .filter(|seen| seen.path.ends_with("/accounts/me/"))
            .count()
    };
    // The next may be under way already; the one after it begins when that has been taken in.
    let enough = readings() + 2;
    while readings() < enough {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_low_priority_ends_exactly_at_its_floor_and_high_priority_goes_on() {
    let plan = refuse(refuse(plan(), "low", "98"), "normal", "97")
        .set("account", "poll_interval = \"5m\"");
    let plan = plan.set("account", "stale_after = \"20m\"");
    let world = Arc::new(plan.start().await);
    world.account_read().await;
    let mut calls = JoinSet::new();
    for call in 0..250 {
        let world = Arc::clone(&world);
        calls.spawn(async move {
            let answer = world
                .post_as("low-key", SEARCH, &rows(&format!("cto {call}"), 1))
                .await;
            (answer.status, answer.refusal().to_owned())
        });
    }
    let mut passed = 0;
    for (status, reason) in calls.join_all().await {
        match (status, reason.as_str()) {
            (200, _) => passed += 1,
            (402, "account_low") | (429, "account_busy") => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(passed, 100, "two credits of room, two hundredths a call");
    assert_eq!(world.simulator.balance(), credits("98"));
    let low = world.post_as("low-key", SEARCH, &rows("late", 1)).await;
    assert_eq!(
        (low.status, low.refusal()),
        (402, "account_low"),
        "{}",
        low.text
    );
    assert!(
        low.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("Insufficient funds in the account")
    );
    let normal = world.post_as("normal-key", SEARCH, &rows("late", 50)).await;
    assert_eq!(normal.status, 200, "{}", normal.text);
    assert_eq!(
        world
            .post_as("normal-key", SEARCH, &rows("later", 1))
            .await
            .status,
        402
    );
    for call in 0..10 {
        let high = world
            .post_as("high-key", SEARCH, &rows(&format!("vp {call}"), 10))
            .await;
        assert_eq!(high.status, 200, "{}", high.text);
    }
    Arc::into_inner(world)
        .unwrap()
        .end_with_nothing_open()
        .await;
}

/// Charges below their quotes, slow answers, cuts and failures after the charge, readings in
/// between: the floor holds at every moment, and what is above it can be used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_balance_never_goes_below_the_floor_because_of_a_call_the_guard_admitted() {
    let plan = refuse(refuse(plan(), "low", "40"), "normal", "40")
        .set("account", "poll_interval = \"1s\"")
        .set("account", "lag = \"1s\"")
        .set("upstream", "breaker = { failures = 10000 }")
        .simulator(|settings| settings.latency = Duration::from_millis(80));
    let world = Arc::new(plan.start().await);
    world.account_read().await;
    world
        .simulator
        .faults()
        .sometimes(40, Fault::CutAfterCharge);
    let failure = Fault::Failure {
        status: 502,
        charged: true,
        says_charge: false,
    };
    world.simulator.faults().sometimes(40, failure);
    let floor = credits("40");
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..24 {
        let world = Arc::clone(&world);
        callers.spawn(async move {
            let mut call = 0;
            // Less than a call's quote above the floor: there is no more to be had.
            while world.simulator.balance() >= credits("40.2") {
                call += 1;
                let key = if call % 2 == 0 {
                    "low-key"
                } else {
                    "normal-key"
                };
                let body = rows(&format!("matches:{} {caller} {call}", call % 11), 10);
                let answer = world.post_as(key, SEARCH, &body).await;
                assert!(
                    [200, 402, 429, 504, 502].contains(&answer.status),
                    "{answer:?}"
                );
                assert!(world.simulator.balance() >= floor);
                if answer.status != 200 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                assert!(
                    began.elapsed() < Duration::from_secs(240),
                    "not used up: {answer:?}"
                );
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    world
        .budget_when("all", |budget| budget.held == budget.in_doubt)
        .await;
    assert!(world.simulator.balance() >= floor);
    assert!(world.simulator.truth().adds_up());
    Arc::into_inner(world).unwrap().end().await;
}

fn fifty_phones() -> String {
    let items: Vec<_> = (0..50)
        .map(|lead| format!(r#"{{"lead_id":"{lead}"}}"#))
        .collect();
    format!(r#"{{"leads":[{}]}}"#, items.join(","))
}

fn plan_with_jobs() -> Plan {
    refuse(refuse(plan(), "low", "75"), "normal", "75")
        .set("account", "poll_interval = \"1s\"")
        .set("account", "lag = \"0s\"")
        .simulator(|settings| settings.job_pace = JobPace::ByHand)
}

#[tokio::test]
async fn what_a_running_job_may_take_is_not_safe_to_spend_however_often_the_account_is_read() {
    let world = plan_with_jobs().start().await;
    world.account_read().await;
    let submitted = world.post_as("normal-key", PHONES, &fifty_phones()).await;
    assert_eq!(submitted.status, 202, "{}", submitted.text);
    next_reading(&world).await;
    let refused = world.post_as("normal-key", SEARCH, &rows("cto", 300)).await;
    assert_eq!(
        (refused.status, refused.refusal()),
        (429, "account_busy"),
        "{}",
        refused.text
    );
    let fits = world.post_as("normal-key", SEARCH, &rows("cto", 250)).await;
    assert_eq!(fits.status, 200, "{}", fits.text);
    world.simulator.complete_jobs();
    assert_eq!(world.simulator.balance(), credits("75"));
    world.end().await;
}

/// Nobody knows this job's id, but it runs: its doubt is not over when the account is read again.
#[tokio::test]
async fn what_a_job_in_doubt_may_take_is_not_safe_to_spend_either() {
    let world = plan_with_jobs().start().await;
    world.account_read().await;
    world
        .simulator
        .faults()
        .next_on(1, PHONES, Fault::CutAfterCharge);
    let cut = world.post_as("normal-key", PHONES, &fifty_phones()).await;
    assert_eq!((cut.status, cut.refusal()), (504, "upstream_silent"));
    next_reading(&world).await;
    let refused = world.post_as("normal-key", SEARCH, &rows("cto", 300)).await;
    assert_eq!(
        (refused.status, refused.refusal()),
        (429, "account_busy"),
        "{}",
        refused.text
    );
    let world = world.restarted(plan_with_jobs()).await;
    world.account_read().await;
    let refused = world.post_as("normal-key", SEARCH, &rows("cto", 300)).await;
    assert_eq!(
        refused.refusal(),
        "account_busy",
        "also after a restart: {}",
        refused.text
    );
    world.simulator.complete_jobs();
    assert!(world.simulator.balance() >= credits("75"));
    world.end().await;
}
