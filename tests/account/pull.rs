//! Spans of transactions, read over real connections from lists that behave badly.

use std::collections::BTreeMap;
use std::time::Duration;

use generect_guard::account::{
    AccountClient, AccountError, Pull, PullReport, PullSettings, RowFault, Span, Stop,
    TransactionsQuery,
};
use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::simulator::lists::{ListKinds, ListSettings};
use generect_guard::simulator::{Fault, Simulator};
use generect_guard::transaction::{Transaction, TransactionSource, TransactionStatus};
use jiff::{SignedDuration, Timestamp};

use crate::upstream::{Step, Upstream, post, pretend};

const QUICK: PullSettings = PullSettings {
    page_rows: 100,
    overlap_rows: 10,
    pages_a_stretch: 3,
    pages_max: 200,
    pause: Duration::from_millis(1),
    tries: 3,
    retry_pause: Duration::from_millis(1),
    chance: || 0,
};

const BOTH: [TransactionSource; 2] = [TransactionSource::V1, TransactionSource::Legacy];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day() -> Span {
    Span {
        from: at("2026-09-15T00:00:00Z"),
        to: at("2026-09-16T00:00:00Z"),
    }
}

fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

/// The rows by their ids as they came last, how often rows came, and the report.
async fn read(mut pull: Pull) -> (BTreeMap<String, Transaction>, usize, PullReport) {
    let mut rows = BTreeMap::new();
    let mut came = 0;
    while let Some(page) = pull.next().await.unwrap() {
        came += page.len();
        rows.extend(page.into_iter().map(|row| (row.id.to_string(), row)));
    }
    (rows, came, pull.report())
}

/// Writes rows of 0.01, 0.02, … credits, seven seconds apart.
fn write_rows(simulator: &Simulator, clock: &Clock, rows: i64) -> Credits {
    let mut sum = Credits::ZERO;
    for row in 1..=rows {
        let amount = Credits::from_micros(row * 10_000);
        simulator.spend_elsewhere("export", amount);
        sum = sum.saturating_add(amount);
        clock.advance(SignedDuration::from_secs(7));
    }
    sum
}

fn sum(rows: &BTreeMap<String, Transaction>) -> Credits {
    rows.values().map(Transaction::charge).sum()
}

#[tokio::test]
async fn a_day_of_either_list_comes_whole_and_each_row_once() {
    let (simulator, client, clock) = pretend(|_| {}).await;
    let total = write_rows(&simulator, &clock, 450);
    for source in BOTH {
        let (rows, came, report) = read(client.pull(source, day(), QUICK)).await;
        assert_eq!((rows.len(), came, report.rows), (450, 450, 450));
        assert_eq!(sum(&rows), total);
        assert!(report.complete && report.absence_counts() && !report.bounds_dropped);
        assert_eq!(report.stop, None);
        assert_eq!(report.skew, Some(SignedDuration::ZERO));
        assert!(rows.values().all(|row| row.id.source == source));
    }
}

#[tokio::test]
async fn only_the_span_comes_also_where_the_list_looks_at_no_filter() {
    for filters_read in [true, false] {
        let (simulator, client, clock) = pretend(|settings| {
            settings.lists.filters_read = filters_read;
        })
        .await;
        write_rows(&simulator, &clock, 900);
        // Rows 101 to 300, seven seconds apart.
        let span = Span {
            from: at("2026-09-15T10:41:40Z"),
            to: at("2026-09-15T11:05:00Z"),
        };
        for source in BOTH {
            let (rows, _, report) = read(client.pull(source, span, QUICK)).await;
            assert_eq!(rows.len(), 200, "{filters_read} {source:?}");
            assert!(
                rows.values()
                    .all(|row| row.at >= span.from && row.at < span.to)
            );
            assert!(report.complete);
            assert_eq!(report.bounds_dropped, !filters_read);
            // It does not read to the beginning of the list to know that it is at the end.
            assert!(report.pages < 12, "{report:?}");
        }
    }
}

