//! What `report` says of the account: how long it lasts, and what it says was taken.

use generect_guard::catalogue::Catalogue;
use generect_guard::ledger::Reading;
use generect_guard::reconciliation::record_of_prices;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::books::{Books, credits, stated};

#[tokio::test]
async fn a_report_tells_when_account_and_budgets_run_out_at_the_pace_of_the_last_day() {
    let (books, live) = Books::filled().await;
    let reading = Reading {
        balance: credits("0.16"),
        started_at: books.clock.now(),
    };
    books.ledger.keep(vec![reading.record()]).await.unwrap();
    let report = serde_json::to_value(books.report()).unwrap();
    assert_eq!(
        report["account"],
        json!({
            "balance": "0.16", "read_at": "2025-11-30T23:03:00Z", "spent_last_day": "0.08",
            "runs_out_at": "2025-12-02T23:03:00Z",
        })
    );
    // 3.98 left of the total, at 0.02 a day; the rolling one gives back what it takes.
    assert_eq!(report["budgets"][1]["runs_out_at"], Value::Null);
    assert_eq!(report["budgets"][2]["runs_out_at"], "2026-06-17T23:03:00Z");
    let text = books.text();
    for words in [
        "The account had 0.16 credits at 2025-11-30 23:03 UTC.",
        "0.08 went in the last 24 hours; at that pace it is empty on 2025-12-02 23:03 UTC.",
        "At the pace of the last 24 hours mail is used up on 2026-06-17 23:03 UTC.",
    ] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    books.clock.advance(SignedDuration::from_hours(25));
    let report = books.report();
    assert_eq!(
        report.account.unwrap().runs_out_at,
        None,
        "nothing was spent since"
    );
    live.release("done");
    books.close().await;
}

#[tokio::test]
async fn the_usage_report_names_the_dearest_operations_and_their_database_mode() {
    let books = Books::open();
    for (team, operation, charge) in [
        ("growth", "search_realtime_leads", "2"),
        ("research", "search_realtime_leads", "0.05"),
        ("growth", "search_realtime_leads_count", "0.1"),
        ("growth", "enrich_realtime_leads_bulk", "1"),
        ("growth", "phone_find", "0.4"),
    ] {
        let hold = books.hold(team, operation, charge).await;
        hold.settle(credits(charge), stated(charge));
    }
    let catalogue = Catalogue::built_in().unwrap();
    let mut prices = catalogue.prices().clone();
    prices.set("api_realtime", credits("0.05")).unwrap();
    prices.set("api_cached", credits("0.01")).unwrap();
    let record = record_of_prices(&prices);
    books.ledger.keep(vec![record]).await.unwrap();

    let period = ["--from", "2025-11-01", "--to", "2025-12-01"];
    let ran = books.run(&[&["report", "--usage", "--json"], &period[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let dear = |operation: &str, calls: u64, settled: &str, database: Value, there: Value| {
        json!({"operation": operation, "calls": calls, "settled": settled,
               "database": database, "in_database_mode": there})
    };
    let search = json!("search_database_leads");
    let bulk = json!("enrich_database_leads_bulk");
    let count = json!("search_database_leads_count");
    assert_eq!(
        report["dearest"],
        json!([
            dear("search_realtime_leads", 2, "2.05", search, json!("0.41")),
            dear("enrich_realtime_leads_bulk", 1, "1", bulk, json!("0.2")),
            dear("phone_find", 1, "0.4", Value::Null, Value::Null),
            dear("search_realtime_leads_count", 1, "0.1", count, json!("0")),
        ])
    );
    assert_eq!(report["total"]["settled"], "3.55");
    assert_eq!(report["total"]["difference"], "-3.55", "no row was read");
    assert_eq!(
        (&report["source"], &report["read_until"]),
        (&json!("v1"), &Value::Null)
    );

    let text = books
        .run(&[&["report", "--usage"], &period[..]].concat())
        .out;
    assert!(
        text.contains("The account's list has never been read completely."),
        "{text}"
    );
    let both = books.run(&["report", "--usage", "--findings"]);
    assert_eq!(both.code, 2, "{both:?}");
    books.close().await;
}
