//! Emails, phones and profile references.

use generect_guard::simulator::SimulatorSettings;
use http::StatusCode;

use crate::client::{Pretend, credits};

#[tokio::test]
async fn an_email_is_charged_when_it_is_found() {
    let pretend = Pretend::start().await;
    for body in [
        r#"{"lead_id":"FAKE1"}"#,
        r#"{"linkedin_url":"https://linkedin.example.com/in/person-1"}"#,
        r#"{"first_name":"Person","last_name":"1","domain":"example.com"}"#,
    ] {
        let answer = pretend.post("/api/v1/email/find/", body).await;
        assert!(answer.json()["data"]["valid_email"].is_string());
        assert_eq!(answer.charged(), credits("0.02"));
    }
    let miss = pretend
        .post("/api/v1/email/find/", r#"{"lead_id":"not-found"}"#)
        .await;
    assert_eq!(miss.status, StatusCode::OK);
    assert!(miss.json()["data"]["valid_email"].is_null());
    assert_eq!(miss.charged(), credits("0"));
    let lacking = pretend
        .post("/api/v1/email/find/", r#"{"first_name":"Person"}"#)
        .await;
    assert_eq!(lacking.status, StatusCode::BAD_REQUEST);
    assert_eq!(pretend.total(), credits("0.06"));
    assert_eq!(pretend.charges().len(), 4, "the miss is settled at nothing");
}

#[tokio::test]
async fn every_address_is_charged_whatever_the_verdict() {
    let pretend = Pretend::start().await;
    let body = r#"{"emails":["person.1@example.com","not-found@example.com",
        "person.1@example.com",17]}"#;
    let answer = pretend.post("/api/v1/email/validate/", body).await;
    let rows = answer.json()["data"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[1]["result"], "invalid");
    assert_eq!(answer.charged(), credits("0.02"));
    let none = pretend
        .post("/api/v1/email/validate/", r#"{"emails":[]}"#)
        .await;
    assert_eq!(none.charged(), credits("0"));
    let text = pretend
        .post("/api/v1/email/validate/", r#"{"emails":"a@example.com"}"#)
        .await;
    assert_eq!(text.status, StatusCode::BAD_REQUEST);
    assert!(text.detail().contains("Expected a list of items"));
}

#[tokio::test]
async fn a_phone_is_charged_when_it_is_found() {
    let pretend = Pretend::start().await;
    let body = r#"{"first_name":"Person","last_name":"1","company":"Company 1"}"#;
    let answer = pretend.post("/api/v1/phone/find/", body).await;
    assert_eq!(answer.json()["data"]["phone"]["status"], "FOUND");
    assert_eq!(answer.charged(), credits("0.4"));
    let miss = pretend
        .post("/api/v1/phone/find/", r#"{"lead_id":"not-found"}"#)
        .await;
    assert!(miss.json()["data"]["phone"]["number"].is_null());
    assert_eq!(miss.charged(), credits("0"));
}

#[tokio::test]
async fn duplicates_in_a_resolve_batch_are_each_charged() {
    let pretend = Pretend::start().await;
    let body = r#"{"profiles":[{"linkedin_url":"https://linkedin.example.com/in/a"},
        {"url":"https://linkedin.example.com/in/a"},{"id":"not-found"}]}"#;
    let answer = pretend.post("/api/v1/profile/resolve/bulk/", body).await;
    assert_eq!(answer.json()["meta"]["total"], 3);
    assert_eq!(answer.json()["meta"]["resolved"], 2);
    assert_eq!(answer.charged(), credits("0.001"));
    assert!(answer.json()["data"][2]["error"].is_string());
    let one = pretend
        .post("/api/v1/profile/resolve/", r#"{"id":"FAKE1"}"#)
        .await;
    assert_eq!(one.charged(), credits("0.0005"));
    let miss = pretend
        .post("/api/v1/profile/resolve/", r#"{"id":"not-found"}"#)
        .await;
    assert_eq!(miss.status, StatusCode::BAD_REQUEST);
    assert_eq!(miss.charged(), credits("0"));
    assert_eq!(pretend.total(), credits("0.0015"));
}

#[tokio::test]
async fn the_share_of_hits_follows_the_setting_and_repeats_itself() {
    let pretend = Pretend::with(SimulatorSettings {
        hit_percent: 60,
        ..SimulatorSettings::default()
    })
    .await;
    let mut found = Vec::new();
    for round in 0..2 {
        for person in 0..200 {
            let body = format!("{{\"lead_id\":\"FAKE{person}\"}}");
            let answer = pretend.post("/api/v1/email/find/", &body).await;
            let hit = answer.json()["data"]["valid_email"].is_string();
            if round == 0 {
                found.push(hit);
            } else {
                assert_eq!(found[person], hit, "person {person}");
            }
        }
    }
    let hits = found.iter().filter(|hit| **hit).count();
    assert!((90..150).contains(&hits), "{hits} of 200 at 60 %");
}
