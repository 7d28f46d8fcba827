//! A call with an `Idempotency-Key` is made once, however often and however it is repeated.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{Decision, EntryKind, Resolution};
use generect_guard::simulator::Fault;
use jiff::SignedDuration;
use reqwest::Method;

use crate::support::{Answered, Plan, World, credits, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const REALTIME: &str = "/api/v1/search/realtime/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const BODY: &str = r#"{"job_titles":["matches:3"],"limit_by":5}"#;
const OTHER: &str = r#"{"job_titles":["matches:3"],"limit_by":6}"#;

async fn call_at(world: &World, key: &str, name: &str, path: &str, body: &str) -> Answered {
    let request = world
        .request(Method::POST, path, key)
        .header("content-type", "application/json")
        .header("idempotency-key", name);
    send(request.body(body.to_owned())).await.unwrap()
}

async fn call(world: &World, name: &str, body: &str) -> Answered {
    call_at(world, "growth-crm", name, SEARCH, body).await
}

fn is_replay(answer: &Answered) -> bool {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.header("guard-replayed") == "true"
}

fn sent(world: &World) -> usize {
    let seen = world.simulator.truth().requests();
    seen.iter().filter(|seen| seen.path == SEARCH).count()
}

async fn settled(world: &World, amount: &str) {
    let amount = credits(amount);
    world
        .budget_when("growth-month", |budget| {
            budget.settled == amount && budget.held == Credits::ZERO
        })
        .await;
}

#[tokio::test]
async fn a_repeat_under_the_same_name_gets_the_same_answer_though_the_first_arrived() {
    let clock = Clock::manual("2026-10-06T10:00:00Z".parse().unwrap());
    let world = Plan::one_team("200")
        .key("growth-night", "growth", "")
        .clock(clock.clone())
        .start()
        .await;
    let first = call(&world, "a-1", BODY).await;
    assert!(!is_replay(&first));
    for _ in 0..3 {
        let repeat = call(&world, "a-1", BODY).await;
        assert!(is_replay(&repeat));
        assert_eq!(repeat.text, first.text);
        assert_eq!(repeat.header("guard-charge"), "0");
        clock.advance(SignedDuration::from_hours(7));
    }
    assert_eq!(sent(&world), 1);
    assert!(!is_replay(&call(&world, "a-2", BODY).await), "another name");
    let nameless = world.post(SEARCH, BODY).await;
    assert!(!is_replay(&nameless), "no name");
    let night = call_at(&world, "growth-night", "a-1", SEARCH, BODY).await;
    assert!(!is_replay(&night), "a name is its key's own");
    clock.advance(SignedDuration::from_hours(3));
    assert!(!is_replay(&call(&world, "a-1", BODY).await), "a day later");
    settled(&world, "0.3").await;
    // The name is between the client and the guard.
    let seen = world.simulator.truth().requests();
    let named = seen
        .iter()
        .any(|seen| seen.headers.contains_key("idempotency-key"));
    assert!(!named);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_name_stands_for_one_call() {
    let world = Plan::one_team("200").start().await;
    call(&world, "b", BODY).await;
    let other_body = call(&world, "b", OTHER).await;
    let other_operation = call_at(&world, "growth-crm", "b", REALTIME, BODY).await;
    for answer in [other_body, other_operation] {
        assert_eq!(answer.status, 409, "{}", answer.text);
        assert_eq!(answer.refusal(), "idempotency_conflict");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("Idempotency-Key"), "{detail}");
    }
    assert!(is_replay(&call(&world, "b", BODY).await));
    let free = call_at(&world, "growth-crm", "b", COUNT, BODY).await;
    assert_eq!(free.status, 200, "what takes nothing needs no name");
    settled(&world, "0.06").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn repeats_of_a_running_call_wait_for_it_though_its_client_stays() {
    let plan = Plan::one_team("200");
    let plan = plan.simulator(|settings| settings.latency = Duration::from_millis(200));
    let world = plan.start().await;
    let (one, two, three) = tokio::join!(
        call(&world, "c", BODY),
        call(&world, "c", BODY),
        call(&world, "c", BODY)
    );
    let replays = [&one, &two, &three].into_iter().filter(|at| is_replay(at));
    assert_eq!(replays.count(), 2);
    assert!(one.text == two.text && two.text == three.text);
    assert_eq!(sent(&world), 1);
    settled(&world, "0.06").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_call_that_took_nothing_frees_its_name() {
    let world = Plan::one_team("1").start().await;
    let too_much = r#"{"limit_by":100}"#;
    assert_eq!(call(&world, "d", too_much).await.status, 402);
    let faults = world.simulator.faults();
    faults.next_on(
        1,
        SEARCH,
        Fault::Throttled {
            retry_after_s: None,
        },
    );
    assert_eq!(call(&world, "d", BODY).await.status, 429);
    assert!(!is_replay(&call(&world, "d", OTHER).await));
    assert!(is_replay(&call(&world, "d", OTHER).await));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_call_in_doubt_is_not_made_again_under_its_name_until_the_doubt_ends() {
    let clock = Clock::manual("2026-10-06T10:00:00Z".parse().unwrap());
    let plan = Plan::one_team("200").set("reconciliation", "source = \"none\"");
    let world = plan.clock(clock.clone()).start().await;
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutAfterCharge);
    assert_eq!(call(&world, "e", BODY).await.refusal(), "upstream_silent");
    for _ in 0..3 {
        let repeat = call(&world, "e", BODY).await;
        assert_eq!(
            (repeat.status, repeat.refusal()),
            (504, "call_in_doubt"),
            "{}",
            repeat.text
        );
        // Far beyond the time in which a repeat without a name is held back.
        clock.advance(SignedDuration::from_hours(2));
    }
    assert_eq!(call(&world, "e", OTHER).await.status, 409);
    assert_eq!(sent(&world), 1);
    let entries = world.entries();
    let held = entries.iter().find(|entry| entry.kind == EntryKind::Held);
    let resolution = Resolution {
        decision: Decision::Settle(credits("0.06")),
        who: "ops".into(),
        reason: "looked it up".into(),
    };
    let hold = held.unwrap().hold;
    world.ledger().resolve(hold, resolution).await.unwrap();
    assert!(!is_replay(&call(&world, "e", BODY).await));
    assert!(is_replay(&call(&world, "e", BODY).await));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_name_that_cannot_be_read_is_refused() {
    let world = Plan::one_team("200").start().await;
    let long = "x".repeat(256);
    for name in ["", "two words", "a\tb", long.as_str()] {
        let answer = call(&world, name, BODY).await;
        assert_eq!(
            (answer.status, answer.refusal()),
            (400, "bad_request"),
            "{name:?}"
        );
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("255 visible ASCII"), "{detail}");
    }
    let request = world
        .request(Method::POST, SEARCH, "growth-crm")
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    assert_eq!(send(request.body(BODY)).await.unwrap().status, 400);
    let longest = "x".repeat(255);
    assert!(!is_replay(&call(&world, &longest, BODY).await));
    assert_eq!(sent(&world), 1);
    world.end_with_nothing_open().await;
}

/// Each would wait as long as the first did, one after the other, for what was refused to the first.
#[tokio::test]
async fn repeats_that_wait_for_a_call_that_finds_no_slot_are_all_told_so_with_it() {
    let companies = "/api/v1/search/database/companies/";
    let plan = Plan::one_team("200")
        .set("slots.caps", "search_companies = 1")
        .set("slots", "wait_max = \"1s\"");
    let world = plan.start().await;
    let slow = Fault::SlowHeaders(Duration::from_secs(60));
    world.simulator.faults().next_on(1, companies, slow);
    let named = |name: &'static str| call_at(&world, "growth-crm", name, companies, BODY);
    let first = async {
        let first = named("first").await;
        assert_eq!(first.status, 200, "{}", first.text);
    };
    let others = async {
        let in_use = "guard_slots_in_use{family=\"search_companies\"} 1";
        while !world.admin("/metrics").await.text.contains(in_use) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let answers = futures_util::future::join_all((0..8).map(|_| named("again"))).await;
        world.simulator.faults().hurry();
        answers
    };
    let ((), others) = tokio::join!(first, others);
    for answer in others {
        let what = (answer.status, answer.refusal());
        assert_eq!(what, (429, "slots_full"), "{}", answer.text);
        assert!(answer.text.contains("slots.wait_max"), "{}", answer.text);
    }
    assert!(!is_replay(&named("again").await), "the name is free again");
    let entries = world.end_with_nothing_open().await;
    assert_eq!(entries.len(), 4, "two calls were held: {entries:?}");
}
