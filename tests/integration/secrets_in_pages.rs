//! Promise 7, where the account's own pages show the token, and connections that come to nothing: it stands in
//! no file, log, report, export, metric or alert. The harness holds each against it.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{DATE, SERVER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use generect_guard::account::{AccountClient, AccountClientSettings, AccountError};
use generect_guard::clock::Clock;
use generect_guard::ledger::EntryKind;
use generect_guard::reports::usage_text;
use generect_guard::simulator::{Fault, LIVE_TOKEN, Simulator, SimulatorSettings};
use generect_guard::transaction::TransactionSource;
use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio::task::block_in_place;

use crate::alerts_told::{Receiver, alert, secret_file};
use crate::http2::way_settings;
use crate::reconcile::{SEARCH, plan, reconcile, search};
use crate::support::relay::{self, Identity};
use crate::support::silence::assert_silent;
use crate::support::{Plan, World, client};
use crate::usage::{checked, evening, report};

/// What stands where the token stood.
const COVERED: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// A page with the token in every text that the guard keeps or shows. The first is written with an escape.
fn echoing(path: &str, page: &str) -> String {
    let token = LIVE_TOKEN;
    let escaped = format!("\\u0035{}", &token[1..]);
    let unreadable = format!(r#"[{{"id":"{token}-unreadable"}},{{"id":"txn"#);
    let named = |name: &str| format!(r#""{name}":{{"{token}":1.5,"bad-{token}":null,"#);
    let echoing = match path {
        "/api/v1/accounts/transactions/" | "/api/auth/transactions/" => page
            .replacen(r#"[{"id":"txn"#, &unreadable, 1)
            .replace(r#""id":"txn"#, &format!(r#""id":"{escaped}txn"#))
            .replace(r#""type":""#, &format!(r#""type":"{token}-"#))
            .replace(r#"_type":"pl"#, &format!(r#"_type":"{token}-pl"#))
            .replace(r#""status":""#, &format!(r#""note":"{token}","status":""#)),
        "/api/auth/tiers/my-tier/" => page
            .replace(r#""name":""#, &format!(r#""name":"{token}"#))
            .replace(r#""service_prices":{"#, &named("service_prices")),
        "/api/v1/accounts/usage/" => page.replace(r#""breakdown":{"#, &named("breakdown")),
        "/api/auth/transactions/spent_credits/" => page.replace(
            r#""platform":"#,
            &format!(r#""{token}":-1.5,"bad-{token}":null,"platform":"#),
        ),
        _ => return page.to_owned(),
    };
    echoing.replace(",}", "}")
}

async fn echo(simulator: String, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path();
    let asked = client().request(head.method.clone(), format!("{simulator}{}", head.uri));
    let Ok(answer) = asked.headers(head.headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, date) = (answer.status(), answer.headers().get(DATE).cloned());
    let head = [
        (DATE, date.unwrap()),
        (SERVER, HeaderValue::from_static(LIVE_TOKEN)),
    ];
    let Ok(page) = answer.text().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    (status, head, echoing(path, &page)).into_response()
}

/// Stands before the simulator, and echoes.
async fn echo_before(simulator: &Simulator) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let simulator = simulator.base_url();
    let pages = Router::new().fallback(move |request| echo(simulator.clone(), request));
    tokio::spawn(async move { axum::serve(listener, pages).await });
    format!("http://{address}")
}

async fn simulator(settings: SimulatorSettings) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(listener, settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_report_log_metric_or_alert_shows_the_token_that_the_accounts_pages_show() {
    let (receiver, secret) = (Receiver::start(true).await, secret_file());
    let plan = Plan::one_team("100")
        .set("upstream", "response_timeout = \"1s\"")
        .set("reconciliation", "interval = \"1h\"")
        .set("reconciliation", "tolerance = \"1s\"")
        .toml(&alert(
            "around",
            "unattributed_above = 1",
            &receiver,
            &secret,
        ));
    let simulator = simulator(plan.simulator_settings()).await;
    let home = plan.home(&echo_before(&simulator).await);
    let output = |arguments: &[&str]| block_in_place(|| home.output_of(arguments));
    let guard = home.serve().await;
    let body = r#"{"limit_by":3,"job_titles":["matches:3"]}"#;
    assert_eq!(guard.post(SEARCH, body).await.status, 200);
    simulator.spend_elsewhere("search_database_leads", "1.5".parse().unwrap());
    let told = output(&["reconcile"]);
    for words in ["2 rows read (1 unreadable)", "theirs_only"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    guard.logs(&format!("{COVERED}-unreadable")).await;
    guard.logs("tier.price").await;
    let log = guard.log();
    assert!(
        !log.contains("[token]"),
        "covered before it came to the log: {log}"
    );
    guard.end().await;

    // What was covered is known again, and what it is to its alert.
    let guard = home.serve().await;
    let told = output(&["reconcile"]);
    assert!(told.contains("0 rows read (1 unreadable)"), "{told}");
    receiver.until(1).await;
    guard.end().await;
    for part in ["--findings", "--in-doubt", "--usage", "--changes"] {
        output(&["report", part]);
        output(&["report", part, "--json"]);
    }
    let findings = output(&["report", "--findings", "--json"]);
    let name = format!("theirs_only:v1:{COVERED}txn");
    assert!(findings.contains(&name), "{findings}");
    for format in ["csv", "jsonl"] {
        let span = ["--from", "2000-01-01", "--to", "2100-01-01"];
        output(&[&["export", "--format", format][..], &span].concat());
    }
}

/// A day of calls, and what is told of it: by the running guard, and in the files it leaves.
async fn a_day(source: TransactionSource) -> String {
    let clock = evening();
    let word = format!("source = {:?}", source.as_str());
    let plan = plan(&clock).set("reconciliation", &word);
    let simulator = simulator(plan.simulator_settings()).await;
    let echo = echo_before(&simulator).await;
    let world: World = plan.start_before(simulator, &echo).await;
    clock.advance(SignedDuration::from_hours(1));
    let faults = world.simulator.faults();
    assert_eq!(search(&world, 5).await, 200);
    faults.next_on(1, SEARCH, Fault::CutAfterCharge);
    search(&world, 4).await;
    clock.advance(SignedDuration::from_hours(24));
    let told = reconcile(&world).await;
    assert!(told.contains("2 rows read (1 unreadable)"), "{told}");
    let sums = checked(&world, &clock, source, 1).await.to_string();
    let told = told + &sums + &usage_text(&report(&world, &clock, source));
    assert_silent("what is told of a day", told.as_bytes());
    world.end().await;
    sums
}

#[tokio::test]
async fn no_sum_of_the_accounts_shows_the_token() {
    for source in [TransactionSource::V1, TransactionSource::Legacy] {
        let sums = a_day(source).await;
        assert!(sums.contains(&format!(r#""key":"{COVERED}""#)), "{sums}");
    }
}

/// Why the account cannot be read over TLS on this port.
async fn account_error(identity: &Identity, port: u16) -> AccountError {
    let settings = AccountClientSettings {
        base_url: format!("https://localhost:{port}"),
        connect_timeout: Duration::from_secs(30),
        timeout: Duration::from_secs(30),
        egress_proxy: None,
        tls: way_settings(identity, port).tls,
    };
    let client = AccountClient::new(settings, LIVE_TOKEN, Clock::system()).unwrap();
    client.me().await.unwrap_err()
}

#[tokio::test]
async fn a_certificate_in_the_tokens_name_is_told_without_it() {
    let (identity, folder) = (Identity::of(LIVE_TOKEN), tempfile::tempdir().unwrap());
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &identity.certificate).unwrap();
    let plan = Plan::one_team("10").set("upstream", &format!("ca_file = {file:?}"));
    let simulator = simulator(plan.simulator_settings()).await;
    let tls = relay::tls(&identity, &[], simulator.address()).await;
    let port = tls.address.port();
    let error = account_error(&identity, port).await.to_string();
    let world = plan
        .start_before(simulator, &format!("https://localhost:{port}"))
        .await;
    assert_eq!(search(&world, 1).await, 502);
    let entries = world.end_with_nothing_open().await;
    let end = entries.last().unwrap();
    assert_eq!(end.kind, EntryKind::Released);
    let told = &end.evidence.as_ref().unwrap().text;
    for why in [&error, told] {
        assert!(why.contains(&format!("DnsName(\"{COVERED}\")")), "{why}");
        assert_silent("why there is no connection", why.as_bytes());
    }
}
