//! Every no explains itself, takes nothing, and never reaches the upstream.

use crate::support::{Plan, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";

fn rows(count: u64) -> String {
    format!(r#"{{"job_titles":["cto"],"limit_by":{count}}}"#)
}

#[tokio::test]
async fn a_spent_budget_is_a_402_that_says_everything() {
    let world = Plan::one_team("1").start().await;
    let answer = world.post(SEARCH, &rows(100)).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (402, "budget_exhausted"),
        "{}",
        answer.text
    );
    let body = answer.json();
    let detail = body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("Insufficient funds in budget growth-month"),
        "{detail}"
    );
    assert_eq!(body["status"], "error");
    assert_eq!(body["status_code"], 402);
    assert_eq!(body["code"], "budget_exhausted");
    assert_eq!(body["request_id"], answer.header("guard-request-id"));
    let budget = &body["budgets"][0];
    for (member, expected) in [
        ("id", "growth-month"),
        ("limit", "1"),
        ("settled", "0"),
        ("held", "0"),
        ("asked", "2"),
        ("would_fit", "1"),
    ] {
        assert_eq!(budget[member], expected, "{member} in {budget}");
    }
    assert_eq!(budget["items_that_fit"], 50);
    assert!(
        budget["resets_at"]
            .as_str()
            .unwrap()
            .ends_with("01T00:00:00Z"),
        "{budget}"
    );
    assert_eq!(answer.header("retry-after"), "");
    assert_eq!(world.simulator.truth().charges().len(), 0);
    assert!(
        !world
            .simulator
            .truth()
            .requests()
            .iter()
            .any(|seen| seen.path == SEARCH)
    );
    assert!(world.entries().is_empty());
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn each_budget_that_failed_is_named() {
    let world = Plan::one_team("1")
        .budget(
            "growth-day",
            "team = \"growth\"\nlimit = 0.5\nper = \"day\"",
        )
        .budget("everybody", "limit = 1000\nper = \"year\"")
        .start()
        .await;
    let answer = world.post(SEARCH, &rows(100)).await;
    let body = answer.json();
    let ids: Vec<_> = body["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["id"])
        .collect();
    assert_eq!(ids, ["growth-month", "growth-day"], "{body}");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn what_only_held_credits_stand_in_the_way_of_is_busy_and_not_exhausted() {
    let world = Plan::one_team("1")
        .simulator(|settings| settings.latency = crate::support::UNTIL_TOLD)
        .start()
        .await;
    let first_body = rows(40);
    let first = world.post(SEARCH, &first_body);
    let second = async {
        world
            .budget_when("growth-month", |budget| budget.held == credits("0.8"))
            .await;
        let second = world.post(SEARCH, &rows(30)).await;
        world.simulator.faults().hurry();
        second
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(
        (second.status, second.refusal()),
        (429, "budget_busy"),
        "{}",
        second.text
    );
    let wait: u64 = second.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let world = Plan::one_team("1").start().await;
    let request = reqwest::Client::request;
    let http = crate::support::client();
    for (header, value) in [
        ("accept", "*/*"),
        ("authorization", "Token nobody"),
        ("authorization", "Basic Z2c6eA=="),
        ("x-api-key", "nobody"),
    ] {
        for path in [SEARCH, "/nowhere/", "/api/v1/accounts/me/"] {
            let call = request(&http, reqwest::Method::POST, world.url(path)).header(header, value);
            let answer = crate::support::send(call).await.unwrap();
            assert_eq!(
                (answer.status, answer.refusal()),
                (401, "unknown_key"),
                "{header}: {value}"
            );
            assert!(!answer.text.contains("nobody"));
        }
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_rate_that_is_used_up_says_when_to_come_back() {
    let world = Plan::one_team("100")
        .toml("[[rate]]\nteam = \"growth\"\nper_second = 0.2\nburst = 2")
        .start()
        .await;
    for _ in 0..2 {
        assert_eq!(world.post(SEARCH, &rows(1)).await.status, 200);
    }
    let answer = world.post(SEARCH, &rows(1)).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (429, "rate_exceeded"),
        "{}",
        answer.text
    );
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    world.end_with_nothing_open().await;
}

/// Clients act on these words (their vendors' meaning for them is another).
#[tokio::test]
async fn no_refusal_uses_words_that_clients_misread() {
    let world = Plan::one_team("0.001")
        .key("narrow", "growth", "operations = [\"phone_find\"]")
        .start()
        .await;
    let mut details = Vec::new();
    for (key, path, body) in [
        ("growth-crm", SEARCH, rows(1)),
        ("growth-crm", SEARCH, "{".to_owned()),
        ("growth-crm", SEARCH, "not json".to_owned()),
        ("growth-crm", "/api/v1/webhooks/", "{}".to_owned()),
        ("growth-crm", "/api/v1/nowhere/", "{}".to_owned()),
        ("growth-crm", "/api/v1/../v1/", "{}".to_owned()),
        ("growth-crm", "/api/auth/token/login/", "{}".to_owned()),
        ("growth-crm", "/api/v1/accounts/me/", "{}".to_owned()),
        ("narrow", SEARCH, rows(1)),
        ("nobody", SEARCH, rows(1)),
    ] {
        let answer = world.post_as(key, path, &body).await;
        assert_ne!(answer.refusal(), "", "{path} {}", answer.text);
        details.push((
            answer.status,
            answer.json()["detail"].as_str().unwrap().to_lowercase(),
        ));
    }
    for (status, detail) in details {
        for words in [
            "does not exist",
            "not found",
            "not supported in database mode",
            "free search quota",
        ] {
            assert!(!detail.contains(words), "{detail}");
        }
        assert_eq!(
            status == 402,
            detail.contains("insufficient funds"),
            "{detail}"
        );
    }
    world.end_with_nothing_open().await;
}
