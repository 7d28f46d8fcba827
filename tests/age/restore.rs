//! A ledger that was lost is put back from a backup made while calls ran, and what the backup does not have
//! is found again as far as the account's list tells.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use generect_guard::credits::Credits;
use generect_guard::simulator::{Simulator, Truth};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, block_in_place};

use crate::support::child::{Child, Home};
use crate::support::{Answered, Plan, credits, verify};

const SEARCH: &str = "/api/v1/search/database/leads/";

fn plan() -> Plan {
    Plan::one_team("1000")
        .set("reconciliation", "interval = \"1h\"")
        .set("reconciliation", "tolerance = \"1s\"")
}

async fn call(guard: &Child, number: usize) -> Answered {
    let body = format!(r#"{{"limit_by":3,"job_titles":["matches:3","{number}"]}}"#);
    guard.post(SEARCH, &body).await
}

/// Waits until the account was charged for so many more calls.
async fn charged(guard: &Child, truth: &Truth, more: usize) {
    let enough = truth.charges().len() + more;
    let are_there = || (truth.charges().len() >= enough).then_some(());
    guard.until("the charges", are_there).await;
}

/// Calls without a pause from some clients, until `enough`.
fn calls(guard: &Arc<Child>, enough: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for client in 0..4 {
        let (guard, enough) = (Arc::clone(guard), Arc::clone(enough));
        clients.spawn(async move {
            let mut number = client;
            while !enough.load(Ordering::SeqCst) {
                let answer = call(&guard, number).await;
                // Where the machine stands still for a second, the guard gives up on answers.
                let said = (answer.status, answer.refusal());
                let is_slow = said.0 == 504 || said.1 == "upstream_failing";
                assert!(said.0 == 200 || is_slow, "{}", answer.text);
                number += 4;
            }
        });
    }
    clients
}

fn output(home: &Home, arguments: &[&str]) -> String {
    block_in_place(|| home.output_of(arguments))
}

fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = block_in_place(|| home.run(arguments));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    errors
}

/// What is left of the ledger. A log and an index may be there or not.
fn move_away(home: &Home) {
    for ending in ["", "-wal", "-shm"] {
        let name = format!("ledger.db{ending}");
        let _ = fs::rename(home.path().join(&name), home.path().join(name + ".lost"));
    }
}

fn sum<'a>(list: &'a Value, amount: impl Fn(&'a Value) -> &'a Value) -> Credits {
    let list = list.as_array().unwrap().iter();
    list.map(|one| credits(amount(one).as_str().unwrap())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_backup_does_not_have_is_found_in_the_accounts_list() {
    let plan = plan().set("upstream", "response_timeout = \"1s\"");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    let guard = Arc::new(home.serve().await);
    let enough = Arc::new(AtomicBool::new(false));
    let clients = calls(&guard, &enough);
    let truth = simulator.truth();
    charged(&guard, &truth, 40).await;
    let backup = home.path().join("backup.db");
    let backup = backup.to_str().unwrap();
    output(&home, &["backup", backup]);
    charged(&guard, &truth, 40).await;
    enough.store(true, Ordering::SeqCst);
    clients.join_all().await;
    let lost = home.report();

    let live = refused(&home, &["restore", backup]);
    assert!(live.contains("never written over"), "{live}");
    guard.kill();
    guard.ended().await;
    fs::write(home.ledger(), "what the disk left of it").unwrap();
    let dead = refused(&home, &["serve"]);
    assert!(dead.contains("ledger.db"), "{dead}");
    let there = refused(&home, &["restore", backup]);
    assert!(there.contains("move it away"), "{there}");
    move_away(&home);
    let told = output(&home, &["restore", backup]);
    assert!(
        told.contains("theirs_only") && told.contains("is not in it"),
        "{told}"
    );
    verify(&home.ledger());

    let guard = home.serve().await;
    output(&home, &["reconcile"]);
    let report = home.report();
    let findings = output(&home, &["report", "--findings", "--json"]);
    let findings: Value = serde_json::from_str(&findings).unwrap();
    guard.end().await;
    verify(&home.ledger());
    let settled = sum(&report["spend"], |line| &line["settled"]);
    let held = sum(&report["holds"], |hold| &hold["quote"]);
    let found = sum(&findings["findings"], |finding| &finding["drift"]);
    let before = sum(&lost["spend"], |line| &line["settled"]);
    assert!(settled < before, "the backup had {settled} of {before}");
    assert!(found > Credits::ZERO, "{findings}");
    let all: Credits = [settled, held, found].into_iter().sum();
    let charged = simulator.truth().total_charged();
    assert!(
        all >= charged,
        "{settled} settled, {held} held, {found} found of {charged}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_damaged_or_none_is_not_put_back() {
    let plan = plan();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    let guard = home.serve().await;
    for number in 0..30 {
        assert_eq!(call(&guard, number).await.status, 200);
    }
    let backup = home.path().join("backup.db");
    output(&home, &["backup", backup.to_str().unwrap()]);
    guard.end().await;
    move_away(&home);

    let bytes = fs::read(&backup).unwrap();
    let cases = [
        ("cut", bytes[..bytes.len() - 5_000].to_vec()),
        (
            "text",
            b"no database at all, but a text that is longer than a header. ".repeat(9),
        ),
        ("nothing", Vec::new()),
    ];
    for (name, bytes) in cases {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        let said = refused(&home, &["restore", path.to_str().unwrap()]);
        assert!(said.contains(name), "it names the file: {said}");
        assert!(!home.ledger().exists());
    }
    let missing = home.path().join("missing");
    let said = refused(&home, &["restore", missing.to_str().unwrap()]);
    assert!(said.contains("there is no backup at"), "{said}");
    // A charge that somebody made smaller in the copy.
    let connection = rusqlite::Connection::open(&backup).unwrap();
    let sql = "UPDATE entries SET amount = amount - 1 WHERE kind = 3 AND seq < 20";
    connection.execute(sql, []).unwrap();
    drop(connection);
    let said = refused(&home, &["restore", backup.to_str().unwrap()]);
    assert!(said.contains("the entries say"), "{said}");
    assert!(!home.ledger().exists());
}
