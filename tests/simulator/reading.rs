//! Bodies are read as the upstream's framework reads them, so a guard that reads otherwise and
//! forwards all the same is charged for what it did not quote.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;

use crate::client::{Pretend, credits};

const LEADS: &str = "/api/v1/search/database/leads/";

#[tokio::test]
async fn odd_spellings_of_a_limit_are_all_understood() {
    let pretend = Pretend::start().await;
    for (body, rows) in [
        (r#"{"job_titles":["x"],"limit_by":1,"limit_by":7}"#, 7),
        (r#"{"job_titles":["x"],"limit_by":"7"}"#, 7),
        (r#"{"job_titles":["x"],"limit_by":7.0}"#, 7),
        (r#"{"job_titles":["x"],"limit_by":" 7.00 "}"#, 7),
        ("{\"job_titles\":[\"x\"],\"limit\\u005fby\":7}", 7),
        (r#"{"job_titles":["x"],"limit_by":null}"#, 1_240),
        (r#"{"job_titles":["x"],"score":NaN,"limit_by":2}"#, 2),
    ] {
        let answer = pretend.post(LEADS, body).await;
        let leads = answer.json()["data"]["leads"].as_array().unwrap().len();
        assert_eq!(leads, rows, "{body}");
        assert_eq!(
            answer.charged(),
            credits("0.02").checked_times(rows as u64).unwrap()
        );
    }
}

#[tokio::test]
async fn what_is_no_json_is_a_free_400() {
    let pretend = Pretend::start().await;
    for body in [
        "{",
        "{\"a\":1} x",
        "[1]",
        "\u{feff}{}",
        "{\"limit_by\":true}",
    ] {
        let answer = pretend.post(LEADS, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(pretend.total(), credits("0"));
}

#[tokio::test]
async fn the_content_type_decides() {
    let pretend = Pretend::start().await;
    let send = async |kind: Option<&str>, body: &'static str| {
        let mut request = pretend.request("POST", LEADS);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let body = Full::from(Bytes::from_static(body.as_bytes()));
        pretend.send(request.body(body).unwrap()).await.unwrap()
    };
    let form = send(
        Some("application/x-www-form-urlencoded"),
        "job_titles=x&limit_by=1&limit_by=4",
    )
    .await;
    assert_eq!(form.charged(), credits("0.08"));
    let json = r#"{"job_titles":["x"],"limit_by":4}"#;
    for kind in [None, Some("text/plain"), Some("application/vnd.api+json")] {
        let answer = send(kind, json).await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{kind:?}"
        );
    }
    let answer = send(Some("Application/JSON; charset=UTF-8"), json).await;
    assert_eq!(answer.charged(), credits("0.08"));
}

#[tokio::test]
async fn of_two_spellings_the_old_one_wins() {
    let pretend = Pretend::start().await;
    let path = "/api/v1/search/realtime/leads/";
    for (body, charge) in [
        (
            r#"{"job_titles":["x"],"limit_by":1,"full_data":true,"include_full_profile":false}"#,
            "0.08",
        ),
        (
            r#"{"job_titles":["x"],"limit_by":1,"full_data":false,"include_full_profile":true}"#,
            "0.04",
        ),
        (
            r#"{"job_titles":["x"],"limit_by":9,"max_investigated_leads":5,"max_profiles_scanned":1}"#,
            "0.2",
        ),
        (
            r#"{"limit_by":9,"emails":["a@example.com"],"find_by_emails":[]}"#,
            "0.04",
        ),
    ] {
        let answer = pretend.post(path, body).await;
        assert_eq!(answer.charged(), credits(charge), "{body}");
    }
}
