//! One question, and every way it can go wrong.

use std::time::Duration;

use generect_guard::account::{AccountClient, AccountError, ClientBuildError};
use generect_guard::clock::Clock;

use crate::upstream::{Step, TOKEN, Upstream, settings};

async fn asked(step: Step) -> Result<String, AccountError> {
    let upstream = Upstream::start(move |_| step.clone()).await;
    let answer = upstream.client(Clock::system()).me().await;
    answer.map(|balance| balance.balance.to_string())
}

#[tokio::test]
async fn the_balance_is_asked_with_the_token_at_the_documented_path() {
    let upstream = Upstream::start(|_| Step::balance("41.37")).await;
    let clock = Clock::manual("2026-09-15T10:30:00Z".parse().unwrap());
    let balance = upstream.client(clock.clone()).me().await.unwrap();
    assert_eq!(balance.balance.to_string(), "41.37");
    assert_eq!(balance.started_at, clock.now());
    assert_eq!(balance.finished_at, clock.now());
    let head = upstream.heads().remove(0);
    assert!(
        head.starts_with("GET /api/v1/accounts/me/ HTTP/1.1\r\n"),
        "{head}"
    );
    let token = format!("authorization: Token {TOKEN}\r\n");
    assert!(head.contains(&token), "{head}");
}

#[tokio::test]
async fn a_balance_may_be_a_string_or_below_zero() {
    assert_eq!(asked(Step::balance("\"0.02\"")).await.unwrap(), "0.02");
    assert_eq!(asked(Step::balance("-3.5")).await.unwrap(), "-3.5");
}

#[tokio::test]
async fn a_refused_token_has_a_name_of_its_own() {
    let body = r#"{"status":"error","status_code":401,"detail":"Invalid token."}"#;
    let error = asked(Step::Answer(401, body.to_owned())).await.unwrap_err();
    assert_eq!(error, AccountError::TokenRefused);
    assert_eq!(error.reason(), "token_refused");
}

#[tokio::test]
async fn other_statuses_are_no_balance_even_with_one_in_the_body() {
    let Step::Answer(_, body) = Step::balance("7") else {
        unreachable!()
    };
    for (status, error) in [
        (201, AccountError::Status(201)),
        (304, AccountError::Redirected(304)),
        (403, AccountError::Status(403)),
        (429, AccountError::Throttled),
        (502, AccountError::Status(502)),
    ] {
        assert_eq!(asked(Step::Answer(status, body.clone())).await, Err(error));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_the_token_goes_nowhere_else() {
    let elsewhere = Upstream::start(|_| Step::balance("1000000")).await;
    let to = format!("{}/api/v1/accounts/me/", elsewhere.base_url());
    assert_eq!(
        asked(Step::Redirect(to)).await,
        Err(AccountError::Redirected(302))
    );
    assert!(elsewhere.heads().is_empty());
}

#[tokio::test]
async fn a_page_an_endless_answer_a_cut_one_and_none_are_told_apart() {
    let page = "<html><body>Service unavailable</body></html>".to_owned();
    assert_eq!(
        asked(Step::Answer(200, page)).await,
        Err(AccountError::NotJson)
    );
    let long = " ".repeat(65 * 1024);
    assert_eq!(
        asked(Step::Answer(200, long)).await,
        Err(AccountError::TooLarge)
    );
    assert_eq!(asked(Step::Endless).await, Err(AccountError::TooLarge));
    assert_eq!(asked(Step::Silence).await, Err(AccountError::Silent));
    assert_eq!(asked(Step::balance("null")).await, Err(AccountError::Null));
    let cut = asked(Step::Cut).await.unwrap_err();
    assert_eq!(cut.reason(), "cut", "{cut}");
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let gone = Upstream::start(|_| Step::Silence).await.base_url();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let client = AccountClient::new(settings(gone), TOKEN, Clock::system()).unwrap();
    let error = client.me().await.unwrap_err();
    assert_eq!(error.reason(), "unreachable", "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_unreachable_over_https() {
    let upstream = Upstream::start(|_| Step::balance("1")).await;
    let https = format!("https://{}", upstream.address);
    let client = AccountClient::new(settings(https), TOKEN, Clock::system()).unwrap();
    let error = client.me().await.unwrap_err();
    assert!(
        matches!(error.reason(), "unreachable" | "silent"),
        "{error}"
    );
    // Nothing readable was sent before the handshake.
    assert!(!upstream.heads().iter().any(|head| head.contains(TOKEN)));
}

#[tokio::test]
async fn the_way_out_may_be_a_proxy() {
    let proxy = Upstream::start(|_| Step::balance("5")).await;
    let mut settings = settings("http://account.invalid".to_owned());
    settings.egress_proxy = Some(proxy.base_url());
    let client = AccountClient::new(settings, TOKEN, Clock::system()).unwrap();
    assert_eq!(client.me().await.unwrap().balance.to_string(), "5");
    let head = proxy.heads().remove(0);
    assert!(
        head.starts_with("GET http://account.invalid/api/v1/accounts/me/ "),
        "{head}"
    );
}

#[tokio::test]
async fn no_error_and_no_debug_text_shows_the_token_or_the_answer() {
    let secret = format!("the answer repeats {TOKEN}");
    let echo = |status| Step::Answer(status, secret.clone());
    let quoted = Step::balance(&format!("\"{TOKEN}\""));
    for step in [echo(200), echo(401), echo(500), quoted, Step::Cut] {
        let error = asked(step).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(TOKEN), "{shown}");
        assert!(!shown.contains("the answer repeats"), "{shown}");
    }
    let client = AccountClient::new(settings("http://x".to_owned()), TOKEN, Clock::system());
    assert!(!format!("{client:?}").contains(TOKEN));
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    let build = |base: &str, token: &str, proxy: Option<&str>| {
        let mut settings = settings(base.to_owned());
        settings.egress_proxy = proxy.map(str::to_owned);
        AccountClient::new(settings, token, Clock::system()).map(|_| ())
    };
    let base = "https://api.generect.com";
    assert!(build(base, TOKEN, None).is_ok());
    assert!(matches!(
        build("api.generect.com", TOKEN, None),
        Err(ClientBuildError::BaseUrl)
    ));
    assert!(matches!(
        build(base, "", None),
        Err(ClientBuildError::Token)
    ));
    let scheme_inside = format!("Token {TOKEN}");
    for token in ["two\nlines", "with space", &scheme_inside] {
        let error = build(base, token, None).unwrap_err();
        assert!(matches!(error, ClientBuildError::Token));
        assert!(!error.to_string().contains(token));
    }
    assert!(matches!(
        build(base, TOKEN, Some("http://")),
        Err(ClientBuildError::EgressProxy)
    ));
}
