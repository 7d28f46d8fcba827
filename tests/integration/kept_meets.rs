//! Kept answers where other parts of the guard come in: keys that change hands, twins, slots, pauses,
//! spent budgets, answers that are too long to be kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::control::{Command, Reply};
use generect_guard::credits::Credits;
use generect_guard::identity::Whose;
use generect_guard::simulator::{Fault, Simulator, SimulatorSettings};
use jiff::SignedDuration;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{Answered, Plan, World, credits, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COMPANIES: &str = "/api/v1/search/database/companies/";
const REALTIME: &str = "/api/v1/search/realtime/leads/";
const REALTIME_COUNT: &str = "/api/v1/search/realtime/leads/count/";
const BODY: &str = r#"{"job_titles":["matches:3"],"limit_by":5}"#;
/// What [`BODY`] is charged in the database.
const CHARGE: &str = "0.06";
const MONTH: &str = "growth-month";

fn slowly() -> Fault {
    Fault::SlowHeaders(Duration::from_millis(300))
}

fn request(world: &World, key: &str, name: &str, path: &str, body: &str) -> RequestBuilder {
    let request = world
        .request(Method::POST, path, key)
        .header("content-type", "application/json");
    let request = match name {
        "" => request,
        name => request.header("idempotency-key", name),
    };
    request.body(body.to_owned())
}

async fn call(world: &World, key: &str, name: &str, path: &str, body: &str) -> Answered {
    send(request(world, key, name, path, body)).await.unwrap()
}

/// A call on a connection of its own; it leaves when it is aborted.
fn start(world: &World, key: &str, name: &str, path: &str, body: &str) -> JoinHandle<Answered> {
    let request = request(world, key, name, path, body).build().unwrap();
    let client = crate::support::client();
    tokio::spawn(async move {
        send(RequestBuilder::from_parts(client, request))
            .await
            .unwrap()
    })
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

async fn settled(world: &World, budget: &str, amount: &str) {
    let amount = credits(amount);
    let all = |budget: &generect_guard::ledger::BudgetStatus| {
        budget.settled == amount && budget.held == Credits::ZERO
    };
    world.budget_when(budget, all).await;
}

/// Makes a call whose client leaves as soon as it was sent on as a call of `sent_as`.
async fn abandon(world: &World, key: &str, path: &str, sent_as: &str, body: &str) {
    let before = sent(world, sent_as);
    world.simulator.faults().next_on(1, sent_as, slowly());
    let leaving = start(world, key, "", path, body);
    until_sent(world, sent_as, before + 1).await;
    leaving.abort();
}

fn is_replay(answer: &Answered) -> bool {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.header("guard-replayed") == "true"
}

async fn pause(world: &World, team: &str) {
    let whose = Whose::Team(team.into());
    let reply = world.ask(Command::Pause { whose }, "too much").await;
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

async fn resume(world: &World, team: &str) {
    let whose = Whose::Team(team.into());
    let reply = world.ask(Command::Resume { whose }, "well again").await;
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

/// Two teams with a budget each, and one key of `team`.
fn key_of(team: &str) -> Plan {
    Plan::default()
        .team("growth", "")
        .team("sales", "")
        .key("growth-forms", "growth", "")
        .key("sales-forms", "sales", "")
        .key("crm", team, "")
        .budget("growth-day", "team = \"growth\"\nlimit = 10\nper = \"day\"")
        .budget("sales-day", "team = \"sales\"\nlimit = 10\nper = \"day\"")
}

#[tokio::test]
async fn a_key_that_changes_its_team_takes_no_answers_and_no_doubts_along() {
    let world = key_of("growth").start().await;
    assert!(!is_replay(&call(&world, "crm", "a", SEARCH, BODY).await));
    abandon(&world, "crm", SEARCH, SEARCH, BODY).await;
    settled(&world, "growth-day", "0.12").await;
    world
        .simulator
        .faults()
        .next_on(1, COMPANIES, Fault::CutBeforeCharge);
    let companies = r#"{"industries":["matches:3"],"limit_by":3}"#;
    let cut = call(&world, "crm", "b", COMPANIES, companies).await;
    assert_eq!(cut.refusal(), "upstream_silent");
    let reply = world.reload(&key_of("sales")).await;
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    assert!(
        !is_replay(&call(&world, "crm", "", SEARCH, BODY).await),
        "growth paid for that"
    );
    assert!(!is_replay(&call(&world, "crm", "a", SEARCH, BODY).await));
    assert!(!is_replay(
        &call(&world, "crm", "b", COMPANIES, companies).await
    ));
    settled(&world, "sales-day", "0.18").await;
    world.end().await;
}

#[tokio::test]
async fn a_call_whose_answer_grows_too_long_to_be_kept_is_not_made_twice_at_a_time() {
    let plan = Plan::one_team("200")
        .set("server", "answer_bytes_kept = \"64KiB\"")
        .set("kept_answers", "bytes_max = \"256KiB\"");
    let world = plan.start().await;
    let long = Fault::Huge { bytes: 24 << 20 };
    world.simulator.faults().next_on(1, SEARCH, long);
    // Its client reads some of it, and waits: the call goes on.
    let first = request(&world, "growth-crm", "a", SEARCH, BODY);
    let mut first = first.send().await.unwrap();
    assert!(first.chunk().await.unwrap().is_some());
    let second = start(&world, "growth-crm", "a", SEARCH, BODY);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sent(&world, SEARCH), 1, "the first has not ended");
    while first.chunk().await.unwrap().is_some() {}
    assert_eq!(second.await.unwrap().status, 200);
    settled(&world, MONTH, "0.12").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_repeat_is_known_though_another_bound_would_be_written_into_it_now() {
    let plan = |bound| Plan::one_team_with("200", &format!("unbounded = {bound}"));
    let world = plan(10).start().await;
    let (unbounded, other) = (
        r#"{"job_titles":["matches:3"]}"#,
        r#"{"job_titles":["cto"]}"#,
    );
    let first = call(&world, "growth-crm", "a", SEARCH, unbounded).await;
    assert!(!is_replay(&first));
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutAfterCharge);
    let cut = call(&world, "growth-crm", "", SEARCH, other).await;
    assert_eq!(cut.refusal(), "upstream_silent");
    let reply = world.reload(&plan(20)).await;
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    let repeat = call(&world, "growth-crm", "", SEARCH, other).await;
    assert_eq!(repeat.refusal(), "call_in_doubt", "{repeat:?}");
    let repeat = call(&world, "growth-crm", "a", SEARCH, unbounded).await;
    assert_eq!(repeat.refusal(), "", "{repeat:?}");
    assert!(is_replay(&repeat));
    assert_eq!(sent(&world, SEARCH), 2);
    world.end().await;
}

/// An upstream that begins long answers and cuts each off; it counts what it was asked for.
async fn breaking_off(begun: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = [0; 4096];
            let read = stream.read(&mut heard).await.unwrap_or(0);
            if !heard[..read].starts_with(b"POST") {
                continue;
            }
            begun.fetch_add(1, Ordering::SeqCst);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&[b' '; 400_000]).await;
        }
    });
    address
}

