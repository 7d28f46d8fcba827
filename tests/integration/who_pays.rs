//! Promise 8: team and key come from the secret alone; clients do not choose who pays.

use generect_guard::ledger::Entry;

use crate::support::raw::once;
use crate::support::{Answered, Plan, World, secret_of};

const SEARCH: &str = "/api/v1/search/database/leads/";

/// Names of headers that could say something of a payer, or of what was paid.
const ODD_HEADERS: &str = "
    X-Team Team Team-Id X-Team-Id X-Key Key-Id X-Forwarded-User X-Forwarded-For X-Real-Ip
    Forwarded X-Remote-User Remote-User From Guard-Team Guard-Key Guard-Budget Guard-Charge
    Guard-Quote Guard-Remaining Guard-Request-Id X-Request-Id Guard-Refusal X-Consumer-Id
    X-Api-Team X-Generect-Team X-Generect-Account X-On-Behalf-Of Idempotency-Key Baggage
    Traceparent Cookie Via X-Guard-Team X-Simulator-Fault X-Simulator-Marker
";

async fn world() -> World {
    Plan::one_team("100")
        .set("server", "unknown_keys_burst = 10000")
        .team("sales", "")
        .key("sales-crm", "sales", "")
        .budget(
            "sales-month",
            "team = \"sales\"\nlimit = 100\nper = \"month\"",
        )
        .start()
        .await
}

/// A billable call with these header lines, of which none is added.
async fn call(world: &World, headers: &str) -> Option<Answered> {
    let body = r#"{"job_titles":["cto"],"limit_by":1}"#;
    let bytes = format!(
        "POST {SEARCH} HTTP/1.1\r\nHost: guard\r\n{headers}Content-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    once(world.address(), bytes).await
}

fn payers(entries: &[Entry]) -> Vec<(&str, &str)> {
    let mut found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.team.as_str(), entry.key.as_str()))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[tokio::test]
async fn two_credentials_that_differ_are_refused_in_every_arrangement() {
    let world = world().await;
    let (ours, theirs) = (secret_of("growth-crm"), secret_of("sales-crm"));
    let places = |secret: &str| {
        [
            format!("Authorization: Token {secret}\r\n"),
            format!("Authorization: Bearer {secret}\r\n"),
            format!("authorization: {secret}\r\n"),
            format!("AUTHORIZATION: Token Bearer {secret}\r\n"),
            format!("X-Api-Key: {secret}\r\n"),
            format!("x-api-key:{secret}\r\n"),
        ]
    };
    let nobody = "gg_unknown".to_owned();
    for (first, second) in [
        (&ours, &theirs),
        (&theirs, &ours),
        (&ours, &nobody),
        (&nobody, &ours),
    ] {
        for one in places(first) {
            for other in places(second) {
                let answer = call(&world, &format!("{one}{other}")).await.unwrap();
                let found = (answer.status, answer.refusal());
                assert_eq!(found, (401, "unknown_key"), "{one}{other}");
                assert!(
                    answer.text.contains("Two different keys"),
                    "{}",
                    answer.text
                );
            }
        }
    }
    assert!(world.end_with_nothing_open().await.is_empty());
}

#[tokio::test]
async fn what_is_not_exactly_one_key_is_nobody() {
    let world = world().await;
    let (ours, theirs) = (secret_of("growth-crm"), secret_of("sales-crm"));
    for headers in [
        String::new(),
        "Authorization: \r\n".to_owned(),
        "Authorization: Token\r\n".to_owned(),
        "X-Api-Key: \r\n".to_owned(),
        format!("Authorization: Token {ours}\r\nX-Api-Key: \r\n"),
        format!("Authorization: \r\nX-Api-Key: {ours}\r\n"),
        format!("Authorization: Token {ours}, Token {theirs}\r\n"),
        format!("Authorization: Token {ours} {theirs}\r\n"),
        format!("Authorization: Token {ours},\r\n"),
        format!("Authorization: Basic {ours}\r\n"),
        format!("Authorization: Digest {ours}\r\n"),
        format!("X-Api-Key: Token {ours}\r\n"),
        format!("X-Api-Key: {ours}; {theirs}\r\n"),
        format!("Authorization: Token {}\r\n", ours.to_uppercase()),
        format!("Authorization: Token {}\r\n", &ours[..ours.len() - 1]),
        format!("Authorization: Token {ours}x\r\n"),
        format!("Authorization: Token \"{ours}\"\r\n"),
        format!("Authorization: Token {ours}\u{a0}\r\n"),
        format!("Proxy-Authorization: Token {ours}\r\n"),
        format!("Cookie: authorization={ours}; token={ours}\r\n"),
        format!("X-Forwarded-Authorization: Token {ours}\r\n"),
    ] {
        let answer = call(&world, &headers).await.unwrap();
        assert_eq!(
            (answer.status, answer.refusal()),
            (401, "unknown_key"),
            "{headers}"
        );
    }
    assert!(
        world
            .simulator
            .truth()
            .requests()
            .iter()
            .all(|seen| seen.path != SEARCH)
    );
    assert!(world.end_with_nothing_open().await.is_empty());
}

