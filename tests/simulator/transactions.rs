//! The transactions lists: rows, filters, paging, what comes late.

use generect_guard::clock::Clock;
use generect_guard::simulator::SimulatorSettings;
use generect_guard::simulator::settings::TransactionGrain;
use jiff::SignedDuration;
use serde_json::Value;

use crate::client::{Pretend, credits};

const LIST: &str = "/api/v1/accounts/transactions/";
const SEARCH: &str = "/api/v1/search/database/leads/";
const MISS: &str = r#"{"id":"not-found"}"#;

async fn at(moment: &str) -> (Pretend, Clock) {
    let clock = Clock::manual(moment.parse().unwrap());
    let pretend = Pretend::with(SimulatorSettings {
        clock: clock.clone(),
        ..SimulatorSettings::default()
    })
    .await;
    (pretend, clock)
}

async fn rows(pretend: &Pretend, query: &str) -> Vec<Value> {
    let answer = pretend.get(&format!("{LIST}{query}")).await.json();
    answer["data"]["transactions"].as_array().unwrap().clone()
}

async fn search(pretend: &Pretend, rows: u32) {
    let body = format!("{{\"job_titles\":[\"matches:{rows}\"],\"limit_by\":100}}");
    pretend.post(SEARCH, &body).await;
}

#[tokio::test]
async fn a_call_is_a_row_without_an_offset_in_its_time() {
    let (pretend, clock) = at("2026-09-15T10:30:00Z").await;
    search(&pretend, 25).await;
    clock.advance(SignedDuration::from_millis(100));
    pretend.post("/api/v1/enrich/database/lead/", MISS).await;
    pretend.simulator.top_up(credits("20"));
    let rows = rows(&pretend, "").await;
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["type"], "top_up");
    assert_eq!(rows[0]["credits"], 20);
    assert_eq!(rows[1]["details"]["status"], "error", "given back");
    assert_eq!(rows[1]["timestamp"], "2026-09-15T10:30:00.100000");
    assert_eq!(rows[2]["type"], "search_database_leads");
    assert_eq!(rows[2]["credits"].to_string(), "-0.5");
    assert_eq!(rows[2]["timestamp"], "2026-09-15T10:30:00");
    assert_eq!(rows[2]["details"]["balance_type"], "platform");
    assert_eq!(rows[2]["details"]["status"], "success");
}

#[tokio::test]
async fn free_calls_and_refused_calls_write_no_row() {
    let pretend = Pretend::start().await;
    pretend
        .post(
            "/api/v1/search/database/leads/count/",
            r#"{"job_titles":["x"]}"#,
        )
        .await;
    pretend.post(SEARCH, "{}").await;
    pretend.get("/api/v1/accounts/me/").await;
    assert!(rows(&pretend, "").await.is_empty());
}

