//! What a client asks before it pays: a dry run tells what would become of its call and touches
//! nothing, and a call that can take more than its client allows is not sent.

use std::sync::Arc;

use generect_guard::simulator::Fault;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::explains::explained;
use crate::support::{Answered, Plan, World, credits, is_own_question, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const FIND: &str = "/api/v1/email/find/";
const ME: &str = "/api/v1/accounts/me/";

fn rows(count: u64) -> String {
    format!(r#"{{"job_titles":["matches:9999"],"limit_by":{count}}}"#)
}

/// POSTs with the key `growth-crm` and these headers of the guard's own.
async fn asks(world: &World, headers: &[(&str, &str)], path: &str, body: &str) -> Answered {
    asks_as(world, "growth-crm", headers, path, body).await
}

async fn asks_as(
    world: &World,
    key: &str,
    headers: &[(&str, &str)],
    path: &str,
    body: &str,
) -> Answered {
    let mut request = world.request(Method::POST, path, key);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .header("content-type", "application/json")
        .body(body.to_owned());
    send(request).await.unwrap()
}

async fn dry_run(world: &World, path: &str, body: &str) -> Value {
    let answer = asks(world, &[("guard-dry-run", "true")], path, body).await;
    is_a_dry_run(&answer)
}

fn is_a_dry_run(answer: &Answered) -> Value {
    assert_eq!((answer.status, answer.refusal()), (200, ""), "{answer:?}");
    assert_eq!(answer.header("guard-dry-run"), "true");
    assert_eq!(answer.header("content-type"), "application/json");
    let page = answer.json();
    assert_eq!(page["dry_run"], true);
    assert_eq!(page["request_id"], answer.header("guard-request-id"));
    page
}

/// What the clients' calls have put on the wire to the upstream.
fn sent(world: &World) -> usize {
    let seen = world.simulator.truth().requests();
    seen.iter()
        .filter(|seen| !is_own_question(&seen.path))
        .count()
}

#[tokio::test]
async fn a_dry_run_says_what_a_call_would_hold_and_holds_and_sends_nothing() {
    let world = Plan::one_team("10")
        .budget("everything", "limit = 500\nper = \"total\"")
        .key("growth-forms", "growth", "")
        .budget("forms", "key = \"growth-forms\"\nlimit = 1\nper = \"day\"")
        .start()
        .await;
    let page = dry_run(&world, SEARCH, &rows(25)).await;
    let month = &page["budgets"][0];
    assert!(month["window_start"].is_string() && month["resets_at"].is_string());
    assert_eq!(
        page,
        json!({
            "dry_run": true, "request_id": page["request_id"], "operation": "search_database_leads",
            "verdict": "admitted", "quote": "0.5", "items": 25, "refusal": null,
            "budgets": [
                {"verdict": "fits", "id": "growth-month", "mode": "enforce", "shared": false,
                 "limit": "10", "granted": "0", "settled": "0", "held": "0", "in_doubt": "0",
                 "headroom": "10", "window_start": month["window_start"],
                 "resets_at": month["resets_at"]},
                {"verdict": "fits", "id": "everything", "mode": "enforce", "shared": true,
                 "limit": "500", "granted": "0", "headroom": "500", "window_start": null,
                 "resets_at": null},
            ],
            "account": {"verdict": "fits"}, "shadow": [],
            "slot": {"verdict": "fits", "family": "search_leads", "cap": 50, "waiting": 0,
                     "expected_wait_s": 0},
        })
    );
    let forms = [("guard-dry-run", "true")];
    let forms = asks_as(&world, "growth-forms", &forms, SEARCH, &rows(80)).await;
    let forms = is_a_dry_run(&forms);
    assert_eq!(forms["verdict"], "refused");
    assert_eq!(forms["budgets"][0]["verdict"], "fits");
    assert_eq!(forms["budgets"][2]["id"], "forms");
    assert_eq!(forms["budgets"][2]["verdict"], "budget_exhausted");
    assert_eq!(sent(&world), 0);
    let page = world.admin("/metrics").await.text;
    let counted = r#"guard_requests_total{team="growth",operation="search_database_leads",outcome="dry_run"} 2"#;
    assert!(page.lines().any(|line| line == counted), "{page}");
    assert!(world.end_with_nothing_open().await.is_empty());
}

/// Asks for a dry run of a call, then sends it: it is told the same. Gives the dry run.
async fn as_the_call(world: &World, more: &[(&str, &str)], path: &str, body: &str) -> Value {
    let headers = [&[("guard-dry-run", "true")], more].concat();
    let page = is_a_dry_run(&asks(world, &headers, path, body).await);
    let call = asks(world, more, path, body).await;
    assert!(call.refusal() != "", "{}", call.text);
    let (told, came) = (&page["refusal"], call.json());
    assert_eq!(page["verdict"], "refused", "{page}");
    assert_eq!(told["code"], call.refusal());
    assert_eq!(told["status_code"], call.status);
    assert_eq!(told["detail"], came["detail"]);
    let wait = call.header("retry-after").parse::<u64>().ok();
    assert_eq!(told["retry_after"], json!(wait));
    page
}

#[tokio::test]
async fn a_dry_run_refuses_what_the_call_is_then_refused_for_in_the_same_words() {
    let world = Plan::one_team("10")
        .simulator(|settings| settings.balance = credits("7"))
        .set("upstream", "response_timeout = \"1s\"")
        .toml("[[floor]]\nbelow = 3\npriority = \"normal\"\naction = \"refuse\"")
        .start()
        .await;
    world.account_read().await;
    let page = as_the_call(&world, &[], SEARCH, &rows(501)).await;
    assert_eq!(page["refusal"]["code"], "budget_exhausted");
    assert_eq!(page["budgets"][0]["verdict"], "budget_exhausted");
    assert_eq!(page["account"]["verdict"], "account_low");
    assert_eq!(page["account"]["floor"], "3", "{page}");

    let page = as_the_call(&world, &[], SEARCH, &rows(300)).await;
    assert_eq!(page["refusal"]["code"], "account_low");
    assert_eq!(page["budgets"][0]["verdict"], "fits");

    let page = as_the_call(&world, &[("guard-max-charge", "0.5")], SEARCH, &rows(26)).await;
    assert_eq!(page["refusal"]["code"], "above_max_charge");
    assert_eq!(page["budgets"][0]["verdict"], "fits");

    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::CutAfterCharge);
    assert_eq!(world.post(SEARCH, &rows(1)).await.status, 504);
    let page = as_the_call(&world, &[], SEARCH, &rows(1)).await;
    assert_eq!(page["refusal"]["code"], "call_in_doubt");
    assert_eq!(page["budgets"][0]["in_doubt"], "0.02");
    world.end().await;
}

#[tokio::test]
async fn a_dry_run_tells_of_an_outage_as_the_call_would_be_told() {
    let world = Plan::one_team("10")
        .toml("[upstream.breaker]\nfailures = 1\nwithin = \"60s\"\npause = \"60s\"")
        .start()
        .await;
    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::CutAfterCharge);
    assert_eq!(world.post(SEARCH, &rows(1)).await.status, 504);
    let page = as_the_call(&world, &[], SEARCH, &rows(2)).await;
    assert_eq!(page["refusal"]["code"], "upstream_failing");
    world.end().await;
}

