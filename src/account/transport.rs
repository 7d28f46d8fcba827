//! One question to the upstream and its answer, bounded and in the clear.
//!
//! Every page of the account is asked here: with the token, without following redirects, without
//! repeating. None of the errors carries the token or anything of the answer's body.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, DATE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{Client, Proxy, Url, redirect};

use super::error::{AccountError, ClientBuildError};
use super::way::{Carrier, Way};
use crate::clock::Clock;
use crate::secret::Secret;

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

/// The balance, the prices and the transactions are asked by one task each, one question at a time.
const IDLE_CONNECTIONS_MAX: usize = 3;

/// Asks. Clones share one pool of connections.
#[derive(Clone)]
pub(super) struct Transport {
    way: Way,
    base: Url,
    authorization: HeaderValue,
    token: Arc<Secret>,
    clock: Clock,
}

/// An answer that came whole.
pub(super) struct Answered {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Just before the question was sent.
    pub(super) started_at: Timestamp,
    /// When the whole answer was here.
    pub(super) finished_at: Timestamp,
}

impl Answered {
    /// The upstream's own clock, to the second, if it says.
    pub(super) fn server_time(&self) -> Option<Timestamp> {
        let text = self.headers.get(DATE)?.to_str().ok()?;
        DateTimeParser::new().parse_timestamp(text).ok()
    }
}

impl Transport {
    pub(super) fn new(
        settings: AccountClientSettings,
        token: &str,
        clock: Clock,
    ) -> Result<Self, ClientBuildError> {
        let base = base(&settings.base_url).ok_or(ClientBuildError::BaseUrl)?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(settings.tls)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
        if let Some(proxy) = &settings.egress_proxy {
            let proxy = Proxy::all(proxy).map_err(|_| ClientBuildError::EgressProxy)?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|_| ClientBuildError::Tls)?;
        Ok(Self {
            way: Way::Network(client),
            base,
            authorization: authorization(token)?,
            token: Arc::new(Secret::new(token.as_bytes())),
            clock,
        })
    }

    pub(super) fn over(
        carrier: Arc<dyn Carrier>,
        base_url: &str,
        token: &str,
        clock: Clock,
    ) -> Result<Self, ClientBuildError> {
        Ok(Self {
            way: Way::Given(carrier),
            base: base(base_url).ok_or(ClientBuildError::BaseUrl)?,
            authorization: authorization(token)?,
            token: Arc::new(Secret::new(token.as_bytes())),
            clock,
        })
    }

    pub(super) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// What it asks with, and what no text that is read of an answer may show.
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// Asks for `path` (with its slash at the end) and reads a 200 of at most `bytes_max`.
    pub(super) async fn page(
        &self,
        path: &'static str,
        query: &[(&str, String)],
        bytes_max: usize,
    ) -> Result<Answered, AccountError> {
        let mut url = self
            .base
            .join(path.trim_start_matches('/'))
            .map_err(|_| AccountError::Path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let headers = [
            (AUTHORIZATION, self.authorization.clone()),
            (ACCEPT, HeaderValue::from_static("application/json")),
            (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        ];
        let started_at = self.clock.now();
        let (headers, body) = self
            .way
            .ask(url, headers.into_iter().collect(), bytes_max)
            .await
            .map_err(|error| error.without(&self.token))?;
        let finished_at = self.clock.now();
        Ok(Answered {
            body: in_the_clear(&headers, body, bytes_max)?,
            headers,
            started_at,
            finished_at,
        })
    }
}

fn base(base_url: &str) -> Option<Url> {
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
    Some(base)
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

/// Identity was asked for. Gzip that comes all the same is unpacked, any other coding is refused.
/// `bytes_max`: bytes of the clear text at most.
///
/// # Errors
/// [`AccountError::Coded`] and [`AccountError::TooLarge`].
pub fn in_the_clear(
    headers: &HeaderMap,
    body: Vec<u8>,
    bytes_max: usize,
) -> Result<Vec<u8>, AccountError> {
    let coding = match headers.get(CONTENT_ENCODING) {
        None => return Ok(body),
        Some(value) => value.to_str().map_err(|_| AccountError::Coded)?,
    };
    match coding.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => {
            let mut clear = Vec::new();
            let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
            MultiGzDecoder::new(body.as_slice())
                .take(most.saturating_add(1))
                .read_to_end(&mut clear)
                .map_err(|_| AccountError::Coded)?;
            if clear.len() > bytes_max {
                return Err(AccountError::TooLarge);
            }
            Ok(clear)
        }
        _ => Err(AccountError::Coded),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_path_is_appended_to_any_base() {
        let url = |text: &str| {
            let url = base(text)?.join("api/v1/accounts/me/").ok()?;
            Some(url.to_string())
        };
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

    #[test]
    fn the_servers_clock_is_read_from_its_date() {
        let answered = |date: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_static(date));
            let now = Timestamp::UNIX_EPOCH;
            Answered {
                headers,
                body: Vec::new(),
                started_at: now,
                finished_at: now,
            }
            .server_time()
            .map(|time| time.to_string())
        };
        assert_eq!(
            answered("Tue, 15 Sep 2026 10:30:00 GMT").as_deref(),
            Some("2026-09-15T10:30:00Z")
        );
        for wrong in ["", "yesterday", "2026-09-15T10:30:00Z", "Tue, 15 Sep 2026"] {
            assert_eq!(answered(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn gzip_is_unpacked_within_the_bound_and_other_codings_are_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; 100_000]).unwrap();
        let packed = encoder.finish().unwrap();
        let clear = |coding: &str, body: &[u8], bytes_max| {
            let mut headers = HeaderMap::new();
            let coding = HeaderValue::from_bytes(coding.as_bytes()).unwrap();
            headers.insert(CONTENT_ENCODING, coding);
            in_the_clear(&headers, body.to_vec(), bytes_max).map(|body| body.len())
        };
        assert_eq!(clear("gzip", &packed, 100_000), Ok(100_000));
        assert_eq!(clear("GZIP", &packed, 99_999), Err(AccountError::TooLarge));
        let half = &packed[..packed.len() / 2];
        assert_eq!(clear("gzip", half, 100_000), Err(AccountError::Coded));
        assert_eq!(clear("br", &packed, 100_000), Err(AccountError::Coded));
        assert_eq!(clear("gzíp", &packed, 100_000), Err(AccountError::Coded));
        assert_eq!(clear("identity", b"{}", 2), Ok(2));
    }
}
