//! Asks the upstream for the account's balance, once.
//!
//! `GET /api/v1/accounts/me/` is free and answers for the whole account, also to a test-mode
//! token (dossier sections 3.1 and 6.5). The balance is read as digits, whether it comes as a
//! number or as a string. Whatever is not plainly a balance is an [`AccountError`]; none of them
//! carries the token or anything of the answer's body.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use reqwest::{Client, Proxy, Response, Url, redirect};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::account::reading::Reading;
use crate::clock::Clock;
use crate::credits::{Credits, ParseCreditsError};

/// Where the balance is asked for; the trailing slash is mandatory (dossier section 1).
const ACCOUNTS_ME: &str = "api/v1/accounts/me/";

/// An answer is about 300 bytes; a hundred times that is not an account.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How to reach the account.
pub struct AccountClientSettings {
    /// Scheme, host and maybe a path: `https://api.generect.com`.
    pub base_url: String,
    /// The longest a connection may take to be made.
    pub connect_timeout: Duration,
    /// The longest a whole question and answer may take.
    pub timeout: Duration,
    /// A proxy for the way out, `http://host:port`. The environment is not asked.
    pub egress_proxy: Option<String>,
    /// Trust roots and crypto provider.
    pub tls: rustls::ClientConfig,
}

/// Why no client could be made of its settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientBuildError {
    /// The base URL is not one, is not http(s), or carries credentials of its own.
    #[error("the base URL must be http:// or https:// and a host, without credentials")]
    BaseUrl,
    /// The token cannot stand in a header.
    #[error("the account's token is empty or has characters that cannot stand in a header")]
    Token,
    /// The proxy's URL is not one.
    #[error("the egress proxy's URL is not valid")]
    EgressProxy,
    /// The TLS settings do not fit the HTTP client.
    #[error("the TLS settings do not fit the HTTP client")]
    Tls,
}

/// Why there is no balance. No variant carries the token or any part of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// No connection.
    #[error("the account cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the account did not answer in time")]
    Silent,
    /// The connection broke before the answer was whole.
    #[error("the account's answer was cut off: {0}")]
    Cut(String),
    /// 401: the upstream does not take our token. Nothing heals this but another token.
    #[error("the upstream refused the account's token (401)")]
    TokenRefused,
    /// 429: asked too often, or too many calls in flight.
    #[error("the upstream asks for fewer requests (429)")]
    Throttled,
    /// A redirect. Never followed: it would carry the token somewhere else.
    #[error("the account answered with a redirect ({0})")]
    Redirected(u16),
    /// Any other status than 200.
    #[error("the account answered with status {0}")]
    Status(u16),
    /// The answer is longer than an account can be.
    #[error("the account's answer is longer than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// The answer is no JSON: a page of HTML, say.
    #[error("the account's answer is not JSON")]
    NotJson,
    /// JSON without one `data.credits.balance`.
    #[error("the account's answer has no data.credits.balance")]
    Missing,
    /// The balance is null. Null is unknown, and unknown is not zero.
    #[error("the account's balance is null")]
    Null,
    /// The balance is no decimal number (`NaN`, a word, an object).
    #[error("the account's balance is not a number")]
    NotANumber,
    /// The balance is more than the ledger can count.
    #[error("the account's balance is too large to be counted")]
    TooMuch,
}

impl AccountError {
    /// One word for metric labels and log fields.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Silent => "silent",
            Self::Cut(_) => "cut",
            Self::TokenRefused => "token_refused",
            Self::Throttled => "throttled",
            Self::Redirected(_) => "redirected",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Missing => "missing",
            Self::Null => "null",
            Self::NotANumber => "not_a_number",
            Self::TooMuch => "too_much",
        }
    }
}

/// Asks for the account's balance. Clones share one pool of connections.
#[derive(Clone)]
pub struct AccountClient {
    client: Client,
    url: Url,
    authorization: HeaderValue,
    clock: Clock,
}

