//! `GET /_guard/budgets`: how the budgets over a key stand, to whoever holds a key of the team, and
//! no number of anybody else.

use generect_guard::clock::Clock;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answered, Plan, World, is_own_question, send};
use crate::team_view::{self, REALTIME, SEARCH, rows};

const BUDGETS: &str = "/_guard/budgets";

/// The teams of `team_view`, with a budget that both share and one that never resets.
fn plan() -> Plan {
    team_view::plan()
        .budget("everything", "limit = 500\nper = \"year\"")
        .budget(
            "growth-ever",
            "team = \"growth\"\nlimit = 1\nper = \"total\"",
        )
        .budget(
            "forms-burst",
            "key = \"growth-forms\"\nlimit = 3\nper = { rolling = \"24h\" }\nmode = \"shadow\"",
        )
}

fn ten_o_clock() -> Clock {
    Clock::manual("2026-11-15T10:00:00Z".parse().unwrap())
}

async fn page(world: &World, key: &str) -> Value {
    team_view::read(world, key, BUDGETS).await
}

/// Reads the page until a budget has settled so much.
async fn settled(world: &World, key: &str, budget: usize, amount: &str) -> Value {
    let is_there = |page: &Value| page["budgets"][budget]["settled"] == amount;
    team_view::read_when(world, key, BUDGETS, is_there).await
}