#[tokio::test]
async fn short_pages_that_overlap_are_read_to_the_end() {
    let (simulator, client, clock) = pretend(|settings| {
        settings.lists = ListSettings {
            page_max: 30,
            page_shift: 12,
            ..ListSettings::default()
        };
    })
    .await;
    let total = write_rows(&simulator, &clock, 200);
    for source in BOTH {
        let (rows, came, report) = read(client.pull(source, day(), QUICK)).await;
        assert_eq!((rows.len(), came), (200, 200));
        assert_eq!(sum(&rows), total);
        assert!(report.complete, "{report:?}");
    }
}

#[tokio::test]
async fn rows_that_are_added_while_it_is_read_hide_none() {
    let (simulator, client, clock) = pretend(|_| {}).await;
    write_rows(&simulator, &clock, 400);
    let mut pull = client.pull(TransactionSource::V1, day(), QUICK);
    let mut rows = BTreeMap::new();
    while let Some(page) = pull.next().await.unwrap() {
        rows.extend(page.into_iter().map(|row| (row.id.id.to_string(), row)));
        write_rows(&simulator, &clock, 25);
    }
    assert!(pull.report().complete);
    for number in 1..=400 {
        assert!(rows.contains_key(&format!("txn_{number:08}")), "{number}");
    }
}

#[tokio::test]
async fn many_rows_of_one_moment_are_no_obstacle() {
    let (simulator, client, clock) = pretend(|_| {}).await;
    for _ in 0..3 {
        for _ in 0..450 {
            simulator.spend_elsewhere("export", credits("0.02"));
        }
        clock.advance(SignedDuration::from_secs(3));
    }
    let (rows, came, report) = read(client.pull(TransactionSource::V1, day(), QUICK)).await;
    assert_eq!((rows.len(), came), (1_350, 1_350));
    assert!(report.complete, "{report:?}");
}

#[tokio::test]
async fn a_late_row_is_not_there_and_then_is() {
    let (simulator, client, clock) = pretend(|settings| {
        settings.lists.late_percent = 50;
        settings.lists.late_by = SignedDuration::from_mins(20);
    })
    .await;
    write_rows(&simulator, &clock, 100);
    let (early, _, report) = read(client.pull(TransactionSource::V1, day(), QUICK)).await;
    assert!(report.complete);
    assert!((20..80).contains(&early.len()), "{}", early.len());
    clock.advance(SignedDuration::from_mins(20));
    let (all, ..) = read(client.pull(TransactionSource::V1, day(), QUICK)).await;
    assert_eq!(all.len(), 100);
}

#[tokio::test]
async fn a_refund_is_a_row_of_its_operation_that_was_given() {
    let (simulator, client, clock) = pretend(|_| {}).await;
    let body = r#"{"job_titles":["matches:5"],"limit_by":10}"#;
    post(&simulator, "/api/v1/search/database/leads/", body).await;
    clock.advance(SignedDuration::from_secs(1));
    simulator.refund("search_database_leads", credits("0.04"));
    let (rows, ..) = read(client.pull(TransactionSource::V1, day(), QUICK)).await;
    let shown: Vec<String> = rows
        .values()
        .map(|row| format!("{} {} {}", row.kind, row.amount, row.charge()))
        .collect();
    let expected = [
        "search_database_leads -0.1 0.1",
        "search_database_leads 0.04 0",
    ];
    assert_eq!(shown, expected);
    assert!(simulator.truth().adds_up());
}

