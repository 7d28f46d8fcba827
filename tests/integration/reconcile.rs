//! The books held against the account's own list, through real sockets.

use generect_guard::clock::Clock;
use generect_guard::control::{Command, Reply};
use generect_guard::credits::Credits;
use generect_guard::ledger::{EntryKind, FindingKind, NoteKind, open_reader};
use generect_guard::simulator::Fault;
use jiff::{SignedDuration, Timestamp};

use crate::support::{Plan, World, credits};

pub const SEARCH: &str = "/api/v1/search/database/leads/";

/// The most a call and its row may be apart, here: the harness's response timeout and tolerance.
pub const LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(10);

pub fn noon() -> Clock {
    Clock::manual("2026-05-04T12:00:00Z".parse().unwrap())
}

pub fn plan(clock: &Clock) -> Plan {
    Plan::one_team("100")
        .clock(clock.clone())
        .set("reconciliation", "rows_late = \"1m\"")
        .set("reconciliation", "tolerance = \"2s\"")
        .set("reconciliation", "interval = \"1h\"")
}

/// Asks the running guard to reconcile, as the command does.
pub async fn reconcile(world: &World) -> String {
    match world.ask(Command::Reconcile {}, "").await {
        Reply::Reconciled(summary) => summary.to_string(),
        other => panic!("not reconciled: {other:?}"),
    }
}

pub async fn search(world: &World, rows: usize) -> u16 {
    let body = format!(r#"{{"limit_by":{rows},"job_titles":["matches:{rows}"]}}"#);
    let status = world.post(SEARCH, &body).await.status;
    // Its end is queued when its answer is here: before the clock moves, it must be written.
    world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    status
}

/// Kind, drift, and whether it is open, of every finding, in the order of the kinds.
pub fn findings(world: &World) -> Vec<(FindingKind, String, bool)> {
    let reader = open_reader(&world.ledger_path()).unwrap();
    let kept = reader
        .findings(Timestamp::MIN, Timestamp::MAX, false, None, 1_000)
        .unwrap();
    let mut found: Vec<_> = kept
        .into_iter()
        .map(|kept| {
            let drift = kept.finding.drift.to_string();
            (kept.finding.kind, drift, kept.closed.is_none())
        })
        .collect();
    found.sort();
    found
}

pub async fn in_doubt(world: &World) -> Credits {
    world.budget("growth-month").await.in_doubt
}

#[tokio::test]
async fn books_that_agree_have_no_findings() {
    let clock = noon();
    let world = plan(&clock).start().await;
    for rows in [1, 3, 3, 7] {
        assert_eq!(search(&world, rows).await, 200);
        clock.advance(SignedDuration::from_secs(5));
    }
    let first = reconcile(&world).await;
    assert!(first.contains("4 rows read"), "{first}");
    assert_eq!(findings(&world), [], "nothing is found before its time");
    clock.advance(LONG_ENOUGH);
    let second = reconcile(&world).await;
    assert!(second.contains("0 rows read"), "{second}");
    assert!(second.contains("4 tied to settled charges"), "{second}");
    let third = reconcile(&world).await;
    assert!(third.contains("0 tied to settled charges"), "{third}");
    assert_eq!(findings(&world), []);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_doubt_that_was_charged_is_settled_by_its_row() {
    let clock = noon();
    let world = plan(&clock).start().await;
    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::CutAfterCharge);
    assert_eq!(search(&world, 4).await, 504);
    world
        .budget_when("growth-month", |budget| budget.in_doubt == credits("0.08"))
        .await;
    clock.advance(SignedDuration::from_secs(5));
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 settled at 0.08"), "{summary}");
    assert_eq!(world.budget("growth-month").await.settled, credits("0.08"));
    assert_eq!(findings(&world), []);
    let entries = world.end_with_nothing_open().await;
    let end = entries
        .iter()
        .find(|entry| entry.kind == EntryKind::Settled)
        .unwrap();
    let note = end.evidence.as_ref().unwrap();
    assert_eq!(note.kind, NoteKind::Transaction);
}

/// A world whose account's list has shown a charge of a search before.
pub async fn world_that_was_shown(clock: &Clock, plan: Plan) -> World {
    let world = plan.start().await;
    // With floors, nothing is sent before that.
    world.account_read().await;
    assert_eq!(search(&world, 1).await, 200);
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 tied"), "{summary}");
    world
}

#[tokio::test]
async fn a_doubt_that_was_not_charged_is_released_once_the_list_is_complete() {
    let clock = noon();
    let world = world_that_was_shown(&clock, plan(&clock)).await;
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutBeforeCharge);
    assert_eq!(search(&world, 4).await, 504);
    assert_eq!(in_doubt(&world).await, credits("0.08"));
    let summary = reconcile(&world).await;
    assert!(summary.contains("0 released"), "{summary}");
    assert_eq!(in_doubt(&world).await, credits("0.08"));
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 released"), "{summary}");
    assert_eq!(findings(&world), []);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn the_silence_of_a_list_that_never_showed_such_a_charge_says_nothing() {
    let clock = noon();
    let world = plan(&clock).start().await;
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutBeforeCharge);
    assert_eq!(search(&world, 4).await, 504);
    for hours in [1, 30] {
        clock.advance(SignedDuration::from_hours(hours));
        let summary = reconcile(&world).await;
        assert!(summary.contains("1 undecided"), "{summary}");
        assert_eq!(in_doubt(&world).await, credits("0.08"));
    }
    world.end().await;
}

