//! What a changed balance changes, from the next reading on.

use generect_guard::credits::Credits;

use crate::account_floors::{SEARCH, next_reading, plan, refuse, rows};
use crate::support::credits;

#[tokio::test]
async fn a_slowing_floor_slows_its_priority_until_the_balance_is_clearly_above_it() {
    let world = plan()
        .toml("[[floor]]\npriority = \"low\"\nbelow = 150\naction = { slow_to = \"1/h\" }")
        .set("account", "poll_interval = \"1s\"")
        .start()
        .await;
    world.account_read().await;
    let mut call = 0;
    let mut answer = async |key: &str| {
        call += 1;
        let answer = world
            .post_as(key, SEARCH, &rows(&format!("cto {call}"), 1))
            .await;
        (
            answer.status,
            answer.refusal().to_owned(),
            answer.header("retry-after").to_owned(),
        )
    };
    let slowed = (429, "account_slowed".to_owned(), "30".to_owned());
    assert_eq!(answer("low-key").await.0, 200, "the first fits the pace");
    assert_eq!(answer("low-key").await, slowed);
    assert_eq!(answer("normal-key").await.0, 200, "others are not slowed");
    world.simulator.top_up(credits("52"));
    next_reading(&world).await;
    assert_eq!(
        answer("low-key").await,
        slowed,
        "above the floor, but hardly"
    );
    world.simulator.top_up(credits("10"));
    next_reading(&world).await;
    assert_eq!(answer("low-key").await.0, 200);
    assert_eq!(answer("low-key").await.0, 200);
    world.simulator.spend_elsewhere("platform", credits("20"));
    next_reading(&world).await;
    let again = [answer("low-key").await.0, answer("low-key").await.0];
    assert!(again.contains(&429), "below it again: {again:?}");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn what_others_spend_and_top_ups_count_from_the_next_reading() {
    let plan = refuse(refuse(plan(), "low", "90"), "normal", "90");
    let world = plan.set("account", "poll_interval = \"1s\"").start().await;
    world.account_read().await;
    let call = async |name: &str| world.post_as("normal-key", SEARCH, &rows(name, 5)).await;
    assert_eq!(call("one").await.status, 200);
    world.simulator.spend_elsewhere("platform", credits("15"));
    next_reading(&world).await;
    let refused = call("two").await;
    assert_eq!(
        (refused.status, refused.refusal()),
        (402, "account_low"),
        "{}",
        refused.text
    );
    world.simulator.top_up(credits("20"));
    next_reading(&world).await;
    assert_eq!(call("three").await.status, 200);
    let budget = world
        .budget_when("all", |budget| budget.held == Credits::ZERO)
        .await;
    assert_eq!(
        budget.settled,
        credits("0.2"),
        "what others spend enters no budget"
    );
    world.end_with_nothing_open().await;
}
