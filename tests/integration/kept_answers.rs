//! A paid answer that did not reach its client is given to the same client's repeat, and to nobody
//! else; identical calls whose clients stay are separate calls.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::SavedBy;
use generect_guard::simulator::Fault;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::raw::read_answer;
use crate::support::{Answered, Plan, World, client, credits, secret_of, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const REALTIME: &str = "/api/v1/search/realtime/leads/";
const BULK: &str = "/api/v1/email/find/bulk/";
const BODY: &str = r#"{"job_titles":["matches:3"],"limit_by":5}"#;
/// What [`BODY`] is charged.
const CHARGE: &str = "0.06";

fn slowly() -> Fault {
    Fault::SlowHeaders(Duration::from_millis(300))
}

fn sent(world: &World, path: &str) -> usize {
    let seen = world.simulator.truth().requests();
    seen.iter().filter(|seen| seen.path == path).count()
}

async fn until_sent(world: &World, path: &str, count: usize) {
    while sent(world, path) < count {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn settled(world: &World, amount: &str) {
    let amount = credits(amount);
    let all = |budget: &generect_guard::ledger::BudgetStatus| {
        budget.settled == amount && budget.held == Credits::ZERO
    };
    world.budget_when("growth-month", all).await;
}

/// Writes a whole call on a connection of its own.
async fn write_call(world: &World, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: guard\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        secret_of("growth-crm"),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Makes a call whose client leaves as soon as it was sent on, and waits for its end.
async fn abandon(world: &World, path: &str, body: &str, charge: &str) {
    let before = sent(world, path);
    world.simulator.faults().next_on(1, path, slowly());
    let leaving = write_call(world, path, body).await;
    until_sent(world, path, before + 1).await;
    drop(leaving);
    settled(world, charge).await;
}

fn is_replay(answer: &Answered) -> bool {
    if answer.header("guard-replayed") != "true" {
        return false;
    }
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("guard-charge"), "0");
    assert_eq!(answer.header("guard-remaining"), "", "stale by now");
    assert_eq!(answer.json()["meta"]["amount_charged"].to_string(), CHARGE);
    true
}

#[tokio::test]
async fn the_repeat_of_a_call_whose_client_left_is_given_the_paid_answer_once() {
    let world = Plan::one_team("200").start().await;
    abandon(&world, SEARCH, BODY, CHARGE).await;
    let metric = world.metric("guard_kept_answers", &[]).await;
    assert_ne!(metric, "0", "it takes room, and that is shown");
    let repeat = world.post(SEARCH, BODY).await;
    assert!(is_replay(&repeat), "{repeat:?}");
    assert_eq!(sent(&world, SEARCH), 1);
    // That client has its answer: what comes now is a call of its own.
    let on_purpose = world.post(SEARCH, BODY).await;
    assert!(!is_replay(&on_purpose), "{on_purpose:?}");
    assert_eq!(on_purpose.header("guard-charge"), CHARGE);
    settled(&world, "0.12").await;
    let replayed = [
        ("team", "growth"),
        ("operation", "search_database_leads"),
        ("outcome", "replayed"),
    ];
    let requests = world.metric("guard_requests_total", &replayed).await;
    assert_eq!(requests, "1");
    let folder = world.end().await;
    let path = folder.path().join("ledger.db");
    let entries = crate::support::entries_of(&path);
    assert_eq!(entries.len(), 4, "nothing was held for the repeat");
    let reader = generect_guard::ledger::open_reader(&path).unwrap();
    let saved = reader.savings(Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!(saved.len(), 1, "{saved:?}");
    assert_eq!(
        (saved[0].how, saved[0].calls, saved[0].credits),
        (SavedBy::Replayed, 1, credits(CHARGE))
    );
}

#[tokio::test]
async fn a_repeat_that_comes_while_the_call_is_running_waits_for_its_answer() {
    let world = Plan::one_team("200").start().await;
    world.simulator.faults().next_on(1, SEARCH, slowly());
    let leaving = write_call(&world, SEARCH, BODY).await;
    until_sent(&world, SEARCH, 1).await;
    // Both at one moment: the guard may hear of the second first.
    drop(leaving);
    let repeat = world.post(SEARCH, BODY).await;
    assert!(is_replay(&repeat), "{repeat:?}");
    assert_eq!(sent(&world, SEARCH), 1);
    settled(&world, CHARGE).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn as_many_answers_are_given_away_as_were_lost() {
    let world = Plan::one_team("200").start().await;
    world.simulator.faults().on(SEARCH, slowly());
    let mut leaving = Vec::new();
    for _ in 0..2 {
        leaving.push(write_call(&world, SEARCH, BODY).await);
    }
    until_sent(&world, SEARCH, 2).await;
    drop(leaving);
    let mut repeats = JoinSet::new();
    for _ in 0..3 {
        let stream = write_call(&world, SEARCH, BODY).await;
        repeats.spawn(async move {
            let mut stream = stream;
            read_answer(&mut stream, &mut Vec::new()).await.unwrap()
        });
    }
    let answers = repeats.join_all().await;
    let replays = answers.iter().filter(|answer| is_replay(answer)).count();
    assert_eq!(replays, 2, "{answers:?}");
    assert_eq!(sent(&world, SEARCH), 3);
    settled(&world, "0.18").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_repeat_that_leaves_too_leaves_the_answer_to_the_next() {
    let world = Plan::one_team("200").start().await;
    world.simulator.faults().next_on(1, SEARCH, slowly());
    for _ in 0..3 {
        let leaving = write_call(&world, SEARCH, BODY).await;
        until_sent(&world, SEARCH, 1).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(leaving);
    }
    settled(&world, CHARGE).await;
    for _ in 0..3 {
        // Takes the answer's first bytes and goes.
        let mut leaving = write_call(&world, SEARCH, BODY).await;
        let mut some = [0; 32];
        leaving.read_exact(&mut some).await.unwrap();
        drop(leaving);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_replay(&world.post(SEARCH, BODY).await));
    assert_eq!(sent(&world, SEARCH), 1);
    settled(&world, CHARGE).await;
    world.end_with_nothing_open().await;
}

/// The kernel took the bytes; nobody ever read them. The client's own system says so, by a reset.
#[tokio::test]
async fn an_answer_that_was_written_and_never_read_has_not_arrived() {
    let world = Plan::one_team("200").start().await;
    let unread = write_call(&world, SEARCH, BODY).await;
    settled(&world, CHARGE).await;
    unread.readable().await.unwrap();
    drop(unread);
    assert!(is_replay(&world.post(SEARCH, BODY).await));
    assert_eq!(sent(&world, SEARCH), 1);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn identical_calls_whose_clients_stay_are_separate_calls() {
    let world = Plan::one_team("200").start().await;
    // One after the other: on one connection, on several that stay open, on one each.
    let mut calls = 0;
    for _ in 0..3 {
        assert!(!is_replay(&world.post(SEARCH, BODY).await));
        calls += 1;
    }
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = write_call(&world, SEARCH, BODY).await;
        let answer = read_answer(&mut stream, &mut Vec::new()).await.unwrap();
        assert!(!is_replay(&answer));
        open.push(stream);
        calls += 1;
    }
    for close in ["close", "keep-alive"] {
        for _ in 0..3 {
            let request = client()
                .post(world.url(SEARCH))
                .header("x-api-key", secret_of("growth-crm"))
                .header("content-type", "application/json")
                .header("connection", close)
                .body(BODY);
            assert!(!is_replay(&send(request).await.unwrap()), "{close}");
            calls += 1;
        }
    }
    // All at once.
    world.simulator.faults().on(SEARCH, slowly());
    let mut together = JoinSet::new();
    for _ in 0..40 {
        let mut stream = write_call(&world, SEARCH, BODY).await;
        together.spawn(async move { read_answer(&mut stream, &mut Vec::new()).await.unwrap() });
        calls += 1;
    }
    for answer in together.join_all().await {
        assert!(!is_replay(&answer));
    }
    assert_eq!(sent(&world, SEARCH), calls);
    settled(
        &world,
        &credits(CHARGE)
            .checked_times(calls as u64)
            .unwrap()
            .to_string(),
    )
    .await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn nobody_else_and_nothing_else_is_given_the_answer() {
    let plan = Plan::one_team("200").key("growth-night", "growth", "");
    let world = plan.start().await;
    abandon(&world, SEARCH, BODY, CHARGE).await;
    assert!(!is_replay(
        &world.post_as("growth-night", SEARCH, BODY).await
    ));
    assert!(!is_replay(
        &world.post(SEARCH, &BODY.replace('5', "6")).await
    ));
    let realtime = world.post(REALTIME, BODY).await;
    assert_eq!(realtime.header("guard-replayed"), "");
    assert!(is_replay(&world.post(SEARCH, BODY).await));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_that_was_accepted_for_nobody_is_not_made_again() {
    let world = Plan::one_team("200").start().await;
    let body = r#"{"leads":[{"first_name":"A","last_name":"B","domain":"example.com"}]}"#;
    world.simulator.faults().next_on(1, BULK, slowly());
    let leaving = write_call(&world, BULK, body).await;
    until_sent(&world, BULK, 1).await;
    drop(leaving);
    let repeat = world.post(BULK, body).await;
    assert_eq!(repeat.status, 202, "{}", repeat.text);
    assert_eq!(repeat.header("guard-replayed"), "true");
    let job = repeat.json()["meta"]["job_id"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("{BULK}{job}/")).await.status, 200);
    assert_eq!(sent(&world, BULK), 1);
    world.end().await;
}

#[tokio::test]
async fn what_was_not_paid_is_not_kept() {
    let world = Plan::one_team("200").start().await;
    let faults = world.simulator.faults();
    for (fault, repeat_is) in [
        (
            Fault::Throttled {
                retry_after_s: None,
            },
            (200, ""),
        ),
        (Fault::CutAfterCharge, (504, "call_in_doubt")),
    ] {
        let before = sent(&world, SEARCH);
        faults.next_on(1, SEARCH, fault);
        let mut leaving = write_call(&world, SEARCH, BODY).await;
        let answer = read_answer(&mut leaving, &mut Vec::new()).await.unwrap();
        assert_ne!(answer.status, 200);
        let repeat = world.post(SEARCH, BODY).await;
        assert_eq!((repeat.status, repeat.refusal()), repeat_is);
        assert_eq!(repeat.header("guard-replayed"), "");
        let more = if repeat.status == 200 { 2 } else { 1 };
        assert_eq!(sent(&world, SEARCH), before + more);
    }
    world.end().await;
}

#[tokio::test]
async fn a_long_answer_is_kept_whole_though_its_client_had_half_of_it() {
    let plan = Plan::one_team("200").set("server", "answer_bytes_kept = \"64KiB\"");
    let world = plan.start().await;
    let long = Fault::Huge { bytes: 3 << 20 };
    world.simulator.faults().next_on(1, SEARCH, long);
    let mut leaving = write_call(&world, SEARCH, BODY).await;
    let mut some = [0; 4096];
    leaving.read_exact(&mut some).await.unwrap();
    drop(leaving);
    settled(&world, CHARGE).await;
    let repeat = world.post(SEARCH, BODY).await;
    assert!(is_replay(&repeat));
    assert!(repeat.text.len() >= 3 << 20);
    assert_eq!(sent(&world, SEARCH), 1);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn what_is_kept_is_bounded_in_number_in_bytes_and_in_time() {
    let clock = Clock::manual("2026-10-06T10:00:00Z".parse().unwrap());
    let body = |number: u32| format!(r#"{{"job_titles":["matches:3","{number}"],"limit_by":5}}"#);
    let plan = Plan::one_team("200")
        .set("kept_answers", "number_max = 2")
        .set("kept_answers", "bytes_max = \"4MiB\"")
        .clock(clock.clone());
    let world = plan.start().await;
    for (number, charge) in [(1, "0.06"), (2, "0.12"), (3, "0.18")] {
        abandon(&world, SEARCH, &body(number), charge).await;
    }
    assert!(is_replay(&world.post(SEARCH, &body(3)).await));
    assert!(is_replay(&world.post(SEARCH, &body(2)).await));
    let oldest = world.post(SEARCH, &body(1)).await;
    assert!(!is_replay(&oldest), "the oldest made room");
    abandon(&world, SEARCH, &body(4), "0.3").await;
    clock.advance(SignedDuration::from_mins(10));
    assert!(!is_replay(&world.post(SEARCH, &body(4)).await), "too old");
    let long = Fault::Huge { bytes: 2 << 20 };
    world.simulator.faults().next_on(1, SEARCH, long);
    let mut leaving = write_call(&world, SEARCH, &body(5)).await;
    let mut some = [0; 4096];
    leaving.read_exact(&mut some).await.unwrap();
    drop(leaving);
    settled(&world, "0.42").await;
    assert!(!is_replay(&world.post(SEARCH, &body(5)).await), "too long");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn with_a_number_of_zero_nothing_is_kept() {
    let plan = Plan::one_team("200").set("kept_answers", "number_max = 0");
    let world = plan.start().await;
    abandon(&world, SEARCH, BODY, CHARGE).await;
    assert!(!is_replay(&world.post(SEARCH, BODY).await));
    assert_eq!(sent(&world, SEARCH), 2);
    world.end_with_nothing_open().await;
}
