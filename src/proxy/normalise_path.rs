//! Brings a path into the one spelling the catalogue knows and the upstream needs.
//!
//! - Decides: whether the path has a plain spelling at all. Dot segments, encoded bytes,
//!   backslashes and parameters do not pass: what the guard reads and what the upstream reads
//!   could differ.
//! - Needs and leaves: [`Identified`], its path with single slashes and one at the end. The
//!   upstream may fail without that slash, or redirect a POST into a GET (dossier section 1).
//! - Fails: `unknown_operation`.

use std::task::{Context, Poll};

use http::Uri;
use http::uri::PathAndQuery;
use tower::{Layer, Service};

use super::refusal::Refusal;
use super::{Answer, Decided, Identified, refuse};

/// Makes [`NormalisePath`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NormalisePathLayer;

/// See the module.
#[derive(Clone, Debug)]
pub struct NormalisePath<S>(S);

impl<S> Layer<S> for NormalisePathLayer {
    type Service = NormalisePath<S>;

    fn layer(&self, inner: S) -> NormalisePath<S> {
        NormalisePath(inner)
    }
}

impl<S> Service<Identified> for NormalisePath<S>
where
    S: Service<Identified, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Decided<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut identified: Identified) -> Self::Future {
        let uri = identified.request.uri();
        if uri.authority().is_none() && is_normal(uri.path()) {
            return Decided::Right(self.0.call(identified));
        }
        match normalised(uri) {
            Ok(uri) => {
                *identified.request.uri_mut() = uri;
                Decided::Right(self.0.call(identified))
            }
            Err(why) => refuse(Refusal::UnknownOperation(why.into())),
        }
    }
}

/// Whether a path is surely in its one spelling already, as nearly all are.
fn is_normal(path: &str) -> bool {
    let mut after_slash = false;
    let plain = path.bytes().all(|byte| {
        let ends_a_segment_early = after_slash && matches!(byte, b'/' | b'.');
        after_slash = byte == b'/';
        is_plain(byte) && !ends_a_segment_early
    });
    plain && path.len() > 1 && path.starts_with('/') && path.ends_with('/')
}

/// Which bytes stand in the path of an operation: a look into a table takes a third of four comparisons.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        plain[byte] =
            (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'_' | b'.' | b'/');
        byte += 1;
    }
    plain
};

fn is_plain(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

/// The URI cut down to path and query, in their one spelling.
fn normalised(uri: &Uri) -> Result<Uri, &'static str> {
    let path = normalise(uri.path())?;
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    PathAndQuery::try_from(whole)
        .map(Uri::from)
        .map_err(|_| "The path or query has characters that no operation has. Send them as the API's documentation writes them.")
}

/// The path with single slashes and one at its end.
///
/// # Errors
/// Why it has no plain spelling, for the client.
pub fn normalise(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') || !path.bytes().all(is_plain) {
        return Err(
            "The path has encoded or special characters, which no operation has. Send it as the API's documentation writes it.",
        );
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        if segment.bytes().all(|byte| byte == b'.') {
            return Err(
                "The path has dot segments, which no operation has. Send it as the API's documentation writes it.",
            );
        }
        out.push('/');
        out.push_str(segment);
    }
    out.push('/');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_gets_its_slash_before_the_query() {
        let uri = "/api/v1/accounts/transactions?limit=100".parse().unwrap();
        let normal = normalised(&uri).unwrap();
        assert_eq!(normal, "/api/v1/accounts/transactions/?limit=100");
    }

    #[test]
    fn slashes_are_collapsed_and_an_absolute_form_loses_its_host() {
        let uri = "http://elsewhere.example//api///v1/phone/find"
            .parse()
            .unwrap();
        assert_eq!(normalised(&uri).unwrap(), "/api/v1/phone/find/");
        assert_eq!(normalise("/").unwrap(), "/");
    }

    #[test]
    fn spellings_that_another_reader_could_read_differently_are_refused() {
        for path in [
            "/api/../v1/",
            "/api/./v1/",
            "/..",
            "/api/%2e%2e/v1/",
            "/api%2fv1/",
            "/api%2Fv1/",
            "/api\\v1/",
            "/api/v1/phone;x=1/find/",
            "/api/v1/phone%20/",
            "/api/v1/ph%6fne/find/",
            "/api/v1/phöne/",
            "*",
            "",
            "/a:b/",
            "/.../",
        ] {
            assert!(normalise(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_taken_for_normal_at_sight_is_its_own_normal_spelling(path in "(/[-_.%a]{0,3}){0,4}/?") {
            if is_normal(&path) {
                prop_assert_eq!(normalise(&path), Ok(path));
            }
        }

        #[test]
        fn a_normal_path_stays_as_it_is(path in "[-/_.%a-z0-9\\\\]{0,40}") {
            if let Ok(normal) = normalise(&path) {
                prop_assert_eq!(normalise(&normal), Ok(normal.clone()));
                prop_assert!(normal.ends_with('/') && !normal.contains("//") && !normal.contains("/../"));
            }
        }
    }
}
