//! Promises 2, 3 and 4 against a process that dies: whatever moment it is killed at, the books hold
//! every charge, and no charge twice.

use std::sync::Arc;
use std::time::Duration;

use generect_guard::ledger::Entry;
use generect_guard::simulator::{Fault, MetaFault, Simulator, Truth};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::support::asked::place_of_job;
use crate::support::audit::Audit;
use crate::support::child::Home;
use crate::support::traffic::{Traffic, plan, set_up};
use crate::support::{credits, verify};

const CLIENTS: u64 = 16;

fn mixed_faults(simulator: &Simulator, seed: u64) {
    let faults = simulator.faults();
    faults.reseed(seed);
    let failure = Fault::Failure {
        status: 502,
        charged: true,
        says_charge: false,
    };
    for (per_thousand, fault) in [
        (250, Fault::SlowHeaders(Duration::from_millis(25))),
        (20, Fault::CutBeforeCharge),
        (30, Fault::CutAfterCharge),
        (30, Fault::CutMidBody),
        (20, failure),
        (20, Fault::Meta(MetaFault::Null)),
    ] {
        faults.sometimes(per_thousand, fault);
    }
}

/// Waits until the simulator has finished what reached it before the guard died.
async fn quiet(truth: &Truth) {
    let look = || (truth.request_count(), truth.charges().len());
    let mut before = look();
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = look();
        if now == before {
            return;
        }
        before = now;
    }
}

/// A seed from the environment, or a new one; either way it is printed.
#[expect(clippy::print_stdout, reason = "it repeats a run that failed")]
fn seed() -> u64 {
    let given = std::env::var("CRASH_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("CRASH_SEED={seed}");
    seed
}

/// Each budget's settled + held is at least what was charged, and its settled part at most that.
fn check_budgets(report: &Value, audit: &Audit, truth: &Truth) {
    let covers = |id: &str, held: &Entry| match id {
        "growth-total" => held.team.as_str() == "growth",
        "research-total" => held.team.as_str() == "research",
        "searches-rolling" => held.operation.as_str().starts_with("search_"),
        _ => held.key.as_str() == "growth-crm",
    };
    for id in [
        "growth-total",
        "research-total",
        "searches-rolling",
        "one-key",
    ] {
        let charged = audit.truly_charged(truth, |held| covers(id, held));
        let budgets = report["budgets"].as_array().unwrap();
        let budget = budgets.iter().find(|budget| budget["id"] == id).unwrap();
        let amount = |name: &str| credits(budget[name].as_str().unwrap());
        let (settled, held) = (amount("settled"), amount("held"));
        assert!(
            settled.checked_add(held).unwrap() >= charged,
            "{id}: {charged} was charged; {budget}"
        );
        assert!(settled <= charged, "{id}: {charged} was charged; {budget}");
    }
}

/// After a restart: what is open is bound to a job, or in doubt; a job's hold is not in doubt.
fn check_restarted(report: &Value, audit: &Audit) {
    for life in audit.open() {
        assert_ne!(life.job.is_some(), life.doubted, "{life:?}");
    }
    let holds = report["holds"].as_array().unwrap();
    let known = holds
        .iter()
        .all(|hold| hold["state"] == "job" || hold["state"] == "in_doubt");
    assert!(known && holds.len() == audit.open().count(), "{holds:?}");
}

/// Starts a process that is killed before, while or after it reads its books.
async fn die_while_starting(home: &Home, random: &mut StdRng) {
    let mut command = home.command(&["serve"]);
    command.stdout(std::process::Stdio::null());
    let mut starting = command.spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
    starting.kill().unwrap();
    starting.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_killed_at_any_moment_loses_no_charge_and_counts_none_twice() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let rounds: u64 = std::env::var("CRASH_ROUNDS").map_or(22, |text| text.parse().unwrap());
    let (simulator, home) = set_up(&plan()).await;
    let truth = simulator.truth();
    mixed_faults(&simulator, seed);
    let traffic = Arc::new(Traffic::default());
    let mut audit = Audit::default();
    let mut killed_live = 0;

    for round in 0..rounds {
        if round % 4 == 3 {
            die_while_starting(&home, &mut random).await;
        }
        let child = Arc::new(home.serve().await);
        audit.read(&home.ledger());
        let report = home.report();
        audit.compare(&truth);
        check_restarted(&report, &audit);
        check_budgets(&report, &audit, &truth);

        let clients = traffic.start(&child, CLIENTS, random.random());
        // Once in a while about as long as it takes until the log is moved into the file.
        let span = if round % 6 == 5 { 950..1_100 } else { 30..250 };
        tokio::time::sleep(Duration::from_millis(random.random_range(span))).await;
        child.kill();
        clients.join_all().await;
        quiet(&truth).await;

        verify(&home.ledger());
        audit.read(&home.ledger());
        audit.compare(&truth);
        let live = audit
            .open()
            .filter(|life| !life.doubted && life.job.is_none());
        killed_live += live.count();
    }
    // Else nothing above was tried.
    assert!(traffic.charged() > rounds && killed_live > 0);

    end_all_jobs(&simulator, &home, &audit).await;
    audit.read(&home.ledger());
    let charges = audit.compare(&truth);
    verify(&home.ledger());
    let open: Vec<_> = audit.open().filter(|life| !life.doubted).collect();
    assert!(open.is_empty(), "neither ended nor in doubt: {open:?}");
    let doubts = audit.open().count();
    let jobs = audit.lives().filter(|life| life.job.is_some()).count();
    // Whatever the dice said, there was something to lose, of every kind.
    assert!(
        charges > 100 && jobs > 10 && doubts > 10,
        "{charges}, {jobs}, {doubts}"
    );
    assert!(truth.adds_up());
}

/// Every job ends, and each is asked after twice: its hold is settled, once. Some were accepted and
/// bound, but their clients never heard of it.
async fn end_all_jobs(simulator: &Simulator, home: &Home, audit: &Audit) {
    simulator.faults().clear();
    simulator.complete_jobs();
    let child = home.serve().await;
    for _ in 0..2 {
        for life in audit.lives() {
            let Some(job) = &life.job else { continue };
            let place = place_of_job(life.held.operation.as_str(), job.as_str());
            let request = child.request(reqwest::Method::GET, &place, life.held.key.as_str());
            let answer = crate::support::send(request).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
    }
    child.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_killed_while_it_makes_its_ledger_can_be_started_again() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let (_simulator, home) = set_up(&plan()).await;
    for _ in 0..12 {
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _ = std::fs::remove_file(home.path().join(name));
        }
        die_while_starting(&home, &mut random).await;
        home.serve().await.end().await;
        verify(&home.ledger());
    }
}