#[tokio::test]
async fn the_same_key_in_every_place_pays_as_itself() {
    let world = world().await;
    let secret = secret_of("sales-crm");
    for headers in [
        format!("Authorization: Token {secret}\r\n"),
        format!("Authorization: bearer   {secret}  \r\n"),
        format!("X-Api-Key: {secret}\r\n"),
        format!("Authorization: Token {secret}\r\nX-Api-Key: {secret}\r\n"),
        format!("Authorization: Token {secret}\r\nAuthorization: Bearer {secret}\r\n"),
        format!("X-Api-Key: {secret}\r\nX-API-KEY: {secret}\r\n"),
    ] {
        let answer = call(&world, &headers).await.unwrap();
        assert_eq!(
            (answer.status, answer.header("guard-budget")),
            (200, "sales-month"),
            "{headers}"
        );
    }
    let entries = world.end_with_nothing_open().await;
    assert_eq!(payers(&entries), [("sales", "sales-crm")]);
}

#[tokio::test]
async fn no_other_header_and_no_body_changes_who_pays() {
    let world = world().await;
    let ours = format!("Authorization: Token {}\r\n", secret_of("growth-crm"));
    for name in ODD_HEADERS.split_whitespace() {
        for value in ["sales", "sales-crm", "0", "team=sales;key=sales-crm"] {
            let line = format!("{ours}{name}: {value}\r\n");
            let answer = call(&world, &line).await.unwrap();
            assert_eq!(
                (answer.status, answer.header("guard-budget")),
                (200, "growth-month"),
                "{line}"
            );
            assert_eq!(answer.header("guard-charge"), "0.02", "{line}");
        }
    }
    for body in [
        r#"{"limit_by":1,"job_titles":["cto"],"team":"sales","key":"sales-crm","guard":{"team":"sales"}}"#,
        r#"{"limit_by":1,"job_titles":["cto"],"authorization":"Token x","x-api-key":"y"}"#,
    ] {
        let answer = world.post(SEARCH, body).await;
        assert_eq!(
            (answer.status, answer.header("guard-budget")),
            (200, "growth-month")
        );
    }
    let answer = world
        .post(
            &format!("{SEARCH}?team=sales&api_key={}", secret_of("sales-crm")),
            "{}",
        )
        .await;
    assert_eq!(answer.refusal(), "unreadable_body");
    let entries = world.end_with_nothing_open().await;
    assert_eq!(payers(&entries), [("growth", "growth-crm")]);
}

#[tokio::test]
async fn each_request_of_one_connection_pays_for_itself() {
    let world = world().await;
    let body = r#"{"job_titles":["cto"],"limit_by":1}"#;
    let mut bytes = String::new();
    for key in ["growth-crm", "sales-crm", "nobody", "growth-crm"] {
        bytes += &format!(
            "POST {SEARCH} HTTP/1.1\r\nHost: guard\r\nX-Api-Key: {}\r\nContent-Length: {}\r\n\r\n{body}",
            secret_of(key),
            body.len()
        );
    }
    let answers = crate::support::raw::several(world.address(), bytes, 4).await;
    let budgets: Vec<_> = answers
        .iter()
        .map(|answer| answer.header("guard-budget"))
        .collect();
    assert_eq!(budgets, ["growth-month", "sales-month", "", "growth-month"]);
    assert_eq!(answers[2].status, 401);
    world.end_with_nothing_open().await;
}
