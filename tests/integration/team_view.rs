//! What teams see where the account's own pages show everybody: their own books, and nothing else. What the lists
//! show is in `team_view_lists`.

use std::time::Duration;

use generect_guard::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::explains::explained;
use crate::one_gate::harmless;
use crate::support::{Answered, Plan, World, credits, send};

pub const ME: &str = "/api/v1/accounts/me/";
pub const USAGE: &str = "/api/v1/accounts/usage/";
pub const TRANSACTIONS: &str = "/api/v1/accounts/transactions/";
pub const USER: &str = "/api/auth/users/me/";
const TIER: &str = "/api/auth/tiers/my-tier/";
const PAGES: [&str; 5] = [ME, USAGE, TRANSACTIONS, USER, TIER];

pub const SEARCH: &str = "/api/v1/search/database/leads/";
pub const REALTIME: &str = "/api/v1/search/realtime/leads/";
const LABEL: &str = "own-page";

/// Two teams before an account with a balance that stands nowhere else.
pub fn plan() -> Plan {
    Plan::default()
        .team("growth", "name = \"Growth marketing\"")
        .key("growth-crm", "growth", "")
        .key("growth-forms", "growth", "operations = [\"phone_find\"]")
        .budget(
            "growth-month",
            "team = \"growth\"\nlimit = 200\nper = \"month\"",
        )
        .budget(
            "growth-phones",
            "team = \"growth\"\noperations = [\"phone_*\"]\nlimit = 4\nper = \"week\"",
        )
        .team("sales", "")
        .key("sales-crm", "sales", "account = true")
        .budget("sales-day", "team = \"sales\"\nlimit = 30\nper = \"day\"")
        .team("lab", "unlimited = true")
        .key("lab-notebook", "lab", "")
        .simulator(|settings| settings.balance = credits("98765.4321"))
}

