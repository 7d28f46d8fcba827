//! The vendor's published Python SDK, unchanged, through the guard: every method it has.

use generect_guard::credits::Credits;
use generect_guard::ledger::EntryKind;
use serde_json::{Value, json};

use crate::sdk_session::{Came, Sdk};
use crate::support::{Plan, World, credits, is_own_question};

fn leads(count: usize) -> Value {
    let link = |number| json!({"linkedin_url": format!("https://www.linkedin.com/in/p-{number}/")});
    (0..count).map(link).collect()
}

fn companies(count: usize) -> Value {
    let domain = |number| json!({"domain": format!("company-{number}.example.com")});
    (0..count).map(domain).collect()
}

/// Methods whose outcome is known when they return: what the call must be charged, the method, its
/// positional and its keyword arguments. The last row lacks the slash at the path's end, which the
/// SDK's own documentation calls mandatory.
const ANSWERED_AT_ONCE: &str = r#"
0.06 | search.database_leads | [] | {"job_titles": ["matches:3"], "limit_by": 5}
0 | search.database_leads_count | [] | {"job_titles": ["matches:3"], "limit_by": 5}
0.12 | search.realtime_leads | [] | {"job_titles": ["matches:3"], "limit_by": 5}
0.04 | search.realtime_leads_count | [] | {"job_titles": ["matches:3"], "limit_by": 5}
0.06 | search.database_companies | [] | {"industries": ["matches:3"], "limit_by": 5}
0 | search.database_companies_count | [] | {"industries": ["matches:3"], "limit_by": 5}
0.12 | search.realtime_companies | [] | {"industries": ["matches:3"], "limit_by": 5}
0.04 | search.realtime_companies_count | [] | {"industries": ["matches:3"], "limit_by": 5}
0.1 | search.database_company_leads | [] | {"company_search_criteria": {"industries": ["matches:2"], "limit_by": 2}, "lead_search_criteria": {"job_titles": ["matches:3"], "limit_by": 3}}
0 | search.database_company_leads_count | [] | {"company_search_criteria": {"industries": ["matches:2"], "limit_by": 2}, "lead_search_criteria": {"job_titles": ["matches:3"], "limit_by": 3}}
0.2 | search.realtime_company_leads | [] | {"company_search_criteria": {"industries": ["matches:2"], "limit_by": 2}, "lead_search_criteria": {"job_titles": ["matches:3"], "limit_by": 3}}
0.02 | enrich.database_lead | [] | {"linkedin_url": "https://www.linkedin.com/in/person-17/"}
0.08 | enrich.realtime_lead | [] | {"linkedin_url": "https://www.linkedin.com/in/person-17/", "posts": true}
0.02 | enrich.database_company | [] | {"domain": "example.com"}
0.04 | enrich.realtime_company | [] | {"domain": "example.com"}
0.02 | email.find | [] | {"first_name": "Person", "last_name": "Seventeen", "domain": "example.com"}
0 | email.find | [] | {"lead_id": "not-found-1"}
0.01 | email.validate | [["a@example.com", "b@example.com"]] | {}
0.4 | phone.find | [] | {"linkedin_url": "https://www.linkedin.com/in/person-17/"}
0.006 | preview.leads | [] | {"lead_search_criteria": {"job_titles": ["matches:3"], "limit_by": 5}}
0 | preview.leads_count | [] | {"lead_search_criteria": {"job_titles": ["matches:3"], "limit_by": 5}}
0.0005 | request | ["POST", "/profile/resolve/"] | {"json": {"linkedin_url": "https://www.linkedin.com/in/person-17/"}}
0.0005 | request | ["POST", "/profile/resolve"] | {"json": {"linkedin_url": "https://www.linkedin.com/in/person-17/"}}
"#;

