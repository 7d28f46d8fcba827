//! Each fault does what its name says, and the truth about the charge is independent of it.

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use generect_guard::simulator::{
    CodingFault, Fault, LIVE_TOKEN, MetaFault, Nonsense, SimulatorSettings,
};
use http::StatusCode;
use tokio::time::Instant;

use crate::client::{Pretend, credits};

const FIND: &str = "/api/v1/email/find/";
const BODY: &str = r#"{"lead_id":"FAKE1"}"#;

#[tokio::test]
async fn a_fault_is_charged_or_not_as_its_name_says() {
    // (fault, what the client sees: a status, or 0 for a cut connection, what is charged, whether
    // the whole answer was handed over)
    let table = [
        ("slow", 200, "0.02", true),
        ("slow_body", 200, "0.02", true),
        ("cut_before_charge", 0, "0", false),
        ("cut_after_charge", 0, "0.02", false),
        ("cut_mid_body", 0, "0.02", false),
        ("refused_stream", 0, "0", false),
        ("refused_stream_after_charge", 0, "0.02", false),
        ("500_before_charge", 500, "0", false),
        ("500_before_charge_says_so", 500, "0", false),
        ("500_after_charge", 500, "0.02", true),
        ("500_after_charge_says_so", 500, "0.02", true),
        ("502_before_charge", 502, "0", false),
        ("502_after_charge", 502, "0.02", true),
        ("redirect", 302, "0", false),
        ("redirect_after_charge", 302, "0.02", true),
        ("throttled", 429, "0", false),
        ("throttled_retry_after", 429, "0", false),
        ("funds_gone", 402, "0", false),
        ("html", 200, "0.02", true),
        ("html_502", 502, "0", false),
        ("overrun", 200, "1.02", true),
        ("gzip", 200, "0.02", true),
        ("unknown_coding", 200, "0.02", true),
        ("truncated_gzip", 200, "0.02", true),
        ("truncated_json", 200, "0.02", true),
        ("length_too_long", 0, "0.02", false),
        ("length_too_short", 200, "0.02", false),
        ("huge", 200, "0.02", true),
        ("leaks_token", 200, "0.02", true),
        ("sets_cookie", 200, "0.02", true),
        ("meta_missing", 200, "0.02", true),
        ("charge_missing", 200, "0.02", true),
        ("charge_null", 200, "0.02", true),
        ("charge_negative", 200, "0.02", true),
        ("charge_text", 200, "0.02", true),
        ("charge_word", 200, "0.02", true),
        ("charge_exponent", 200, "0.02", true),
        ("charge_noise", 200, "0.02", true),
        ("meta_in_rows_only", 200, "0.02", true),
        ("meta_duplicate", 200, "0.02", true),
        ("meta_broken", 200, "0.02", true),
        ("unheard_of", 200, "0.02", true),
    ];
    for (fault, status, charge, delivered) in table {
        let pretend = Pretend::start().await;
        match pretend.faulty(fault, FIND, BODY).await {
            Ok(answer) => assert_eq!(answer.status.as_u16(), status, "{fault}"),
            Err(error) => {
                assert_eq!(status, 0, "{fault}: {error}");
                let part = fault == "cut_mid_body" || fault == "length_too_long";
                assert_eq!(error.starts_with("cut body"), part, "{fault}: {error}");
            }
        }
        assert_eq!(pretend.total(), credits(charge), "{fault}");
        let charges = pretend.charges();
        assert_eq!(charges.len(), usize::from(charge != "0"), "{fault}");
        for charged in charges {
            assert_eq!(charged.delivered, delivered, "{fault}");
        }
    }
}

