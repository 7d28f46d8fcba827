//! One process owns a ledger; everybody else asks it, or reads beside it.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::sync::Arc;
use std::time::Duration;

use generect_guard::ledger::EntryKind;
use generect_guard::simulator::Fault;

use crate::support::audit::Audit;
use crate::support::child::Home;
use crate::support::credits;
use crate::support::traffic::{Traffic, plan, set_up};

const SEARCH: &str = "/api/v1/search/database/leads/";
const ASK: &str = r#"{"limit_by":3,"job_titles":["matches:3"]}"#;

/// What a command that must fail says; it must fail with code 1.
fn complaint_of(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    text
}

/// The numbers of the holds in doubt.
fn doubts(home: &Home) -> Vec<String> {
    let report = home.report();
    let holds = report["holds"].as_array().unwrap();
    let doubts = holds.iter().filter(|hold| hold["state"] == "in_doubt");
    doubts.map(|hold| hold["id"].to_string()).collect()
}

/// The commands in a refusal's words, as a person types them who was charged so much.
fn told_commands(detail: &str, charge: &str) -> Vec<Vec<String>> {
    let quoted = detail.split('`').skip(1).step_by(2);
    let commands = quoted.filter_map(|quoted| quoted.strip_prefix("generect-guard "));
    let filled = |word: &str| word.replace("CREDITS", charge).replace("WHY", "seen");
    commands
        .map(|command| command.split(' ').map(filled).collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_for_a_doubt_is_told_commands_that_end_it() {
    let (simulator, home) = set_up(&plan()).await;
    simulator.faults().next_on(2, SEARCH, Fault::CutAfterCharge);
    let child = home.serve().await;
    for place in 0..2 {
        let cut = child.post(SEARCH, ASK).await;
        assert_eq!(cut.refusal(), "upstream_silent", "{}", cut.text);
        let repeat = child.post(SEARCH, ASK).await;
        assert_eq!(repeat.refusal(), "call_in_doubt", "{}", repeat.text);
        let detail = repeat.json()["detail"].as_str().unwrap().to_owned();
        let commands = told_commands(&detail, "0.06");
        assert_eq!(commands.len(), 2, "{detail}");
        let command: Vec<_> = commands[place].iter().map(String::as_str).collect();
        tokio::task::block_in_place(|| home.output_of(&command));
        assert_eq!(doubts(&home), Vec::<String>::new());
    }
    child.end().await;
    let kinds = crate::support::entries_of(&home.ledger());
    let kinds: Vec<_> = kinds.iter().map(|entry| entry.kind).collect();
    assert!(kinds.contains(&EntryKind::Settled) && kinds.contains(&EntryKind::Released));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_guard_is_told_who_has_the_ledger() {
    let (_simulator, home) = set_up(&plan()).await;
    let first = home.serve().await;
    let said = complaint_of(&home, &["serve"]);
    let owner = format!("process {}, since 20", first.pid().as_raw_nonzero());
    assert!(
        said.contains("belongs to a running guard") && said.contains(&owner),
        "{said}"
    );
    assert!(
        said.contains("ledger.db") && said.lines().count() == 1,
        "{said}"
    );

    // The first is none the worse for it, and its socket still its own.
    assert_eq!(first.post(SEARCH, ASK).await.status, 200);
    let said = complaint_of(
        &home,
        &["resolve", "999", "--release", "--reason", "none such"],
    );
    assert!(said.contains("999") && !said.contains("no guard"), "{said}");
    first.end().await;
    home.serve().await.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubt_is_resolved_by_the_running_guard_or_without_one() {
    let (simulator, home) = set_up(&plan()).await;
    simulator.faults().next_on(3, SEARCH, Fault::CutAfterCharge);
    let child = home.serve().await;
    for number in 0..3 {
        let body = ASK.replace("matches:3\"", &format!("matches:3\",\"{number}\""));
        let answer = child.post(SEARCH, &body).await;
        assert_eq!(answer.refusal(), "upstream_silent", "{}", answer.text);
    }
    let socket = home.path().join("ledger.db.sock");
    let found = std::fs::metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);

    let all = child
        .until("three doubts", || {
            Some(doubts(&home)).filter(|all| all.len() == 3)
        })
        .await;
    let charged = ["--charge", "0.06", "--reason", "seen on the account's page"];
    home.run_well(&["resolve", &all[0]], &charged);
    // The running guard counts it at once, and nobody resolves it twice.
    assert_eq!(doubts(&home), all[1..]);
    let again = complaint_of(
        &home,
        &["resolve", &all[0], "--release", "--reason", "again"],
    );
    assert!(again.contains("settled"), "{again}");

    child.kill();
    assert!(socket.exists(), "a kill leaves it behind");
    let freed = ["--release", "--reason", "the account shows nothing"];
    home.run_well(&["resolve", &all[1]], &freed);
    assert_eq!(doubts(&home), all[2..]);

    let child = home.serve().await; // In place of the socket that was left over.
    home.run_well(&["resolve", &all[2]], &charged);
    assert_eq!(doubts(&home), Vec::<String>::new());
    let remaining = child.post(SEARCH, ASK).await;
    assert_eq!(remaining.status, 200, "{}", remaining.text);
    child.end().await;
    assert!(!socket.exists(), "a guard that ends takes its socket along");
    home.output_of(&["verify"]);

    let entries = crate::support::entries_of(&home.ledger());
    let evidence: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.evidence.as_ref())
        .collect();
    let said = evidence
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        said.contains("seen on the account's page") && said.contains("uid"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_exports_checks_and_copies_are_made_beside_a_guard_at_work() {
    let (simulator, home) = set_up(&plan()).await;
    let child = Arc::new(home.serve().await);
    let traffic = Arc::new(Traffic::default());
    let clients = traffic.start(&child, 8, 7);
    while traffic.charged() < 50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let before = traffic.charged();
    for round in 0..3 {
        let budgets = home.report()["budgets"].clone();
        let total = budgets
            .as_array()
            .unwrap()
            .iter()
            .find(|line| line["id"] == "growth-total");
        assert!(credits(total.unwrap()["settled"].as_str().unwrap()) > credits("0"));
        let lines = home.output_of(&[
            "export",
            "--from",
            "2020-01-01",
            "--to",
            "2100-01-01",
            "--format",
            "jsonl",
        ]);
        assert!(lines.lines().count() > 50, "{lines}");
        home.output_of(&["verify"]);
        let copy = home.path().join(format!("copy-{round}.db"));
        home.output_of(&["backup", copy.to_str().unwrap()]);
        crate::support::verify(&copy);
        assert!(crate::support::entries_of(&copy).len() > 50);
    }
    assert!(
        traffic.charged() > before,
        "the guard stood still meanwhile"
    );
    child.terminate();
    assert_eq!(child.ended().await.code(), Some(0), "{}", child.log());
    clients.join_all().await;

    crate::support::verify(&home.ledger());
    let mut audit = Audit::default();
    audit.read(&home.ledger());
    audit.compare(&simulator.truth());
    assert!(audit.open().all(|life| life.job.is_some() && !life.doubted));
}