#[tokio::test]
async fn a_pending_row_becomes_a_charge_or_is_given_back_under_the_same_id() {
    let (simulator, client, clock) = pretend(|settings| {
        settings.lists.pending_for = SignedDuration::from_secs(30);
    })
    .await;
    post(&simulator, "/api/v1/phone/find/", r#"{"lead_id":"1"}"#).await;
    clock.advance(SignedDuration::from_secs(1));
    let body = r#"{"job_titles":["matches:2"],"limit_by":100}"#;
    post(&simulator, "/api/v1/search/database/leads/", body).await;
    clock.advance(SignedDuration::from_secs(1));
    post(
        &simulator,
        "/api/v1/phone/find/",
        r#"{"lead_id":"not-found"}"#,
    )
    .await;
    let says = async || {
        let mut all = Vec::new();
        for source in BOTH {
            let (rows, ..) = read(client.pull(source, day(), QUICK)).await;
            let says = |row: &Transaction| format!("{} {}", row.status.as_str(), row.amount);
            all.push(rows.values().map(says).collect::<Vec<_>>());
        }
        assert_eq!(all[0], all[1]);
        all.remove(0)
    };
    assert_eq!(says().await, ["pending -0.4", "pending -2", "pending -0.4"]);
    clock.advance(SignedDuration::from_secs(40));
    assert_eq!(
        says().await,
        ["success -0.4", "success -0.04", "error -0.4"]
    );
}

#[tokio::test]
async fn a_clock_that_is_ahead_is_told_and_shifts_the_rows() {
    let ahead = SignedDuration::from_mins(4);
    let (simulator, client, _) = pretend(|settings| settings.lists.clock_ahead = ahead).await;
    simulator.spend_elsewhere("export", credits("1"));
    let (rows, _, report) = read(client.pull(TransactionSource::V1, day(), QUICK)).await;
    assert_eq!(report.skew, Some(ahead));
    let row = rows.values().next().unwrap();
    assert_eq!(row.at, at("2026-09-15T10:34:00Z"));
}

#[tokio::test]
async fn kinds_are_whatever_the_list_says() {
    let (simulator, client, _) = pretend(|_| {}).await;
    post(&simulator, "/api/v1/phone/find/", r#"{"lead_id":"1"}"#).await;
    let kind = async || {
        let (rows, ..) = read(client.pull(TransactionSource::V1, day(), QUICK)).await;
        rows.values().next().unwrap().kind.to_string()
    };
    assert_eq!(kind().await, "phone_find");
    simulator.change(|settings| settings.lists.kinds = ListKinds::Platform);
    assert_eq!(kind().await, "platform");
    simulator.change(|settings| settings.lists.kinds = ListKinds::Scrambled);
    assert!(kind().await.starts_with("kind-"));
}

#[tokio::test]
async fn a_page_that_fails_is_tried_again_and_then_told() {
    let (simulator, client, clock) = pretend(|_| {}).await;
    write_rows(&simulator, &clock, 150);
    let broken = Fault::Failure {
        status: 502,
        charged: false,
        says_charge: false,
    };
    simulator
        .faults()
        .next_on(2, "transactions", broken.clone());
    let mut pull = client.pull(TransactionSource::V1, day(), QUICK);
    let first = pull.next().await.unwrap().unwrap();
    assert_eq!(first.len(), 100);
    simulator.faults().on("transactions", broken);
    assert_eq!(pull.next().await, Err(AccountError::Status(502)));
    let report = pull.report();
    assert!(!report.complete && !report.absence_counts());
    assert_eq!((report.stop, report.rows), (None, 100));
    let newest: Vec<_> = first
        .iter()
        .filter(|row| row.at >= report.read_from)
        .collect();
    assert!((80..=100).contains(&newest.len()), "{report:?}");
    // It goes on where it was.
    simulator.faults().clear();
    let (rest, _, report) = read(pull).await;
    assert_eq!((rest.len(), report.rows), (50, 150));
    assert!(report.complete);
}

#[tokio::test]
async fn a_refused_token_is_not_tried_again() {
    let upstream = Upstream::start(|_| Step::Answer(401, String::new())).await;
    let client = upstream.client(Clock::system());
    let mut pull = client.pull(TransactionSource::V1, day(), QUICK);
    assert_eq!(pull.next().await, Err(AccountError::TokenRefused));
    assert_eq!(upstream.heads().len(), 1);
}

#[tokio::test]
async fn what_is_asked_is_spelt_as_the_vendor_spells_it() {
    let upstream = Upstream::start(|_| {
        Step::Answer(
            200,
            r#"{"results":[],"data":{"transactions":[]}}"#.to_owned(),
        )
    })
    .await;
    let client = upstream.client(Clock::system());
    for source in BOTH {
        let query = TransactionsQuery {
            source,
            from: Some(at("2026-09-15T00:00:00Z")),
            to: Some(at("2026-09-16T00:00:01Z")),
            offset: 90,
            limit: 100,
        };
        let page = client.transactions(&query).await.unwrap();
        assert_eq!((page.raw_count, page.server_time), (0, None));
    }
    let heads = upstream.heads();
    let asked: Vec<&str> = heads
        .iter()
        .map(|head| head.lines().next().unwrap())
        .collect();
    assert_eq!(
        asked,
        [
            "GET /api/v1/accounts/transactions/?limit=100&offset=90&created_at__gte=2026-09-15T00%3A00%3A00Z&created_at__lt=2026-09-16T00%3A00%3A01Z HTTP/1.1",
            "GET /api/auth/transactions/?limit=100&offset=90&created_at__gte=2026-09-15T00%3A00%3A00.000000&created_at__lt=2026-09-16T00%3A00%3A01.000000 HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn rows_that_are_not_plain_are_named_and_none_of_the_others_is_lost() {
    let body = r#"{"data":{"transactions":[
        {"id":"a","timestamp":"2026-09-15T10:30:03Z","type":"phone_find","credits":-0.4,
         "details":{"status":"success"},"surprise":[1,{"x":2}]},
        {"id":"b","timestamp":"2026-09-15T10:30:02Z","type":"phone_find","credits":"plenty"},
        {"id":"c","timestamp":"soon","credits":-1},
        7,
        {"id":"d","timestamp":"2026-09-15T10:30:01","type":"top_up","credits":"20"}]}}"#;
    // The next page overlaps this one, and has nothing more.
    let next = body.split_once(r#"{"id":"b""#).unwrap().1;
    let next = format!(r#"{{"data":{{"transactions":[{{"id":"b"{next}"#);
    let upstream = Upstream::start(move |number| {
        let page = if number == 0 { body } else { &next };
        Step::Answer(200, page.to_owned())
    });
    let upstream = upstream.await;
    let client: AccountClient = upstream.client(Clock::system());
    let (rows, _, report) = read(client.pull(TransactionSource::V1, day(), QUICK)).await;
    let statuses: Vec<_> = rows
        .iter()
        .map(|(id, row)| (id.as_str(), row.status))
        .collect();
    assert_eq!(
        statuses,
        [
            ("v1:a", TransactionStatus::Success),
            ("v1:d", TransactionStatus::Unknown)
        ]
    );
    assert!(report.complete && !report.absence_counts());
    let named: Vec<_> = report
        .unreadable
        .iter()
        .map(|row| (row.id.as_deref(), row.why))
        .collect();
    assert_eq!(named[0], (Some("b"), RowFault::AmountNotANumber));
    assert_eq!(named[1], (Some("c"), RowFault::NoTime));
    assert_eq!(named[2], (None, RowFault::NoObject));
}

#[tokio::test]
async fn a_span_longer_than_its_pages_says_how_far_it_came() {
    let (simulator, client, clock) = pretend(|_| {}).await;
    write_rows(&simulator, &clock, 450);
    let settings = PullSettings {
        pages_max: 2,
        ..QUICK
    };
    let (first, _, report) = read(client.pull(TransactionSource::V1, day(), settings)).await;
    assert_eq!(
        (report.complete, report.stop),
        (false, Some(Stop::PagesMax))
    );
    let rest = Span {
        to: report.read_from,
        ..day()
    };
    let (mut all, _, report) = read(client.pull(TransactionSource::V1, rest, QUICK)).await;
    assert!(report.complete);
    all.extend(first);
    assert_eq!(all.len(), 450);
}
