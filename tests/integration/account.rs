//! Readings of the account: stale ones, nonsense, and those asked for out of turn.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::simulator::settings::FundsStatus;
use generect_guard::simulator::{Fault, Nonsense, Simulator, SimulatorSettings};
use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{Answered, Plan, World, credits};

const ME: &str = "/api/v1/accounts/me/";
const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";

fn plan() -> Plan {
    plan_polling("1s")
}

fn plan_polling(interval: &str) -> Plan {
    Plan::one_team("10000")
        .set("account", "when_stale = \"refuse\"")
        .set("account", &format!("poll_interval = \"{interval}\""))
}

fn rows(rows: u64) -> String {
    format!(r#"{{"job_titles":["cto"],"limit_by":{rows}}}"#)
}

/// A guard before a simulator that misbehaves from the first question on.
async fn world_before(fault: Fault) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    simulator.faults().on(ME, fault);
    let base_url = simulator.base_url();
    plan().start_before(simulator, &base_url).await
}

fn failure() -> Fault {
    Fault::Failure {
        status: 500,
        charged: false,
        says_charge: false,
    }
}

fn is_held_back(answer: &Answered) {
    assert_eq!(
        (answer.status, answer.refusal()),
        (503, "reading_stale"),
        "{}",
        answer.text
    );
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait));
}

/// Waits until billable calls pass again.
async fn recovers(world: &World) {
    for _ in 0..3_000 {
        let answer = world.post(SEARCH, &rows(1)).await;
        if answer.status == 200 {
            return;
        }
        is_held_back(&answer);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("billable calls never passed again");
}

#[tokio::test]
async fn without_a_reading_billable_calls_wait_and_free_ones_pass() {
    let world = world_before(failure()).await;
    is_held_back(&world.post(SEARCH, &rows(1)).await);
    assert_eq!(world.post(COUNT, &rows(1)).await.status, 200);
    assert_eq!(world.admin("/readyz").await.status, 503);
    assert_eq!(world.simulator.truth().charges().len(), 0);
    world.simulator.faults().clear();
    recovers(&world).await;
    assert_eq!(world.admin("/readyz").await.status, 200);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_reading_grows_stale_and_says_when_it_was_made() {
    let clock = Clock::manual("2026-10-06T10:00:00Z".parse().unwrap());
    let plan = plan().set("account", "stale_after = \"5m\"");
    let world = plan.clock(clock.clone()).start().await;
    recovers(&world).await;
    world.simulator.faults().on(ME, failure());
    clock.advance(SignedDuration::from_secs(301));
    world
        .admin_pages()
        .wait_for("/readyz", |page| page.status == 503)
        .await;
    let answer = world.post(SEARCH, &rows(2)).await;
    is_held_back(&answer);
    assert!(
        answer.text.contains("2026-10-06T10:00:00Z"),
        "{}",
        answer.text
    );
    assert_eq!(world.post(COUNT, &rows(1)).await.status, 200);
    world.simulator.faults().clear();
    recovers(&world).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_stale_reading_can_be_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    simulator.faults().on(ME, failure());
    let base_url = simulator.base_url();
    let plan = Plan::one_team("200").set("account", "when_stale = \"allow\"");
    let world = plan.start_before(simulator, &base_url).await;
    assert_eq!(world.post(SEARCH, &rows(1)).await.status, 200);
    let ready = world.admin("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    assert!(
        ready.text.contains("allowed all the same"),
        "{}",
        ready.text
    );
    world.end_with_nothing_open().await;
}

/// None of these is a balance, none is taken for zero, and none stops the questions.
#[tokio::test]
async fn nonsense_is_never_a_balance() {
    let mut worlds = JoinSet::new();
    for (nonsense, reason) in [
        (Nonsense::Word, "not_a_number"),
        (Nonsense::Missing, "missing"),
        (Nonsense::NotANumber, "not_json"),
        (Nonsense::Null, "null"),
        (Nonsense::Html, "not_json"),
        (Nonsense::Unauthorised, "token_refused"),
    ] {
        worlds.spawn(async move {
            let world = world_before(Fault::Account(nonsense)).await;
            let label = format!("guard_account_errors_total{{reason=\"{reason}\"}}");
            let pages = world.admin_pages();
            pages
                .wait_for("/metrics", |page| page.text.contains(&label))
                .await;
            is_held_back(&world.post(SEARCH, &rows(1)).await);
            world.simulator.faults().clear();
            recovers(&world).await;
            // Once there is a balance, nonsense does not take it away.
            world.simulator.faults().on(ME, Fault::Account(nonsense));
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            let answer = world.post(SEARCH, &rows(1)).await;
            assert_eq!(answer.status, 200, "{nonsense:?} {}", answer.text);
            world.end_with_nothing_open().await;
        });
    }
    worlds.join_all().await;
}

#[tokio::test]
async fn a_balance_below_zero_is_one_and_a_slow_one_comes_late() {
    let world = world_before(Fault::Account(Nonsense::Negative)).await;
    world.account_read().await;
    let answer = world.post(SEARCH, &rows(1)).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (402, "account_low"),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("-12.5"), "{}", answer.text);
    assert_eq!(world.post(COUNT, &rows(1)).await.status, 200);
    world.end_with_nothing_open().await;

    let slow = Nonsense::Slow(Duration::from_millis(400));
    let world = world_before(Fault::Account(slow)).await;
    is_held_back(&world.post(SEARCH, &rows(1)).await);
    recovers(&world).await;
    world.end_with_nothing_open().await;
}

/// The upstream says that funds are short: the balance is looked at again at once, and the next
/// call is not sent in vain.
#[tokio::test]
async fn the_upstreams_no_for_want_of_funds_asks_for_a_fresh_reading() {
    let html = Fault::Html {
        status: 402,
        charged: false,
    };
    for (funds_status, fault, status) in [
        (FundsStatus::PaymentRequired, None, 402),
        (FundsStatus::BadRequest, None, 400),
        (FundsStatus::PaymentRequired, Some(html), 402),
    ] {
        let plan = plan_polling("5m").set("account", "stale_after = \"20m\"");
        let plan = plan.simulator(|settings| settings.funds_status = funds_status);
        let world = plan.start().await;
        world.account_read().await;
        world
            .simulator
            .spend_elsewhere("platform", credits("999.99"));
        if let Some(fault) = fault {
            world.simulator.faults().next_on(1, SEARCH, fault);
        }
        let answer = world.post(SEARCH, &rows(50)).await;
        assert_eq!(
            (answer.status, answer.refusal()),
            (status, ""),
            "{}",
            answer.text
        );
        world
            .budget_when("growth-month", |budget| budget.held == Credits::ZERO)
            .await;
        world
            .admin_pages()
            .wait_for("/metrics", |page| {
                page.text.contains("guard_account_balance_credits 0.01")
            })
            .await;
        let refused = world.post(SEARCH, &rows(50)).await;
        assert_eq!(
            (refused.status, refused.refusal()),
            (402, "account_low"),
            "{}",
            refused.text
        );
        let seen = world.simulator.truth().requests();
        assert_eq!(seen.iter().filter(|seen| seen.path == SEARCH).count(), 1);
        world.end_with_nothing_open().await;
    }
}
