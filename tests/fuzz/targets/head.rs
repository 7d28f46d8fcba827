//! The headers that the guard reads: keys, the request's label, wishes, the name of a call.

use generect_guard::proxy::ask::Wishes;
use generect_guard::proxy::authenticate::presented;
use generect_guard::proxy::kept::idempotency_key;
use generect_guard::proxy::trace::request_id;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// A line a header: its name, a colon, its value.
fn headers(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n').take(32) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(&line[colon + 1..]);
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

pub fn run(input: &[u8]) {
    let headers = headers(input);
    let credentials = || {
        let places = ["authorization", "x-api-key"].into_iter();
        places.flat_map(|name| headers.get_all(name))
    };
    let holds = |value: &[u8], part: &str| {
        value
            .windows(part.len())
            .any(|window| window == part.as_bytes())
    };
    let key = presented(&headers).ok();
    if let Some(key) = key {
        assert!(!key.is_empty() && key.trim() == key, "{headers:?}");
        for value in credentials() {
            assert!(
                value.as_bytes().trim_ascii().ends_with(key.as_bytes()),
                "{headers:?}"
            );
        }
    }
    let id = request_id(&headers);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    assert!(
        (1..=64).contains(&id.len()) && id.bytes().all(plain),
        "{id}"
    );
    if headers
        .get("x-request-id")
        .is_some_and(|offered| offered == &*id)
    {
        let shown = |value: &HeaderValue| holds(value.as_bytes(), &id);
        assert!(!credentials().any(shown), "{headers:?}");
        assert!(
            key.is_none_or(|key| !holds(id.as_bytes(), key)),
            "{headers:?}"
        );
    }
    if let Ok(wishes) = Wishes::read(&headers) {
        assert_eq!(
            wishes.max_charge.is_some(),
            headers.contains_key("guard-max-charge")
        );
        assert!(
            wishes.max_charge.is_none_or(|most| !most.is_negative()),
            "{headers:?}"
        );
        assert!(!wishes.dry_run || headers.contains_key("guard-dry-run"));
    }
    if let Ok(Some(name)) = idempotency_key(&headers) {
        assert!((1..=255).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic));
    }
}
