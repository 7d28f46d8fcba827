//! What `report` says of the account: how long it lasts, and what it says was taken.

use generect_guard::ledger::Reading;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::books::{Books, credits};

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
