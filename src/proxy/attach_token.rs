//! Exchanges the client's credentials for the account's token.
//!
//! - Decides: which of the client's headers go on. Only those on a short list do: what the body
//!   is, what the client is, how it traces. Credentials, cookies, hop-by-hop fields (RFC 9110,
//!   section 7.6.1), method overrides, ranges and conditions are not on it, nor is whatever a
//!   framework may invent next to read a different path or method from a header. A listed field
//!   in which the client's key stands stays behind too, and so does one that is not plain ASCII: some
//!   readers take the byte 0x85 for the end of a line.
//! - Needs: [`Admitted`].
//! - Leaves: [`Sealed`]. No other layer ever sees the token.

use std::fmt;
use std::task::{Context, Poll};

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue,
};
use http::{Extensions, Request, Version};
use tower::{Layer, Service};

use super::authenticate::Presented;
use super::body::OutgoingBody;
use super::exchange::Exchange;
use super::refusal::Refusal;
use super::trace::X_REQUEST_ID;
use super::{Admitted, Answer, Sealed};

/// The vendor's own headers (dossier sections 6.2 and 6.5).
const VENDOR_PREFIX: &str = "x-generect-";

/// Whether a client's header goes on.
fn is_passed(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_listed = matches!(
        name,
        "accept"
            | "accept-language"
            | "content-encoding"
            | "content-length"
            | "content-type"
            | "traceparent"
            | "tracestate"
            | "user-agent"
            | "x-request-id"
    );
    // Some servers read other letters for a hyphen: two names would be one header.
    let is_plain = |rest: &str| {
        rest.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    is_listed || name.strip_prefix(VENDOR_PREFIX).is_some_and(is_plain)
}

/// The account's token, ready to be sent. Its `Debug` hides it.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// A token as it stands in the settings, without a scheme.
    pub fn new(token: &str) -> Result<Self, InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Token {token}"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(hidden)")
    }
}

/// Makes [`AttachToken`].
#[derive(Clone, Debug)]
pub struct AttachTokenLayer {
    /// The account's token.
    pub token: Token,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct AttachToken<S> {
    inner: S,
    token: Token,
}

impl<S> Layer<S> for AttachTokenLayer {
    type Service = AttachToken<S>;

    fn layer(&self, inner: S) -> AttachToken<S> {
        AttachToken {
            inner,
            token: self.token.clone(),
        }
    }
}

impl<S> Service<Admitted> for AttachToken<S>
where
    S: Service<Sealed, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut admitted: Admitted) -> Self::Future {
        seal(&mut admitted.request, &self.token, &admitted.exchange);
        self.inner.call(Sealed(admitted))
    }
}

/// Makes it the request that is sent: with the account's token, and nothing of the client's credentials.
fn seal(request: &mut Request<OutgoingBody>, token: &Token, exchange: &Exchange) {
    *request.version_mut() = Version::HTTP_11;
    *request.extensions_mut() = Extensions::new();
    let headers = request.headers_mut();
    keep_what_goes_on(headers, token);
    // As it stands in our log; what the client sent may not have been fit for that.
    if headers.contains_key(X_REQUEST_ID)
        && let Ok(ours) = HeaderValue::from_str(&exchange.request_id)
    {
        headers.insert(X_REQUEST_ID, ours);
    }
}

/// What goes on is taken out and put back, which keeps its order: the bytes that leave are the same
/// whatever stayed behind.
fn keep_what_goes_on(headers: &mut HeaderMap, token: &Token) {
    let keys = Presented::by(headers);
    let mut goes_on = Vec::with_capacity(headers.len());
    for (name, value) in &*headers {
        let plain = || value.to_str().is_ok();
        if is_passed(name) && plain() && !keys.show_in(value.as_bytes()) {
            goes_on.push((name.clone(), value.clone()));
        }
    }
    headers.clear();
    for (name, value) in goes_on {
        headers.append(name, value);
    }
    headers.insert(AUTHORIZATION, token.0.clone());
    // The charge is read from the answer as it passes: ask for it in the clear.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_headers_go_on_and_the_token_is_ours() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Token client-key"),
            ("x-api-key", "client-key"),
            ("cookie", "session=1"),
            ("connection", "x-secret"),
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/api/v1/phone/find/"),
            ("range", "bytes=0-1"),
            ("if-none-match", "x"),
            ("expect", "100-continue"),
            ("accept-encoding", "br"),
            ("user-agent", "generect-python/0.1.1"),
            ("x-generect-client", "generect-mcp/0.10.1"),
            ("content-type", "application/json"),
            ("x-request-id", "job-client-key"),
            ("x-generect-token", "Token client-key"),
            ("x-generect-test_client", "1"),
            ("x-generect-c'lient", "1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let next_line = HeaderValue::from_bytes(b"en\x85host: other").unwrap();
        headers.insert("accept-language", next_line);
        headers.append("accept-encoding", "gzip".parse().unwrap());
        headers.append("authorization", "Bearer client-key".parse().unwrap());
        let mut sent = headers;
        keep_what_goes_on(&mut sent, &Token::new("the-token").unwrap());
        let mut names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "accept-encoding",
            "authorization",
            "content-type",
            "user-agent",
            "x-generect-client",
        ];
        assert_eq!(names, expected);
        assert_eq!(sent.get_all("authorization").iter().count(), 1);
        assert_eq!(sent["authorization"], "Token the-token");
        assert_eq!(sent.get_all("accept-encoding").iter().count(), 1);
        assert_eq!(sent["accept-encoding"], "identity");
        assert!(!format!("{sent:?} {:?}", Token::new("the-token")).contains("the-token"));
    }
}
