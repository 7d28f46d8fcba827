//! What searches and enrichments answer and take.

use generect_guard::simulator::settings::{CompanyLeadsBilling, Limit, Limits};
use generect_guard::simulator::{Prices, SimulatorSettings};
use http::StatusCode;

use crate::client::{Pretend, credits};

const DATABASE_LEADS: &str = "/api/v1/search/database/leads/";
const REALTIME_LEADS: &str = "/api/v1/search/realtime/leads/";
const REALTIME_COMPANY_LEADS: &str = "/api/v1/search/realtime/company-leads/";

#[tokio::test]
async fn rows_are_charged_as_returned_and_the_rest_is_given_back() {
    let pretend = Pretend::start().await;
    let body = r#"{"job_titles":["matches:3"],"limit_by":10}"#;
    let answer = pretend.post(DATABASE_LEADS, body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["data"]["leads"].as_array().unwrap().len(), 3);
    assert_eq!(answer.json()["data"]["results_count"], 3);
    assert_eq!(answer.charged(), credits("0.06"));
    let charged = &pretend.charges()[0];
    assert_eq!(charged.amount, credits("0.06"));
    assert_eq!(charged.set_aside, credits("0.2"));
    assert_eq!(charged.units, 3);
    assert_eq!(charged.path, DATABASE_LEADS);
    assert!(charged.delivered);
    assert_eq!(pretend.simulator.balance(), credits("999.94"));
    assert_eq!(pretend.simulator.set_aside(), credits("0"));
}

#[tokio::test]
async fn an_absent_limit_is_the_documented_maximum() {
    let pretend = Pretend::with(SimulatorSettings {
        matches: 1_000_000,
        company_matches: 1_000_000,
        ..SimulatorSettings::default()
    })
    .await;
    for (path, charge) in [
        (DATABASE_LEADS, "48"),
        ("/api/v1/search/database/companies/", "32"),
        ("/api/v1/search/realtime/companies/", "64"),
    ] {
        let body = r#"{"industries":["x"],"job_titles":["x"],"limit_by":null}"#;
        assert_eq!(
            pretend.post(path, body).await.charged(),
            credits(charge),
            "{path}"
        );
    }
    let preview = r#"{"limit_by":3,"lead_search_criteria":{"job_titles":["x"]}}"#;
    let answer = pretend.post("/api/v1/preview/leads/", preview).await;
    assert_eq!(
        answer.charged(),
        credits("0.2"),
        "a full page of 100 masked rows"
    );
}

#[tokio::test]
async fn a_limit_over_the_maximum_is_refused_and_free() {
    let pretend = Pretend::start().await;
    let body = r#"{"industries":["x"],"limit_by":1601}"#;
    let answer = pretend
        .post("/api/v1/search/database/companies/", body)
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.detail(),
        r#"{"limit_by":["Must be between 1 and 1600."]}"#
    );
    assert_eq!(pretend.total(), credits("0"));
    assert!(pretend.charges().is_empty());
}

#[tokio::test]
async fn whole_profiles_are_billed_twice_and_only_live() {
    let pretend = Pretend::start().await;
    let body = r#"{"job_titles":["x"],"limit_by":5,"full_data":true}"#;
    assert_eq!(
        pretend.post(REALTIME_LEADS, body).await.charged(),
        credits("0.4")
    );
    assert_eq!(
        pretend.post(DATABASE_LEADS, body).await.charged(),
        credits("0.1")
    );
    assert_eq!(pretend.charges()[0].set_aside, credits("0.4"));
}

#[tokio::test]
async fn scanned_profiles_and_addresses_lower_the_page() {
    let pretend = Pretend::start().await;
    let body = r#"{"job_titles":["x"],"limit_by":50,"max_profiles_scanned":4}"#;
    assert_eq!(
        pretend.post(REALTIME_LEADS, body).await.charged(),
        credits("0.16")
    );
    let body = r#"{"limit_by":50,"find_by_emails":["a@example.com","b@example.com"]}"#;
    assert_eq!(
        pretend.post(REALTIME_LEADS, body).await.charged(),
        credits("0.08")
    );
}

