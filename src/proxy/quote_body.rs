//! The most a call can take, from its body.
//!
//! - Decides: whether what is priced here is what the upstream will read: JSON, whole, not
//!   compressed, no query string beside it. Then the quote, by the catalogue, and whether the call is
//!   sent as its twin on stored data, which is quoted instead.
//! - Needs: [`Classified`].
//! - Leaves: [`Quoted`], with exactly the bytes that were priced (with a bound written in where the
//!   client named none). Operations that take nothing have no quote and any body, but it is read
//!   whole too: of a request that breaks off or is too large not a byte goes on.
//! - Fails: `unreadable_body`, `body_too_large`, `overloaded` (see [`read_body`](super::read_body)).

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Uri;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING,
};
use http_body::Body as _;
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tower::{Layer, Service};

use super::body::OutgoingBody;
use super::database_twin::{self, Instead};
use super::read_body::BodyBounds;
use super::refusal::Refusal;
use super::{Answer, Classified, Identified, Quoted};
use crate::catalogue::{self, QuoteError};
use crate::identity::Client;
use crate::ids::OperationName;
use crate::ledger::{Fingerprint, Ledger};

/// Makes [`QuoteBody`].
#[derive(Clone, Debug)]
pub struct QuoteBodyLayer {
    /// What a body may be.
    pub bounds: BodyBounds,
    /// The books, which know how full the budgets are.
    pub ledger: Ledger,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct QuoteBody<S> {
    inner: S,
    settings: Arc<QuoteBodyLayer>,
}

impl<S> Layer<S> for QuoteBodyLayer {
    type Service = QuoteBody<S>;