pub fn rows(count: u64, of: u64) -> String {
    format!(r#"{{"job_titles":["matches:{of}"],"limit_by":{count}}}"#)
}

pub async fn page(world: &World, key: &str, path: &str) -> Answered {
    let request = world
        .request(Method::GET, path, key)
        .header("x-request-id", LABEL);
    send(request).await.unwrap()
}

/// Reads a page, and comes again where it is told to.
pub async fn read(world: &World, key: &str, path: &str) -> Value {
    let mut answer = page(world, key, path).await;
    for _ in 0..10 {
        if answer.refusal() != "overloaded" {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        answer = page(world, key, path).await;
    }
    assert_eq!(
        (answer.status, answer.refusal()),
        (200, ""),
        "{path} {}",
        answer.text
    );
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

/// Reads a page until it shows what endings that are still on their way lead to.
pub async fn read_when(
    world: &World,
    key: &str,
    path: &str,
    done: impl Fn(&Value) -> bool,
) -> Value {
    for _ in 0..3_000 {
        let found = read(world, key, path).await;
        if done(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} never got there: {}", read(world, key, path).await);
}

/// Waits until `team`'s key shows that the team has used so much.
pub async fn used(world: &World, key: &str, amount: f64) -> Value {
    read_when(world, key, ME, |me| {
        me["data"]["credits"]["used_this_month"] == json!(amount)
    })
    .await
}

fn assert_nothing_was_asked_upstream(world: &World) {
    for seen in world.simulator.truth().requests() {
        let label = seen.headers.get("x-request-id");
        assert!(label.is_none_or(|label| label != LABEL), "{seen:?}");
    }
}

#[tokio::test]
async fn what_an_mcp_server_asks_first_is_answered_from_the_teams_own_books() {
    let world = plan().start().await;
    assert_eq!(world.post(SEARCH, &rows(10, 3)).await.status, 200);
    used(&world, "growth-crm", 0.06).await;
    let me = read(&world, "growth-crm", ME).await;
    let expected = json!({
        "id": "growth", "email": "growth@guard.invalid", "name": "Growth marketing",
        "plan": "generect-guard", "preview_tier": false,
        "credits": {"balance": 199.94, "used_this_month": 0.06, "monthly_limit": 200,
                    "budget": "growth-month", "unlimited": false},
    });
    assert_eq!(me["data"], expected);
    let tier = read(&world, "growth-crm", TIER).await;
    assert_eq!(
        tier["current_tier"]["service_prices"]["api_realtime"],
        json!(0.04)
    );
    let user = read(&world, "growth-crm", USER).await;
    assert_eq!(user["balance_platform"], json!(199.94));
    assert_eq!(user["blocked_balance_platform"], json!(0));

    let forms = read(&world, "growth-forms", ME).await;
    let forms = &forms["data"]["credits"];
    assert_eq!(
        (&forms["balance"], &forms["budget"]),
        (&json!(4), &json!("growth-phones"))
    );
    let lab = read(&world, "lab-notebook", ME).await;
    let lab = &lab["data"]["credits"];
    assert_eq!(
        (&lab["balance"], &lab["unlimited"]),
        (&json!(1_000_000_000), &json!(true))
    );
    assert_eq!(
        (&lab["monthly_limit"], &lab["used_this_month"]),
        (&Value::Null, &json!(0))
    );
    assert_nothing_was_asked_upstream(&world);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn no_team_sees_a_number_of_another_or_of_the_account() {
    // It stands still, so that no fraction of a second looks like an amount.
    let clock = Clock::manual("2026-11-15T10:00:00Z".parse().unwrap());
    let world = plan().clock(clock).start().await;
    world.account_read().await;
    assert_eq!(world.post(SEARCH, &rows(10, 7)).await.status, 200);
    assert_eq!(
        world
            .post_as("sales-crm", REALTIME, &rows(10, 9))
            .await
            .status,
        200
    );
    world
        .simulator
        .spend_elsewhere("platform", credits("321.5"));
    used(&world, "growth-crm", 0.14).await;
    used(&world, "sales-crm", 0.36).await;
    for (keys, own, others, kind) in [
        (
            &["growth-crm", "growth-forms"][..],
            "0.14",
            &["0.36"][..],
            "search_database_leads",
        ),
        (&["sales-crm"], "0.36", &["0.14"], "search_realtime_leads"),
        (
            &["lab-notebook"],
            "\"used_this_month\":0,",
            &["0.14", "0.36"],
            "",
        ),
    ] {
        for key in keys {
            let mut all = String::new();
            for path in PAGES {
                let answer = page(&world, key, path).await;
                assert_eq!(answer.status, 200, "{key} {path} {}", answer.text);
                all += &answer.text;
            }
            assert!(all.contains(own) && all.contains(kind), "{key}: {all}");
            for text in others.iter().chain(&["98765", "98443", "321.5"]) {
                assert!(!all.contains(text), "{key} sees {text}: {all}");
            }
            let names = ["growth", "sales", "lab"].into_iter();
            for name in names.filter(|name| !key.starts_with(name)) {
                assert!(!all.contains(name), "{key} sees {name}: {all}");
            }
        }
    }
    let (_, sales) = tokio::join!(
        read(&world, "growth-crm", TRANSACTIONS),
        read(&world, "sales-crm", TRANSACTIONS)
    );
    assert_eq!(
        sales["data"]["transactions"].as_array().map(Vec::len),
        Some(1)
    );
    assert_nothing_was_asked_upstream(&world);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_team_that_sees_the_account_does_so_with_a_key_that_may() {
    let plan = Plan::default()
        .team("finance", "account_view = \"account\"")
        .key("finance-key", "finance", "account = true")
        .key("finance-crm", "finance", "")
        .budget(
            "finance-month",
            "team = \"finance\"\nlimit = 3\nper = \"month\"",
        )
        .simulator(|settings| settings.balance = credits("98765.4321"));
    let world = plan.start().await;
    let me = read(&world, "finance-key", ME).await;
    assert_eq!(me["data"]["credits"]["balance"], json!(98765.4321));
    for path in PAGES {
        assert_eq!(
            page(&world, "finance-key", path).await.status,
            200,
            "{path}"
        );
        let answer = page(&world, "finance-crm", path).await;
        if path == TIER {
            assert_eq!(
                answer.status, 200,
                "prices show no spending: {}",
                answer.text
            );
            assert_eq!(answer.json()["current_tier"]["name"], "3");
        } else {
            explained(
                &world,
                &answer,
                403,
                "operation_not_allowed",
                &["account = true"],
            )
            .await;
        }
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn other_pages_of_the_account_stay_closed_and_other_methods_are_none() {
    let world = plan().start().await;
    for path in [
        "/api/auth/transactions/",
        "/api/auth/transactions/spent_credits/",
    ] {
        let answer = page(&world, "growth-crm", path).await;
        explained(
            &world,
            &answer,
            403,
            "operation_not_allowed",
            &["account = true"],
        )
        .await;
    }
    for path in ["/api/v1/accounts/tokens/analytics/", "/api/v1/webhooks/"] {
        let answer = page(&world, "sales-crm", path).await;
        assert_eq!(
            (answer.status, answer.refusal()),
            (403, "operation_not_allowed"),
            "{path}"
        );
    }
    for path in PAGES {
        for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let request = world.request(method.parse().unwrap(), path, "growth-crm");
            let answer = send(request.header("x-request-id", LABEL)).await.unwrap();
            assert_eq!(answer.status, 403, "{method} {path} {}", answer.text);
        }
        assert_eq!(page(&world, "nobody", path).await.refusal(), "unknown_key");
    }
    assert_nothing_was_asked_upstream(&world);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn every_spelling_of_a_page_is_answered_here() {
    let world = plan().start().await;
    for path in PAGES {
        for spelling in harmless(path).into_iter().filter(|it| it.starts_with('/')) {
            let answer = page(&world, "growth-crm", &spelling).await;
            assert_eq!(answer.status, 200, "{spelling} {}", answer.text);
        }
        let with_body = world.request(Method::GET, path, "growth-crm").body("{}");
        assert_eq!(send(with_body).await.unwrap().status, 200, "{path}");
    }
    assert_nothing_was_asked_upstream(&world);
    world.end_with_nothing_open().await;
}

/// A reader that cannot read is no reason to stop calls, and no reason to show zeros.
#[tokio::test]
async fn books_that_cannot_be_read_are_said_to_be_so_and_calls_go_on() {
    let world = plan().start().await;
    let (path, away) = (
        world.ledger_path(),
        world.ledger_path().with_extension("away"),
    );
    std::fs::rename(&path, &away).unwrap();
    for page_path in [ME, USAGE, TRANSACTIONS, USER] {
        let answer = page(&world, "growth-crm", page_path).await;
        explained(&world, &answer, 503, "ledger_unavailable", &["read"]).await;
        assert!(!answer.text.contains("ledger.db"), "{}", answer.text);
    }
    assert_eq!(page(&world, "growth-crm", TIER).await.status, 200);
    assert_eq!(world.post(SEARCH, &rows(1, 1)).await.status, 200);
    std::fs::rename(&away, &path).unwrap();
    used(&world, "growth-crm", 0.02).await;
    world.end_with_nothing_open().await;
}

/// Many ask at once, while calls go on: each is answered, or told to come again.
#[tokio::test(flavor = "multi_thread")]
async fn many_readers_at_once_are_answered_or_told_to_come_again() {
    let world = std::sync::Arc::new(plan().start().await);
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..60 {
        let world = std::sync::Arc::clone(&world);
        readers.spawn(async move {
            let path = PAGES[reader % PAGES.len()];
            let answer = page(&world, ["growth-crm", "sales-crm"][reader % 2], path).await;
            (answer.status, answer.refusal().to_owned())
        });
    }
    for number in 0..20 {
        let body = format!(r#"{{"job_titles":["call {number}"],"limit_by":1}}"#);
        assert_eq!(world.post(SEARCH, &body).await.status, 200);
    }
    for (status, refusal) in readers.join_all().await {
        let known = [(200, ""), (503, "overloaded")].contains(&(status, refusal.as_str()));
        assert!(known, "{status} {refusal}");
    }
    let world = std::sync::Arc::into_inner(world).unwrap();
    world.end_with_nothing_open().await;
}