#[tokio::test]
async fn what_somebody_else_spends_is_unattributed_and_in_no_budget() {
    let clock = noon();
    let world = plan(&clock).start().await;
    assert_eq!(search(&world, 2).await, 200);
    world
        .simulator
        .spend_elsewhere("search_database_leads", credits("1.5"));
    clock.advance(SignedDuration::from_secs(5));
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::TheirsOnly, "1.5".into(), true)]
    );
    assert_eq!(world.budget("growth-month").await.settled, credits("0.04"));
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    assert_eq!(findings(&world).len(), 1, "found once");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_top_up_is_recorded_and_no_disagreement() {
    let clock = noon();
    let world = plan(&clock).start().await;
    world.simulator.top_up(credits("50"));
    clock.advance(SignedDuration::from_secs(5));
    reconcile(&world).await;
    assert_eq!(findings(&world), [(FindingKind::TopUp, "0".into(), true)]);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn rows_from_before_the_ledger_are_no_findings() {
    let clock = noon();
    let plan = plan(&clock);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator =
        generect_guard::simulator::Simulator::start(listener, plan.simulator_settings()).await;
    simulator.spend_elsewhere("search_database_leads", credits("9"));
    clock.advance(SignedDuration::from_hours(1));
    let base_url = simulator.base_url();
    let world = plan.start_before(simulator, &base_url).await;
    assert_eq!(search(&world, 2).await, 200);
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 row read"), "{summary}");
    assert_eq!(findings(&world), []);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn what_was_found_and_decided_is_still_so_after_a_restart() {
    let clock = noon();
    let world = plan(&clock).start().await;
    assert_eq!(search(&world, 2).await, 200);
    world
        .simulator
        .spend_elsewhere("search_database_leads", credits("1.5"));
    clock.advance(SignedDuration::from_secs(5));
    reconcile(&world).await;
    let world = world.restarted(plan(&clock)).await;
    assert_eq!(search(&world, 3).await, 200);
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 row read"), "{summary}");
    assert!(summary.contains("2 tied"), "{summary}");
    assert_eq!(findings(&world).len(), 1);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_row_that_comes_after_its_doubt_was_released_is_charged_to_the_team_all_the_same() {
    let clock = noon();
    let world = world_that_was_shown(&clock, plan(&clock)).await;
    world.simulator.change(|settings| {
        settings.transaction_delay = SignedDuration::from_mins(30);
    });
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutAfterCharge);
    assert_eq!(search(&world, 4).await, 504);
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 released"), "{summary}");
    assert_eq!(world.budget("growth-month").await.settled, credits("0.02"));
    clock.advance(SignedDuration::from_mins(30));
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 new late: drift 0"), "{summary}");
    assert_eq!(world.budget("growth-month").await.settled, credits("0.1"));
    for _ in 0..2 {
        clock.advance(SignedDuration::from_mins(1));
        reconcile(&world).await;
    }
    assert_eq!(findings(&world), [(FindingKind::Late, "0".into(), true)]);
    let entries = world.end_with_nothing_open().await;
    let corrected = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Corrected);
    assert_eq!(corrected.count(), 1);
}
