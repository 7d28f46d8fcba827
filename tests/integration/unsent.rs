//! What was certainly not sent is tried again, what may have been sent never is; and after an outage
//! the upstream is asked something free before money goes out again.

use std::time::Duration;

use generect_guard::simulator::{Fault, Listening};

use crate::support::{Plan, World, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const ME: &str = "/api/v1/accounts/me/";

fn body(call: usize) -> String {
    format!(r#"{{"job_titles":["cto {call}"],"limit_by":5}}"#)
}

fn patient(tries: u32) -> Plan {
    Plan::one_team("10")
        .set(
            "upstream",
            &format!("retry = {{ tries = {tries}, pause = \"40ms\" }}"),
        )
        // Failures are what is looked at; they are not to stop the calls.
        .set("upstream", "breaker = { failures = 10000 }")
}

/// So many requests of this path have reached the upstream.
fn seen(world: &World, path: &str) -> usize {
    let requests = world.simulator.truth().requests();
    requests.iter().filter(|seen| seen.path == path).count()
}

async fn gone(world: &World) {
    world.simulator.faults().listen(Listening::Refusing).await;
    world.simulator.faults().close_connections();
}

#[tokio::test]
async fn a_call_that_finds_no_connection_waits_for_one_and_is_sent_and_held_once() {
    let world = patient(7).start().await;
    gone(&world).await;
    let (billable, free) = (body(1), body(2));
    let back = async {
        let budget = world
            .budget_when("growth-month", |budget| budget.held > credits("0"))
            .await;
        assert_eq!(budget.held, credits("0.1"), "held while it waits");
        world.simulator.faults().listen(Listening::Normal).await;
    };
    let (answer, free, ()) = tokio::join!(
        world.post(SEARCH, &billable),
        world.post(COUNT, &free),
        back
    );
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(free.status, 200, "free calls wait as well: {}", free.text);
    assert_eq!((seen(&world, SEARCH), seen(&world, COUNT)), (1, 1));
    let charged = world.simulator.truth().total_charged();
    let entries = world.end_with_nothing_open().await;
    let settled: Vec<_> = entries.iter().map(|entry| entry.amount).collect();
    assert_eq!(settled, [credits("0.1"), charged], "one hold, one end");
}

#[tokio::test]
async fn patience_ends_and_the_hold_is_released() {
    let world = patient(2).start().await;
    gone(&world).await;
    let answer = world.post(SEARCH, &body(1)).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (502, "upstream_unreachable")
    );
    world.simulator.faults().listen(Listening::Normal).await;
    assert_eq!(seen(&world, SEARCH), 0);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn no_try_is_begun_when_a_connection_may_take_no_longer() {
    let world = patient(100)
        .set("upstream", "connect_timeout = \"300ms\"")
        .start()
        .await;
    gone(&world).await;
    // A hundred pauses that double are longer than the world: only the time makes an end of it.
    let answer = world.post(SEARCH, &body(1)).await;
    assert_eq!(answer.refusal(), "upstream_unreachable");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn what_may_have_been_sent_is_never_sent_again() {
    let world = patient(9).start().await;
    for (call, fault) in [
        Fault::CutBeforeCharge,
        Fault::CutAfterCharge,
        Fault::CutMidBody,
        Fault::Failure {
            status: 503,
            charged: false,
            says_charge: false,
        },
        Fault::Throttled {
            retry_after_s: None,
        },
    ]
    .into_iter()
    .enumerate()
    {
        world.simulator.faults().next(1, fault);
        world.post(SEARCH, &body(call)).await;
        assert_eq!(seen(&world, SEARCH), call + 1);
    }
    world.end().await;
}

#[tokio::test]
async fn connections_that_are_closed_at_once_never_make_two_calls_of_one() {
    let world = patient(7).start().await;
    let mut answered = 0;
    for call in 0..20 {
        world.simulator.faults().listen(Listening::Dropping).await;
        world.simulator.faults().close_connections();
        let (path, body) = (SEARCH, body(call));
        let (answer, ()) = tokio::join!(world.post(path, &body), async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            world.simulator.faults().listen(Listening::Normal).await;
        });
        // Either it was certainly not sent, and then it was sent; or nobody knows.
        match answer.status {
            200 => answered += 1,
            status => assert_eq!((status, answer.refusal()), (504, "upstream_silent")),
        }
        assert_eq!(seen(&world, SEARCH), answered);
    }
    world.end().await;
}

#[tokio::test]
async fn after_a_pause_only_the_answer_to_a_free_question_lets_billable_calls_out() {
    let world = Plan::one_team("10")
        .set(
            "upstream",
            "breaker = { failures = 2, pause = \"50ms\", pause_max = \"100ms\" }",
        )
        .start()
        .await;
    let failing = Fault::Failure {
        status: 503,
        charged: false,
        says_charge: false,
    };
    for path in [SEARCH, ME] {
        world.simulator.faults().on(path, failing.clone());
    }
    for call in 0..2 {
        assert_eq!(world.post(SEARCH, &body(call)).await.status, 503);
    }
    let asked = seen(&world, ME);
    let mut call = 2;
    while seen(&world, ME) < asked + 4 {
        let answer = world.post(SEARCH, &body(call)).await;
        assert_eq!(answer.refusal(), "upstream_failing", "{}", answer.text);
        assert_eq!(answer.header("retry-after"), "1");
        call += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        seen(&world, SEARCH),
        2,
        "the outage takes no more than that"
    );
    assert_eq!(world.metric("guard_breaker_open", &[]).await, "1");
    world.simulator.faults().clear();
    while world.post(SEARCH, &body(call)).await.status != 200 {
        call += 1;
        assert!(call < 2_000, "a door that stays closed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.metric("guard_breaker_open", &[]).await, "0");
    world.end().await;
}

#[tokio::test]
async fn a_no_to_the_free_question_is_an_answer() {
    let world = Plan::one_team("10")
        .set("upstream", "breaker = { failures = 1, pause = \"50ms\" }")
        .start()
        .await;
    let no = |status| Fault::Failure {
        status,
        charged: false,
        says_charge: false,
    };
    world.simulator.faults().on(ME, no(403));
    world.simulator.faults().next(1, no(500));
    assert_eq!(world.post(SEARCH, &body(0)).await.status, 500);
    for call in 1.. {
        let answer = world.post(SEARCH, &body(call)).await;
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.refusal(), "upstream_failing");
        assert!(call < 500, "a door that stays closed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.end().await;
}
