//! Database instead of realtime, once a budget is nearly used up.

use std::path::Path;
use std::sync::{Arc, Mutex};

use generect_guard::credits::Credits;
use generect_guard::ledger::{SavedBy, open_reader};
use generect_guard::simulator::settings::JobPace;
use generect_guard::simulator::{Fault, Simulator, SimulatorSettings};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Plan, World, credits, send};

const LEADS: &str = "/api/v1/search/realtime/leads/";
const SENT_AS: &str = "guard-sent-as";

fn rows(rows: usize) -> String {
    format!(r#"{{"job_titles":["matches:{rows}"], "limit_by":{rows}}}"#)
}

fn plan() -> Plan {
    Plan::one_team_with("10", "database_beyond = 80")
}

/// A world in which 8.04 of 10 credits are used.
async fn nearly_spent(plan: Plan) -> World {
    let world = plan.start().await;
    for (count, settled) in [(200, "8"), (1, "8.04")] {
        let answer = world.post(LEADS, &rows(count)).await;
        assert_eq!(
            (answer.status, answer.header(SENT_AS)),
            (200, ""),
            "80 % is not beyond 80 %"
        );
        world
            .budget_when("growth-month", |budget| {
                budget.settled == credits(settled) && budget.held == Credits::ZERO
            })
            .await;
    }
    world
}

/// The path and the body of the last call that reached the upstream.
fn last(world: &World) -> (String, String) {
    let requests = world.simulator.truth().requests();
    let calls = requests.iter().filter(|seen| seen.method == "POST");
    let last = calls.last().unwrap();
    let body = String::from_utf8(last.body.to_vec()).unwrap();
    (last.path.clone(), body)
}

/// What the ledger says was saved: operation, calls, credits.
fn saved(ledger: &Path) -> Vec<(String, u64, String)> {
    let reader = open_reader(ledger).unwrap();
    let savings = reader.savings(Timestamp::MIN, Timestamp::MAX).unwrap();
    let mut saved: Vec<_> = (savings.into_iter())
        .map(|saving| {
            assert_eq!(saving.how, SavedBy::Database);
            assert_eq!(saving.team.as_str(), "growth");
            (
                saving.operation.to_string(),
                saving.calls,
                saving.credits.to_string(),
            )
        })
        .collect();
    saved.sort();
    saved
}

#[tokio::test]
async fn near_the_end_of_a_budget_every_realtime_call_is_sent_as_its_cheaper_twin() {
    let world = nearly_spent(plan()).await;
    for (path, body, twin, quote, charge) in [
        (
            "search/realtime/leads",
            rows(5),
            "search_database_leads",
            "0.1",
            "0.1",
        ),
        (
            "search/realtime/companies",
            r#"{"industries":["matches:3"],"limit_by":9}"#.to_owned(),
            "search_database_companies",
            "0.18",
            "0.06",
        ),
        (
            "enrich/realtime/lead",
            r#"{"linkedin_url":"https://www.linkedin.com/in/someone"}"#.to_owned(),
            "enrich_database_lead",
            "0.02",
            "0.02",
        ),
        (
            "enrich/realtime/company",
            r#"{"domain":"someone.example"}"#.to_owned(),
            "enrich_database_company",
            "0.02",
            "0.02",
        ),
    ] {
        let answer = world.post(&format!("/api/v1/{path}/"), &body).await;
        assert_eq!(answer.status, 200, "{path} {}", answer.text);
        assert_eq!(answer.header(SENT_AS), twin);
        assert_eq!(answer.header("guard-quote"), quote, "{path}");
        assert_eq!(answer.header("guard-charge"), charge, "{path}");
        let there = format!("/api/v1/{}/", path.replace("realtime", "database"));
        assert_eq!(last(&world), (there, body));
    }
    let charged = world.simulator.truth().total_charged();
    assert_eq!(charged, credits("8.24"));
    assert_eq!(
        world.charged("growth", "search_database_leads").await,
        "0.1"
    );
    let folder = world.end().await;
    let ledger = folder.path().join("ledger.db");
    let entries = crate::support::entries_of(&ledger);
    let twins = entries.iter().skip(4);
    assert!(
        twins.clone().count() == 8
            && twins
                .clone()
                .all(|entry| entry.operation.as_str().contains("database")),
        "held and settled as what they were sent as: {entries:#?}"
    );
    let line = |operation: &str, saved: &str| (operation.to_owned(), 1, saved.to_owned());
    assert_eq!(
        saved(&ledger),
        [
            line("enrich_realtime_company", "0.02"),
            line("enrich_realtime_lead", "0.02"),
            line("search_realtime_companies", "0.06"),
            line("search_realtime_leads", "0.1"),
        ]
    );
}

#[tokio::test]
async fn a_count_is_free_in_the_database_and_holds_nothing() {
    let world = nearly_spent(plan()).await;
    let answer = world
        .post(
            "/api/v1/search/realtime/leads/count/",
            r#"{"job_titles":["cto"]}"#,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header(SENT_AS), "search_database_leads_count");
    assert_eq!(last(&world).0, "/api/v1/search/database/leads/count/");
    assert_eq!(world.simulator.truth().total_charged(), credits("8.04"));
    let folder = world.end().await;
    let ledger = folder.path().join("ledger.db");
    assert_eq!(crate::support::entries_of(&ledger).len(), 4);
    let count = "search_realtime_leads_count".to_owned();
    assert_eq!(saved(&ledger), [(count, 1, "0.04".to_owned())]);
}

#[tokio::test]
async fn a_search_without_a_bound_gets_one_and_both_criteria_are_looked_at() {
    let world = nearly_spent(plan()).await;
    let body = r#"{"company_search_criteria":{"industries":["matches:2"],"limit_by":4},"lead_search_criteria":{"seniorities":["x"],"limit_by":4}}"#;
    let path = "/api/v1/search/realtime/company-leads/";
    let answer = world.post(path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header(SENT_AS), "search_database_company_leads");
    let keywords = body.replace("seniorities", "keywords");
    assert_eq!(world.post(path, &keywords).await.header(SENT_AS), "");
    world.end_with_nothing_open().await;

    let world = nearly_spent(plan().team("x", "")).await;
    let answer = world.post(LEADS, r#"{"job_titles":["matches:2"]}"#).await;
    assert_eq!(
        answer.refusal(),
        "budget_exhausted",
        "a realtime or a database search of 2400 rows: {}",
        answer.text
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn what_the_database_does_not_read_stays_realtime() {
    let world = nearly_spent(plan().key(
        "growth-live",
        "growth",
        "operations = [\"search_realtime_*\"]",
    ))
    .await;
    for (key, body) in [
        (
            "growth-crm",
            r#"{"job_titles":["cto"],"limit_by":1,"keywords":"x"}"#,
        ),
        (
            "growth-crm",
            r#"{"job_titles":["cto"],"limit_by":1,"keywords":null}"#,
        ),
        (
            "growth-crm",
            r#"{"job_titles":["cto"],"limit_by":1,"full_data":false}"#,
        ),
        (
            "growth-crm",
            r#"{"job_titles":["cto"],"limit_by":1,"nobody_knows":1}"#,
        ),
        (
            "growth-crm",
            r#"{"job_titles":["cto"],"limit_by":1,"max_profiles_scanned":1}"#,
        ),
        // The same, but by a key that may not use the twin.
        ("growth-live", r#"{"job_titles":["cto"],"limit_by":1}"#),
    ] {
        let answer = world.post_as(key, LEADS, body).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text);
        assert_eq!(answer.header(SENT_AS), "", "{body}");
        assert_eq!(last(&world), (LEADS.to_owned(), body.to_owned()));
    }
    let folder = world.end().await;
    assert_eq!(saved(&folder.path().join("ledger.db")), []);
}

#[tokio::test]
async fn a_repeat_of_a_call_in_doubt_is_known_however_it_would_be_sent_now() {
    let world = plan().start().await;
    let body = rows(210);
    world.simulator.faults().next(1, Fault::CutAfterCharge);
    assert_eq!(world.post(LEADS, &body).await.status, 504);
    let budget = world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    assert_eq!(budget.in_doubt, credits("8.4"), "what is in doubt is used");
    let answer = world.post(LEADS, &body).await;
    assert_eq!(answer.refusal(), "call_in_doubt", "{}", answer.text);
    let answer = world.post(LEADS, &rows(2)).await;
    assert_eq!(answer.header(SENT_AS), "search_database_leads");
    world.end().await;
}

#[tokio::test]
async fn a_bulk_job_is_begun_as_its_twin_and_saves_when_it_ends() {
    let world =
        nearly_spent(plan().simulator(|settings| settings.job_pace = JobPace::ByHand)).await;
    let path = "/api/v1/enrich/realtime/leads/bulk/";
    let items = r#"{"leads":[{"id":"lead-1"},{"id":"lead-2"},{"id":"not-found-1"}]}"#;
    let answer = world.post(path, items).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.header(SENT_AS), "enrich_database_leads_bulk");
    assert_eq!(answer.header("guard-quote"), "0.06");
    let job = answer.json()["meta"]["job_id"].as_str().unwrap().to_owned();
    world.simulator.advance_jobs();
    world.simulator.advance_jobs();
    let poll = format!("/api/v1/enrich/leads/bulk/{job}/");
    for _ in 0..3 {
        assert_eq!(world.get(&poll).await.status, 200);
    }
    world
        .budget_when("growth-month", |budget| budget.settled == credits("8.08"))
        .await;
    let folder = world.end().await;
    let bulk = "enrich_realtime_leads_bulk".to_owned();
    assert_eq!(
        saved(&folder.path().join("ledger.db")),
        [(bulk, 1, "0.04".to_owned())],
        "once, and only for what was found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spend_line_says_what_was_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    let plan = Plan::one_team_with("10", "database_beyond = 1");
    let home = plan
        .set("log", "format = \"json\"")
        .home(&simulator.base_url());
    let guard = home.serve().await;
    assert_eq!(guard.post(LEADS, &rows(200)).await.status, 200);
    let answer = guard.post(LEADS, &rows(3)).await;
    assert_eq!(answer.header(SENT_AS), "search_database_leads");
    guard
        .logs("\"asked.operation\":\"search_realtime_leads\"")
        .await;
    let log = guard.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("\"asked.operation\""));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{log}");
    for words in [
        "\"operation\":\"search_database_leads\"",
        "\"charge\":\"0.06\"",
        "\"outcome\":\"settled\"",
    ] {
        assert!(lines[0].contains(words), "{words}: {}", lines[0]);
    }
    guard.end().await;
    let report = home.report();
    assert_eq!(report["saved"][0]["credits"], "0.06", "{report}");
}

/// The bytes of the last call as they reach the upstream, without its port.
async fn bytes_of(plan: Plan) -> String {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 42\r\n\r\n{\"data\":[],\"meta\":{\"amount_charged\":8.04}} ";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(String::new()));
    let calls = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let calls = Arc::clone(&calls);
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                    if !text.starts_with("POST") {
                        break;
                    }
                    *calls.lock().unwrap() = text;
                    if stream.write_all(ANSWER.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    let world = plan
        .start_before(simulator, &format!("http://{address}"))
        .await;
    for body in [rows(200), rows(1)] {
        let request = world
            .request(reqwest::Method::POST, LEADS, "growth-crm")
            .header("content-type", "application/json")
            .header("user-agent", "a-client/1")
            .body(body);
        let answer = send(request).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        world
            .budget_when("growth-month", |budget| budget.held == Credits::ZERO)
            .await;
    }
    world.end_with_nothing_open().await;
    let text = heard.lock().unwrap().clone();
    text.replace(&address.to_string(), "upstream")
}

#[tokio::test]
async fn without_the_setting_a_call_leaves_as_it_always_did() {
    let once = "retry = { tries = 1 }";
    let off = bytes_of(Plan::one_team("10").set("upstream", once)).await;
    let token = generect_guard::simulator::LIVE_TOKEN;
    assert_eq!(
        off,
        format!(
            "POST {LEADS} HTTP/1.1\r\ncontent-type: application/json\r\nuser-agent: a-client/1\r\naccept: */*\r\n\
             content-length: 42\r\nauthorization: Token {token}\r\naccept-encoding: identity\r\nhost: upstream\r\n\r\n{}",
            rows(1)
        )
    );
    assert_eq!(bytes_of(Plan::one_team("10")).await, off);
    let on = bytes_of(Plan::one_team_with("10", "database_beyond = 79")).await;
    assert_eq!(
        on,
        off.replace("realtime", "database"),
        "nothing but the path"
    );
    let not_yet = bytes_of(Plan::one_team_with("10", "database_beyond = 81")).await;
    assert_eq!(not_yet, off);
}
