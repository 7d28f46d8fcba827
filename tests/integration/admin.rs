//! What the operator's side shows: alive, ready, and the metrics.

use std::time::Duration;

use generect_guard::metrics;
use generect_guard::simulator::{Fault, LIVE_TOKEN};

use crate::support::{Plan, World, credits, secret_of, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const PHONES: &str = "/api/v1/phone/find/bulk/";
const BODY: &str = r#"{"job_titles":["matches:3"],"limit_by":5}"#;

/// Which conditions of `/readyz` are not met.
async fn missing(world: &World) -> (u16, Vec<String>) {
    let page = world.admin("/readyz").await;
    let report = page.json();
    assert_eq!(report["ready"], page.status == 200);
    let conditions = report["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 4);
    let unmet = conditions
        .iter()
        .filter(|condition| condition["met"] == false);
    let names = unmet.map(|condition| condition["name"].as_str().unwrap().to_owned());
    (page.status, names.collect())
}

#[tokio::test]
async fn a_guard_is_alive_from_its_start_to_its_end_and_ready_while_it_takes_calls() {
    let plan = Plan::one_team("200").set("account", "when_stale = \"refuse\"");
    // Long enough for the pages to be read while the guard ends.
    let plan = plan.simulator(|settings| settings.latency = Duration::from_secs(3));
    let world = plan.start().await;
    world.account_read().await;
    assert_eq!(world.admin("/healthz").await.json()["status"], "alive");
    assert_eq!(missing(&world).await, (200, vec![]));
    let pages = world.admin_pages();
    let request = world.request(reqwest::Method::POST, SEARCH, "growth-crm");
    let running = tokio::spawn(crate::support::send(request.body(BODY)));
    world
        .budget_when("growth-month", |budget| budget.held == credits("0.1"))
        .await;
    let ending = tokio::spawn(world.end_with_nothing_open());
    let page = pages.wait_for("/readyz", |page| page.status == 503).await;
    assert!(page.text.contains("shutting down"), "{}", page.text);
    assert_eq!(
        pages.get("/healthz").await.status,
        200,
        "alive all the same"
    );
    assert_eq!(
        running.await.unwrap().unwrap().status,
        200,
        "it was under way"
    );
    ending.await.unwrap();
}

/// The ledger cannot be written: nothing billable goes out, the rest goes on, and it heals alone.
#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_not_ready_and_recovers_by_itself() {
    let world = Plan::one_team("200").start().await;
    world.account_read().await;
    let other = rusqlite::Connection::open(world.ledger_path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = world.post(SEARCH, BODY).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (503, "ledger_unavailable"),
        "{}",
        answer.text
    );
    assert!(!answer.header("retry-after").is_empty());
    assert!(
        !answer.text.contains("locked"),
        "the cause is for the log: {}",
        answer.text
    );
    assert_eq!(
        missing(&world).await,
        (503, vec!["ledger_writable".to_owned()])
    );
    assert_eq!(world.post(COUNT, BODY).await.status, 200);
    assert_eq!(world.simulator.truth().charges().len(), 0);
    let failures = world.metric(metrics::COMMIT_FAILURES, &[]).await;
    assert!(failures.parse::<u64>().unwrap() >= 1, "{failures}");
    other.execute_batch("ROLLBACK").unwrap();
    world
        .admin_pages()
        .wait_for("/readyz", |page| page.status == 200)
        .await;
    assert_eq!(world.post(SEARCH, BODY).await.status, 200);
    world.end_with_nothing_open().await;
}

/// One call of each kind of ending.
async fn make_calls(world: &World) {
    for replayed in ["", "true"] {
        let request = world
            .request(reqwest::Method::POST, SEARCH, "growth-crm")
            .header("content-type", "application/json")
            .header("idempotency-key", "once");
        let answer = send(request.body(BODY)).await.unwrap();
        assert_eq!(
            (answer.status, answer.header("guard-replayed")),
            (200, replayed)
        );
    }
    assert_eq!(world.post(COUNT, BODY).await.status, 200);
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutAfterCharge);
    let doubt = r#"{"job_titles":["doubt"],"limit_by":1}"#;
    assert_eq!(world.post(SEARCH, doubt).await.status, 504);
    faults.next_on(1, SEARCH, Fault::Overrun(credits("0.01")));
    let overrun = r#"{"job_titles":["overrun"],"limit_by":2}"#;
    assert_eq!(world.post(SEARCH, overrun).await.status, 200);
    assert_eq!(world.post(SEARCH, r#"{"limit_by":500}"#).await.status, 402);
    assert_eq!(world.post_as("nobody", SEARCH, BODY).await.status, 401);
    let miss = r#"{"linkedin_url":"https://www.linkedin.com/in/not-found-1/"}"#;
    assert_eq!(
        world
            .post("/api/v1/enrich/database/lead/", miss)
            .await
            .status,
        400
    );
    let legacy = r#"[{"first_name":"A","last_name":"B","domain":"example.com"}]"#;
    assert_eq!(
        world
            .post("/api/linkedin/email_finder/", legacy)
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .post(PHONES, r#"{"leads":[{"lead_id":"1"}]}"#)
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn the_metrics_count_what_happened_and_never_name_a_key() {
    let world = Plan::one_team("1")
        .budget("trial", "limit = 0\nper = \"day\"\nmode = \"shadow\"")
        .set("upstream", "breaker = { failures = 100 }")
        .start()
        .await;
    world.account_read().await;
    make_calls(&world).await;
    let search = [("team", "growth"), ("operation", "search_database_leads")];
    let with = |key, value| [search[0], search[1], (key, value)];
    for (name, labels, value) in [
        (metrics::REQUESTS, with("outcome", "settled").to_vec(), "2"),
        (metrics::REQUESTS, with("outcome", "in_doubt").to_vec(), "1"),
        (metrics::REQUESTS, with("outcome", "refused").to_vec(), "1"),
        (
            metrics::REFUSALS,
            with("reason", "budget_exhausted").to_vec(),
            "1",
        ),
        (metrics::CHARGED, search.to_vec(), "0.11"),
        (metrics::OVERRUNS, search.to_vec(), "1"),
        (metrics::DOUBTS, search.to_vec(), "1"),
        (metrics::HOLDS_OPEN, vec![], "2"),
        (metrics::BREAKER_OPEN, vec![], "0"),
    ] {
        assert_eq!(
            world.metric(name, &labels).await,
            value,
            "{name} {labels:?}"
        );
    }
    world.simulator.top_up(credits("5"));
    crate::reconcile::reconcile(&world).await;
    check_page(&world).await;
    world.end().await;
}

/// Every metric is there, with the labels that may be, and without a secret.
async fn check_page(world: &World) {
    let page = world.admin("/metrics").await;
    let unused = [
        metrics::COMMIT_FAILURES,
        metrics::ACCOUNT_ERRORS,
        metrics::TIER_ERRORS,
        metrics::LIST_UNREAD,
        metrics::DOUBTS_ENDED,
        metrics::SAVED,
        metrics::ALERTS,
        metrics::ALERT_DELIVERIES,
    ];
    for metric in metrics::ALL {
        let unused = unused.contains(&metric.name);
        assert!(
            unused || page.text.contains(&format!("# HELP {}", metric.name)),
            "{}",
            metric.name
        );
    }
    let known = [
        "team",
        "operation",
        "outcome",
        "reason",
        "budget",
        "limit",
        "family",
        "alert",
        "kind",
        "how",
        "delivery",
        "status_class",
        "le",
        "version",
        "commit",
        "state",
        "rustc",
    ];
    for line in page.text.lines().filter(|line| !line.starts_with('#')) {
        let labels = line
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        for label in labels
            .map_or("", |(labels, _)| labels)
            .split("\",")
            .filter(|l| !l.is_empty())
        {
            let name = label.split_once('=').unwrap().0;
            assert!(known.contains(&name), "{name} in {line}");
        }
    }
    for secret in ["growth-crm", "nobody", &secret_of("growth-crm"), LIVE_TOKEN] {
        assert!(!page.text.contains(secret), "{secret}");
    }
}
