//! Sums, prices and jobs, as the pretend Generect tells them.

use generect_guard::account::{AccountError, PriceFault, Sums};
use generect_guard::simulator::Fault;
use generect_guard::simulator::settings::TierPage;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};

use crate::upstream::{Step, Upstream, post, pretend};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn shown(sums: &Sums) -> Vec<String> {
    sums.iter()
        .map(|(key, amount)| format!("{key} {amount}"))
        .collect()
}

#[tokio::test]
async fn usage_and_spent_credits_say_what_a_day_took() {
    let (simulator, client, clock) = pretend(|_| {}).await;
    let search = r#"{"job_titles":["matches:5"],"limit_by":10}"#;
    post(&simulator, "/api/v1/search/database/leads/", search).await;
    post(&simulator, "/api/v1/phone/find/", r#"{"lead_id":"1"}"#).await;
    let link = r#"{"url":"https://x.example.com/1"}"#;
    post(&simulator, "/api/linkedin/leads/by_link/", link).await;
    clock.advance(SignedDuration::from_hours(24));
    post(&simulator, "/api/v1/search/database/leads/", search).await;

    let day = client
        .usage(at("2026-09-15T00:00:00Z"), at("2026-09-16T00:00:00Z"))
        .await
        .unwrap();
    let sum: String = day
        .breakdown
        .values()
        .copied()
        .sum::<generect_guard::credits::Credits>()
        .to_string();
    assert_eq!(sum, "0.54");
    assert_eq!(day.total.unwrap().to_string(), "0.54");
    assert_eq!(day.breakdown["search_database"].to_string(), "0.1");
    assert!(day.unreadable.is_empty());

    let first = date(2026, 9, 15);
    let spent = client.spent(first, first).await.unwrap();
    let expected = ["/api/linkedin/lead/by_link/ 0.04", "platform 0.5"];
    assert_eq!(shown(&spent.by_path()), expected);
    let both = client.spent(first, date(2026, 9, 16)).await.unwrap();
    assert_eq!(both.days.len(), 2);
    assert_eq!(both.by_path()["platform"].to_string(), "0.6");
}

#[tokio::test]
async fn the_accounts_prices_are_read_and_their_absence_is_normal() {
    let (simulator, client, _) = pretend(|_| {}).await;
    let tier = client.my_tier().await.unwrap().unwrap();
    assert_eq!(tier.prices["api_realtime"].to_string(), "0.04");
    assert_eq!(tier.prices.len(), 6);
    for absent in [TierPage::Absent, TierPage::Forbidden] {
        simulator.change(|settings| settings.tier_page = absent);
        assert_eq!(client.my_tier().await, Ok(None));
    }
    let said = r#"{"api_cached": -0.02, "api_realtime": 4e9, "phones": 0.5}"#;
    simulator.change(|settings| settings.tier_page = TierPage::Says(said.to_owned()));
    let tier = client.my_tier().await.unwrap().unwrap();
    assert_eq!(tier.prices.len(), 1);
    assert_eq!(tier.faults["api_cached"], PriceFault::Negative);
    assert_eq!(tier.faults["api_realtime"], PriceFault::TooMuch);
    for nothing in ["[]", "null", "7"] {
        simulator.change(|settings| settings.tier_page = TierPage::Says(nothing.to_owned()));
        let missing = AccountError::Missing("current_tier.service_prices");
        assert_eq!(client.my_tier().await, Err(missing), "{nothing}");
    }
}

#[tokio::test]
async fn a_page_of_prices_that_fails_says_how() {
    for (step, reason) in [
        (Step::Answer(500, String::new()), "status"),
        (Step::Answer(401, String::new()), "token_refused"),
        (Step::Answer(429, String::new()), "throttled"),
        (Step::Answer(200, "<html></html>".to_owned()), "not_json"),
        (
            Step::Redirect("http://elsewhere.invalid/".to_owned()),
            "redirected",
        ),
        (Step::Silence, "silent"),
        (Step::Endless, "too_large"),
    ] {
        let upstream = Upstream::start(move |_| step.clone()).await;
        let client = upstream.client(generect_guard::clock::Clock::system());
        assert_eq!(client.my_tier().await.unwrap_err().reason(), reason);
    }
}

#[tokio::test]
async fn an_answer_in_gzip_is_read_although_nobody_asked_for_it() {
    use generect_guard::simulator::CodingFault;
    let (simulator, client, _) = pretend(|_| {}).await;
    simulator
        .faults()
        .on("my-tier", Fault::Coding(CodingFault::Gzip));
    assert_eq!(client.my_tier().await.unwrap().unwrap().prices.len(), 6);
    simulator.faults().clear();
    simulator
        .faults()
        .on("my-tier", Fault::Coding(CodingFault::TruncatedGzip));
    assert_eq!(client.my_tier().await, Err(AccountError::Coded));
    simulator.faults().clear();
    simulator
        .faults()
        .on("my-tier", Fault::Coding(CodingFault::Unknown));
    assert_eq!(client.my_tier().await, Err(AccountError::Coded));
}