fn answered_at_once() -> Vec<(&'static str, &'static str, Value, Value)> {
    let rows = ANSWERED_AT_ONCE.trim().lines().map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let arguments = |text: &str| serde_json::from_str(text).unwrap();
        (cells[0], cells[1], arguments(cells[2]), arguments(cells[3]))
    });
    rows.collect()
}

/// The books and the truth, after the last call has been settled.
async fn settled(world: &World) -> Credits {
    let truth = world.simulator.truth().total_charged();
    let budget = world
        .budget_when("growth-month", |budget| {
            budget.held == Credits::ZERO && budget.settled == truth
        })
        .await;
    budget.settled
}

async fn call_and_compare(world: &World, sdk: &Sdk, charge: &str, call: [Value; 3]) -> Came {
    let before = settled(world).await;
    let [method, args, kwargs] = call;
    let method = method.as_str().unwrap();
    let came = sdk.call_with(method, args, kwargs).await;
    came.returned();
    let charged = settled(world).await.saturating_sub(before);
    assert_eq!(charged, credits(charge), "{method}: {came:?}");
    // Free counts may say nothing; whatever is said is what the books have.
    let said = came.amount_charged();
    if !said.is_empty() {
        assert_eq!(said.parse(), Ok(charged), "{method}: {came:?}");
    }
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_that_is_answered_at_once_is_settled_at_what_the_sdk_reports() {
    let world = Plan::one_team("200").start().await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    for (charge, method, args, kwargs) in answered_at_once() {
        call_and_compare(&world, &sdk, charge, [json!(method), args, kwargs]).await;
    }
    for kind in ["lead", "company"] {
        for mode in ["database", "realtime"] {
            let method = format!("enrich.{mode}_{kind}");
            let link = "https://www.linkedin.com/in/not-found-1/";
            let came = sdk.call(&method, json!({"linkedin_url": link})).await;
            assert_eq!(came.raised(), "BadRequestError", "{came:?}");
            assert!(came.detail().contains("does not exist"), "{came:?}");
        }
    }
    settled(&world).await;
    world.end_with_nothing_open().await;
}

/// Submits, looks at the job while it runs, waits for its end: the submission, the look, the wait.
const JOBS: [[&str; 3]; 3] = [
    [
        "email.find_bulk",
        "email.find_bulk_status",
        "email.wait_find_bulk",
    ],
    [
        "phone.find_bulk",
        "phone.find_bulk_status",
        "phone.wait_find_bulk",
    ],
    // The documented list can be given beside the undocumented one.
    [
        "enrich.database_leads_bulk",
        "enrich.leads_bulk_status",
        "enrich.wait_leads_bulk",
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn bulk_jobs_are_held_while_they_run_and_settled_when_the_sdk_has_waited() {
    let world = Plan::one_team("200").start().await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    let mut jobs: Vec<([&str; 3], Value, Value, &str)> = Vec::new();
    jobs.push((JOBS[0], json!([leads(4)]), json!({}), "0.08"));
    jobs.push((JOBS[1], json!([leads(2)]), json!({}), "0.8"));
    jobs.push((JOBS[2], json!([[]]), json!({"leads": leads(3)}), "0.06"));
    let realtime = ["enrich.realtime_leads_bulk", JOBS[2][1], JOBS[2][2]];
    jobs.push((realtime, json!([[]]), json!({"leads": leads(3)}), "0.12"));
    for (mode, charge) in [("database", "0.04"), ("realtime", "0.08")] {
        let status = "enrich.companies_bulk_status";
        let submit = ["request", status, "enrich.wait_companies_bulk"];
        let path = format!("/enrich/{mode}/companies/bulk/");
        let body = json!({"json": {"companies": companies(2)}});
        jobs.push((submit, json!(["POST", path]), body, charge));
    }
    for ([submit, status, wait], args, kwargs, charge) in jobs {
        let before = settled(&world).await;
        let submitted = sdk.call_with(submit, args, kwargs).await;
        assert_eq!(submitted.returned()["meta"]["status"], "pending");
        assert_eq!(world.budget("growth-month").await.held, credits(charge));
        let job = submitted.job();
        let running = sdk.call_with(status, json!([job]), json!({})).await;
        assert_eq!(running.returned()["meta"]["status"], "processing");
        assert_eq!(world.budget("growth-month").await.held, credits(charge));
        let quickly = json!({"poll_interval": 0.01});
        let waited = sdk.call_with(wait, json!([job]), quickly).await;
        assert_eq!(waited.returned()["meta"]["status"], "completed");
        assert_eq!(waited.amount_charged(), charge, "{waited:?}");
        let charged = settled(&world).await.saturating_sub(before);
        assert_eq!(charged, credits(charge), "{submit}");
    }
    let doomed = json!([[{"linkedin_url": "https://www.linkedin.com/in/job-error/"}]]);
    let submitted = sdk.call_with("phone.find_bulk", doomed, json!({})).await;
    let job = json!([submitted.job()]);
    let quickly = json!({"poll_interval": 0.01});
    let failed = sdk.call_with("phone.wait_find_bulk", job, quickly).await;
    assert_eq!(failed.raised(), "JobFailedError", "{failed:?}");
    settled(&world).await;
    world.end_with_nothing_open().await;
}

/// What we do with the SDK's own spelling: the list is priced as if it were the documented one and
/// sent as it is; what the API makes of it (a no, as far as is known) decides, and a no is free.
#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_enrich_by_items_is_priced_and_left_to_the_upstream_which_refuses_it() {
    let world = Plan::one_team("200").start().await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    for (method, items, quote) in [
        ("enrich.database_leads_bulk", leads(3), "0.06"),
        ("enrich.realtime_leads_bulk", leads(3), "0.12"),
        ("enrich.database_companies_bulk", companies(3), "0.06"),
        ("enrich.realtime_companies_bulk", companies(3), "0.12"),
    ] {
        let came = sdk.call_with(method, json!([items]), json!({})).await;
        assert_eq!(came.raised(), "BadRequestError", "{came:?}");
        assert!(
            came.detail().contains("This field is required."),
            "{came:?}"
        );
        assert_eq!(came.wire(), ["400"], "not repeated");
        settled(&world).await;
        let mut held = world.entries();
        held.retain(|entry| entry.kind == EntryKind::Held);
        assert_eq!(held.last().unwrap().amount, credits(quote), "{method}");
        let mut seen = world.simulator.truth().requests().into_iter();
        let seen = seen.rfind(|seen| !is_own_question(&seen.path)).unwrap();
        let sent: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(sent, json!({"items": items}), "sent as the client wrote it");
    }
    assert_eq!(world.simulator.truth().total_charged(), Credits::ZERO);
    world.end_with_nothing_open().await;
}

/// The lists above leave out nothing: a new method of the SDK would fail here.
#[tokio::test(flavor = "multi_thread")]
async fn no_method_of_the_sdk_is_left_out() {
    let world = Plan::one_team("1").start().await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    let mut tried: Vec<String> = answered_at_once()
        .iter()
        .map(|row| row.1.to_owned())
        .collect();
    tried.extend(JOBS.concat().into_iter().map(str::to_owned));
    for mode in ["database", "realtime"] {
        tried.extend(["leads", "companies"].map(|what| format!("enrich.{mode}_{what}_bulk")));
    }
    tried.extend(
        ["companies_bulk_status", "wait_companies_bulk"].map(|name| format!("enrich.{name}")),
    );
    tried.extend(["me", "usage", "transactions"].map(|name| format!("accounts.{name}")));
    let hooks = ["list", "create", "get", "update", "delete", "test"];
    tried.extend(hooks.map(|name| format!("webhooks.{name}")));
    tried.sort();
    tried.dedup();
    assert_eq!(sdk.methods, tried);
    world.end_with_nothing_open().await;
}