impl fmt::Debug for AccountClient {
    /// Where it asks, and nothing of what it asks with.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AccountClient")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

impl AccountClient {
    /// A client that asks with `token`. Connects to nothing yet.
    pub fn new(
        settings: AccountClientSettings,
        token: &str,
        clock: Clock,
    ) -> Result<Self, ClientBuildError> {
        let url = accounts_me(&settings.base_url).ok_or(ClientBuildError::BaseUrl)?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(settings.tls)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            // One question at a time is ever asked.
            .pool_max_idle_per_host(1);
        if let Some(proxy) = &settings.egress_proxy {
            let proxy = Proxy::all(proxy).map_err(|_| ClientBuildError::EgressProxy)?;
            builder = builder.proxy(proxy);
        }
        Ok(Self {
            client: builder.build().map_err(|_| ClientBuildError::Tls)?,
            url,
            authorization: authorization(token)?,
            clock,
        })
    }

    /// Reads the balance now.
    ///
    /// # Errors
    /// Every [`AccountError`]; none is retried here.
    pub async fn me(&self) -> Result<Reading, AccountError> {
        let started_at = self.clock.now();
        let response = self
            .client
            .get(self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .send()
            .await
            .map_err(|error| not_answered(&error))?;
        check_status(response.status())?;
        let body = read_bounded(response).await?;
        let finished_at = self.clock.now();
        Ok(Reading {
            balance: read_balance(&body)?,
            started_at,
            finished_at,
        })
    }
}

fn accounts_me(base_url: &str) -> Option<Url> {
    let mut base = Url::parse(base_url).ok()?;
    let plain = base.username().is_empty() && base.password().is_none();
    let web = matches!(base.scheme(), "http" | "https") && base.has_host();
    if !plain || !web || base.query().is_some() || base.fragment().is_some() {
        return None;
    }
    // Without a slash at its end `join` would drop the last segment of the base.
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    base.join(ACCOUNTS_ME).ok()
}

/// `Token <key>`: any other scheme is a 401 (dossier section 1).
fn authorization(token: &str) -> Result<HeaderValue, ClientBuildError> {
    let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible {
        return Err(ClientBuildError::Token);
    }
    let mut value =
        HeaderValue::from_str(&format!("Token {token}")).map_err(|_| ClientBuildError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn check_status(status: StatusCode) -> Result<(), AccountError> {
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED => Err(AccountError::TokenRefused),
        StatusCode::TOO_MANY_REQUESTS => Err(AccountError::Throttled),
        status if status.is_redirection() => Err(AccountError::Redirected(status.as_u16())),
        status => Err(AccountError::Status(status.as_u16())),
    }
}

async fn read_bounded(mut response: Response) -> Result<Vec<u8>, AccountError> {
    let mut body = Vec::new();
    while let Some(chunk) = next_chunk(&mut response).await? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(AccountError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn next_chunk(response: &mut Response) -> Result<Option<Bytes>, AccountError> {
    response.chunk().await.map_err(|error| {
        if error.is_timeout() {
            AccountError::Silent
        } else {
            AccountError::Cut(root_of(&error))
        }
    })
}

fn not_answered(error: &reqwest::Error) -> AccountError {
    if error.is_timeout() {
        AccountError::Silent
    } else if error.is_connect() {
        AccountError::Unreachable(root_of(error))
    } else {
        AccountError::Cut(root_of(error))
    }
}

/// The innermost cause, which is what an operator can act on ("connection refused"). The outer
/// texts repeat the URL.
fn root_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "no further cause given".to_owned(),
        None => cause.to_string(),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    credits: &'a RawValue,
}

#[derive(Deserialize)]
struct AccountCredits<'a> {
    #[serde(borrow)]
    balance: &'a RawValue,
}

/// `data.credits.balance` of an answer, from its digits and rounded down.
fn read_balance(body: &[u8]) -> Result<Credits, AccountError> {
    let whole: &RawValue = serde_json::from_slice(body).map_err(|_| AccountError::NotJson)?;
    let envelope: Envelope = object(whole)?;
    let account: Account = object(envelope.data)?;
    let credits: AccountCredits = object(account.credits)?;
    let raw = credits.balance.get();
    if raw == "null" {
        return Err(AccountError::Null);
    }
    let digits = if raw.starts_with('"') {
        serde_json::from_str::<String>(raw).map_err(|_| AccountError::NotANumber)?
    } else {
        raw.to_owned()
    };
    Credits::parse_rounded_down(digits.trim()).map_err(|error| match error {
        ParseCreditsError::TooLarge => AccountError::TooMuch,
        ParseCreditsError::NotANumber | ParseCreditsError::TooFine => AccountError::NotANumber,
    })
}

/// The wanted members of an object. An array is none: serde would take its items for members.
fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, AccountError> {
    if !raw.get().starts_with('{') {
        return Err(AccountError::Missing);
    }
    serde_json::from_str(raw.get()).map_err(|_| AccountError::Missing)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn balance(json: &str) -> Result<Credits, AccountError> {
        read_balance(format!(r#"{{"data":{{"credits":{{"balance":{json}}}}}}}"#).as_bytes())
    }

    #[test]
    fn a_balance_is_read_as_digits_from_a_number_or_a_string() {
        for (json, micros) in [
            ("5000", 5_000_000_000),
            ("41.37", 41_370_000),
            ("\"41.37\"", 41_370_000),
            ("\" 12.4 \"", 12_400_000),
            ("-0.5", -500_000),
            ("0", 0),
            ("4.137e1", 41_370_000),
            ("0.10000000000000000000000001", 100_000),
            ("9007199254.740993", 9_007_199_254_740_993),
            ("0.0000019", 1),
            ("-0.0000001", -1),
        ] {
            assert_eq!(balance(json), Ok(Credits::from_micros(micros)), "{json}");
        }
    }

    #[test]
    fn what_is_no_balance_is_an_error_with_a_name_and_never_zero() {
        use AccountError::{Missing, NotANumber, NotJson, Null, TooMuch};
        for (body, error) in [
            ("", NotJson),
            ("<html><body>Bad gateway</body></html>", NotJson),
            (r#"{"data":{"credits":{"balance":NaN}}}"#, NotJson),
            (r#"{"data":{"credits":{"balance":1"#, NotJson),
            ("null", Missing),
            ("[]", Missing),
            ("[[[5]]]", Missing),
            (r#"{"data":[[5]]}"#, Missing),
            (r#"{"detail":"hello"}"#, Missing),
            (r#"{"data":null}"#, Missing),
            (r#"{"data":{"credits":null}}"#, Missing),
            (r#"{"data":{"credits":{"used_this_month":1}}}"#, Missing),
            (r#"{"data":{"credits":{"balance":1,"balance":2}}}"#, Missing),
            (r#"{"balance":7}"#, Missing),
            (r#"{"data":{"credits":{"balance":null}}}"#, Null),
            (r#"{"data":{"credits":{"balance":"NaN"}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":""}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":"1,5"}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":true}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":{"usd":1}}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":1e99}}}"#, TooMuch),
        ] {
            assert_eq!(read_balance(body.as_bytes()), Err(error), "{body}");
        }
    }

    #[test]
    fn the_path_is_appended_to_any_base() {
        let url = |base: &str| accounts_me(base).map(|url| url.to_string());
        assert_eq!(
            url("https://api.generect.com").as_deref(),
            Some("https://api.generect.com/api/v1/accounts/me/")
        );
        assert_eq!(
            url("http://127.0.0.1:9/twin").as_deref(),
            Some("http://127.0.0.1:9/twin/api/v1/accounts/me/")
        );
        for wrong in [
            "",
            "api.generect.com",
            "ftp://host",
            "https://a:b@host",
            "https://host/?a=1",
        ] {
            assert_eq!(url(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_reading_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_balance(&body);
        }
    }
}
