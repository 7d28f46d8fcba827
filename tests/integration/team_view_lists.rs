//! What stands in a team's own transactions and usage.

use generect_guard::clock::Clock;
use generect_guard::simulator::Fault;
use serde_json::{Value, json};

use crate::support::World;
use crate::team_view::{
    REALTIME, SEARCH, TRANSACTIONS, USAGE, USER, plan, read, read_when, rows, used,
};

const PHONE: &str = "/api/v1/phone/find/";
const ENRICH: &str = "/api/v1/enrich/database/lead/";
const BULK: &str = "/api/v1/email/find/bulk/";

/// Type, credits and status of each row, newest first.
async fn listed(world: &World, query: &str) -> Vec<(String, String, String)> {
    let list = read(world, "growth-crm", &format!("{TRANSACTIONS}{query}")).await;
    let rows = list["data"]["transactions"].as_array().unwrap().iter();
    let cell = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    rows.map(|row| {
        let status = cell(&row["details"]["status"]);
        (cell(&row["type"]), cell(&row["credits"]), status)
    })
    .collect()
}

fn shown(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let owned = |row: &(&str, &str, &str)| (row.0.into(), row.1.into(), row.2.into());
    rows.iter().map(owned).collect()
}

/// Calls that end in every way, a minute apart: settled, released, in doubt, a job, and settled
/// again, in this order.
async fn calls_of_every_kind(world: &World, clock: &Clock) {
    let minute = || clock.advance(jiff::SignedDuration::from_mins(1));
    let faults = world.simulator.faults();
    assert_eq!(world.post(SEARCH, &rows(10, 3)).await.status, 200);
    minute();
    let nobody = r#"{"linkedin_url":"https://www.linkedin.com/in/not-found-1/"}"#;
    assert_eq!(world.post(ENRICH, nobody).await.status, 400);
    minute();
    faults.next_on(1, PHONE, Fault::CutAfterCharge);
    let person = r#"{"linkedin_url":"https://www.linkedin.com/in/person-1/"}"#;
    assert_eq!(world.post(PHONE, person).await.status, 504);
    minute();
    let leads = r#"{"leads":[{"first_name":"A","last_name":"B","domain":"example.com"}]}"#;
    assert_eq!(world.post(BULK, leads).await.status, 202);
    minute();
    assert_eq!(world.post(REALTIME, &rows(5, 2)).await.status, 200);
}

#[tokio::test]
async fn transactions_are_the_teams_calls_with_filters_and_pages() {
    let clock = Clock::manual("2026-11-15T10:00:00Z".parse().unwrap());
    let world = plan().clock(clock.clone()).start().await;
    calls_of_every_kind(&world, &clock).await;
    used(&world, "growth-crm", 0.14).await;
    let all = shown(&[
        ("search_realtime_leads", "-0.08", "success"),
        ("email_find_bulk", "-0.02", "pending"),
        ("phone_find", "-0.4", "pending"),
        ("enrich_database_lead", "-0.02", "error"),
        ("search_database_leads", "-0.06", "success"),
    ]);
    read_when(&world, "growth-crm", TRANSACTIONS, |list| {
        list["data"]["transactions"][3]["details"]["status"] == "error"
    })
    .await;
    for (query, expected) in [
        ("", &all[..]),
        ("?limit=2", &all[..2]),
        ("?limit=2&offset=3", &all[3..]),
        ("?offset=5", &[]),
        ("?status=pending", &all[1..3]),
        ("?status=error", &all[3..4]),
        ("?status=success&limit=1&offset=1", &all[4..]),
        ("?created_at__gte=2026-11-15T10:02:00", &all[..3]),
        ("?created_at__gt=2026-11-15T10:02:00Z&limit=1", &all[..1]),
        ("?created_at__lte=2026-11-15T11:01:00%2B01:00", &all[3..]),
        ("?created_at__gte=2026-11-16", &[]),
        ("?amount__lte=-0.4", &all[2..3]),
        (
            "?credits__gt=-0.06&credits__lt=0",
            &[all[1].clone(), all[3].clone()],
        ),
        (
            "?limit=all&status=lost&created_at__gte=today&amount__gte=x",
            &all[..],
        ),
    ] {
        assert_eq!(listed(&world, query).await, expected, "{query}");
    }
    let first = read(
        &world,
        "growth-crm",
        &format!("{TRANSACTIONS}?limit=1&offset=4"),
    )
    .await;
    let first = &first["data"]["transactions"][0];
    assert_eq!(
        (&first["id"], &first["timestamp"]),
        (&json!("guard-1"), &json!("2026-11-15T10:00:00Z"))
    );
    assert_eq!(
        first["details"],
        json!({"balance_type": "platform", "status": "success", "key": "growth-crm"})
    );
    let user = read(&world, "growth-crm", USER).await;
    assert_eq!(user["blocked_balance_platform"], json!(0.42));
    world.end().await;
}

#[tokio::test]
async fn usage_is_by_kind_and_span() {
    let clock = Clock::manual("2026-10-31T22:30:00Z".parse().unwrap());
    let world = plan().clock(clock.clone()).start().await;
    assert_eq!(world.post(SEARCH, &rows(10, 3)).await.status, 200);
    used(&world, "growth-crm", 0.06).await;
    clock.advance(jiff::SignedDuration::from_hours(2));
    assert_eq!(world.post(REALTIME, &rows(10, 2)).await.status, 200);
    used(&world, "growth-crm", 0.08).await;
    for (query, period, database, realtime) in [
        ("", "2026-11", 0.0, 0.08),
        ("?period_month=2026-10", "2026-10", 0.06, 0.0),
        ("?timezone=Europe/Kyiv", "2026-11", 0.06, 0.08),
        (
            "?timezone=Europe%2FKyiv&period_month=2026-10&period=month",
            "2026-10",
            0.0,
            0.0,
        ),
        (
            "?start_date=2026-10-31&end_date=2026-11-30",
            "2026-10",
            0.06,
            0.08,
        ),
        (
            "?start_date=2026-10-31&end_date=2026-11-01",
            "2026-10",
            0.06,
            0.0,
        ),
        (
            "?start_date=2026-10-31T22:15:00&end_date=2026-10-31T22:29:59",
            "2026-10",
            0.0,
            0.0,
        ),
        (
            "?start_date=2026-12-01&end_date=2026-11-01",
            "2026-12",
            0.0,
            0.0,
        ),
        ("?start_date=soon", "2026-11", 0.0, 0.08),
    ] {
        let usage = read(&world, "growth-crm", &format!("{USAGE}{query}")).await;
        let number = |name: &str| usage["data"]["breakdown"][name].as_f64();
        assert_eq!(usage["data"]["period"], period, "{query}");
        let kinds = [
            number("search_database"),
            number("search_realtime"),
            number("email_find"),
        ];
        assert_eq!(
            kinds,
            [Some(database), Some(realtime), Some(0.0)],
            "{query} {usage}"
        );
    }
    world.end_with_nothing_open().await;
}
