//! What the framework itself answers: credentials, slashes, methods, unknown paths, caps.

use bytes::Bytes;
use generect_guard::simulator::settings::{FundsStatus, SlashOnPost};
use generect_guard::simulator::{LIVE_TOKEN, Scope, SimulatorSettings, documented_paths};
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use http_body_util::Full;

use crate::client::{Pretend, credits};

const FIND: &str = "/api/v1/email/find/";

async fn with_authorization(pretend: &Pretend, values: &[&str]) -> (StatusCode, String) {
    let uri = format!("{}/api/v1/accounts/me/", pretend.simulator.base_url());
    let mut request = Request::builder().uri(uri);
    for value in values {
        request = request.header(AUTHORIZATION, *value);
    }
    let request = request.body(Full::default()).unwrap();
    let answer = pretend.send(request).await.unwrap();
    (answer.status, answer.detail())
}

#[tokio::test]
async fn only_the_exact_scheme_and_a_known_token_get_in() {
    let pretend = Pretend::start().await;
    let not_provided = "Authentication credentials were not provided.";
    let good = format!("Token {LIVE_TOKEN}");
    for (values, text) in [
        (vec![], not_provided),
        (vec![LIVE_TOKEN], not_provided),
        (vec!["Bearer x"], not_provided),
        (vec!["token x"], not_provided),
        (vec!["Token Token x"], not_provided),
        (
            vec!["Token"],
            "Invalid token header. No credentials provided.",
        ),
        (vec!["Token wrong"], "Invalid token."),
        (vec![&good, &good], not_provided),
    ] {
        let (status, detail) = with_authorization(&pretend, &values).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{values:?}");
        assert_eq!(detail, text, "{values:?}");
    }
    let (status, _) = with_authorization(&pretend, &[&good]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_missing_slash_loses_the_body() {
    let pretend = Pretend::start().await;
    let moved = pretend.get("/api/v1/accounts/transactions?limit=1").await;
    assert_eq!(moved.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(
        moved.header("location"),
        Some("/api/v1/accounts/transactions/?limit=1")
    );
    let body = r#"{"lead_id":"FAKE1"}"#;
    let moved = pretend.post("/api/v1/email/find", body).await;
    assert_eq!(moved.status, StatusCode::MOVED_PERMANENTLY);
    pretend
        .simulator
        .change(|settings| settings.slash_on_post = SlashOnPost::ServerError);
    let refused = pretend.post("/api/v1/email/find", body).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(pretend.total(), credits("0"));
}

#[tokio::test]
async fn paths_are_decoded_but_not_repaired() {
    let pretend = Pretend::start().await;
    let body = r#"{"lead_id":"FAKE1"}"#;
    for path in [
        "/api/v1//email/find/",
        "/api/v1/email/find//",
        "/api/v1/api/v1/email/find/",
        "/",
    ] {
        let answer = pretend.post(path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = pretend.post("/api/v1/%65mail%2Ffind/", body).await;
    assert_eq!(answer.charged(), credits("0.02"));
}

#[tokio::test]
async fn the_method_is_the_method() {
    let pretend = Pretend::start().await;
    let request = pretend
        .request("GET", FIND)
        .header("x-http-method-override", "POST");
    let answer = pretend
        .send(request.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.detail(), "Method \"GET\" not allowed.");
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
    let request = pretend
        .request("OPTIONS", FIND)
        .body(Full::default())
        .unwrap();
    assert_eq!(pretend.send(request).await.unwrap().status, StatusCode::OK);
    let request = pretend.request("HEAD", "/api/v1/accounts/me/");
    let answer = pretend
        .send(request.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.bytes.is_empty());
}

#[tokio::test]
async fn every_documented_path_is_there() {
    let pretend = Pretend::start().await;
    let paths = documented_paths();
    assert_eq!(paths.len(), 54);
    for (path, methods) in paths {
        let path = path.replace("{}", "x1");
        for method in methods {
            let request = pretend
                .request(method, &path)
                .header("content-type", "application/json")
                .body(Full::from(Bytes::from_static(b"{}")))
                .unwrap();
            let answer = pretend.send(request).await.unwrap();
            assert_ne!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert!(!answer.status.is_server_error(), "{method} {path}");
            let missing = answer.status == StatusCode::NOT_FOUND;
            assert_eq!(missing, path.contains("x1"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_empty_account_answers_402_or_400_and_free_calls_go_on() {
    let pretend = Pretend::with(SimulatorSettings {
        balance: credits("0.05"),
        ..SimulatorSettings::default()
    })
    .await;
    let body = r#"{"job_titles":["matches:1"],"limit_by":3}"#;
    let path = "/api/v1/search/database/leads/";
    let answer = pretend.post(path, body).await;
    assert_eq!(
        answer.status,
        StatusCode::PAYMENT_REQUIRED,
        "0.06 would be set aside"
    );
    assert_eq!(answer.detail(), "Insufficient funds in the account.");
    pretend
        .simulator
        .change(|settings| settings.funds_status = FundsStatus::BadRequest);
    let answer = pretend.post(path, body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.json()["detail"],
        "Insufficient funds in the account."
    );
    assert_eq!(pretend.shown_balance().await, credits("0.05"));
    pretend.simulator.top_up(credits("0.01"));
    assert_eq!(pretend.post(path, body).await.charged(), credits("0.02"));
    assert_eq!(pretend.total(), credits("0.02"));
}

#[tokio::test]
async fn calls_over_a_cap_are_throttled() {
    let pretend = Pretend::slow(SimulatorSettings {
        parallel_caps: true,
        rate_limit_headers: true,
        ..SimulatorSettings::default()
    })
    .await;
    let body = r#"{"industries":["matches:1"],"limit_by":1}"#;
    let path = "/api/v1/search/database/companies/";
    let calls: Vec<_> = (0..30).map(|_| pretend.post(path, body)).collect();
    let all_there = async {
        let all = |pretend: &Pretend| pretend.simulator.truth().request_count() == 30;
        pretend.until(all).await;
        pretend.simulator.faults().hurry();
    };
    let (answers, ()) = tokio::join!(join_all(calls), all_there);
    let (good, throttled): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| answer.status == StatusCode::OK);
    assert_eq!((good.len(), throttled.len()), (20, 10));
    assert_eq!(throttled[0].status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(throttled[0].detail(), "Request was throttled.");
    assert_eq!(throttled[0].header("retry-after"), Some("1"));
    assert_eq!(good[0].header("x-ratelimit-limit"), Some("20"));
    assert_eq!(
        good[0].header("x-ratelimit-scope"),
        Some("search_companies")
    );
    assert_eq!(
        pretend
            .simulator
            .truth()
            .in_flight_max(Scope::SearchCompanies),
        20
    );
    assert_eq!(pretend.charges().len(), 20);
}

async fn join_all<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = calls
        .into_iter()
        .map(|call| (Box::pin(call), None))
        .collect();
    std::future::poll_fn(|context| {
        let mut all = true;
        for (call, output) in &mut pending {
            if output.is_none() {
                match call.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => *output = Some(done),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

#[tokio::test]
async fn every_request_is_seen_whole() {
    let pretend = Pretend::start().await;
    let headers = [("x-simulator-marker", "call 7"), ("x-custom", "kept")];
    pretend
        .try_post(FIND, r#"{"lead_id":"FAKE1"}"#, &headers)
        .await
        .unwrap();
    let truth = pretend.simulator.truth();
    let seen = &truth.requests()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", FIND));
    assert_eq!(seen.headers["authorization"], format!("Token {LIVE_TOKEN}"));
    assert_eq!(seen.headers["x-custom"], "kept");
    assert_eq!(&seen.body[..], br#"{"lead_id":"FAKE1"}"#);
    let charged = &truth.charges()[0];
    assert_eq!(charged.marker.as_deref(), Some("call 7"));
    assert_eq!(charged.body_sha256, seen.body_sha256);
    assert_eq!(charged.request, seen.sequence);
    assert_eq!(&*charged.token, LIVE_TOKEN);
    assert_eq!((truth.request_count(), truth.connection_count()), (1, 1));
}
