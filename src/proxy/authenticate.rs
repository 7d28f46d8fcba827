//! Who calls: from the secret alone to a team and a key, and whether they may call now.
//!
//! - Decides: whether exactly one known key was presented (`Authorization: Token x`, `Bearer x`,
//!   or `X-Api-Key: x`). The same key twice is one key; two different ones are a refusal, because
//!   which of them pays would be the client's choice. Whether that key has ended, or it or its team
//!   is paused.
//! - Needs: [`Traced`].
//! - Leaves: [`Identified`], the only way to one, with the rules in force at this moment.
//! - Fails: `unknown_key` (429 for a source that keeps on trying, else 401), `paused`.
//!
//! Old clients double a prefix (`Token Bearer x`, dossier section 6.3); a key has no spaces, so
//! prefixes are taken off as long as there are any.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use memchr::memmem;
use tower::{Layer, Service};

use super::connection::Connection;
use super::exchange::Exchange;
use super::may_call::MayCall;
use super::refusal::Refusal;
use super::unknown_keys::UnknownKeys;
use super::{Answer, Decided, Identified, Traced, refuse};

/// Where a key may stand instead of `Authorization`.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const SCHEMES: [&str; 2] = ["token", "bearer"];

/// Makes [`Authenticate`].
#[derive(Clone, Debug)]
pub struct AuthenticateLayer {
    /// Whose keys are known, and who may call.
    pub may_call: MayCall,
    /// How often a source may show keys that nobody knows.
    pub unknown_keys: Arc<UnknownKeys>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Authenticate<S> {
    inner: S,
    layer: Arc<AuthenticateLayer>,
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate {
            inner,
            layer: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Traced> for Authenticate<S>
where
    S: Service<Identified, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Decided<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, traced: Traced) -> Self::Future {
        let Traced {
            request,
            peer,
            exchange,
        } = traced;
        let policy = self.layer.may_call.policy.load_full();
        let found = presented(request.headers()).and_then(|secret| {
            let found = policy.directory.find(secret);
            found.ok_or("The key is not known to the guard")
        });
        let found = match found {
            Ok(found) => found,
            Err(why) => return refuse(self.layer.unknown(why, &*peer, &exchange)),
        };
        let client = Arc::clone(&found.client);
        let key_ends = found.expires;
        exchange.facts().client = Some(Arc::clone(&client));
        if let Err(refusal) = self.layer.may_call.found(found) {
            return refuse(refusal);
        }
        Decided::Right(self.inner.call(Identified {
            request,
            peer,
            exchange,
            client,
            key_ends,
            policy,
        }))
    }
}

impl AuthenticateLayer {
    /// The no to a key that is none. Only this is counted against a source: whether a key is known
    /// was looked up before.
    fn unknown(&self, why: &'static str, peer: &dyn Connection, exchange: &Exchange) -> Refusal {
        let counted = peer.source().map(|source| self.unknown_keys.count(source));
        let Some(Err(wait)) = counted else {
            return Refusal::UnknownKey(why);
        };
        exchange.facts().unlogged = true;
        Refusal::UnknownKeyTooOften { why, wait }
    }
}

/// The one secret the headers present.
///
/// # Errors
/// Why not: there is none, there are several, or it is no text.
pub fn presented(headers: &HeaderMap) -> Result<&str, &'static str> {
    let mut found = None;
    for secret in secrets(headers) {
        let secret = secret.ok_or("The key is not plain text")?;
        match found {
            Some(other) if other != secret => {
                return Err("Two different keys were sent");
            }
            _ => found = Some(secret),
        }
    }
    match found {
        Some(secret) if !secret.is_empty() => Ok(secret),
        _ => Err("No key was sent"),
    }
}

/// What each field that may hold a key presents; `None` where it is not plain text.
fn secrets(headers: &HeaderMap) -> impl Iterator<Item = Option<&str>> {
    let tokens = headers.get_all(AUTHORIZATION).iter();
    let tokens = tokens.map(|value| value.to_str().ok().map(without_schemes));
    let keys = headers.get_all(X_API_KEY).iter();
    tokens.chain(keys.map(|value| value.to_str().ok().map(str::trim_ascii)))
}

/// Whether a key that these headers present stands in `bytes` too, where it would be passed on or
/// written down.
pub(super) fn shows_key(headers: &HeaderMap, bytes: &[u8]) -> bool {
    Presented::by(headers).show_in(bytes)
}

/// The keys that these headers present, to be looked for in other places of the same request.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    key: Option<&'a str>,
    /// Of a request that presents several.
    others: Vec<&'a str>,
}

impl<'a> Presented<'a> {
    pub(super) fn by(headers: &'a HeaderMap) -> Self {
        let mut keys = secrets(headers).flatten().filter(|key| !key.is_empty());
        Self {
            key: keys.next(),
            others: keys.collect(),
        }
    }

    /// Whether one of them stands in `bytes`.
    pub(super) fn show_in(&self, bytes: &[u8]) -> bool {
        // Making a search ready is most of its work: spared where the key cannot fit.
        let keys = self.key.iter().chain(&self.others);
        let fits = keys.filter(|key| key.len() <= bytes.len());
        let mut found = fits.map(|key| memmem::find(bytes, key.as_bytes()));
        found.any(|at| at.is_some())
    }
}

fn without_schemes(value: &str) -> &str {
    let is_scheme = |word: &str| {
        SCHEMES
            .iter()
            .any(|scheme| word.eq_ignore_ascii_case(scheme))
    };
    let mut rest = value.trim_ascii();
    while let Some(at) = memchr::memchr(b' ', rest.as_bytes()) {
        let (first, others) = rest.split_at(at);
        if !is_scheme(first) {
            break;
        }
        rest = others.trim_ascii_start();
    }
    if is_scheme(rest) { "" } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented_in(pairs: &[(&'static str, &'static str)]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        presented(&headers).map(str::to_owned)
    }

    #[test]
    fn a_key_is_found_in_every_place_it_may_stand() {
        for pair in [
            ("authorization", "Token abc"),
            ("authorization", "token abc"),
            ("authorization", "Bearer  abc "),
            ("authorization", "Token Bearer abc"),
            ("authorization", "abc"),
            ("x-api-key", "abc"),
        ] {
            assert_eq!(presented_in(&[pair]), Ok("abc".into()), "{pair:?}");
        }
    }

    #[test]
    fn the_same_key_twice_is_one_key() {
        let same = [("authorization", "Token abc"), ("x-api-key", "abc")];
        assert_eq!(presented_in(&same), Ok("abc".into()));
    }

    #[test]
    fn two_different_keys_are_refused_in_any_arrangement() {
        for (first, second) in [
            (("authorization", "Token abc"), ("x-api-key", "other")),
            (
                ("authorization", "Token abc"),
                ("authorization", "Token other"),
            ),
            (("x-api-key", "abc"), ("x-api-key", "other")),
            (("authorization", "Token abc"), ("x-api-key", "")),
        ] {
            assert_eq!(
                presented_in(&[first, second]),
                Err("Two different keys were sent")
            );
        }
    }

    #[test]
    fn no_key_is_refused() {
        for pairs in [
            &[][..],
            &[("authorization", "Token ")],
            &[("x-api-key", "")],
        ] {
            assert_eq!(presented_in(pairs), Err("No key was sent"));
        }
    }
}