fn ids(page: &Value) -> Vec<&str> {
    let budgets = page["budgets"].as_array().unwrap().iter();
    budgets.map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_team_reads_how_its_budgets_stand_and_how_long_they_last() {
    let clock = ten_o_clock();
    let world = plan().clock(clock.clone()).start().await;
    assert_eq!(world.post(SEARCH, &rows(10, 10)).await.status, 200);
    settled(&world, "growth-crm", 0, "0.2").await;
    clock.advance(SignedDuration::from_hours(2));
    let is_later = |page: &Value| page["as_of"] == "2026-11-15T12:00:00Z";
    let page = team_view::read_when(&world, "growth-crm", BUDGETS, is_later).await;
    assert_eq!(
        (&page["team"], &page["key"]),
        (&json!("growth"), &json!("growth-crm"))
    );
    assert_eq!(
        ids(&page),
        ["growth-month", "growth-phones", "everything", "growth-ever"]
    );
    let month = json!({
        "id": "growth-month", "mode": "enforce", "shared": false, "limit": "200", "granted": "0",
        "settled": "0.2", "held": "0", "in_doubt": "0", "headroom": "199.8",
        "window_start": "2026-11-01T00:00:00Z", "window_end": "2026-12-01T00:00:00Z",
        "resets_at": "2026-12-01T00:00:00Z", "operations": null, "spent_last_day": "0.2",
        "runs_out_at": null,
    });
    assert_eq!(page["budgets"][0], month, "it lasts longer than its month");
    let ever = &page["budgets"][3];
    assert_eq!(
        (&ever["headroom"], &ever["runs_out_at"], &ever["resets_at"]),
        (&json!("0.8"), &json!("2026-11-19T12:00:00Z"), &Value::Null),
        "four days at a fifth a day"
    );
    let phones = &page["budgets"][1];
    assert_eq!(
        phones["operations"],
        json!(["phone_find", "phone_find_bulk"])
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_key_reads_only_of_budgets_that_its_calls_fall_under() {
    let world = plan().start().await;
    let forms = page(&world, "growth-forms").await;
    assert_eq!(
        ids(&forms),
        [
            "growth-month",
            "growth-phones",
            "everything",
            "growth-ever",
            "forms-burst"
        ]
    );
    let burst = &forms["budgets"][4];
    assert_eq!(
        (&burst["mode"], &burst["runs_out_at"], &burst["window_end"]),
        (&json!("shadow"), &Value::Null, &Value::Null)
    );
    let sales = page(&world, "sales-crm").await;
    assert_eq!(ids(&sales), ["sales-day", "everything"]);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn no_team_reads_a_number_of_another_there() {
    let world = plan().clock(ten_o_clock()).start().await;
    world.account_read().await;
    let sales = world.post_as("sales-crm", REALTIME, &rows(10, 9)).await;
    assert_eq!(sales.status, 200);
    settled(&world, "sales-crm", 0, "0.36").await;
    for key in ["growth-crm", "growth-forms", "lab-notebook"] {
        let text = page(&world, key).await.to_string();
        for foreign in ["sales", "0.36", "98765", "98764"] {
            assert!(!text.contains(foreign), "{key} sees {foreign}: {text}");
        }
    }
    let growth = page(&world, "growth-crm").await;
    let shared = growth["budgets"][2].as_object().unwrap();
    assert_eq!(shared["headroom"], "499.64", "what is left for all");
    for theirs in [
        "settled",
        "held",
        "in_doubt",
        "spent_last_day",
        "runs_out_at",
    ] {
        assert!(!shared.contains_key(theirs), "{theirs}: {shared:?}");
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_refusal_says_of_a_shared_budget_what_the_page_says_and_no_more() {
    let plan = team_view::plan().budget("everything", "limit = 1.5\nper = \"year\"");
    let world = plan.clock(ten_o_clock()).start().await;
    let sales = world.post_as("sales-crm", REALTIME, &rows(10, 9)).await;
    assert_eq!(sales.status, 200);
    settled(&world, "sales-crm", 0, "0.36").await;
    let refused = world.post(SEARCH, &rows(100, 0)).await;
    assert_eq!(refused.refusal(), "budget_exhausted", "{}", refused.text);
    for theirs in ["0.36", "sales", "settled", "held\""] {
        assert!(!refused.text.contains(theirs), "{theirs}: {}", refused.text);
    }
    let body = refused.json();
    let (told, page) = (&body["budgets"][0], page(&world, "growth-crm").await);
    let here = page["budgets"].as_array().unwrap().iter();
    let here = here.clone().find(|one| one["id"] == "everything").unwrap();
    assert_eq!(told["id"], "everything");
    for same in ["shared", "limit", "granted", "window_start", "resets_at"] {
        assert_eq!(told[same], here[same], "{same}");
    }
    assert_eq!(told["would_fit"], here["headroom"]);
    assert_eq!(told["would_fit"], "1.14");
    let words = "budget everything: limit 1.5, shared with other teams, this";
    assert!(refused.text.contains(words), "{}", refused.text);
    assert!(refused.text.contains("1.14 would fit"), "{}", refused.text);
    world.end_with_nothing_open().await;
}

async fn asks(world: &World, method: Method, path: &str, key: &str) -> Answered {
    send(world.request(method, path, key)).await.unwrap()
}

#[tokio::test]
async fn the_page_is_the_guards_own_and_nothing_below_its_path_goes_upstream() {
    let world = plan()
        .team("whole", "account_view = \"account\"\nunlimited = true")
        .key(
            "whole-key",
            "whole",
            "account = true\noperations = [\"email_find\"]",
        )
        .start()
        .await;
    let whole = page(&world, "whole-key").await;
    assert_eq!(
        ids(&whole),
        ["everything"],
        "whatever it sees of the account"
    );
    let stranger = asks(&world, Method::GET, BUDGETS, "nobody").await;
    assert_eq!(stranger.refusal(), "unknown_key");
    for (method, path) in [
        (Method::POST, BUDGETS),
        (Method::DELETE, BUDGETS),
        (Method::GET, "/_guard/"),
        (Method::GET, "/_guard/budgets/growth-month"),
        (Method::GET, "/_GUARD/budgets"),
    ] {
        let answer = asks(&world, method, path, "growth-crm").await;
        assert_eq!(answer.refusal(), "unknown_operation", "{path}");
    }
    let other = asks(&world, Method::POST, BUDGETS, "growth-crm").await;
    assert!(other.text.contains("this path takes GET"), "{}", other.text);
    for spelling in ["//_guard//budgets/", "/_guard/budgets?team=sales"] {
        let answer = asks(&world, Method::GET, spelling, "growth-crm").await;
        assert_eq!(answer.json()["team"], "growth", "{spelling}");
    }
    let seen = world.simulator.truth().requests();
    let strange = seen.iter().find(|seen| !is_own_question(&seen.path));
    assert!(strange.is_none(), "{strange:?}");
    world.end_with_nothing_open().await;
}
