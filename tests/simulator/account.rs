//! The account's own pages.

use generect_guard::clock::Clock;
use generect_guard::simulator::settings::BalanceShown;
use generect_guard::simulator::{LIVE_TOKEN, SimulatorSettings};
use http::{Method, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::client::{Pretend, credits};

const SEARCH: &str = "/api/v1/search/realtime/leads/";
const THREE: &str = r#"{"job_titles":["matches:3"],"limit_by":10}"#;

#[tokio::test]
async fn the_balance_is_shown_gross_or_net() {
    let pretend = Pretend::slow(SimulatorSettings {
        balance: credits("10"),
        ..SimulatorSettings::default()
    })
    .await;
    let in_flight = async {
        let under_way = |pretend: &Pretend| pretend.simulator.set_aside() > credits("0");
        pretend.until(under_way).await;
        assert_eq!(pretend.shown_balance().await, credits("10"));
        pretend
            .simulator
            .change(|settings| settings.balance_shown = BalanceShown::Net);
        assert_eq!(pretend.shown_balance().await, credits("9.6"));
        assert_eq!(pretend.simulator.set_aside(), credits("0.4"));
        assert_eq!(pretend.total(), credits("0"));
        pretend.simulator.faults().hurry();
    };
    let (answer, ()) = tokio::join!(pretend.post(SEARCH, THREE), in_flight);
    assert_eq!(answer.charged(), credits("0.12"));
    assert_eq!(pretend.shown_balance().await, credits("9.88"));
    let me = pretend.get("/api/v1/accounts/me/").await.json();
    assert_eq!(me["data"]["credits"]["used_this_month"].to_string(), "0.12");
    pretend
        .simulator
        .change(|settings| settings.balance_as_text = true);
    let me = pretend.get("/api/v1/accounts/me/").await.json();
    assert_eq!(me["data"]["credits"]["balance"], "9.88");
}

#[tokio::test]
async fn usage_is_positive_and_by_operation() {
    let clock = Clock::manual("2026-09-15T10:30:00Z".parse().unwrap());
    let pretend = Pretend::with(SimulatorSettings {
        clock: clock.clone(),
        ..SimulatorSettings::default()
    })
    .await;
    pretend.post(SEARCH, THREE).await;
    pretend
        .post("/api/v1/email/find/", r#"{"lead_id":"FAKE1"}"#)
        .await;
    let usage = pretend.get("/api/v1/accounts/usage/").await.json();
    let expected = json!({"data": {"period": "2026-09", "total_credits": 0.14,
        "breakdown": {"email_find": 0.02, "search_realtime": 0.12}}});
    assert_eq!(usage, expected);
    clock.set("2026-10-01T00:00:00Z".parse().unwrap());
    let usage = pretend.get("/api/v1/accounts/usage/").await.json();
    assert_eq!(usage["data"]["total_credits"], 0);
    let path = "/api/v1/accounts/usage/?start_date=2026-09-01&end_date=2026-09-30";
    let usage = pretend.get(path).await.json();
    assert_eq!(usage["data"]["total_credits"].to_string(), "0.14");
}

#[tokio::test]
async fn legacy_pages_show_running_totals_and_negative_spend() {
    let clock = Clock::manual("2026-09-16T23:30:00Z".parse().unwrap());
    let pretend = Pretend::with(SimulatorSettings {
        clock,
        ..SimulatorSettings::default()
    })
    .await;
    pretend
        .post(
            "/api/linkedin/leads/by_link/",
            r#"{"url":"https://x.example.com/1"}"#,
        )
        .await;
    pretend.post(SEARCH, THREE).await;
    let me = pretend.get("/api/auth/users/me/").await.json();
    assert_eq!(me["balance_platform"], "999.84");
    assert_eq!(me["balance_lead_by_link"].to_string(), "-0.04");
    let path = "/api/auth/transactions/spent_credits/?timezone=Europe/Kyiv&period=week\
                &start_date=2026-09-17&end_date=2026-09-17";
    let spent = pretend.get(path).await.json();
    // 23:30 UTC is the next day in Kyiv, a Thursday; its week began on the 14th.
    assert_eq!(
        spent,
        json!({"spent_credits": {"2026-09-14T00:00:00":
            {"/api/linkedin/lead/by_link/": -0.04, "platform": -0.12}},
            "total_spent_credits": -0.16})
    );
    let lacking = pretend
        .get("/api/auth/transactions/spent_credits/?period=week")
        .await;
    assert_eq!(lacking.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_pages_with_secrets_have_secrets() {
    let pretend = Pretend::start().await;
    pretend.post(SEARCH, THREE).await;
    let analytics = pretend
        .get("/api/v1/accounts/tokens/analytics/")
        .await
        .json();
    assert_eq!(analytics["data"]["tokens"][0]["token"], LIVE_TOKEN);
    assert_eq!(analytics["data"]["tokens"][0]["total_requests"], 1);
    let tokens = pretend.get("/api/auth/api_tokens/?limit=100").await.json();
    assert_eq!(tokens["results"][0]["token"], LIVE_TOKEN);
    let login = r#"{"email":"ops@example.com","password":"x"}"#;
    let login = pretend.post("/api/auth/token/login/", login).await.json();
    assert_eq!(login["auth_token"], LIVE_TOKEN);
}

#[tokio::test]
async fn webhooks_are_kept_with_their_secrets() {
    let pretend = Pretend::start().await;
    let hook = r#"{"url":"https://hooks.example.com/1","events":["email.find.bulk.completed"]}"#;
    let made = pretend.post("/api/v1/webhooks/", hook).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert!(
        made.json()["secret"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
    let wrong = r#"{"url":"https://hooks.example.com/1","events":["email.find.completed"]}"#;
    assert_eq!(
        pretend.post("/api/v1/webhooks/", wrong).await.status,
        StatusCode::BAD_REQUEST
    );
    let listed = pretend.get("/api/v1/webhooks/").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let send = async |method: Method, path: &str, body: &'static str| {
        let request = pretend
            .request(method.as_str(), path)
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        pretend.send(request).await.unwrap()
    };
    let path = "/api/v1/webhooks/wh_1/";
    let changed = send(Method::PATCH, path, r#"{"secret":"mine"}"#)
        .await
        .json();
    assert_eq!(
        (&changed["secret"], &changed["id"]),
        (&json!("mine"), &json!("wh_1"))
    );
    let tested = send(Method::POST, "/api/v1/webhooks/wh_1/test/", "").await;
    assert_eq!(tested.status, StatusCode::ACCEPTED);
    assert_eq!(
        send(Method::DELETE, path, "").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(pretend.get(path).await.status, StatusCode::NOT_FOUND);
}