#[tokio::test]
async fn stated_charges_are_garbled_in_their_own_ways() {
    let pretend = Pretend::start().await;
    for (fault, text) in [
        ("charge_null", r#""amount_charged":null"#),
        ("charge_negative", r#""amount_charged":-0.02"#),
        ("charge_text", r#""amount_charged":"0.02""#),
        ("charge_word", r#""amount_charged":"plenty""#),
        ("charge_exponent", r#""amount_charged":2e-2"#),
        ("charge_noise", r#""amount_charged":0.0200000000000001"#),
        ("meta_broken", r#""meta":[0.02]"#),
        ("charge_missing", r#""meta":{}"#),
        ("overrun", r#""amount_charged":1.02"#),
        (
            "500_after_charge_says_so",
            r#""meta":{"amount_charged":0.02}"#,
        ),
        (
            "500_before_charge_says_so",
            r#""meta":{"amount_charged":0}"#,
        ),
    ] {
        let answer = pretend.faulty(fault, FIND, BODY).await.unwrap();
        let body = String::from_utf8_lossy(&answer.bytes);
        assert!(body.contains(text), "{fault}: {body}");
        answer.json();
    }
    let missing = pretend.faulty("meta_missing", FIND, BODY).await.unwrap();
    assert!(missing.json().get("meta").is_none());
    let rows = pretend
        .faulty("meta_in_rows_only", FIND, BODY)
        .await
        .unwrap();
    assert!(rows.json().get("meta").is_none());
    assert_eq!(rows.json()["included"][0]["meta"]["amount_charged"], 0.01);
    let twice = pretend.faulty("meta_duplicate", FIND, BODY).await.unwrap();
    let body = String::from_utf8_lossy(&twice.bytes);
    assert_eq!(body.matches("\"meta\"").count(), 2, "{body}");
    assert_eq!(twice.charged(), credits("0.02"), "the last one is right");
}

#[tokio::test]
async fn legacy_amounts_are_garbled_too() {
    let pretend = Pretend::start().await;
    let path = "/api/linkedin/leads/by_link/";
    for (fault, text) in [
        ("charge_null", "\"amount\":null"),
        ("charge_exponent", "\"amount\":-1E+0"),
        ("charge_text", "\"amount\":\"-1\""),
        ("meta_broken", "\"amount\":[-1]"),
    ] {
        let answer = pretend
            .faulty(fault, path, r#"{"url":"x/y"}"#)
            .await
            .unwrap();
        let body = String::from_utf8_lossy(&answer.bytes);
        assert!(body.starts_with(&format!("{{{text}")), "{fault}: {body}");
    }
    let answer = pretend
        .faulty("meta_missing", path, r#"{"url":"x/y"}"#)
        .await
        .unwrap();
    assert!(answer.json().get("amount").is_none());
}

#[tokio::test]
async fn codings_lengths_and_sizes() {
    let pretend = Pretend::start().await;
    let zipped = pretend.faulty("gzip", FIND, BODY).await.unwrap();
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let mut plain = String::new();
    GzDecoder::new(&zipped.bytes[..])
        .read_to_string(&mut plain)
        .unwrap();
    assert!(plain.contains("\"amount_charged\":0.02"));
    let half = pretend.faulty("truncated_gzip", FIND, BODY).await.unwrap();
    assert!(
        GzDecoder::new(&half.bytes[..])
            .read_to_string(&mut plain)
            .is_err()
    );
    let unknown = pretend.faulty("unknown_coding", FIND, BODY).await.unwrap();
    assert_eq!(unknown.header("content-encoding"), Some("br"));
    let huge = pretend.faulty("huge", FIND, BODY).await.unwrap();
    assert_eq!(huge.bytes.len(), 4 * 1024 * 1024);
    assert_eq!(huge.charged(), credits("0.02"));
    let whole = pretend.post(FIND, BODY).await.bytes.len();
    for fault in ["truncated_json", "length_too_short"] {
        let cut = pretend.faulty(fault, FIND, BODY).await.unwrap();
        assert_eq!(cut.bytes.len(), whole / 2, "{fault}");
    }
    pretend
        .simulator
        .change(|settings| settings.answer_bytes_min = 1_536);
    assert_eq!(pretend.post(FIND, BODY).await.bytes.len(), 1_536);
}

#[tokio::test]
async fn headers_that_must_not_pass() {
    let pretend = Pretend::start().await;
    let leaking = pretend.faulty("leaks_token", FIND, BODY).await.unwrap();
    assert_eq!(leaking.header("x-debug-token"), Some(LIVE_TOKEN));
    assert!(String::from_utf8_lossy(&leaking.bytes).contains(LIVE_TOKEN));
    assert_eq!(leaking.charged(), credits("0.02"));
    let cookie = pretend.faulty("sets_cookie", FIND, BODY).await.unwrap();
    assert!(cookie.header("set-cookie").is_some());
    let redirect = pretend.faulty("redirect", FIND, BODY).await.unwrap();
    assert!(redirect.header("location").is_some());
    let throttled = pretend
        .faulty("throttled_retry_after", FIND, BODY)
        .await
        .unwrap();
    assert_eq!(throttled.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn silence_is_silence() {
    let pretend = Pretend::start().await;
    for (fault, charge) in [
        ("never_answers", "0"),
        ("never_answers_after_charge", "0.02"),
    ] {
        let before = pretend.simulator.truth().request_count();
        let arrived = async {
            let is_there = |pretend: &Pretend| {
                let count = pretend.simulator.truth().request_count();
                count > before && pretend.total() == credits(charge)
            };
            pretend.until(is_there).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        };
        tokio::select! {
            answer = pretend.faulty(fault, FIND, BODY) => panic!("{fault}: {answer:?}"),
            () = arrived => {}
        }
        assert_eq!(pretend.total(), credits(charge));
    }
}

#[tokio::test]
async fn slow_is_slow() {
    let pretend = Pretend::start().await;
    let begun = Instant::now();
    pretend.faulty("slow", FIND, BODY).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let begun = Instant::now();
    let pieces = pretend.faulty("slow_body", FIND, BODY).await.unwrap();
    assert!(pieces.bytes.len() > 64);
    assert!(begun.elapsed() >= Duration::from_millis(40));
    assert!(pieces.header("content-length").is_none());
}

#[tokio::test]
async fn the_next_priced_calls_are_struck_and_free_ones_spared() {
    let pretend = Pretend::start().await;
    let faults = pretend.simulator.faults();
    faults.next(2, Fault::CutAfterCharge);
    pretend.get("/api/v1/accounts/me/").await;
    assert!(pretend.try_post(FIND, BODY, &[]).await.is_err());
    assert!(pretend.try_post(FIND, BODY, &[]).await.is_err());
    assert!(pretend.try_post(FIND, BODY, &[]).await.is_ok());
    faults.on("/email/validate/", Fault::FundsGone);
    assert_eq!(pretend.post(FIND, BODY).await.status, StatusCode::OK);
    let path = "/api/v1/email/validate/";
    for _ in 0..3 {
        let answer = pretend.post(path, r#"{"emails":["a"]}"#).await;
        assert_eq!(answer.status, StatusCode::PAYMENT_REQUIRED);
    }
    faults.clear();
    assert_eq!(
        pretend.post(path, r#"{"emails":["a"]}"#).await.status,
        StatusCode::OK
    );
    faults.next_on(1, "/accounts/me/", Fault::TruncatedJson);
    let broken = pretend.get("/api/v1/accounts/me/").await;
    assert!(serde_json::from_slice::<serde_json::Value>(&broken.bytes).is_err());
    assert_eq!(pretend.shown_balance().await, pretend.simulator.balance());
}

#[tokio::test]
async fn chance_follows_the_seed() {
    let mut runs = Vec::new();
    for seed in [3, 3, 4] {
        let pretend = Pretend::with(SimulatorSettings {
            seed,
            ..SimulatorSettings::default()
        })
        .await;
        pretend.simulator.faults().sometimes(300, Fault::FundsGone);
        let mut struck = Vec::new();
        for _ in 0..100 {
            struck.push(pretend.post(FIND, BODY).await.status != StatusCode::OK);
        }
        let count = struck.iter().filter(|hit| **hit).count();
        assert!(
            (15..45).contains(&count),
            "{count} of 100 at 300 in a thousand"
        );
        assert_eq!(pretend.charges().len(), 100 - count);
        runs.push(struck);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_job_can_overrun_and_its_poll_can_break() {
    let pretend = Pretend::start().await;
    let path = "/api/v1/email/find/bulk/";
    let body = r#"{"leads":[{"lead_id":"a"},{"lead_id":"not-found"}]}"#;
    let accepted = pretend.faulty("overrun", path, body).await.unwrap();
    let id = accepted.json()["meta"]["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    pretend.simulator.complete_jobs();
    assert_eq!(
        pretend.total(),
        credits("1.04"),
        "1 more than was set aside"
    );
    let poll = format!("{path}{id}/");
    let faults = pretend.simulator.faults();
    faults.next_on(1, &poll, Fault::CutMidBody);
    let request = pretend
        .request("GET", &poll)
        .body(Default::default())
        .unwrap();
    assert!(pretend.send(request).await.is_err());
    assert!(!pretend.charges()[0].delivered);
    faults.next_on(1, &poll, Fault::Meta(MetaFault::Missing));
    assert!(pretend.get(&poll).await.json().get("meta").is_none());
    faults.next_on(1, &poll, Fault::Coding(CodingFault::Unknown));
    pretend.get(&poll).await;
    assert_eq!(pretend.get(&poll).await.charged(), credits("1.04"));
    assert!(pretend.charges()[0].delivered);
}

#[tokio::test]
async fn the_account_page_can_talk_nonsense() {
    let pretend = Pretend::start().await;
    let me = "/api/v1/accounts/me/";
    for (kind, text) in [
        (Nonsense::Word, "\"balance\":\"plenty\""),
        (Nonsense::Negative, "\"balance\":-12.5"),
        (Nonsense::Missing, "\"credits\":{\"used_this_month\":1}"),
        (Nonsense::NotANumber, "\"balance\":NaN"),
        (Nonsense::Null, "\"balance\":null"),
        (Nonsense::Html, "<!DOCTYPE html>"),
        (Nonsense::Unauthorised, "Invalid token."),
        (
            Nonsense::Slow(Duration::from_millis(100)),
            "\"balance\":1000",
        ),
    ] {
        pretend
            .simulator
            .faults()
            .next_on(1, me, Fault::Account(kind));
        let begun = Instant::now();
        let answer = pretend.get(me).await;
        let body = String::from_utf8_lossy(&answer.bytes);
        assert!(body.contains(text), "{kind:?}: {body}");
        let slow = matches!(kind, Nonsense::Slow(_));
        assert!(!slow || begun.elapsed() >= Duration::from_millis(100));
    }
    assert_eq!(pretend.shown_balance().await, credits("1000"));
}

#[tokio::test]
async fn the_header_can_be_switched_off() {
    let pretend = Pretend::with(SimulatorSettings {
        faults_by_header: false,
        ..SimulatorSettings::default()
    })
    .await;
    let answer = pretend
        .faulty("cut_before_charge", FIND, BODY)
        .await
        .unwrap();
    assert_eq!(answer.charged(), credits("0.02"));
}