/// A call on a connection of its own, on its way.
fn on_its_way(world: &World, name: &str, path: &str, body: &str) -> JoinSet<Answered> {
    let request = world.request(Method::POST, path, "growth-crm");
    let request = request.header("content-type", "application/json");
    let request = request
        .header("idempotency-key", name)
        .body(body.to_owned());
    let mut calls = JoinSet::new();
    calls.spawn(async move { send(request).await.unwrap() });
    calls
}

async fn until_shown(world: &World, line: &str) {
    while !world.admin("/metrics").await.text.contains(line) {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_dry_run_says_whether_the_call_would_wait_for_a_slot_or_for_anothers_answer() {
    let companies = "/api/v1/search/database/companies/";
    let world = Plan::one_team("10")
        .set("slots.caps", "search_companies = 1\npreview = 1")
        .set("slots", "queue_max = 1")
        .start()
        .await;
    let page = dry_run(&world, companies, &rows(1)).await;
    let slot = json!({"verdict": "fits", "family": "search_companies", "cap": 1, "waiting": 0,
                      "expected_wait_s": 0});
    assert_eq!(
        (&page["verdict"], &page["slot"]),
        (&json!("admitted"), &slot)
    );
    let slow = Fault::SlowHeaders(std::time::Duration::from_secs(60));
    world.simulator.faults().next_on(1, companies, slow);
    let first = on_its_way(&world, "first", companies, &rows(2));
    until_shown(&world, "guard_slots_in_use{family=\"search_companies\"} 1").await;
    let page = dry_run(&world, companies, &rows(1)).await;
    let slot = json!({"verdict": "waits", "family": "search_companies", "cap": 1, "waiting": 0,
                      "expected_wait_s": null});
    assert_eq!(
        (&page["verdict"], &page["slot"]),
        (&json!("admitted"), &slot)
    );
    let free = dry_run(&world, "/api/v1/preview/leads/count/", "{}").await;
    assert_eq!(
        (&free["verdict"], &free["slot"]["verdict"]),
        (&json!("free"), &json!("fits"))
    );

    let second = on_its_way(&world, "second", companies, &rows(3));
    until_shown(&world, "guard_slots_waiting{family=\"search_companies\"} 1").await;
    let page = as_the_call(&world, &[], companies, &rows(1)).await;
    assert_eq!(page["refusal"]["code"], "slots_full");
    assert_eq!(page["slot"]["verdict"], "slots_full");
    let named = |name| [("guard-dry-run", "true"), ("idempotency-key", name)];
    for (name, body, verdict, refusal) in [
        ("first", rows(2), "joined", Value::Null),
        ("second", rows(3), "joined", Value::Null),
        ("second", rows(2), "refused", json!("idempotency_conflict")),
    ] {
        let page = is_a_dry_run(&asks(&world, &named(name), companies, &body).await);
        assert_eq!(page["verdict"], verdict, "{page}");
        assert_eq!(page["refusal"]["code"], refusal, "{page}");
    }
    world.simulator.faults().hurry();
    for calls in [first, second] {
        assert_eq!(calls.join_all().await[0].status, 200);
    }
    let page = is_a_dry_run(&asks(&world, &named("first"), companies, &rows(2)).await);
    assert_eq!(page["verdict"], "replayed", "{page}");
    assert_eq!(sent(&world), 2);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_dry_run_of_what_takes_nothing_says_so_and_sends_it_neither() {
    let world = Plan::one_team("10").start().await;
    let page = dry_run(&world, COUNT, &rows(1)).await;
    assert_eq!(page["verdict"], "free");
    assert_eq!(page["operation"], "search_database_leads_count");
    assert_eq!(
        (&page["quote"], &page["budgets"]),
        (&Value::Null, &Value::Null)
    );
    for path in [ME, "/_guard/budgets", "/api/v1/phone/find/bulk/17-1/"] {
        let request = world.request(Method::GET, path, "growth-crm");
        let answer = send(request.header("guard-dry-run", "true")).await.unwrap();
        let page = is_a_dry_run(&answer);
        let foreign = path.contains("17-1");
        let verdict = if foreign { "refused" } else { "free" };
        assert_eq!(page["verdict"], verdict, "{path}");
        let code = if foreign {
            json!("operation_not_allowed")
        } else {
            Value::Null
        };
        assert_eq!(page["refusal"]["code"], code, "{path}");
    }
    assert_eq!(sent(&world), 0);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_team_without_limits_is_told_that_no_budget_covers_its_call() {
    let world = Plan::one_team_with("10", "unlimited = true")
        .team("lab", "unlimited = true")
        .key("lab-notebook", "lab", "")
        .start()
        .await;
    let header = [("guard-dry-run", "true")];
    let answer = asks_as(&world, "lab-notebook", &header, SEARCH, &rows(10)).await;
    let page = is_a_dry_run(&answer);
    assert_eq!(
        (&page["verdict"], &page["budgets"]),
        (&json!("admitted"), &json!([]))
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_header_of_the_guards_own_that_cannot_be_read_stops_the_call() {
    let world = Plan::one_team("10").start().await;
    for (name, value) in [
        ("guard-dry-run", "yes"),
        ("guard-dry-run", "True"),
        ("guard-dry-run", ""),
        ("guard-max-charge", "half a credit"),
        ("guard-max-charge", "-1"),
        ("guard-max-charge", ""),
    ] {
        for path in [SEARCH, COUNT] {
            let answer = asks(&world, &[(name, value)], path, &rows(1)).await;
            let words = [name, "Correct it"];
            explained(&world, &answer, 400, "unreadable_header", &words).await;
        }
    }
    assert_eq!(sent(&world), 0);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_call_that_can_take_more_than_its_client_allows_is_not_sent_and_told_what_would_fit() {
    let world = Plan::one_team("10").start().await;
    let answer = asks(&world, &[("guard-max-charge", "0.50")], SEARCH, &rows(100)).await;
    let words = [
        "up to 2",
        "guard-max-charge of 0.5",
        "About 25 of the 100",
        "limit_by",
    ];
    explained(&world, &answer, 400, "above_max_charge", &words).await;
    let body = answer.json();
    assert_eq!(
        (&body["asked"], &body["max_charge"], &body["items_that_fit"]),
        (&json!("2"), &json!("0.5"), &json!(25))
    );
    // One that names no bound is asked for as much as there may be.
    let answer = asks(&world, &[("guard-max-charge", "0.50")], SEARCH, "{}").await;
    assert_eq!(answer.json()["items_that_fit"], 25, "{}", answer.text);
    let answer = asks(
        &world,
        &[("guard-max-charge", "0")],
        FIND,
        r#"{"first_name":"A","last_name":"B","domain":"example.com"}"#,
    )
    .await;
    explained(&world, &answer, 400, "above_max_charge", &["Allow more"]).await;
    assert_eq!(sent(&world), 0);

    let answer = asks(&world, &[("guard-max-charge", "0.50")], SEARCH, &rows(25)).await;
    assert_eq!((answer.status, answer.header("guard-charge")), (200, "0.5"));
    let answer = asks(&world, &[("guard-max-charge", "0")], COUNT, &rows(25)).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (200, ""),
        "it takes nothing"
    );
    let entries = world.end_with_nothing_open().await;
    assert_eq!(entries.len(), 2, "one hold and its end: {entries:?}");
}

/// Room for fifty: however many ask, exactly fifty are sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_dry_runs_takes_no_room_from_the_calls_among_them() {
    let world = Arc::new(Plan::one_team("1").start().await);
    let mut calls = JoinSet::new();
    for number in 0..400 {
        let world = Arc::clone(&world);
        calls.spawn(async move {
            let dry = if number % 4 == 0 { "false" } else { "true" };
            let body = format!(r#"{{"job_titles":["call {number}"],"limit_by":1}}"#);
            let answer = asks(&world, &[("guard-dry-run", dry)], SEARCH, &body).await;
            (dry == "false", answer)
        });
    }
    let mut charged = 0;
    for (is_call, answer) in calls.join_all().await {
        match (is_call, answer.status, answer.refusal()) {
            (true, 200, "") => charged += 1,
            (true, 402, "budget_exhausted") | (true, 429, "budget_busy") => {}
            (false, ..) => {
                let page = is_a_dry_run(&answer);
                assert!(
                    ["admitted", "refused"]
                        .iter()
                        .any(|one| page["verdict"] == *one)
                );
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(charged, 50);
    assert_eq!(sent(&world), 50);
    let world = Arc::into_inner(world).unwrap();
    assert_eq!(
        world.end_with_nothing_open().await.len(),
        100,
        "fifty holds and their ends"
    );
}
