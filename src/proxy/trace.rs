//! Gives each exchange its record and writes it down at the end.
//!
//! - Decides nothing.
//! - Leaves: [`Traced`]; on the answer `guard-request-id`, and `guard-shadow` where limits in shadow
//!   would have refused it.
//! - One line an exchange (target `exchange`), when the last byte has been handed over or the
//!   client has gone. Money is logged where it moves, not here: see [`settle`](super::settle).
//!
//! The request id is a label. A client's own (`x-request-id`) is taken if it is short, plain and
//! not a part of its credentials; otherwise one is minted. It is never unique and never a key.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use uuid::fmt::Simple;

use super::authenticate::{X_API_KEY, shows_key};
use super::body::{AnswerBody, BodyError};
use super::exchange::Exchange;
use super::meters::Meters;
use super::{Answer, Arrived, Traced};
use crate::metrics::{NOBODY, NOTHING, outcome};

/// The label of the exchange, on every answer.
pub const GUARD_REQUEST_ID: HeaderName = HeaderName::from_static("guard-request-id");
/// The limits in shadow that would have refused the call, on the answer of each such.
pub const GUARD_SHADOW: HeaderName = HeaderName::from_static("guard-shadow");
/// A label of the client's own.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Long enough for a UUID or a trace id, short enough to log.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Makes [`Trace`].
#[derive(Clone, Debug, Default)]
pub struct TraceLayer(Arc<Meters>);

/// See the module.
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
    meters: Arc<Meters>,
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace {
            inner,
            meters: Arc::clone(&self.0),
        }
    }
}

impl<S> Service<Arrived> for Trace<S>
where
    S: Service<Traced, Response = Answer, Error = Infallible>,
{
    type Response = Response<TracedBody>;
    type Error = Infallible;
    type Future = Recorded<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, Arrived { request, peer }: Arrived) -> Self::Future {
        let exchange = Exchange::begin(request_id(request.headers()), Arc::clone(&self.meters));
        let answer = self.inner.call(Traced {
            request,
            peer,
            exchange: Arc::clone(&exchange),
        });
        let record = Some(Record {
            exchange,
            status: None,
        });
        Recorded { answer, record }
    }
}

pin_project! {
    /// An answer with its record.
    #[derive(Debug)]
    pub struct Recorded<F> {
        #[pin]
        answer: F,
        // Written down if it is dropped before there is an answer.
        record: Option<Record>,
    }
}

impl<F: Future<Output = Result<Answer, Infallible>>> Future for Recorded<F> {
    type Output = Result<Response<TracedBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(cx))?;
        // There until now: an answer comes once.
        let Some(record) = this.record.take() else {
            return Poll::Pending;
        };
        Poll::Ready(Ok(record.goes_with(answer)))
    }
}

/// The label of an exchange: the client's own, or a new one.
pub fn request_id(headers: &HeaderMap) -> Box<str> {
    let offered = headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_sane(id) && !is_credential(headers, id));
    match offered {
        Some(id) => id.into(),
        // A version 4 UUID, but of bytes that need no system call.
        None => {
            let id =
                uuid::Builder::from_random_bytes(rand::random::<u128>().to_ne_bytes()).into_uuid();
            let mut text = [0; Simple::LENGTH];
            Box::from(&*id.simple().encode_lower(&mut text))
        }
    }
}

fn is_sane(id: &str) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether a client put its key, or a part of it, where everybody can read it.
fn is_credential(headers: &HeaderMap, id: &str) -> bool {
    let credentials = headers
        .get_all(AUTHORIZATION)
        .iter()
        .chain(headers.get_all(X_API_KEY));
    shows_key(headers, id.as_bytes())
        || credentials
            .into_iter()
            .any(|value| memchr::memmem::find(value.as_bytes(), id.as_bytes()).is_some())
}

/// Writes the exchange down when it is dropped: after the last byte, or when the client left.
#[derive(Debug)]
struct Record {
    exchange: Arc<Exchange>,
    status: Option<StatusCode>,
}

impl Record {
    /// Says on the answer what the guard has to say of the exchange, and goes with it to its end.
    fn goes_with(mut self, answer: Answer) -> Response<TracedBody> {
        let (mut head, body) = answer.into_parts();
        self.status = Some(head.status);
        if let Ok(id) = HeaderValue::from_str(&self.exchange.request_id) {
            head.headers.insert(GUARD_REQUEST_ID, id);
        }
        let shadow = self.exchange.facts().shadow_text();
        if let Some(limits) = shadow.and_then(|limits| HeaderValue::try_from(limits).ok()) {
            head.headers.insert(GUARD_SHADOW, limits);
        }
        let record = self;
        Response::from_parts(head, TracedBody { body, record })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let facts = self.exchange.facts();
        let meter = self.exchange.meter_by(&facts);
        let took = self.exchange.started.elapsed();
        let team = facts
            .client
            .as_ref()
            .map_or(NOBODY, |client| client.team.id.as_str());
        let key = facts.client.as_ref().map(|client| client.key.as_str());
        let operation = facts
            .operation
            .as_ref()
            .map_or(NOTHING, |name| name.as_str());
        // How a hold ended comes first: a call that was sent and never answered is in doubt, also
        // though its client was told so by a refusal.
        let outcome = match (facts.outcome, self.status, facts.refusal) {
            (Some(outcome), ..) => outcome,
            (None, None, _) => outcome::ABANDONED,
            (None, _, Some(_)) => outcome::REFUSED,
            (None, _, None) => outcome::FREE,
        };
        meter.ended(outcome, took, facts.guard_time);
        if facts.unlogged {
            return;
        }
        tracing::info!(
            target: "exchange",
            {
            request.id = &*self.exchange.request_id,
            team.id = team,
            key.id = key,
            operation,
            outcome,
            refusal = facts.refusal,
            shadow = facts.shadow_text(),
            status = self.status.map(|status| status.as_u16()),
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            },
            "exchange ended: {outcome}"
        );
    }
}

/// An answer's body that carries the record of its exchange to the end.
#[derive(Debug)]
pub struct TracedBody {
    body: AnswerBody,
    /// Written down when it is dropped, with the body.
    #[expect(dead_code, reason = "it is there to be dropped")]
    record: Record,
}

impl Body for TracedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_sane_request_id_is_taken_as_it_is() {
        let headers = headers(&[("x-request-id", "job-17.retry_2")]);
        assert_eq!(&*request_id(&headers), "job-17.retry_2");
    }

    #[test]
    fn a_request_id_that_is_long_strange_or_a_key_is_replaced() {
        let long = "x".repeat(65);
        for bad in ["", "a b", "x\"y", "ü", long.as_str()] {
            let minted = request_id(&headers(&[("x-request-id", bad)]));
            assert_ne!(&*minted, bad);
            assert_eq!(minted.len(), 32);
        }
        let key = [
            ("x-request-id", "gg_secret"),
            ("authorization", "Token gg_secret"),
        ];
        assert_ne!(&*request_id(&headers(&key)), "gg_secret");
        let key = [("x-request-id", "gg_secret"), ("x-api-key", "gg_secret")];
        assert_ne!(&*request_id(&headers(&key)), "gg_secret");
        let around = [
            ("x-request-id", "job-gg_secret-1"),
            ("authorization", "Token gg_secret"),
        ];
        assert!(!request_id(&headers(&around)).contains("gg_secret"));
        let scheme = [
            ("x-request-id", "token-bearer-1"),
            ("authorization", "Token Bearer gg_secret"),
        ];
        assert_eq!(&*request_id(&headers(&scheme)), "token-bearer-1");
    }
}
