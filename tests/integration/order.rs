//! The order of the layers that the compiler cannot hold: a request that breaks two rules is told
//! of the outer one.

use crate::support::{Answered, Plan, World, client, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const DENIED: &str = "/api/v1/webhooks/";

async fn world() -> World {
    Plan::one_team("0.01")
        .set("server", "body_bytes_max = \"1KiB\"")
        .key("hasty", "growth", "")
        .toml("[[rate]]\nkey = \"hasty\"\nper_second = 0.001\nburst = 1")
        .start()
        .await
}

/// Uses up the one call that the key `hasty` has.
async fn use_up_the_rate(world: &World) {
    let answer = world
        .post_as("hasty", "/api/v1/search/database/leads/count/", "{}")
        .await;
    assert_ne!(answer.refusal(), "rate_exceeded", "{}", answer.text);
}

async fn without_key(world: &World, path: &str, body: String) -> Answered {
    send(client().post(world.url(path)).body(body))
        .await
        .unwrap()
}

#[tokio::test]
async fn bounds_come_before_authenticate() {
    let world = world().await;
    let answer = without_key(&world, SEARCH, "x".repeat(2000)).await;
    assert_eq!(answer.refusal(), "body_too_large");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn authenticate_comes_before_the_path_is_looked_at() {
    let world = world().await;
    for path in ["/api/v1/%2e%2e/", "/nowhere/", DENIED] {
        let answer = without_key(&world, path, String::new()).await;
        assert_eq!(answer.refusal(), "unknown_key", "{path}");
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn the_path_is_normalised_before_it_is_classified() {
    let world = world().await;
    let answer = world
        .post("//api/v1//search/database/leads/count", "{}")
        .await;
    assert_eq!(answer.refusal(), "", "{}", answer.text);
    assert_eq!(
        world.post("/api/v1//webhooks", "{}").await.refusal(),
        "operation_not_allowed"
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn classify_comes_before_throttle() {
    let world = world().await;
    use_up_the_rate(&world).await;
    let answer = world.post_as("hasty", DENIED, "{}").await;
    assert_eq!(answer.refusal(), "operation_not_allowed");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn throttle_comes_before_the_body_is_read() {
    let world = world().await;
    use_up_the_rate(&world).await;
    let answer = world.post_as("hasty", SEARCH, "no json").await;
    assert_eq!(answer.refusal(), "rate_exceeded");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn throttle_comes_before_a_page_of_the_teams_own_is_answered() {
    let world = world().await;
    use_up_the_rate(&world).await;
    let answer = world.get_as("hasty", "/api/v1/accounts/me/").await;
    assert_eq!(answer.refusal(), "rate_exceeded");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn kept_answers_come_after_quote_and_before_hold() {
    let world = Plan::one_team("0.11").start().await;
    let named = |body: &'static str| {
        let request = world.request(reqwest::Method::POST, SEARCH, "growth-crm");
        send(request.header("idempotency-key", "once").body(body))
    };
    let body = r#"{"job_titles":["matches:3"],"limit_by":5}"#;
    assert_eq!(named(body).await.unwrap().status, 200);
    assert_eq!(
        named("no json").await.unwrap().refusal(),
        "unreadable_body",
        "what cannot be priced is no other call"
    );
    let spent = world.post(SEARCH, r#"{"limit_by":50}"#).await;
    assert_eq!(spent.refusal(), "budget_exhausted");
    assert_eq!(
        named(r#"{"limit_by":50}"#).await.unwrap().refusal(),
        "idempotency_conflict",
        "though there is no room for it"
    );
    assert_eq!(
        named(body).await.unwrap().status,
        200,
        "what is given again needs no room"
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn quote_comes_before_hold_and_hold_before_forward() {
    let world = world().await;
    assert_eq!(
        world.post(SEARCH, "no json").await.refusal(),
        "unreadable_body"
    );
    world
        .simulator
        .faults()
        .listen(generect_guard::simulator::Listening::Refusing)
        .await;
    let answer = world.post(SEARCH, r#"{"limit_by":5}"#).await;
    assert_eq!(
        answer.refusal(),
        "budget_exhausted",
        "an upstream that is not there is not asked"
    );
    world.end_with_nothing_open().await;
}

/// Sends a search as a dry run that also breaks a rule further out, or further in.
async fn dry_run(world: &World, key: &str, body: &'static str) -> Answered {
    let request = world.request(reqwest::Method::POST, SEARCH, key);
    let request = request.header("guard-dry-run", "true").body(body);
    send(request).await.unwrap()
}

#[tokio::test]
async fn a_dry_run_meets_what_comes_before_ask_and_nothing_behind_it() {
    let world = world().await;
    use_up_the_rate(&world).await;
    let rate = dry_run(&world, "hasty", "{}").await;
    assert_eq!(rate.refusal(), "rate_exceeded");
    let body = dry_run(&world, "growth-crm", "no json").await;
    assert_eq!(body.refusal(), "unreadable_body");
    let hold = dry_run(&world, "growth-crm", r#"{"limit_by":5}"#).await;
    assert_eq!((hold.status, hold.refusal()), (200, ""));
    assert_eq!(hold.json()["refusal"]["code"], "budget_exhausted");
    assert!(world.end_with_nothing_open().await.is_empty());
}

#[tokio::test]
async fn trace_is_outermost_and_labels_every_answer() {
    let world = world().await;
    for answer in [
        without_key(&world, SEARCH, String::new()).await,
        without_key(&world, SEARCH, "x".repeat(2000)).await,
        world.post(SEARCH, "no json").await,
        world
            .post("/api/v1/search/database/leads/count/", "{}")
            .await,
    ] {
        assert_eq!(answer.header("guard-request-id").len(), 32, "{answer:?}");
    }
    world.end_with_nothing_open().await;
}
