//! Promise 1: for any number of concurrent calls, settled + held never passes a limit.

use std::sync::Arc;

use generect_guard::credits::Credits;
use tokio::task::JoinSet;

use crate::support::{Plan, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";

/// Fires `calls` at once at a budget that has room for `room` rows; each asks for one row.
async fn storm(calls: u64, room: u64) {
    let limit = credits("0.02").checked_times(room).unwrap();
    let world = Arc::new(
        Plan::default()
            .team("growth", "")
            .key("growth-crm", "growth", "")
            .budget(
                "cap",
                &format!("team = \"growth\"\nlimit = \"{limit}\"\nper = \"total\""),
            )
            // All of them at once before the ledger.
            .set("slots.caps", "search_leads = 10000")
            .start()
            .await,
    );
    let mut answers = JoinSet::new();
    for call in 0..calls {
        let world = Arc::clone(&world);
        let body = format!(r#"{{"job_titles":["cto {call}"],"limit_by":1}}"#);
        answers.spawn(async move {
            let answer = world.post(SEARCH, &body).await;
            (answer.status, answer.refusal().to_owned())
        });
    }
    let mut paid = 0;
    while let Some(answer) = answers.join_next().await {
        match answer.unwrap() {
            (200, _) => paid += 1,
            (402, reason) => assert_eq!(reason, "budget_exhausted"),
            (429, reason) => assert_eq!(reason, "budget_busy"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        paid,
        calls.min(room),
        "the budget is used up, and not passed"
    );
    let budget = world
        .budget_when("cap", |budget| budget.held == Credits::ZERO)
        .await;
    assert!(budget.settled <= limit);
    assert_eq!(budget.settled, world.simulator.truth().total_charged());
    if calls >= room {
        let answer = world
            .post(SEARCH, r#"{"job_titles":["late"],"limit_by":1}"#)
            .await;
        assert_eq!((answer.status, answer.refusal()), (402, "budget_exhausted"));
    }
    Arc::into_inner(world)
        .unwrap()
        .end_with_nothing_open()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_at_once_on_a_budget_for_one() {
    storm(2, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_on_a_budget_for_seven() {
    storm(100, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_calls_at_once_on_a_budget_for_three_hundred() {
    storm(2_000, 300).await;
}