#[tokio::test]
async fn a_search_needs_a_filter() {
    let pretend = Pretend::start().await;
    let answer = pretend.post(DATABASE_LEADS, r#"{"limit_by":5}"#).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.detail(), "at least one search filter is required");
    let answer = pretend.post(REALTIME_LEADS, r#"{"limit_by":5}"#).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["data"]["leads"].as_array().unwrap().len(), 0);
    assert_eq!(answer.charged(), credits("0.04"));
}

#[tokio::test]
async fn filters_of_the_wrong_mode_are_refused() {
    let pretend = Pretend::start().await;
    let answer = pretend.post(DATABASE_LEADS, r#"{"keywords":["x"]}"#).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer
            .detail()
            .contains("not supported in database mode for leads")
    );
    let answer = pretend.post(REALTIME_LEADS, r#"{"per_page":5}"#).await;
    assert_eq!(answer.detail(), "per_page filter is not supported");
}

#[tokio::test]
async fn live_counts_have_one_price_and_database_counts_none() {
    let pretend = Pretend::start().await;
    let body = r#"{"job_titles":["matches:0"]}"#;
    for what in ["leads", "companies"] {
        let path = format!("/api/v1/search/realtime/{what}/count/");
        let answer = pretend.post(&path, body).await;
        assert_eq!(answer.json()["data"]["results_count"], 0);
        assert_eq!(answer.charged(), credits("0.04"));
        let path = format!("/api/v1/search/database/{what}/count/");
        assert_eq!(pretend.post(&path, body).await.charged(), credits("0"));
    }
    let criteria = r#"{"lead_search_criteria":{"job_titles":["matches:9"]}}"#;
    let count = pretend.post("/api/v1/preview/leads/count/", criteria).await;
    assert_eq!(count.json()["data"]["count"], 9);
    let path = "/api/v1/search/database/company-leads/count/";
    let count = pretend.post(path, criteria).await;
    assert_eq!(count.json()["data"]["leads_count"], 9);
    let path = "/api/v1/search/realtime/company-leads/count/";
    let missing = pretend.post(path, criteria).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(pretend.total(), credits("0.08"));
    assert_eq!(pretend.charges().len(), 2);
}

#[tokio::test]
async fn company_leads_read_only_the_nested_limits() {
    let pretend = Pretend::start().await;
    let body = r#"{"limit_by":1,
        "company_search_criteria":{"industries":["x"],"limit_by":2},
        "lead_search_criteria":{"job_titles":["x"],"limit_by":3,"include_emails":true,
            "include_full_profile":true}}"#;
    let answer = pretend.post(REALTIME_COMPANY_LEADS, body).await;
    assert_eq!(answer.json()["data"]["leads"].as_array().unwrap().len(), 3);
    // 2 companies and 3 leads at 0.04, 3 profiles at 0.04, 3 emails at 0.02.
    assert_eq!(answer.charged(), credits("0.38"));
    pretend
        .simulator
        .change(|settings| settings.company_leads_billing = CompanyLeadsBilling::LeadsOnly);
    let answer = pretend.post(REALTIME_COMPANY_LEADS, body).await;
    assert_eq!(answer.charged(), credits("0.3"));
    let database = "/api/v1/search/database/company-leads/";
    let answer = pretend.post(database, body).await;
    assert_eq!(
        answer.charged(),
        credits("0.06"),
        "no extras on the database"
    );
    let only_companies = r#"{"company_search_criteria":{"industries":["x"],"limit_by":2}}"#;
    let answer = pretend.post(database, only_companies).await;
    assert_eq!(
        answer.json()["data"]["companies"].as_array().unwrap().len(),
        2
    );
    assert_eq!(answer.charged(), credits("0.04"));
    let nothing = pretend.post(database, "{}").await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn company_leads_without_nested_limits_take_the_maximum() {
    let pretend = Pretend::with(SimulatorSettings {
        matches: 1_000_000,
        company_matches: 1_000_000,
        limits: Limits {
            leads: Limit {
                maximum: 30,
                absent: 30,
            },
            companies: Limit {
                maximum: 20,
                absent: 20,
            },
            ..Limits::default()
        },
        ..SimulatorSettings::default()
    })
    .await;
    let body = r#"{"limit_by":1,"company_search_criteria":{"industries":["x"]},
        "lead_search_criteria":{"job_titles":["x"]}}"#;
    let answer = pretend.post(REALTIME_COMPANY_LEADS, body).await;
    assert_eq!(answer.charged(), credits("2"));
}

#[tokio::test]
async fn preview_can_be_closed_or_free() {
    let pretend = Pretend::start().await;
    let body = r#"{"lead_search_criteria":{"job_titles":["x"],"limit_by":2}}"#;
    let answer = pretend.post("/api/v1/preview/leads/", body).await;
    assert_eq!(answer.charged(), credits("0.004"));
    assert!(
        answer.json()["data"]["leads"][0]
            .get("linkedin_url")
            .is_none()
    );
    pretend
        .simulator
        .change(|settings| settings.preview_free = true);
    let answer = pretend.post("/api/v1/preview/leads/", body).await;
    assert_eq!(answer.charged(), credits("0"));
    pretend
        .simulator
        .change(|settings| settings.preview_granted = false);
    let answer = pretend.post("/api/v1/preview/leads/", body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer.json()["error"],
        "You are not authorized to use this endpoint."
    );
}

#[tokio::test]
async fn thin_rows_are_free_until_the_day_is_used_up() {
    let pretend = Pretend::start().await;
    let body = r#"{"job_titles":["x"],"limit_by":6,"detail":"thin"}"#;
    let unknown = pretend.post(DATABASE_LEADS, body).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(unknown.detail().contains("detail"));
    pretend
        .simulator
        .change(|settings| settings.thin_rows_daily = Some(10));
    let thin = pretend.post(DATABASE_LEADS, body).await;
    assert_eq!(thin.charged(), credits("0"));
    assert!(thin.json()["meta"].get("free_tier").is_some());
    pretend.post(DATABASE_LEADS, body).await;
    let spent = pretend.post(DATABASE_LEADS, body).await;
    assert_eq!(spent.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(pretend.total(), credits("0"));
}

#[tokio::test]
async fn an_enrichment_takes_one_price_and_one_more_for_each_section_with_data() {
    let pretend = Pretend::start().await;
    let lead = r#"{"linkedin_url":"https://linkedin.example.com/in/person-7","posts":true,
        "comments":"yes","reactions":1,"people_also_viewed":true,"get_full_experience":true}"#;
    let answer = pretend.post("/api/v1/enrich/database/lead/", lead).await;
    assert_eq!(answer.charged(), credits("0.1"));
    assert!(answer.json()["data"]["posts"].is_array());
    let company = r#"{"domain":"company-7.example.com","posts":true,"people_also_viewed":true,
        "people_also_follow":true,"comments":true}"#;
    let answer = pretend
        .post("/api/v1/enrich/realtime/company/", company)
        .await;
    assert_eq!(answer.charged(), credits("0.16"));
    pretend
        .simulator
        .change(|settings| settings.section_hit_percent = 0);
    let answer = pretend.post("/api/v1/enrich/realtime/lead/", lead).await;
    assert_eq!(answer.charged(), credits("0.04"));
    assert_eq!(pretend.charges()[2].set_aside, credits("0.2"));
}

#[tokio::test]
async fn an_enrichment_that_finds_nobody_is_a_free_400() {
    let pretend = Pretend::start().await;
    for (path, text) in [
        ("/api/v1/enrich/database/lead/", "Person does not exist"),
        ("/api/v1/enrich/realtime/company/", "Company does not exist"),
    ] {
        let answer = pretend
            .post(path, r#"{"id":"not-found","posts":true}"#)
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.detail(), text);
    }
    let two = r#"{"id":"1","email":"person.1@example.com"}"#;
    let answer = pretend.post("/api/v1/enrich/database/lead/", two).await;
    assert!(
        answer
            .detail()
            .contains("exactly one of id, linkedin_url, email")
    );
    assert_eq!(pretend.total(), credits("0"));
}

#[tokio::test]
async fn the_tier_decides_the_price() {
    let pretend = Pretend::with(SimulatorSettings {
        prices: Prices::before_august(),
        ..SimulatorSettings::default()
    })
    .await;
    let body = r#"{"job_titles":["x"],"limit_by":3}"#;
    let answer = pretend.post(DATABASE_LEADS, body).await;
    assert_eq!(answer.charged(), credits("0.0201"));
    let tier = pretend.get("/api/auth/tiers/my-tier/").await.json();
    let prices = &tier["current_tier"]["service_prices"];
    assert_eq!(prices["api_cached"].to_string(), "0.0067");
    assert_eq!(prices["phones"].to_string(), "0.4");
}
