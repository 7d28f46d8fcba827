//! Our books beside the account's rows and its own sums, through real sockets.

use std::time::Duration;

use generect_guard::catalogue::Catalogue;
use generect_guard::clock::Clock;
use generect_guard::ledger::{FindingKind, open_reader};
use generect_guard::reports::{Period, UsageReport, usage_report, usage_text};
use generect_guard::simulator::Fault;
use generect_guard::simulator::settings::LegacyAmounts;
use generect_guard::transaction::TransactionSource;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::reconcile::{LONG_ENOUGH, plan, reconcile, search};
use crate::support::{Plan, World, credits};

const REALTIME: &str = "/api/v1/search/realtime/leads/";
const USAGE: &str = "/api/v1/accounts/usage/";

/// The last minute of a day before a whole one.
pub fn evening() -> Clock {
    Clock::manual("2026-05-04T23:59:00Z".parse().unwrap())
}

async fn realtime(world: &World, rows: usize) {
    let body = format!(r#"{{"limit_by":{rows},"job_titles":["matches:{rows}"]}}"#);
    assert_eq!(world.post(REALTIME, &body).await.status, 200);
    world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
}

pub fn report(world: &World, clock: &Clock, source: TransactionSource) -> UsageReport {
    let reader = open_reader(&world.ledger_path()).unwrap();
    let catalogue = Catalogue::built_in().unwrap();
    let period = Period::month_of(clock.now());
    usage_report(
        &*reader,
        &catalogue,
        catalogue.prices(),
        Some(source),
        period,
    )
    .unwrap()
}

/// Waits until the cross-check has kept its sums of so many days.
pub async fn checked(
    world: &World,
    clock: &Clock,
    source: TransactionSource,
    days: usize,
) -> Value {
    for _ in 0..3_000 {
        let report = serde_json::to_value(report(world, clock, source)).unwrap();
        if report["checked"]["days"] == days {
            return report;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no sums were kept: {:?}", report(world, clock, source));
}

#[tokio::test]
async fn the_report_puts_our_books_beside_the_accounts_rows_and_sums() {
    let clock = evening();
    let world = plan(&clock).start().await;
    search(&world, 2).await;
    clock.advance(SignedDuration::from_hours(1));
    search(&world, 5).await;
    realtime(&world, 10).await;
    world
        .simulator
        .spend_elsewhere("search_database_leads", credits("0.5"));
    world.simulator.spend_elsewhere("seat_fee", credits("3"));
    reconcile(&world).await;
    clock.advance(SignedDuration::from_hours(24));
    reconcile(&world).await;

    let report = checked(&world, &clock, TransactionSource::V1, 1).await;
    let line = |operation: &str, calls: u64, settled: &str, rows: u64, taken: &str, more: &str| {
        json!({
            "operations": [operation], "kinds": [operation], "calls": calls, "settled": settled,
            "rows": rows, "taken": taken, "difference": more,
        })
    };
    assert_eq!(
        report["lines"],
        json!([
            line("search_database_leads", 2, "0.14", 3, "0.64", "0.5"),
            line("search_realtime_leads", 1, "0.4", 1, "0.4", "0"),
            {"operations": [], "kinds": ["seat_fee"], "calls": 0, "settled": "0", "rows": 1,
             "taken": "3", "difference": "3"},
        ])
    );
    assert_eq!(report["total"]["difference"], "3.5");
    // The day before began before the ledger did. What others spend is in no sum of the simulator's.
    assert_eq!(
        report["checked"],
        json!({
            "days": 1, "first": "2026-05-05", "last": "2026-05-05",
            "keys": [
                {"key": "search_database", "settled": "0.1", "taken": "0.6", "said": "0.1"},
                {"key": "search_realtime", "settled": "0.4", "taken": "0.4", "said": "0.4"},
                {"key": null, "settled": "0", "taken": "3", "said": null},
            ],
        })
    );
    assert_eq!(
        report["dearest"],
        json!([
            {"operation": "search_realtime_leads", "calls": 1, "settled": "0.4",
             "database": "search_database_leads", "in_database_mode": "0.2"},
            {"operation": "search_database_leads", "calls": 2, "settled": "0.14",
             "database": null, "in_database_mode": null},
        ])
    );
    world.end().await;
}

#[tokio::test]
async fn the_usage_report_fits_a_terminal_and_cannot_steer_it() {
    let clock = evening();
    let world = plan(&clock).start().await;
    clock.advance(SignedDuration::from_hours(1));
    realtime(&world, 10).await;
    world
        .simulator
        .spend_elsewhere(r"odd\u001b[2Jkind", credits("3"));
    clock.advance(SignedDuration::from_hours(24));
    reconcile(&world).await;
    checked(&world, &clock, TransactionSource::V1, 1).await;
    let text = usage_text(&report(&world, &clock, TransactionSource::V1));
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    for words in [
        "from 2026-05-01 00:00 UTC up to 2026-06-01 00:00 UTC",
        "The account's list (v1) is read up to 2026-05-06 00:59 UTC.",
        "search_realtime_leads",
        "not known: odd",
        "The account's own sums, on 2026-05-05 (UTC)",
        "in database mode",
    ] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    world.end().await;
}

#[tokio::test]
async fn each_day_is_asked_about_once_also_across_restarts_and_after_a_failure() {
    let clock = evening();
    let world = plan(&clock).start().await;
    let asked = |world: &World| {
        let requests = world.simulator.truth().requests();
        requests
            .iter()
            .filter(|request| request.path == USAGE)
            .count()
    };
    reconcile(&world).await;
    clock.advance(SignedDuration::from_hours(25));
    world.simulator.faults().next_on(
        1,
        USAGE,
        Fault::Html {
            status: 500,
            charged: false,
        },
    );
    reconcile(&world).await;
    while asked(&world) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let world = world.restarted(plan(&clock)).await;
    reconcile(&world).await;
    checked(&world, &clock, TransactionSource::V1, 1).await;
    assert_eq!(asked(&world), 2, "the failure and the answer");
    reconcile(&world).await;
    clock.advance(SignedDuration::from_hours(96));
    for days in [4, 5] {
        reconcile(&world).await;
        checked(&world, &clock, TransactionSource::V1, days).await;
    }
    reconcile(&world).await;
    assert_eq!(asked(&world), 6);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn the_legacy_list_is_held_against_its_own_sums() {
    let clock = evening();
    let legacy = |plan: Plan| plan.set("reconciliation", "source = \"legacy\"");
    let world = legacy(plan(&clock)).start().await;
    clock.advance(SignedDuration::from_hours(1));
    search(&world, 5).await;
    clock.advance(SignedDuration::from_hours(24));
    reconcile(&world).await;
    let report = checked(&world, &clock, TransactionSource::Legacy, 1).await;
    assert_eq!(
        report["checked"]["keys"],
        json!([{"key": "platform", "settled": "0.1", "taken": "0.1", "said": "0.1"}])
    );
    assert_eq!(report["lines"][0]["kinds"], json!(["platform"]));
    assert_eq!(
        report["lines"][0]["operations"],
        json!(["search_database_leads"])
    );
    world.end().await;
}

#[tokio::test]
async fn the_running_guard_keeps_its_last_reading_and_tells_when_the_account_is_empty() {
    let clock = evening();
    let world = plan(&clock)
        .simulator(|settings| settings.balance = credits("0.8"))
        .start()
        .await;
    search(&world, 10).await;
    let mut page = String::new();
    for _ in 0..3_000 {
        page = world.admin("/metrics").await.text;
        if page.contains("guard_account_runs_out_seconds") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(page.contains("guard_account_runs_out_seconds"), "{page}");
    let reader = open_reader(&world.ledger_path()).unwrap();
    let kept = generect_guard::ledger::Reading::kept(&*reader)
        .unwrap()
        .unwrap();
    assert!(kept.balance <= credits("0.8"), "{kept:?}");
    assert!(kept.started_at > Timestamp::UNIX_EPOCH);
    world.end().await;
}

/// The findings about the unit of the list: their words, and whether they are open.
fn units(world: &World) -> Vec<(String, bool)> {
    let reader = open_reader(&world.ledger_path()).unwrap();
    let kept = reader.findings(Timestamp::MIN, Timestamp::MAX, false, None, 1_000);
    let units = kept.unwrap().into_iter();
    units
        .filter(|kept| kept.finding.kind == FindingKind::Unit)
        .map(|kept| (kept.finding.detail, kept.closed.is_none()))
        .collect()
}

#[tokio::test]
async fn a_list_in_another_unit_is_said_with_the_factor_that_would_be_right() {
    let clock = evening();
    let wrong = |factor: &str| plan(&clock).set("reconciliation", &format!("factor = {factor}"));
    let world = wrong("0.5").start().await;
    for rows in [3, 50, 7] {
        search(&world, rows).await;
        clock.advance(SignedDuration::from_mins(1));
    }
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    let said = units(&world);
    assert_eq!(said.len(), 1, "{said:?}");
    let (words, is_open) = &said[0];
    assert!(
        *is_open && words.contains("reconciliation.factor = 1 "),
        "{words}"
    );
    assert!(words.contains("0.5 times"), "{words}");

    // It is put right, and the rows agree again. What was kept before stays as it was.
    clock.advance(SignedDuration::from_hours(4));
    let world = world.restarted(wrong("1")).await;
    for rows in [3, 50, 7] {
        search(&world, rows).await;
        clock.advance(SignedDuration::from_mins(1));
    }
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("3 tied to settled charges"), "{summary}");
    assert_eq!(units(&world), [(words.clone(), false)]);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn legacy_amounts_that_are_money_and_no_counts_are_said() {
    let clock = evening();
    let legacy = plan(&clock)
        .set("reconciliation", "source = \"legacy\"")
        .simulator(|settings| settings.legacy_amounts = LegacyAmounts::Money);
    let world = legacy.start().await;
    // Whole credits: what has a fraction is no count, and read as money anyway.
    for rows in [25, 50, 75] {
        let body = format!(r#"{{"limit_by":{rows},"job_titles":["matches:{rows}"]}}"#);
        let answer = world.post("/api/linkedin/leads/by_icp/", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        world
            .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
            .await;
        clock.advance(SignedDuration::from_mins(1));
    }
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    let said = units(&world);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].0.contains("catalogue.legacy_amounts"), "{said:?}");
    assert!(said[0].0.contains("25 times"), "{said:?}");
    world.end_with_nothing_open().await;
}
