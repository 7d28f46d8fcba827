//! Turns a [`Refusal`] into the answer a client sees. The only place that does.
//!
//! - Needs: [`Traced`], inside trace so that a refusal is logged with its exchange.
//! - Leaves: always an answer. A refusal's words for the log stay out of the body.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::body::AnswerBody;
use super::exchange::Exchange;
use super::refusal::Refusal;
use super::refusal_body;
use super::{Answer, Traced};

/// The reason of the guard's own no; absent on everything the upstream said.
pub const GUARD_REFUSAL: HeaderName = HeaderName::from_static("guard-refusal");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Makes [`AnswerRefusals`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerRefusalsLayer;

/// See the module.
#[derive(Clone, Debug)]
pub struct AnswerRefusals<S>(S);

impl<S> Layer<S> for AnswerRefusalsLayer {
    type Service = AnswerRefusals<S>;

    fn layer(&self, inner: S) -> AnswerRefusals<S> {
        AnswerRefusals(inner)
    }
}

impl<S> Service<Traced> for AnswerRefusals<S>
where
    S: Service<Traced, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Answered<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A layer that is not ready would say so with a refusal nobody can answer; none does.
        self.0.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, traced: Traced) -> Self::Future {
        let exchange = Arc::clone(&traced.exchange);
        let is_head = traced.request.method() == Method::HEAD;
        let answer = self.0.call(traced);
        Answered {
            answer,
            exchange,
            is_head,
        }
    }
}

pin_project! {
    /// An answer in any case.
    #[derive(Debug)]
    pub struct Answered<F> {
        #[pin]
        answer: F,
        exchange: Arc<Exchange>,
        is_head: bool,
    }
}

impl<F: Future<Output = Result<Answer, Refusal>>> Future for Answered<F> {
    type Output = Result<Answer, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(Ok(match ready!(this.answer.poll(cx)) {
            Ok(answer) => answer,
            Err(refusal) => refused(&refusal, this.exchange, *this.is_head),
        }))
    }
}

fn refused(refusal: &Refusal, exchange: &Exchange, is_head: bool) -> Answer {
    note(refusal, exchange);
    let body = if is_head {
        AnswerBody::Empty
    } else {
        AnswerBody::full(refusal_body::body(refusal, exchange))
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = refusal.status();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(GUARD_REFUSAL, HeaderValue::from_static(refusal.reason()));
    if refusal.closes() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(wait) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    answer
}

fn note(refusal: &Refusal, exchange: &Exchange) {
    exchange.facts().refusal = Some(refusal.reason());
    exchange.meter().refused(refusal.reason());
    if let Some(hidden) = refusal.hidden_detail() {
        tracing::warn!(request.id = %exchange.request_id, reason = refusal.reason(), "{hidden}");
    }
}
