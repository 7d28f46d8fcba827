//! The account's pages fail in the middle of everything: nothing is lost, nothing counted twice,
//! nothing guessed, and the floor holds (promises 3, 4, 5 and 11).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use generect_guard::control::{Command, Reply};
use generect_guard::credits::Credits;
use generect_guard::ledger::{Entry, EntryKind};
use generect_guard::simulator::Fault;
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::reconcile::{LONG_ENOUGH, SEARCH, findings, noon, reconcile, world_that_was_shown};
use crate::reconcile_findings::doubt;
use crate::support::{Plan, World, credits};

const LIST: &str = "/api/v1/accounts/transactions/";

/// Asks for a run that may fail.
async fn tried(world: &World) -> Reply {
    world.ask(Command::Reconcile {}, "").await
}

fn failures() -> [Fault; 6] {
    let failure = |status| Fault::Failure {
        status,
        charged: false,
        says_charge: false,
    };
    [
        failure(500),
        failure(404),
        Fault::Html {
            status: 200,
            charged: false,
        },
        Fault::CutMidBody,
        Fault::TruncatedJson,
        Fault::Redirect {
            status: 302,
            charged: false,
        },
    ]
}

/// A list that is read in part says nothing of what it does not show.
#[tokio::test]
async fn a_list_that_fails_at_any_page_decides_nothing_and_is_read_again() {
    let mut worlds = JoinSet::new();
    for fault in failures() {
        for pages in [0, 2] {
            worlds.spawn(list_that_fails(fault.clone(), pages));
        }
    }
    worlds.join_all().await;
}

async fn list_that_fails(fault: Fault, pages: u64) {
    let clock = noon();
    let plan = || crate::reconcile::plan(&clock).simulator(|settings| settings.lists.page_max = 2);
    let world = world_that_was_shown(&clock, plan()).await;
    for rows in 1..6 {
        assert_eq!(crate::reconcile::search(&world, rows).await, 200);
        clock.advance(SignedDuration::from_secs(2));
    }
    doubt(&world, 9, Fault::CutAfterCharge).await;
    doubt(&world, 8, Fault::CutBeforeCharge).await;
    clock.advance(LONG_ENOUGH);
    let faults = world.simulator.faults();
    faults.next_on(pages, LIST, Fault::SlowHeaders(Duration::ZERO));
    faults.on(LIST, fault.clone());
    let reply = tried(&world).await;
    assert!(matches!(reply, Reply::Refused(_)), "{fault:?} {reply:?}");
    let in_doubt = world.budget("growth-month").await.in_doubt;
    assert_eq!(in_doubt, credits("0.34"), "{fault:?}");
    assert_eq!(findings(&world), [], "{fault:?}");
    let world = world.restarted(plan()).await;
    let reply = tried(&world).await;
    assert!(matches!(reply, Reply::Refused(_)), "{fault:?} {reply:?}");
    assert_eq!(findings(&world), [], "{fault:?}");
    world.simulator.faults().clear();
    reconcile(&world).await;
    let budget = world.budget("growth-month").await;
    assert_eq!(budget.in_doubt, Credits::ZERO, "{fault:?}");
    assert_eq!(budget.settled, world.simulator.truth().total_charged());
    assert_eq!(findings(&world), [], "{fault:?}");
    counted_once(&world.end_with_nothing_open().await);
}

/// Each hold has one ending.
fn counted_once(entries: &[Entry]) {
    let mut endings = BTreeMap::new();
    for entry in entries {
        let ends = [EntryKind::Settled, EntryKind::Released].contains(&entry.kind);
        *endings.entry(entry.hold).or_insert(0) += usize::from(ends);
    }
    assert!(endings.values().all(|count| *count == 1), "{endings:?}");
}

fn floored(clock: &generect_guard::clock::Clock) -> Plan {
    crate::reconcile::plan(clock)
        .toml("[[floor]]\npriority = \"normal\"\nbelow = 996\naction = \"refuse\"")
        .set("account", "when_stale = \"refuse\"")
        .set("account", "stale_after = \"24h\"")
        .set("account", "poll_interval = \"1s\"")
        .set("upstream", "breaker = { failures = 10000 }")
}

/// Many clients, lost answers, and every page of the account failing from the middle on, over a
/// restart; somebody asks for reconciliation all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_hold_while_every_page_of_the_account_fails() {
    let clock = noon();
    let world = world_that_was_shown(&clock, floored(&clock)).await;
    let faults = world.simulator.faults();
    faults.reseed(17);
    for fault in failures() {
        faults.next_on(2, "/api/v1/accounts/", fault);
    }
    faults.on("/api/v1/accounts/", failures()[0].clone());
    faults.sometimes(80, Fault::CutAfterCharge);
    faults.sometimes(80, Fault::CutBeforeCharge);
    faults.sometimes(80, Fault::CutMidBody);
    let world = storm(world, 0).await;
    let floor = credits("996");
    assert!(world.simulator.balance() >= floor);
    let truth = world.simulator.truth().total_charged();
    let budget = world.budget("growth-month").await;
    assert!(budget.settled <= truth, "unknown is not known");
    assert!(
        budget.settled.checked_add(budget.held).unwrap() >= truth,
        "nothing lost"
    );
    assert!(budget.in_doubt > Credits::ZERO);
    let world = world.restarted(floored(&clock)).await;
    let after = world.budget("growth-month").await;
    assert_eq!((after.settled, after.held), (budget.settled, budget.held));
    world.simulator.faults().clear();
    clock.advance(LONG_ENOUGH);
    crate::account_floors::next_reading(&world).await;
    let world = storm(world, 1_000).await;
    assert!(world.simulator.balance() >= floor);
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    let budget = world.budget("growth-month").await;
    assert_eq!(budget.settled, world.simulator.truth().total_charged());
    assert_eq!(budget.held, Credits::ZERO);
    assert_eq!(findings(&world), []);
    assert!(world.simulator.truth().adds_up());
    counted_once(&world.end_with_nothing_open().await);
}

/// 160 calls by eight clients, each of a time and an amount of its own as far as that goes.
async fn storm(world: World, first: usize) -> World {
    let world = Arc::new(world);
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let world = Arc::clone(&world);
        clients.spawn(async move {
            for call in 0..20 {
                let rows = 1 + (client + call) % 7;
                let body = format!(
                    r#"{{"limit_by":{rows},"job_titles":["matches:{rows} {first} {client} {call}"]}}"#
                );
                let answer = world.post(SEARCH, &body).await;
                assert!(
                    [200, 402, 429, 502, 504].contains(&answer.status),
                    "{answer:?}"
                );
                if client == 0 && call % 10 == 5 {
                    tried(&world).await;
                }
            }
        });
    }
    clients.join_all().await;
    world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    Arc::into_inner(world).unwrap()
}
