//! Promise 9 where credits are short: a budget or the account says all its numbers.

use std::time::Duration;

use generect_guard::simulator::{Simulator, SimulatorSettings};

use crate::explains::{SEARCH, explained, rows};
use crate::support::{Plan, UNTIL_TOLD, World, credits};

#[tokio::test]
async fn a_budget_without_room_says_all_its_numbers() {
    let world = Plan::one_team("1")
        .simulator(|settings| settings.latency = UNTIL_TOLD)
        .start()
        .await;
    let first_body = rows(40);
    let first = world.post(SEARCH, &first_body);
    let second = async {
        let is_held = |budget: &generect_guard::ledger::BudgetStatus| budget.held == credits("0.8");
        world.budget_when("growth-month", is_held).await;
        let busy = world.post(SEARCH, &rows(30)).await;
        world.simulator.faults().hurry();
        busy
    };
    let (first, busy) = tokio::join!(first, second);
    assert_eq!(first.status, 200, "{}", first.text);
    let words = [
        "growth-month",
        "limit 1",
        "settled 0",
        "held 0.8",
        "0.6",
        "resets at",
        "0.2 would fit",
        "10 of the 30",
    ];
    explained(&world, &busy, 429, "budget_busy", &words).await;
    let exhausted = world.post(SEARCH, &rows(60)).await;
    let words = [
        "growth-month",
        "limit 1",
        "settled 0.8",
        "held 0",
        "1.2",
        "resets at",
        "0.2 would fit",
    ];
    explained(&world, &exhausted, 402, "budget_exhausted", &words).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn an_account_that_is_low_slow_or_unread_says_its_numbers() {
    let world = Plan::one_team("100000")
        .toml("[[floor]]\nbelow = 50\npriority = \"normal\"\naction = \"refuse\"")
        .simulator(|settings| settings.balance = credits("51"))
        .start()
        .await;
    wait_for_reading(&world).await;
    let answer = world.post(SEARCH, &rows(100)).await;
    let words = [
        "balance 51",
        "floor for this priority 50",
        "safe to spend",
        "asked 2",
    ];
    explained(&world, &answer, 402, "account_low", &words).await;
    world.end_with_nothing_open().await;

    let world = Plan::one_team("100000")
        .toml("[[floor]]\nbelow = 50\npriority = \"normal\"\naction = { slow_to = \"1/min\" }")
        .simulator(|settings| settings.balance = credits("40"))
        .start()
        .await;
    wait_for_reading(&world).await;
    assert_eq!(world.post(SEARCH, &rows(1)).await.status, 200);
    let answer = world.post(SEARCH, &rows(1)).await;
    explained(
        &world,
        &answer,
        429,
        "account_slowed",
        &["below 50 credits", "Retry-After"],
    )
    .await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn an_account_whose_last_credits_are_held_is_busy() {
    let world = Plan::one_team("100000")
        .toml("[[floor]]\nbelow = 50\npriority = \"normal\"\naction = \"refuse\"")
        .simulator(|settings| {
            settings.balance = credits("51");
            settings.latency = UNTIL_TOLD;
        })
        .start()
        .await;
    wait_for_reading(&world).await;
    let first_body = rows(40);
    let first = world.post(SEARCH, &first_body);
    let second = async {
        world
            .budget_when("growth-month", |budget| budget.held == credits("0.8"))
            .await;
        let busy = world.post(SEARCH, &rows(30)).await;
        world.simulator.faults().hurry();
        busy
    };
    let (first, busy) = tokio::join!(first, second);
    assert_eq!(first.status, 200, "{}", first.text);
    let words = [
        "balance 51",
        "floor for this priority 50",
        "asked 0.6",
        "Try again",
    ];
    explained(&world, &busy, 429, "account_busy", &words).await;
    world.end_with_nothing_open().await;
}

/// Until the account's balance has been read.
async fn wait_for_reading(world: &World) {
    for _ in 0..3_000 {
        let page = world.admin("/readyz").await;
        if page.status == 200 && !page.text.contains("all the same") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{}", world.admin("/readyz").await.text);
}

#[tokio::test]
async fn a_reading_that_never_came_holds_billable_calls_back() {
    // It answers no question about the account.
    let hostile = crate::support::raw::Hostile::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    let world = Plan::one_team("100")
        .set("account", "when_stale = \"refuse\"")
        .start_before(simulator, &format!("http://{}", hostile.address))
        .await;
    let answer = world.post(SEARCH, &rows(1)).await;
    explained(
        &world,
        &answer,
        503,
        "reading_stale",
        &["balance", "read yet"],
    )
    .await;
    assert!(hostile.seen().is_empty());
    world.end_with_nothing_open().await;
}
