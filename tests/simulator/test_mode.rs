//! Test tokens: every answer, no money.

use bytes::Bytes;
use generect_guard::simulator::TEST_TOKEN;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use http_body_util::Full;

use crate::client::{Answer, Pretend, credits};

async fn send(pretend: &Pretend, path: &str, body: &str, behaviour: Option<&str>) -> Answer {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", pretend.simulator.base_url()))
        .header(AUTHORIZATION, format!("Token {TEST_TOKEN}"))
        .header("content-type", "application/json");
    if let Some(behaviour) = behaviour {
        request = request.header("X-Generect-Test-Behaviour", behaviour);
    }
    let body = Full::from(Bytes::copy_from_slice(body.as_bytes()));
    pretend.send(request.body(body).unwrap()).await.unwrap()
}

#[tokio::test]
async fn amounts_are_hypothetical_and_nothing_is_debited() {
    let pretend = Pretend::start().await;
    let body = r#"{"job_titles":["x"],"limit_by":100}"#;
    let answer = send(&pretend, "/api/v1/search/realtime/leads/", body, None).await;
    assert_eq!(answer.header("x-generect-mode"), Some("test"));
    assert_eq!(answer.charged(), credits("1"), "a page has a ceiling");
    let legacy = send(
        &pretend,
        "/api/linkedin/leads/by_link/",
        r#"{"url":"x/y"}"#,
        None,
    )
    .await;
    assert_eq!(legacy.header("x-generect-mode"), Some("test"));
    let me = send(&pretend, "/api/v1/accounts/me/", "", None).await;
    assert_eq!(
        me.json()["data"]["credits"]["balance"],
        1_000,
        "the real account"
    );
    assert!(pretend.charges().is_empty());
    assert_eq!(pretend.total(), credits("0"));
    let live = pretend.get("/api/v1/accounts/transactions/").await;
    assert!(live.header("x-generect-mode").is_none());
    assert_eq!(
        live.json()["data"]["transactions"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn outcomes_can_be_forced() {
    let pretend = Pretend::start().await;
    let path = "/api/v1/enrich/database/lead/";
    for (name, status) in [
        ("insufficient-funds", StatusCode::PAYMENT_REQUIRED),
        ("rate-limited", StatusCode::TOO_MANY_REQUESTS),
        ("upstream-error", StatusCode::BAD_GATEWAY),
        ("not-found", StatusCode::BAD_REQUEST),
    ] {
        let body = format!("{{\"email\":\"{name}@example.com\"}}");
        let by_value = send(&pretend, path, &body, None).await;
        assert_eq!(by_value.status, status, "{name}");
        assert_eq!(by_value.header("x-generect-mode"), Some("test"), "{name}");
        let header = name.replace('-', "_");
        let by_header = send(&pretend, path, r#"{"id":"FAKE1"}"#, Some(&header)).await;
        assert_eq!(by_header.status, status, "{name}");
    }
    let throttled = send(&pretend, path, r#"{"id":"1"}"#, Some("rate_limited")).await;
    assert_eq!(throttled.header("retry-after"), Some("1"));
    let before = tokio::time::Instant::now();
    send(&pretend, path, r#"{"id":"1"}"#, Some("latency=1")).await;
    assert!(before.elapsed() >= std::time::Duration::from_secs(1));
    let hooks = send(&pretend, "/api/v1/webhooks/", "", None).await;
    assert_eq!(hooks.status, StatusCode::NOT_IMPLEMENTED);
    let live = pretend
        .post(path, r#"{"email":"rate-limited@example.com"}"#)
        .await;
    assert_eq!(live.status, StatusCode::OK, "magic is for test tokens");
}

#[tokio::test]
async fn a_test_job_takes_two_polls() {
    let pretend = Pretend::start().await;
    let body = r#"{"leads":[{"lead_id":"FAKE1"}]}"#;
    let path = "/api/v1/email/find/bulk/";
    let accepted = send(&pretend, path, body, None).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let id = accepted.json()["meta"]["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("{path}{id}/");
    assert_eq!(
        send(&pretend, &path, "", None).await.json()["meta"]["status"],
        "processing"
    );
    let done = send(&pretend, &path, "", None).await;
    assert_eq!(done.json()["meta"]["status"], "completed");
    assert_eq!(done.charged(), credits("0.02"), "as if");
    assert_eq!(pretend.total(), credits("0"));
    assert!(pretend.charges().is_empty());
}