#[tokio::test]
async fn a_long_answer_that_breaks_off_is_in_doubt_under_its_name_too() {
    let clock = Clock::manual("2026-10-06T10:00:00Z".parse().unwrap());
    let plan = Plan::one_team("200")
        .set("server", "answer_bytes_kept = \"64KiB\"")
        .set("kept_answers", "bytes_max = \"256KiB\"")
        .set("reconciliation", "source = \"none\"")
        .clock(clock.clone());
    let begun = Arc::default();
    let upstream = breaking_off(Arc::clone(&begun)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    let world = plan
        .start_before(simulator, &format!("http://{upstream}"))
        .await;
    let first = request(&world, "growth-crm", "a", SEARCH, BODY);
    assert!(send(first).await.is_err(), "it is cut off");
    world
        .budget_when(MONTH, |budget| budget.in_doubt > Credits::ZERO)
        .await;
    // Far beyond the time in which a repeat without a name is held back.
    clock.advance(SignedDuration::from_hours(2));
    let repeat = call(&world, "growth-crm", "a", SEARCH, BODY).await;
    assert_eq!(repeat.refusal(), "call_in_doubt", "{repeat:?}");
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    world.end().await;
}

#[tokio::test]
async fn a_call_that_waits_for_a_slot_and_leaves_hands_its_name_on() {
    let plan = Plan::one_team("200").set("slots.caps", "search_companies = 1");
    let world = plan.start().await;
    let other = r#"{"industries":["matches:1"],"limit_by":1}"#;
    let body = r#"{"industries":["matches:3"],"limit_by":3}"#;
    world.simulator.faults().next_on(1, COMPANIES, slowly());
    let running = start(&world, "growth-crm", "", COMPANIES, other);
    until_sent(&world, COMPANIES, 1).await;
    let first = start(&world, "growth-crm", "a", COMPANIES, body);
    while !world
        .admin("/metrics")
        .await
        .text
        .contains("guard_slots_waiting{family=\"search_companies\"} 1")
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let second = start(&world, "growth-crm", "a", COMPANIES, body);
    first.abort();
    assert!(!is_replay(&second.await.unwrap()));
    assert_eq!(running.await.unwrap().status, 200);
    assert_eq!(sent(&world, COMPANIES), 2);
    settled(&world, MONTH, "0.08").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_call_that_waits_while_its_team_is_paused_is_not_sent() {
    let plan = Plan::one_team("200")
        .team("sales", "")
        .key("sales-crm", "sales", "")
        .budget("sales-day", "team = \"sales\"\nlimit = 10\nper = \"day\"")
        .set("slots.caps", "search_companies = 1");
    let world = plan.start().await;
    let other = r#"{"industries":["matches:1"],"limit_by":1}"#;
    let body = r#"{"industries":["matches:3"],"limit_by":3}"#;
    world
        .simulator
        .faults()
        .next_on(1, COMPANIES, Fault::SlowHeaders(Duration::from_secs(60)));
    let running = start(&world, "sales-crm", "", COMPANIES, other);
    until_sent(&world, COMPANIES, 1).await;
    let waiting = start(&world, "growth-crm", "", COMPANIES, body);
    while !world
        .admin("/metrics")
        .await
        .text
        .contains("guard_slots_waiting{family=\"search_companies\"} 1")
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    pause(&world, "growth").await;
    world.simulator.faults().hurry();
    let waited = waiting.await.unwrap();
    assert_eq!((waited.status, waited.refusal()), (403, "paused"));
    assert_eq!(running.await.unwrap().status, 200);
    assert_eq!(sent(&world, COMPANIES), 1);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_kept_answer_waits_out_a_pause_and_is_given_though_the_budget_is_spent() {
    let world = Plan::one_team("0.1").start().await;
    abandon(&world, "growth-crm", SEARCH, SEARCH, BODY).await;
    settled(&world, MONTH, CHARGE).await;
    pause(&world, "growth").await;
    let paused = call(&world, "growth-crm", "", SEARCH, BODY).await;
    assert_eq!(paused.refusal(), "paused");
    resume(&world, "growth").await;
    assert!(is_replay(
        &call(&world, "growth-crm", "", SEARCH, BODY).await
    ));
    let again = call(&world, "growth-crm", "", SEARCH, BODY).await;
    assert_eq!(again.refusal(), "budget_exhausted");
    assert_eq!(sent(&world, SEARCH), 1);
    world.end_with_nothing_open().await;
}

/// A world in which 8.04 of 10 credits are used: realtime calls are sent as their twins.
async fn nearly_spent() -> World {
    let world = Plan::one_team_with("10", "database_beyond = 80")
        .start()
        .await;
    for count in [200, 1] {
        let body = format!(r#"{{"job_titles":["matches:{count}"],"limit_by":{count}}}"#);
        let answer = call(&world, "growth-crm", "", REALTIME, &body).await;
        assert_eq!((answer.status, answer.header("guard-sent-as")), (200, ""));
    }
    settled(&world, MONTH, "8.04").await;
    world
}

#[tokio::test]
async fn the_answer_of_a_twin_is_kept_for_the_call_that_was_asked_for() {
    let world = nearly_spent().await;
    abandon(&world, "growth-crm", REALTIME, SEARCH, BODY).await;
    settled(&world, MONTH, "8.1").await;
    // More room: now it would be sent as it is.
    let more = Plan::one_team_with("100", "database_beyond = 80");
    assert!(matches!(world.reload(&more).await, Reply::Done(_)));
    let database = call(&world, "growth-crm", "", SEARCH, BODY).await;
    assert!(!is_replay(&database), "that is another call");
    let repeat = call(&world, "growth-crm", "", REALTIME, BODY).await;
    assert!(is_replay(&repeat), "{repeat:?}");
    assert_eq!(repeat.header("guard-sent-as"), "search_database_leads");
    let on_purpose = call(&world, "growth-crm", "", REALTIME, BODY).await;
    assert!(!is_replay(&on_purpose));
    assert_eq!(on_purpose.header("guard-sent-as"), "");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn an_answer_stays_its_calls_though_the_call_would_now_be_a_free_twin() {
    let plan = |limit| Plan::one_team_with(limit, "database_beyond = 80");
    let world = plan("10").start().await;
    let body = r#"{"job_titles":["matches:3"]}"#;
    let first = call(&world, "growth-crm", "a", REALTIME_COUNT, body).await;
    assert!(!is_replay(&first));
    let charge = credits(first.header("guard-charge"));
    assert!(charge > Credits::ZERO);
    settled(&world, MONTH, first.header("guard-charge")).await;
    // Now the month is nearly spent, and a count is free in the database.
    assert!(matches!(
        world.reload(&plan(first.header("guard-charge"))).await,
        Reply::Done(_)
    ));
    let repeat = call(&world, "growth-crm", "a", REALTIME_COUNT, body).await;
    assert!(is_replay(&repeat), "{repeat:?}");
    assert_eq!(repeat.text, first.text);
    let free = call(&world, "growth-crm", "b", REALTIME_COUNT, body).await;
    assert!(!is_replay(&free));
    assert_ne!(free.header("guard-sent-as"), "");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_dry_run_and_a_bound_leave_a_kept_answer_where_it_is() {
    let world = Plan::one_team("0.1").start().await;
    abandon(&world, "growth-crm", SEARCH, SEARCH, BODY).await;
    settled(&world, MONTH, CHARGE).await;
    let asks = request(&world, "growth-crm", "", SEARCH, BODY).header("guard-dry-run", "true");
    let asked = send(asks).await.unwrap().json();
    assert_eq!(asked["dry_run"], Value::Bool(true));
    assert_eq!(asked["verdict"], "replayed", "{asked}");
    assert_eq!(asked["refusal"], Value::Null, "{asked}");
    let bounded =
        request(&world, "growth-crm", "", SEARCH, BODY).header("guard-max-charge", "0.01");
    let bounded = send(bounded).await.unwrap();
    assert_eq!(bounded.refusal(), "above_max_charge");
    assert!(is_replay(
        &call(&world, "growth-crm", "", SEARCH, BODY).await
    ));
    world.end_with_nothing_open().await;
}