#[tokio::test]
async fn filters_are_combined_before_paging() {
    let (pretend, clock) = at("2026-09-15T00:00:00Z").await;
    for hits in 1..=6 {
        search(&pretend, hits).await;
        clock.advance(SignedDuration::from_hours(12));
    }
    for (query, found) in [
        ("", 6),
        ("?limit=4", 4),
        ("?limit=4&offset=4", 2),
        ("?created_at__gte=2026-09-16", 4),
        ("?created_at__gt=2026-09-16T00:00:00", 3),
        ("?created_at__lt=2026-09-16T00:00:00Z", 2),
        ("?created_at__lte=2026-09-16T02:00:00%2B02:00", 3),
        ("?credits__lte=-0.1", 2),
        ("?amount__gt=-0.1&created_at__gte=2026-09-16", 2),
        ("?status=success", 6),
        ("?status=pending", 0),
        ("?balance_type=leads_by_icp", 0),
        ("?after_balance__lt=-0.19", 3),
    ] {
        assert_eq!(rows(&pretend, query).await.len(), found, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_dropped_without_a_word() {
    let pretend = Pretend::start().await;
    search(&pretend, 1).await;
    for query in [
        "?created_at__gte=tomorrow",
        "?status=lost",
        "?amount__lte=cheap",
        "?created_at__range_min=2030-01-01",
        "?limit=all&offset=none",
    ] {
        assert_eq!(rows(&pretend, query).await.len(), 1, "{query}");
    }
}

#[tokio::test]
async fn a_call_in_flight_is_pending_with_all_that_is_set_aside() {
    let pretend = Pretend::slow(SimulatorSettings::default()).await;
    let look = async {
        let under_way = |pretend: &Pretend| pretend.simulator.set_aside() > credits("0");
        pretend.until(under_way).await;
        let pending = rows(&pretend, "?status=pending").await;
        assert_eq!(pending.len(), 1);
        assert_eq!(pending[0]["credits"].to_string(), "-2");
        pretend.simulator.faults().hurry();
        pending[0]["id"].clone()
    };
    let ((), id) = tokio::join!(search(&pretend, 2), look);
    let settled = rows(&pretend, "?status=success").await;
    assert_eq!(settled[0]["id"], id, "the same row");
    assert_eq!(settled[0]["credits"].to_string(), "-0.04");
}

#[tokio::test]
async fn one_row_a_result_when_the_grain_is_fine() {
    let pretend = Pretend::with(SimulatorSettings {
        transaction_grain: TransactionGrain::PerResult,
        ..SimulatorSettings::default()
    })
    .await;
    search(&pretend, 5).await;
    let fine = rows(&pretend, "").await;
    assert_eq!(fine.len(), 5);
    assert!(fine.iter().all(|row| row["credits"] == -0.02));
    assert_eq!(pretend.total(), credits("0.1"));
}

#[tokio::test]
async fn rows_may_come_late() {
    let (pretend, clock) = at("2026-09-15T10:30:00Z").await;
    pretend
        .simulator
        .change(|settings| settings.transaction_delay = SignedDuration::from_secs(45));
    search(&pretend, 1).await;
    clock.advance(SignedDuration::from_secs(44));
    assert!(rows(&pretend, "").await.is_empty());
    clock.advance(SignedDuration::from_secs(1));
    let late = rows(&pretend, "").await;
    assert_eq!(late[0]["timestamp"], "2026-09-15T10:30:00");
}

#[tokio::test]
async fn spend_from_elsewhere_is_a_row_and_no_charge() {
    let pretend = Pretend::start().await;
    pretend.simulator.spend_elsewhere("export", credits("1.5"));
    assert_eq!(rows(&pretend, "?credits__lt=0").await[0]["type"], "export");
    assert_eq!(pretend.simulator.balance(), credits("998.5"));
    assert!(pretend.charges().is_empty());
    assert_eq!(pretend.total(), credits("0"));
}

#[tokio::test]
async fn the_legacy_list_pages_and_keeps_running_totals() {
    let pretend = Pretend::start().await;
    for _ in 0..3 {
        let body = r#"{"url":"https://x.example.com/1"}"#;
        pretend.post("/api/linkedin/leads/by_link/", body).await;
    }
    let page = pretend.get("/api/auth/transactions/?limit=2").await.json();
    assert_eq!((&page["count"], &page["limit"]), (&3.into(), &2.into()));
    assert_eq!(page["max_limit"], 100);
    assert!(
        page["next"]
            .as_str()
            .unwrap()
            .ends_with("?limit=2&offset=2")
    );
    assert!(page["previous"].is_null());
    let newest = &page["results"][0];
    assert_eq!(newest["balance_type"], "lead_by_link");
    assert_eq!(newest["amount"].to_string(), "-0.04");
    assert_eq!(newest["after_balance"].to_string(), "-0.12");
    let path = "/api/auth/transactions/?amount__range=-1,0&status__exact=success&limit=5000";
    let page = pretend.get(path).await.json();
    assert_eq!((&page["count"], &page["limit"]), (&3.into(), &100.into()));
    let none = pretend
        .get("/api/auth/transactions/?amount__exact=-7")
        .await
        .json();
    assert_eq!(none["count"], 0);
}
