//! A disk that takes nothing more: billable calls are refused, endings are kept, free calls go on,
//! and all of it mends itself. The disk is "full" by the process's own limit on file sizes, which
//! can be set and lifted from outside while it runs.

#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::{Fault, Simulator};
use reqwest::Method;
use rustix::process::{Resource, Rlimit, prlimit};
use tokio::task::JoinSet;

use crate::support::audit::Audit;
use crate::support::child::{Child, Home};
use crate::support::traffic::{plan, set_up};
use crate::support::{Answered, UNTIL_TOLD, is_own_question, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const BULK: &str = "/api/v1/email/find/bulk/";
const FILTER: &str = r#"{"job_titles":["chemist"]}"#;

fn ask(number: u64) -> String {
    format!(r#"{{"limit_by":3,"job_titles":["{number}"]}}"#)
}

/// A guard that is told of a file too large by an error, as of a full disk, and not by a signal.
async fn serve(home: &Home) -> Child {
    Child::start(home.command_in_shell(r#"trap "" XFSZ; exec "$@""#, &["serve"])).await
}

/// From now on every write to a file fails.
fn fill(child: &Child) {
    limit(child, Some(0));
}

/// Writing works again.
fn empty(child: &Child) {
    limit(child, None);
}

fn limit(child: &Child, bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Some(child.pid()), Resource::Fsize, limit).unwrap();
}

/// Calls that have been charged and whose answers are on their way.
async fn under_way(child: &Arc<Child>, simulator: &Simulator) -> JoinSet<Answered> {
    let slow = Fault::SlowHeaders(UNTIL_TOLD);
    simulator.faults().next_on(4, SEARCH, slow.clone());
    simulator.faults().next_on(1, BULK, slow);
    let truth = simulator.truth();
    // What the guard asks on its own account may come between them.
    let calls = || {
        let seen = truth.requests();
        let theirs = seen.iter().filter(|seen| !is_own_question(&seen.path));
        theirs.count()
    };
    let before = calls();
    let mut running = JoinSet::new();
    for number in 0..4 {
        let child = Arc::clone(child);
        running.spawn(async move { child.post(SEARCH, &ask(number)).await });
    }
    let submitter = Arc::clone(child);
    running.spawn(async move {
        let body = r#"{"leads":[{"first_name":"A","last_name":"B","domain":"example.com"}]}"#;
        submitter.post(BULK, body).await
    });
    let all = || (calls() >= before + 5).then_some(());
    child.until("the calls", all).await;
    running
}

async fn is_ready(child: &Child) -> bool {
    child.admin("/readyz").await.status == 200
}

/// The calls that are under way while the disk fills up get their answers; new billable ones are
/// refused.
async fn live_with_a_full_disk(child: &Arc<Child>, simulator: &Simulator) {
    let running = under_way(child, simulator).await;
    fill(child);
    // The first that needs the disk finds out.
    let found_out = child.post(SEARCH, &ask(10)).await;
    assert_eq!(
        (found_out.status, found_out.refusal()),
        (503, "ledger_unavailable")
    );
    simulator.faults().hurry();
    for answer in running.join_all().await {
        assert!(answer.status < 300, "{} {}", answer.status, answer.text);
    }
    let seen = simulator.truth().charges().len();
    for number in 11..15 {
        let refused = child.post(SEARCH, &ask(number)).await;
        let refusal = (refused.status, refused.refusal());
        assert_eq!(refusal, (503, "ledger_unavailable"), "{}", refused.text);
        assert!(!refused.header("retry-after").is_empty());
        let free = child.post(COUNT, FILTER).await;
        assert_eq!(free.status, 200, "{}", free.text);
    }
    let dry = child.request(Method::POST, SEARCH, "growth-crm");
    let dry = send(dry.header("guard-dry-run", "true").body(ask(15)));
    let dry = dry.await.unwrap().json();
    assert_eq!(dry["refusal"]["code"], "ledger_unavailable", "{dry}");
    assert_eq!(dry["budgets"], serde_json::Value::Null, "nobody knows them");
    assert_eq!(simulator.truth().charges().len(), seen);
    assert!(!is_ready(child).await);
    assert_eq!(child.admin("/healthz").await.status, 200);
}

/// A job's end is seen while the disk is full, and never again.
async fn poll_the_job(child: &Child, simulator: &Simulator) {
    simulator.complete_jobs();
    let charges = simulator.truth().charges();
    let job = charges.iter().find_map(|charge| charge.job.clone());
    let answer = child.get(&format!("{BULK}{}/", job.unwrap())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

fn audit_of(home: &Home) -> Audit {
    crate::support::verify(&home.ledger());
    let mut audit = Audit::default();
    audit.read(&home.ledger());
    audit
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_new_calls_keeps_endings_and_mends_itself() {
    let (simulator, home) = set_up(&plan()).await;
    let child = Arc::new(serve(&home).await);
    assert_eq!(child.post(SEARCH, &ask(99)).await.status, 200);
    for round in 0..2 {
        if round == 0 {
            live_with_a_full_disk(&child, &simulator).await;
            poll_the_job(&child, &simulator).await;
        } else {
            fill(&child);
            let refused = child.post(SEARCH, &ask(20)).await;
            assert_eq!(refused.refusal(), "ledger_unavailable");
        }
        empty(&child);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while !is_ready(&child).await {
            assert!(tokio::time::Instant::now() < deadline, "{}", child.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // What was refused had left nothing behind, and works now.
        let again = child.post(SEARCH, &ask(10 + round)).await;
        assert_eq!(again.status, 200, "{}", again.text);
    }
    Arc::into_inner(child).unwrap().end().await;

    let mut audit = audit_of(&home);
    assert_eq!(audit.compare(&simulator.truth()), 8);
    assert_eq!(
        audit.open().count(),
        0,
        "{:?}",
        audit.open().collect::<Vec<_>>()
    );
    assert!(simulator.truth().total_charged() > Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_disk_never_took_is_in_doubt_at_the_next_start() {
    let (simulator, home) = set_up(&plan()).await;
    let child = Arc::new(serve(&home).await);
    live_with_a_full_disk(&child, &simulator).await;
    child.terminate();
    assert_eq!(child.ended().await.code(), Some(1), "{}", child.log());

    let mut audit = audit_of(&home);
    audit.compare(&simulator.truth());
    assert_eq!(audit.open().count(), 5);
    let child = home.serve().await;
    let holds = home.report()["holds"].clone();
    let doubts = holds.as_array().unwrap().iter();
    assert_eq!(
        doubts.filter(|hold| hold["state"] == "in_doubt").count(),
        5,
        "{holds}"
    );
    let again = child.post(SEARCH, &ask(1)).await;
    assert_eq!(again.refusal(), "call_in_doubt", "{}", again.text);
    child.end().await;
    assert_eq!(audit_of(&home).open().count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_is_killed_with_a_full_disk_loses_nothing() {
    let (simulator, home) = set_up(&plan()).await;
    let child = Arc::new(serve(&home).await);
    live_with_a_full_disk(&child, &simulator).await;
    child.kill();
    simulator.complete_jobs();
    home.serve().await.end().await;
    let mut audit = audit_of(&home);
    assert_eq!(audit.compare(&simulator.truth()), 5);
    assert!(audit.open().count() == 5 && audit.open().all(|life| life.doubted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_cannot_write_at_all_says_so_and_does_not_start() {
    let (_simulator, home) = set_up(&plan()).await;
    home.serve().await.end().await;
    let full = r#"trap "" XFSZ; ulimit -S -f 0; exec "$@""#;
    let output = home.command_in_shell(full, &["serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ledger.db"), "{said}");
    home.serve().await.end().await;
}