    fn layer(&self, inner: S) -> QuoteBody<S> {
        QuoteBody {
            inner,
            settings: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Classified> for QuoteBody<S>
where
    S: Service<Quoted, Response = Answer, Error = Refusal> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = BoxFuture<'static, Result<Answer, Refusal>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, classified: Classified) -> Self::Future {
        let charged = classified.operation.class.is_charged();
        if !charged && classified.identified.request.body().is_end_stream() {
            let quoted = quoted(classified, OutgoingBody::Empty, None, None);
            return Box::pin(self.inner.call(quoted));
        }
        // The instance that was polled ready goes into the future, its clone stays behind.
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let settings = Arc::clone(&self.settings);
        Box::pin(async move {
            let quoted = if charged {
                price(classified, &settings).await?
            } else {
                unpriced(classified, &settings).await?
            };
            inner.call(quoted).await
        })
    }
}

async fn unpriced(
    mut classified: Classified,
    settings: &QuoteBodyLayer,
) -> Result<Quoted, Refusal> {
    let Identified {
        request, client, ..
    } = &mut classified.identified;
    let (bytes, room) = settings.bounds.read(request, &client.team.id).await?;
    tell_length(request.headers_mut(), &bytes);
    let body = OutgoingBody::Full(Full::new(bytes), room.into());
    Ok(quoted(classified, body, None, None))
}

/// The body goes on in one piece, however it came.
fn tell_length(headers: &mut HeaderMap, body: &Bytes) {
    headers.remove(TRANSFER_ENCODING);
    let mut digits = itoa::Buffer::new();
    let length = digits.format(body.len());
    // Mostly it came so.
    if headers
        .get(CONTENT_LENGTH)
        .is_none_or(|told| told != length)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
}

fn quoted(
    classified: Classified,
    body: OutgoingBody,
    digest: Option<CallDigest>,
    quote: Option<catalogue::Quote>,
) -> Quoted {
    let Identified {
        request,
        peer,
        exchange,
        client,
        key_ends,
        policy,
    } = classified.identified;
    Quoted {
        request: Box::new((*request).map(|_| body)),
        peer,
        exchange,
        client,
        key_ends,
        policy,
        operation: classified.operation,
        job: classified.job,
        quote: quote.zip(digest.map(|digest| digest.fingerprint())),
        digest,
        keeping: None,
        wishes: classified.wishes,
    }
}

async fn price(mut classified: Classified, settings: &QuoteBodyLayer) -> Result<Quoted, Refusal> {
    let Identified {
        request,
        client,
        policy,
        exchange,
        ..
    } = &mut classified.identified;
    check_head(request.uri(), request.headers())?;
    let (bytes, room) = settings.bounds.read(request, &client.team.id).await?;
    let operation = &classified.operation;
    let unbounded = policy.unbounded(&client.team.id);
    let quote = catalogue::quote(operation, &policy.prices, &bytes, unbounded);
    let quote = quote.map_err(|error| refusal(&error, &operation.name))?;
    let instead =
        database_twin::instead(client, policy, &settings.ledger, operation, &bytes, &quote);
    // A repeat is one of what was asked for, whatever is written into it or it is sent as.
    let digest = CallDigest::of(client, operation.name.as_str(), &bytes);
    let quote = match instead {
        Some(instead) => send_instead(&mut classified, instead),
        None => {
            exchange.facts().quote = Some(quote.amount);
            quote
        }
    };

    let sent = quote.body.clone().unwrap_or(bytes);
    let headers = classified.identified.request.headers_mut();
    tell_length(headers, &sent);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = OutgoingBody::Full(Full::new(sent), room.into());
    // What was asked for is charged, also where its twin is free: it may have been paid for before.
    let quote = (classified.operation.class.is_charged()).then_some(quote);
    Ok(quoted(classified, body, Some(digest), quote))
}

/// From here on the call is its twin. Gives the twin's quote.
fn send_instead(classified: &mut Classified, instead: Instead) -> catalogue::Quote {
    let Instead {
        operation,
        quote,
        uri,
        asked,
    } = instead;
    let mut facts = classified.identified.exchange.facts();
    facts.operation = Some(operation.name.clone());
    facts.quote = Some(quote.amount);
    facts.asked = Some(asked);
    drop(facts);
    *classified.identified.request.uri_mut() = uri;
    classified.operation = operation;
    quote
}

/// Everything beside the body that could make the upstream read something else than we do.
fn check_head(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let no = |why: &str| Err(Refusal::UnreadableBody(why.into()));
    if uri.query().is_some() {
        return no("A billable call is priced by its body alone: send no query string.");
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return no(
            "A billable call's body cannot be compressed: what it can take is read from it. Send it without Content-Encoding.",
        );
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (first, second) = (types.next(), types.next());
    match first {
        _ if second.is_some() => no("More than one Content-Type is given; send application/json."),
        Some(value) if !is_json(value) => {
            no("A billable call's body must be JSON (Content-Type: application/json, in UTF-8).")
        }
        _ => Ok(()),
    }
}

fn is_json(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    parts.next() == Some("application/json")
        && parts.all(|parameter| {
            parameter.is_empty()
                || parameter
                    .strip_prefix("charset=")
                    .is_some_and(|name| matches!(name.trim_matches('"'), "utf-8" | "utf8"))
        })
}

fn refusal(error: &QuoteError, operation: &OperationName) -> Refusal {
    match error {
        QuoteError::Unbounded { field, fits } => Refusal::UnreadableBody(format!(
            "{operation} without {field} can return (and charge) any number of results, and your team refuses such calls. Send {field}; at most {fits} is possible."
        )),
        other => Refusal::UnreadableBody(format!(
            "What this {operation} call can take is unknown: {other}."
        )),
    }
}

/// Tells the same call again: same team and key, same operation, same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallDigest(pub [u8; 32]);

impl CallDigest {
    /// Of the team too: a key that is given to another takes nothing along.
    pub(super) fn of(client: &Client, operation: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        for part in [client.team.id.as_str(), client.key.as_str(), operation] {
            digest.update(part);
            digest.update([0]);
        }
        digest.update(body);
        Self(digest.finalize().into())
    }

    /// As much of it as the ledger keeps, to tell the call again after a restart too.
    fn fingerprint(&self) -> Fingerprint {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        Fingerprint(u64::from_be_bytes(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Priority, Team};

    #[test]
    fn only_json_in_utf_8_counts_as_json() {
        let is = |text: &'static str| is_json(&HeaderValue::from_static(text));
        assert!(
            is("application/json")
                && is("Application/JSON; charset=UTF-8")
                && is("application/json; charset=\"utf-8\"")
        );
        for other in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "multipart/form-data; boundary=x",
            "application/jsonp",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn a_fingerprint_tells_teams_keys_operations_and_bodies_apart() {
        let of = |team: &str, key: &str, operation: &str, body: &str| {
            let client = Client {
                team: Arc::new(Team {
                    id: team.into(),
                    priority: Priority::Normal,
                    unlimited: false,
                }),
                key: key.into(),
                account: false,
                operations: None,
            };
            CallDigest::of(&client, operation, body.as_bytes()).fingerprint()
        };
        let one = of("t", "k", "o", "{}");
        assert_eq!(one, of("t", "k", "o", "{}"));
        assert_ne!(one, of("t2", "k", "o", "{}"));
        assert_ne!(one, of("t", "k2", "o", "{}"));
        assert_ne!(one, of("t", "k", "o2", "{}"));
        assert_ne!(one, of("t", "k", "o", "{ }"));
        assert_ne!(of("t", "a", "bc", ""), of("t", "ab", "c", ""));
        assert_ne!(of("ta", "b", "c", ""), of("t", "ab", "c", ""));
    }
}
