//! What was saved, in the report.

use generect_guard::ledger::{Record, SavedBy, Saving};
use serde_json::json;

use crate::books::Books;

#[tokio::test]
async fn a_report_tells_what_was_saved_in_its_period_if_anything_was() {
    let books = Books::open();
    assert!(!books.text().contains("saved"), "{}", books.text());
    let saving = |day: &str, how, calls, amount: &str| {
        Record::Saved(Saving {
            day: day.parse().unwrap(),
            team: "growth".into(),
            operation: "search_database_leads".into(),
            how,
            calls,
            credits: amount.parse().unwrap(),
        })
    };
    let records = vec![
        saving("2025-10-31T00:00:00Z", SavedBy::Replayed, 9, "9"),
        saving("2025-11-01T00:00:00Z", SavedBy::Replayed, 1, "0.5"),
        saving("2025-11-02T00:00:00Z", SavedBy::Replayed, 2, "1"),
        saving("2025-11-02T00:00:00Z", SavedBy::Database, 1, "0.25"),
    ];
    books.ledger.keep(records).await.unwrap();
    let report = serde_json::to_value(books.report()).unwrap();
    let line = |how: &str, calls: u64, amount: &str| {
        json!({"team": "growth", "operation": "search_database_leads", "how": how,
            "calls": calls, "credits": amount})
    };
    let expected = json!([line("replayed", 3, "1.5"), line("database", 1, "0.25")]);
    assert_eq!(report["saved"], expected);
    assert!(
        books.text().contains("1.75 credits saved."),
        "{}",
        books.text()
    );
    books.close().await;
}
