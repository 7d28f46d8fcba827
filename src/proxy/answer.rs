//! What of an upstream answer's head concerns the guard and its clients.

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use http::{Extensions, StatusCode, Version, response};

use super::redact::Redactor;

/// Marks every answer to a test key (dossier section 1.2).
pub const X_GENERECT_MODE: HeaderName = HeaderName::from_static("x-generect-mode");

/// Whether the answer says that it comes from test mode.
pub fn says_test(headers: &HeaderMap) -> bool {
    headers
        .get(X_GENERECT_MODE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"test"))
}

/// Fields that speak of one connection only (RFC 9110, section 7.6.1).
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The upstream's head as a client may see it: without its words beside the status, which nobody
/// looks through, and in the version that the guard speaks. In HTTP/1.0 an answer that breaks off looks like a
/// whole one.
pub fn passed_head(mut head: response::Parts, redactor: &Redactor) -> response::Parts {
    head.extensions = Extensions::new();
    head.version = Version::HTTP_11;
    head.headers = passed_headers(head.headers, redactor);
    head
}

/// A client that is told to come again is told when. The upstream may leave that out (dossier section
/// 1.2); a slot frees within a second or so.
pub fn tell_wait(head: &mut response::Parts) {
    if head.status == StatusCode::TOO_MANY_REQUESTS {
        let wait = head.headers.entry(RETRY_AFTER);
        wait.or_insert(HeaderValue::from_static("1"));
    }
}

/// The upstream's headers as a client may see them: nothing of the connection, no cookies of the
/// account's session, nothing in the guard's own name, no token, and no coding, because bodies are
/// passed on unpacked.
fn passed_headers(mut headers: HeaderMap, redactor: &Redactor) -> HeaderMap {
    if headers
        .remove(CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity")
    {
        headers.remove(CONTENT_LENGTH);
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().filter(|name| *name != CONTENT_LENGTH) {
        headers.remove(name);
    }
    let stays_behind = |name: &str, value: &[u8]| {
        is_hop_by_hop(name)
            || name == "set-cookie"
            || name.starts_with("guard-")
            || redactor.is_in(name.as_bytes())
            || redactor.is_in(value)
    };
    let behind: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| stays_behind(name.as_str(), value.as_bytes()))
        .map(|(name, _)| name.clone())
        .collect();
    for name in behind {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sees_nothing_of_the_connection_the_session_or_the_token() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-private, close"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "sessionid=1"),
            ("guard-charge", "0"),
            ("x-echo", "Token the-token"),
            ("x-the-token", "1"),
            ("content-encoding", "gzip"),
            ("content-length", "70"),
            ("content-type", "application/json"),
            ("x-ratelimit-limit", "50"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let passed = passed_headers(headers, &Redactor::new("the-token"));
        let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-ratelimit-limit"]);
    }

    #[test]
    fn an_answer_is_in_the_guards_own_version_of_http() {
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            let answer = http::Response::builder().version(version).body(()).unwrap();
            let head = passed_head(answer.into_parts().0, &Redactor::new("the-token"));
            assert_eq!(head.version, Version::HTTP_11);
        }
    }
}
