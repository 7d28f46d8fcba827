//! Bulk jobs, from submission to oblivion.

use generect_guard::clock::Clock;
use generect_guard::simulator::SimulatorSettings;
use generect_guard::simulator::settings::{JobErrorCharge, JobPace};
use http::StatusCode;
use jiff::SignedDuration;

use crate::client::{Answer, Pretend, credits};

const EMAILS: &str = "/api/v1/email/find/bulk/";
const THREE: &str = r#"{"leads":[{"lead_id":"FAKE1"},{"lead_id":"not-found"},
    {"first_name":"Person","last_name":"1","domain":"example.com"}]}"#;

fn id_of(accepted: &Answer) -> String {
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let json = accepted.json();
    assert!(json["data"].is_null());
    assert_eq!(json["meta"]["status"], "pending");
    assert_eq!(json["meta"]["amount_charged"], 0);
    json["meta"]["job_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_job_holds_everything_and_is_charged_when_it_completes() {
    let pretend = Pretend::start().await;
    let id = id_of(&pretend.post(EMAILS, THREE).await);
    assert_eq!(pretend.simulator.set_aside(), credits("0.06"));
    let path = format!("{EMAILS}{id}/");
    let first = pretend.get(&path).await.json();
    assert_eq!(first["meta"]["status"], "processing");
    assert!(first["data"].is_null());
    assert_eq!(first["meta"]["amount_charged"], 0);
    assert_eq!(pretend.total(), credits("0"));
    for _ in 0..3 {
        let done = pretend.get(&path).await;
        assert_eq!(done.json()["meta"]["status"], "completed");
        assert_eq!(done.json()["data"].as_array().unwrap().len(), 3);
        assert!(
            done.json()["meta"].get("found").is_none(),
            "not in email jobs"
        );
        assert_eq!(done.charged(), credits("0.04"));
    }
    let charges = pretend.charges();
    assert_eq!(charges.len(), 1, "however often it is polled");
    assert_eq!(charges[0].job.as_deref(), Some(id.as_str()));
    assert_eq!(charges[0].path, EMAILS);
    assert!(charges[0].delivered);
    assert_eq!(pretend.simulator.set_aside(), credits("0"));
    assert_eq!(pretend.total(), credits("0.04"));
}

#[tokio::test]
async fn enrich_jobs_keep_the_order_and_count_what_they_found() {
    let pretend = Pretend::start().await;
    let body = r#"{"companies":[{"domain":"a.example.com"},{"id":"not-found"},{}]}"#;
    let path = "/api/v1/enrich/realtime/companies/bulk/";
    let id = id_of(&pretend.post(path, body).await);
    assert_eq!(pretend.simulator.complete_jobs(), 1);
    let done = pretend
        .get(&format!("/api/v1/enrich/companies/bulk/{id}/"))
        .await;
    let json = done.json();
    assert_eq!(
        (&json["meta"]["found"], &json["meta"]["not_found"]),
        (&1.into(), &2.into())
    );
    assert_eq!(json["data"][0]["input"]["domain"], "a.example.com");
    assert!(json["data"][0]["company"].is_object());
    assert!(json["data"][1]["company"].is_null());
    assert_eq!(done.charged(), credits("0.04"));
    let foreign = pretend
        .get(&format!("/api/v1/enrich/leads/bulk/{id}/"))
        .await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(foreign.json()["detail"], "Job not found");
}

#[tokio::test]
async fn a_batch_has_one_to_fifty_items() {
    let pretend = Pretend::start().await;
    let many: Vec<String> = (0..51)
        .map(|n| format!("{{\"lead_id\":\"{n}\"}}"))
        .collect();
    let over = format!("{{\"leads\":[{}]}}", many.join(","));
    for (body, text) in [
        ("{\"items\":[]}", "This field is required."),
        ("{\"leads\":[]}", "This list may not be empty."),
        (over.as_str(), "no more than 50"),
    ] {
        let answer = pretend.post("/api/v1/phone/find/bulk/", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.detail().contains(text), "{}", answer.detail());
    }
    let most = format!("{{\"leads\":[{}]}}", many[..50].join(","));
    id_of(&pretend.post("/api/v1/phone/find/bulk/", &most).await);
    assert_eq!(pretend.simulator.set_aside(), credits("20"));
}

#[tokio::test]
async fn a_job_that_fails_gives_all_back_or_half() {
    let pretend = Pretend::start().await;
    let doomed = r#"{"leads":[{"lead_id":"a"},{"lead_id":"job-error"}]}"#;
    let id = id_of(&pretend.post(EMAILS, doomed).await);
    pretend.simulator.complete_jobs();
    let failed = pretend.get(&format!("{EMAILS}{id}/")).await;
    assert_eq!(failed.status, StatusCode::OK);
    assert_eq!(failed.json()["meta"]["status"], "error");
    assert!(failed.json()["meta"]["error"].is_string());
    assert!(failed.json()["data"].is_null());
    assert_eq!(failed.charged(), credits("0"));
    pretend
        .simulator
        .change(|settings| settings.job_error_charge = JobErrorCharge::Half);
    let id = id_of(&pretend.post(EMAILS, doomed).await);
    assert_eq!(pretend.simulator.fail_jobs(), 1);
    let failed = pretend.get(&format!("{EMAILS}{id}/")).await;
    assert_eq!(failed.charged(), credits("0.02"));
    assert_eq!(pretend.total(), credits("0.02"));
}

#[tokio::test]
async fn steps_by_hand_and_by_time() {
    let clock = Clock::manual("2026-09-15T10:30:00Z".parse().unwrap());
    let pretend = Pretend::with(SimulatorSettings {
        job_pace: JobPace::ByHand,
        clock: clock.clone(),
        ..SimulatorSettings::default()
    })
    .await;
    let id = id_of(&pretend.post(EMAILS, THREE).await);
    let path = format!("{EMAILS}{id}/");
    assert_eq!(pretend.get(&path).await.json()["meta"]["status"], "pending");
    pretend.simulator.advance_jobs();
    assert_eq!(
        pretend.get(&path).await.json()["meta"]["status"],
        "processing"
    );
    pretend
        .simulator
        .change(|settings| settings.job_pace = JobPace::After(SignedDuration::from_mins(5)));
    clock.advance(SignedDuration::from_mins(4));
    assert_eq!(
        pretend.get(&path).await.json()["meta"]["status"],
        "processing"
    );
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!(
        pretend.shown_balance().await,
        credits("999.96"),
        "nobody polled"
    );
    assert_eq!(
        pretend.get(&path).await.json()["meta"]["status"],
        "completed"
    );
}

#[tokio::test]
async fn after_a_day_a_job_is_charged_and_gone() {
    let clock = Clock::manual("2026-09-15T10:30:00Z".parse().unwrap());
    let pretend = Pretend::with(SimulatorSettings {
        clock: clock.clone(),
        ..SimulatorSettings::default()
    })
    .await;
    let id = id_of(&pretend.post(EMAILS, THREE).await);
    clock.advance(SignedDuration::from_hours(24));
    let gone = pretend.get(&format!("{EMAILS}{id}/")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert_eq!(pretend.total(), credits("0.04"));
    assert!(!pretend.charges()[0].delivered);
}

#[tokio::test]
async fn job_ids_are_uuids_and_follow_the_seed() {
    let mut ids = Vec::new();
    for seed in [5, 5, 6] {
        let pretend = Pretend::with(SimulatorSettings {
            seed,
            ..SimulatorSettings::default()
        })
        .await;
        ids.push(id_of(&pretend.post(EMAILS, THREE).await));
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!(ids[0].len(), 36);
}
