//! How the guard stops: a signal lets calls finish and puts their endings on disk; a deadline or a
//! second signal leaves the holds of those it cuts off for the next start to doubt.

use std::sync::Arc;
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::audit::Audit;
use crate::support::child::{Child, Home};
use crate::support::traffic::{plan, set_up};
use crate::support::{UNTIL_TOLD, verify};

const SEARCH: &str = "/api/v1/search/database/leads/";
/// Far less than a guard that waits for somebody takes.
const SOON: Duration = Duration::from_secs(25);

fn ask(number: u64) -> String {
    format!(r#"{{"limit_by":3,"job_titles":["{number}"]}}"#)
}

/// Sends `count` calls at once and waits until the upstream has charged them all.
async fn calls_under_way(
    child: &Arc<Child>,
    simulator: &generect_guard::simulator::Simulator,
    count: usize,
) -> JoinSet<Result<crate::support::Answered, reqwest::Error>> {
    let mut running = JoinSet::new();
    for number in 0..count as u64 {
        let child = Arc::clone(child);
        running.spawn(async move { child.post_as("growth-crm", SEARCH, &ask(number)).await });
    }
    let truth = simulator.truth();
    let all = || (truth.charges().len() == count).then_some(());
    child.until("the charges", all).await;
    running
}

fn audit_of(home: &Home) -> Audit {
    verify(&home.ledger());
    let mut audit = Audit::default();
    audit.read(&home.ledger());
    audit
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_lets_running_calls_finish_and_puts_their_endings_on_disk() {
    let (simulator, home) = set_up(&plan()).await;
    let slow = Fault::SlowHeaders(UNTIL_TOLD);
    simulator.faults().on(SEARCH, slow);
    let child = Arc::new(home.serve().await);
    assert_eq!(child.admin("/readyz").await.status, 200);
    let running = calls_under_way(&child, &simulator, 12).await;

    child.terminate();
    child.logs("told to stop").await;
    let ready = child.admin("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.text);
    assert!(ready.text.contains("shutting down"), "{}", ready.text);
    assert_eq!(child.admin("/healthz").await.status, 200);
    let refused = child.post_as("growth-crm", SEARCH, &ask(99)).await;
    assert!(refused.is_err(), "still accepted: {refused:?}");
    simulator.faults().hurry();

    for answer in running.join_all().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("guard-charge"), "0.06");
    }
    assert_eq!(child.ended().await.code(), Some(0), "{}", child.log());
    let mut audit = audit_of(&home);
    assert_eq!(audit.compare(&simulator.truth()), 12);
    assert_eq!(audit.open().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_do_not_hold_up_the_end() {
    let (_simulator, home) = set_up(&plan()).await;
    let child = home.serve().await;
    assert_eq!(child.get("/api/auth/tiers/my-tier/").await.status, 200); // Kept open by the client.
    let silent = TcpStream::connect(child.address).await.unwrap();
    let mut half = TcpStream::connect(child.address).await.unwrap();
    half.write_all(b"POST /api/v1/email/find/ HTTP/1.1\r\nhost: a")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    child.terminate();
    let status = tokio::time::timeout(SOON, child.ended()).await;
    assert_eq!(status.unwrap().code(), Some(0), "{}", child.log());
    let mut nothing = Vec::new();
    for mut stream in [silent, half] {
        let _ = stream.read_to_end(&mut nothing).await;
    }
    assert!(nothing.is_empty(), "{}", String::from_utf8_lossy(&nothing));
}

/// A guard that was ended in the middle of calls, and what its books say then.
async fn check_left_open(home: &Home, simulator: &generect_guard::simulator::Simulator) {
    let mut audit = audit_of(home);
    assert_eq!(audit.compare(&simulator.truth()), 3);
    assert_eq!(audit.open().filter(|life| !life.doubted).count(), 3);

    simulator.faults().clear();
    let child = home.serve().await;
    let holds = home.report()["holds"].clone();
    let states: Vec<_> = holds
        .as_array()
        .unwrap()
        .iter()
        .map(|hold| &hold["state"])
        .collect();
    assert_eq!(states, ["in_doubt"; 3], "{holds}");
    let again = child.post(SEARCH, &ask(1)).await;
    assert_eq!(
        (again.status, again.refusal()),
        (504, "call_in_doubt"),
        "{}",
        again.text
    );
    assert_eq!(simulator.truth().charges().len(), 3);
    child.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_drain_timeout_holds_stay_and_are_in_doubt_at_the_next_start() {
    let plan = plan().set("server", "drain_timeout = \"1s\"");
    let (simulator, home) = set_up(&plan).await;
    let never = Fault::NeverAnswers { charged: true };
    simulator.faults().on(SEARCH, never);
    let child = Arc::new(home.serve().await);
    let running = calls_under_way(&child, &simulator, 3).await;
    child.terminate();
    assert_eq!(child.ended().await.code(), Some(1), "{}", child.log());
    child.logs("drain timeout").await;
    assert!(running.join_all().await.iter().all(Result::is_err));
    check_left_open(&home, &simulator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once_and_holds_stay() {
    let (simulator, home) = set_up(&plan()).await;
    let never = Fault::NeverAnswers { charged: true };
    simulator.faults().on(SEARCH, never);
    let child = Arc::new(home.serve().await);
    let running = calls_under_way(&child, &simulator, 3).await;
    child.terminate();
    child.logs("told to stop").await;
    child.terminate();
    let status = tokio::time::timeout(SOON, child.ended()).await;
    assert_eq!(status.unwrap().code(), Some(130), "{}", child.log());
    running.join_all().await;
    check_left_open(&home, &simulator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_under_way_at_a_kill_is_not_sent_again_when_repeated() {
    let (simulator, home) = set_up(&plan()).await;
    simulator
        .faults()
        .on(SEARCH, Fault::NeverAnswers { charged: true });
    let child = Arc::new(home.serve().await);
    let running = calls_under_way(&child, &simulator, 3).await;
    child.kill();
    running.join_all().await;
    check_left_open(&home, &simulator).await;

    // Another key's call, and another body, are other calls.
    let child = home.serve().await;
    let other = child
        .post_as("research-notebook", SEARCH, &ask(1))
        .await
        .unwrap();
    assert_eq!(other.status, 200, "{}", other.text);
    assert_eq!(child.post(SEARCH, &ask(7)).await.status, 200);
    child.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_outlives_the_guard_that_submitted_it_and_is_settled_once() {
    let (simulator, home) = set_up(&plan()).await;
    let child = home.serve().await;
    let bulk = "/api/v1/email/find/bulk/";
    let body = r#"{"leads":[{"first_name":"A","last_name":"B","domain":"example.com"}]}"#;
    let accepted = child.post(bulk, body).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let job = accepted.json()["meta"]["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let place = format!("{bulk}{job}/");
    child.kill();

    let child = home.serve().await;
    let holds = home.report()["holds"].clone();
    assert_eq!(holds[0]["state"], "job", "{holds}");
    let stranger = child.request(reqwest::Method::GET, &place, "research-notebook");
    assert_eq!(crate::support::send(stranger).await.unwrap().status, 403);
    simulator.complete_jobs();
    assert_eq!(child.get(&place).await.status, 200);
    child.kill(); // Its end may be on disk or not; asked again, it is settled once.

    let child = home.serve().await;
    for _ in 0..3 {
        assert_eq!(child.get(&place).await.status, 200);
    }
    child.end().await;
    let mut audit = audit_of(&home);
    assert_eq!(audit.compare(&simulator.truth()), 1);
    assert_eq!(audit.open().count(), 0);
    assert!(simulator.truth().total_charged() > Credits::ZERO);
}
