//! Promise 10: a client that hangs up has still made the call. It is read to the end, settled,
//! recorded.

use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::ledger::{BudgetStatus, EntryKind};
use generect_guard::simulator::Fault;
use generect_guard::simulator::settings::JobPace;
use rand::RngExt;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Plan, World, client, secret_of, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const BULK: &str = "/api/v1/email/find/bulk/";
const TEN_ROWS: &str = r#"{"job_titles":["matches:3"],"limit_by":10}"#;
/// More than the buffers of two sockets and of the guard take.
const HUGE: usize = 24 << 20;

/// Time for a huge answer, however slow the machine is.
fn patient_plan() -> Plan {
    Plan::one_team("200")
        .set("upstream", "response_timeout = \"120s\"")
        .set("server", "drain_timeout = \"120s\"")
}

/// How many requests for `path` reached the upstream.
fn arrived(world: &World, path: &str) -> usize {
    let requests = world.simulator.truth().requests();
    requests.iter().filter(|seen| seen.path == path).count()
}

/// Waits until the upstream has seen `count` requests for `path`.
async fn until_arrived(world: &World, path: &str, count: usize) {
    while arrived(world, path) < count {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Everything held has ended, and what was charged is settled.
fn is_settled(world: &World) -> impl Fn(&BudgetStatus) -> bool {
    let truth = world.simulator.truth();
    move |budget| {
        let charged = truth.total_charged();
        charged > Credits::ZERO && (budget.settled, budget.held) == (charged, Credits::ZERO)
    }
}

/// Sends a call over a connection of its own, as bytes.
async fn write_call(world: &World, body: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let head = format!(
        "POST {SEARCH} HTTP/1.1\r\nhost: guard\r\nauthorization: Token {}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n",
        secret_of("growth-crm")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_has_still_made_the_call() {
    let world = Plan::one_team("200").start().await;
    let slow = Fault::SlowHeaders(Duration::from_millis(200));
    world.simulator.faults().on(SEARCH, slow);
    let connection = write_call(&world, TEN_ROWS, TEN_ROWS.len()).await;
    until_arrived(&world, SEARCH, 1).await;
    drop(connection);
    world.budget_when("growth-month", is_settled(&world)).await;
    assert_eq!(world.end_with_nothing_open().await.len(), 2);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_answer_has_still_made_the_call() {
    let world = patient_plan().start().await;
    let huge = Fault::Huge { bytes: HUGE };
    world.simulator.faults().on(SEARCH, huge);
    let mut connection = write_call(&world, TEN_ROWS, TEN_ROWS.len()).await;
    let mut some = [0; 4096];
    connection.read_exact(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200"));
    drop(connection);
    world.budget_when("growth-month", is_settled(&world)).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_client_that_leaves_while_it_submits_a_job_still_owns_the_job() {
    let plan = Plan::one_team("200").simulator(|settings| settings.job_pace = JobPace::Polls(1));
    let world = plan.start().await;
    let slow = Fault::SlowHeaders(Duration::from_millis(200));
    world.simulator.faults().on(BULK, slow);
    let body = r#"{"leads":[{"first_name":"A","last_name":"B","domain":"example.com"}]}"#;
    let request = world.request(Method::POST, BULK, "growth-crm");
    let request = request.header("content-type", "application/json");
    let leaving = tokio::spawn(request.body(body).send());
    until_arrived(&world, BULK, 1).await;
    leaving.abort();
    let bound = loop {
        let mut entries = world.entries().into_iter();
        if let Some(bound) = entries.find(|entry| entry.kind == EntryKind::Bound) {
            break bound;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let job = bound.job.unwrap();
    // On disk a moment before the guard tells it.
    while world.ledger().job(&job).is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let answer = world.get(&format!("{BULK}{job}/")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    world.budget_when("growth-month", is_settled(&world)).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn clients_that_leave_at_any_moment_leave_no_doubt() {
    let plan = Plan::one_team("200").simulator(|settings| {
        settings.latency = Duration::from_millis(5);
    });
    let world = plan.start().await;
    let mut clients = JoinSet::new();
    for number in 0..150 {
        let http = client(); // A connection of its own, which is closed with it.
        let request = http.request(Method::POST, world.url(SEARCH));
        let request = request
            .header("x-api-key", secret_of("growth-crm"))
            .header("content-type", "application/json")
            .body(format!(r#"{{"limit_by":1,"job_titles":["{number}"]}}"#));
        let patience = Duration::from_micros(rand::rng().random_range(0..40_000));
        clients.spawn(async move { tokio::time::timeout(patience, send(request)).await.is_ok() });
    }
    let stayed = clients.join_all().await;
    let stayed = stayed.into_iter().filter(|stayed| *stayed).count();
    let truth = world.simulator.truth();
    let folder = world.end().await;
    let entries = crate::support::entries_of(&folder.path().join("ledger.db"));
    let of_kind = |kind| entries.iter().filter(move |entry| entry.kind == kind);
    let settled = of_kind(EntryKind::Settled).fold(Credits::ZERO, |sum, entry| {
        sum.checked_add(entry.amount).unwrap()
    });
    assert_eq!(settled, truth.total_charged(), "{stayed} clients stayed");
    // One that leaves while its hold is being written is given it back: nothing was sent.
    let ended = of_kind(EntryKind::Settled).count() + of_kind(EntryKind::Released).count();
    assert_eq!(of_kind(EntryKind::Held).count(), ended);
    assert_eq!(of_kind(EntryKind::Doubted).count(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_sends_its_body_has_made_no_call() {
    let world = Plan::one_team("200").start().await;
    let half = write_call(&world, &TEN_ROWS[..5], TEN_ROWS.len()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(half);
    // Over the same listener afterwards: whatever came of the first is decided by then.
    assert_eq!(world.get("/api/auth/tiers/my-tier/").await.status, 200);
    let simulator_saw = arrived(&world, SEARCH);
    let folder = world.end().await;
    let entries = crate::support::entries_of(&folder.path().join("ledger.db"));
    assert_eq!((simulator_saw, entries), (0, Vec::new()));
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off_and_its_call_settled() {
    let plan = patient_plan().set("server", "stalled_client_timeout = \"3s\"");
    let world = plan.start().await;
    let huge = Fault::Huge { bytes: HUGE };
    world.simulator.faults().on(SEARCH, huge);
    let mut stalled = write_call(&world, TEN_ROWS, TEN_ROWS.len()).await;
    let mut some = [0; 4096];
    stalled.read_exact(&mut some).await.unwrap();
    world.budget_when("growth-month", is_settled(&world)).await;
    // It is gone, and its connection with it, although it never read on nor closed: the end of
    // the world would wait for it.
    let ending = tokio::time::timeout(Duration::from_secs(60), world.end_with_nothing_open());
    ending.await.unwrap();
    let mut rest = Vec::new();
    let _ = stalled.read_to_end(&mut rest).await;
    assert!(rest.len() < HUGE / 2, "{} bytes", rest.len());
}

#[tokio::test]
async fn a_client_that_stops_reading_a_free_answer_is_cut_off_too() {
    let plan = patient_plan().set("server", "stalled_client_timeout = \"3s\"");
    let world = plan.start().await;
    let count = "/api/v1/search/database/leads/count/";
    world
        .simulator
        .faults()
        .on(count, Fault::Huge { bytes: HUGE });
    let mut stalled = TcpStream::connect(world.address()).await.unwrap();
    let head = format!(
        "POST {count} HTTP/1.1\r\nhost: guard\r\nx-api-key: {}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
        secret_of("growth-crm")
    );
    stalled.write_all(head.as_bytes()).await.unwrap();
    let mut some = [0; 4096];
    stalled.read_exact(&mut some).await.unwrap();
    let ending = tokio::time::timeout(Duration::from_secs(60), world.end_with_nothing_open());
    ending.await.unwrap();
}
