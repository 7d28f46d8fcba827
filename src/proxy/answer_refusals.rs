//! Turns a [`Refusal`] into the answer a client sees. The only place that does.
//!
//! - Needs: [`Traced`], inside trace so that a refusal is logged with its exchange.
//! - Leaves: always an answer. A refusal's words for the log stay out of the body.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Response};
use serde_json::{Value, json};
use tower::{Layer, Service};

use super::body::AnswerBody;
use super::exchange::Exchange;
use super::refusal::{Refusal, Short};
use super::{Answer, Traced};
use crate::credits::Credits;
use crate::ledger::AccountShort;
use crate::metrics;

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
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A layer that is not ready would say so with a refusal nobody can answer; none does.
        self.0.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, traced: Traced) -> Self::Future {
        let exchange = Arc::clone(&traced.exchange);
        let is_head = traced.request.method() == Method::HEAD;
        let answer = self.0.call(traced);
        Box::pin(async move {
            Ok(match answer.await {
                Ok(answer) => answer,
                Err(refusal) => refused(&refusal, &exchange, is_head),
            })
        })
    }
}

fn refused(refusal: &Refusal, exchange: &Exchange, is_head: bool) -> Answer {
    note(refusal, exchange);
    let body = if is_head {
        AnswerBody::Empty
    } else {
        AnswerBody::full(envelope(refusal, exchange).to_string())
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = refusal.status();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(GUARD_REFUSAL, HeaderValue::from_static(refusal.reason()));
    if let Some(wait) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    answer
}

fn note(refusal: &Refusal, exchange: &Exchange) {
    let mut facts = exchange.facts();
    facts.refusal = Some(refusal.reason());
    let team = facts
        .client
        .as_ref()
        .map_or(metrics::NOBODY, |client| client.team.id.as_str());
    let operation = facts
        .operation
        .as_ref()
        .map_or(metrics::NOTHING, |name| name.as_str());
    ::metrics::counter!(
        metrics::REFUSALS,
        metrics::REASON => refusal.reason(),
        metrics::TEAM => team.to_owned(),
        metrics::OPERATION => operation.to_owned()
    )
    .increment(1);
    if let Some(hidden) = refusal.hidden_detail() {
        tracing::warn!(request.id = %exchange.request_id, reason = refusal.reason(), "{hidden}");
    }
}

/// The upstream's error envelope (dossier section 1.1) with our own members added.
fn envelope(refusal: &Refusal, exchange: &Exchange) -> Value {
    let mut body = json!({
        "status": "error",
        "status_code": refusal.status().as_u16(),
        "detail": refusal.detail(),
        "code": refusal.reason(),
        "request_id": &*exchange.request_id,
    });
    if let (Refusal::Short(short), Some(members)) = (refusal, body.as_object_mut()) {
        members.insert("budgets".into(), budgets(short));
        members.insert("asked".into(), json!(short.asked));
        members.insert("account".into(), account(short));
    }
    body
}

/// What stood in the way at the account, or null.
fn account(short: &Short) -> Value {
    match &short.shortfall.account {
        None => Value::Null,
        Some(AccountShort::Stale { read_at }) => json!({
            "read_at": read_at.map(|at| at.to_string()),
            "reason": "reading_stale",
        }),
        Some(AccountShort::Low {
            safe_to_spend,
            floor,
            asked,
            balance,
            read_at,
            busy,
        }) => {
            let fits = safe_to_spend.saturating_sub(*floor).max(Credits::ZERO);
            json!({
                "balance": balance,
                "read_at": read_at.to_string(),
                "safe_to_spend": safe_to_spend,
                "floor": floor,
                "asked": asked,
                "would_fit": fits,
                "items_that_fit": short.items_that_fit(fits),
                "reason": if *busy { "account_busy" } else { "account_low" },
            })
        }
    }
}

fn budgets(short: &Short) -> Value {
    let rows = short.shortfall.budgets.iter().map(|budget| {
        let status = &budget.status;
        let fits = status.headroom().max(Credits::ZERO);
        json!({
            "id": status.id,
            "limit": status.limit,
            "granted": status.granted,
            "settled": status.settled,
            "held": status.held,
            "in_doubt": status.in_doubt,
            "asked": budget.asked,
            "would_fit": fits,
            "items_that_fit": short.items_that_fit(fits),
            "window_start": status.window.start.map(|at| at.to_string()),
            "resets_at": status.resets_at.map(|at| at.to_string()),
            "reason": if budget.exhausted { "budget_exhausted" } else { "budget_busy" },
        })
    });
    Value::Array(rows.collect())
}
