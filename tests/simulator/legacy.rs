//! The legacy endpoints: flat answers, negative amounts, arrays without any.

use generect_guard::simulator::settings::LegacyAmounts;
use http::StatusCode;
use serde_json::json;

use crate::client::{Pretend, credits};

#[tokio::test]
async fn searches_charge_credits_and_show_them_negative() {
    let pretend = Pretend::start().await;
    let path = "/api/linkedin/leads/by_icp/";
    let answer = pretend
        .post(path, r#"{"limit_by":3,"locations":["Nowhere"]}"#)
        .await
        .json();
    assert_eq!(answer["amount"], -3);
    assert_eq!(answer["leads"].as_array().unwrap().len(), 3);
    let nobody = pretend
        .post(path, r#"{"limit_by":3,"job_titles":["matches:0"]}"#)
        .await;
    assert_eq!(
        nobody.json()["amount"],
        -1,
        "the vendor's sample of no leads"
    );
    assert_eq!(nobody.json()["results_count"], "within limit");
    let path = "/api/linkedin/companies/by_icp/";
    let none = pretend
        .post(path, r#"{"limit_by":3,"industries":["matches:0"]}"#)
        .await;
    assert_eq!(none.json()["amount"], 0);
    let counts = r#"{"get_max_companies":true,"industries":["matches:5000"]}"#;
    let flat = pretend.post(path, counts).await;
    assert_eq!(flat.json()["amount"], 3, "the one positive amount");
    assert_eq!(pretend.total(), credits("0.28"));
}

#[tokio::test]
async fn an_unbounded_legacy_search_takes_what_there_is() {
    let pretend = Pretend::start().await;
    pretend
        .simulator
        .change(|settings| settings.matches = 9_000);
    // `limit` is what old clients send; it is not read.
    let answer = pretend
        .post("/api/linkedin/leads/by_icp/", r#"{"limit":5}"#)
        .await;
    assert_eq!(answer.json()["amount"], -2_500);
    assert_eq!(pretend.total(), credits("100"));
}

#[tokio::test]
async fn counts_are_billed() {
    let pretend = Pretend::start().await;
    let leads = pretend
        .post("/api/linkedin/leads/by_icp/get_count/", "{}")
        .await;
    assert_eq!(leads.json(), json!({"amount": -3, "results_count": 1240}));
    let companies = pretend
        .post("/api/linkedin/companies/by_icp/get_count/", "{}")
        .await;
    assert_eq!(
        companies.json(),
        json!({"amount": -1, "results_count": 530})
    );
    assert_eq!(pretend.total(), credits("0.16"));
}

#[tokio::test]
async fn lookups_by_link_charge_one_and_one_for_each_section() {
    let pretend = Pretend::start().await;
    let body = r#"{"url":"https://linkedin.example.com/in/person-1","posts":true,
        "comments":true,"people_also_viewed":true}"#;
    let lead = pretend
        .post("/api/linkedin/leads/by_link/", body)
        .await
        .json();
    assert_eq!(lead["amount"], -4);
    assert!(lead["lead"]["posts"].is_array());
    let company = pretend
        .post(
            "/api/linkedin/companies/by_link/",
            r#"{"name":"Company 1"}"#,
        )
        .await;
    assert_eq!(company.json()["amount"], -1);
    let miss = pretend
        .post(
            "/api/linkedin/companies/by_link/",
            r#"{"name":"not-found"}"#,
        )
        .await;
    assert_eq!(miss.status, StatusCode::BAD_REQUEST);
    assert_eq!(miss.json()["amount"], 0);
    assert_eq!(miss.json()["detail"], "No such company");
    assert_eq!(pretend.total(), credits("0.2"));
}

#[tokio::test]
async fn amounts_may_be_money() {
    let pretend = Pretend::start().await;
    pretend
        .simulator
        .change(|settings| settings.legacy_amounts = LegacyAmounts::Money);
    let answer = pretend
        .post("/api/linkedin/leads/by_icp/", r#"{"limit_by":3}"#)
        .await;
    assert_eq!(answer.json()["amount"].to_string(), "-0.12");
}

#[tokio::test]
async fn email_lists_state_no_amount() {
    let pretend = Pretend::start().await;
    let body = r#"[{"first_name":"Person","last_name":"1","domain":"example.com"},
        {"first_name":"not-found","last_name":"2","domain":"example.com"}]"#;
    let found = pretend
        .post("/api/linkedin/email_finder/", body)
        .await
        .json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert!(found[0]["valid_email"].is_string());
    assert!(found[1]["valid_email"].is_null());
    let body = r#"["person.1@example.com","not-found@example.com"]"#;
    let checked = pretend.post("/api/linkedin/email_validator/", body).await;
    assert_eq!(checked.json().as_array().unwrap().len(), 2);
    assert_eq!(pretend.total(), credits("0.03"));
    let map = pretend.post("/api/linkedin/email_validator/", "{}").await;
    assert_eq!(map.status, StatusCode::BAD_REQUEST);
}
