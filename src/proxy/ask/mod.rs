//! What a client asks before it pays: a dry run, and the most a call may take.
//!
//! - Decides: whether the call may go on at all. One with `guard-dry-run: true` never does: it is
//!   answered with what would become of it, by the same rules and in the same state of the books,
//!   and nothing is held or sent. One whose quote is above its `guard-max-charge` is refused.
//! - Needs and leaves: [`Quoted`].
//! - Fails: `above_max_charge`.
//!
//! What stands before this layer refuses a dry run as it would the call itself: an unknown key, a
//! rate, a body that cannot be read.

mod verdict;
mod wishes;

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Either};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use tower::{Layer, Service};

use super::body::AnswerBody;
use super::breaker::Breaker;
use super::exchange::Exchange;
use super::hold_credits::{self, request};
use super::kept::Shelf;
use super::refusal::Refusal;
use super::short::AboveMax;
use super::slots::{Slots, wait_for_slot};
use super::{Answer, Quoted, settle};
use crate::catalogue::{Count, Operation};
use crate::ids::OperationName;
use crate::ledger::Ledger;
use crate::metrics::outcome;

use verdict::Ahead;
pub use wishes::{GUARD_DRY_RUN, GUARD_MAX_CHARGE, Wishes};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// Makes [`Ask`].
#[derive(Clone, Debug)]
pub struct AskLayer {
    /// The books.
    pub ledger: Ledger,
    /// Whether the upstream is worth a hold at the moment.
    pub breaker: Arc<Breaker>,
    /// The kept answers.
    pub shelf: Arc<Shelf>,
    /// The upstream's caps on calls in flight.
    pub slots: Arc<Slots>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Ask<S> {
    inner: S,
    layer: Arc<AskLayer>,
}

impl<S> Layer<S> for AskLayer {
    type Service = Ask<S>;

    fn layer(&self, inner: S) -> Ask<S> {
        Ask {
            inner,
            layer: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Quoted> for Ask<S>
where
    S: Service<Quoted, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Either<S::Future, BoxFuture<'static, Result<Answer, Refusal>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, quoted: Quoted) -> Self::Future {
        if quoted.wishes.dry_run {
            let layer = Arc::clone(&self.layer);
            return Either::Right(Box::pin(async move { Ok(layer.dry_run(&quoted).await) }));
        }
        match within_max(&quoted) {
            Ok(()) => Either::Left(self.inner.call(quoted)),
            Err(refusal) => {
                settle::log_refused(&quoted, &refusal);
                Either::Right(Box::pin(std::future::ready(Err(refusal))))
            }
        }
    }
}

impl AskLayer {
    /// What would become of the call.
    async fn dry_run(&self, quoted: &Quoted) -> Answer {
        let ahead = self.ahead(quoted).await;
        let page = match request(quoted) {
            Some(request) => {
                let considered = self.ledger.consider(request).await;
                verdict::charged(quoted, ahead, considered)
            }
            None => verdict::free(&quoted.exchange, &quoted.operation.name, ahead),
        };
        answer(page, &quoted.exchange)
    }

    /// What the call would meet before its hold, in the order in which it would.
    async fn ahead(&self, quoted: &Quoted) -> Ahead {
        let family = quoted.operation.slots.as_ref();
        let slot = family.map(|family| self.slots.foresee(family));
        let kept = match within_max(quoted) {
            Ok(()) => self.shelf.foresee(quoted, &self.ledger).await,
            Err(refusal) => Err(refusal),
        };
        let is_made = matches!(kept, Ok(None));
        let (kept, refused) = kept.map_or_else(|no| (None, Some(no)), |kept| (kept, None));
        let later = || {
            wait_for_slot::has_place(slot.as_ref())?;
            if quoted.quote.is_some() {
                hold_credits::worth_a_hold(&self.breaker)
            } else {
                hold_credits::unheld(quoted, &self.ledger).map(|_| ())
            }
        };
        Ahead {
            refused: refused.or_else(|| is_made.then(later)?.err()),
            kept,
            slot,
        }
    }
}

/// The dry run of an operation that takes nothing and is answered without the upstream.
pub(super) fn dry_run_of_own_page(exchange: &Exchange, operation: &OperationName) -> Answer {
    let page = verdict::free(exchange, operation, Ahead::default());
    answer(page, exchange)
}

fn answer(page: Vec<u8>, exchange: &Exchange) -> Answer {
    exchange.facts().outcome = Some(outcome::DRY_RUN);
    let mut answer = Response::new(AnswerBody::full(page));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(GUARD_DRY_RUN, TRUE);
    answer
}

/// Whether the quote is within what the client allows.
fn within_max(quoted: &Quoted) -> Result<(), Refusal> {
    let (Some((quote, _)), Some(max)) = (&quoted.quote, quoted.wishes.max_charge) else {
        return Ok(());
    };
    if quote.amount <= max {
        return Ok(());
    }
    Err(Refusal::AboveMaxCharge(Box::new(AboveMax {
        operation: quoted.operation.name.clone(),
        asked: quote.amount,
        max,
        items: quote.items,
        items_that_fit: quote.items_within(max),
        bound: bound(&quoted.operation),
    })))
}

/// What in the body bounds how many items a call can take, if anything does.
fn bound(operation: &Operation) -> Option<String> {
    operation.parts.iter().find_map(|part| match &part.count {
        Count::Flat(_) => None,
        Count::Rows(limit) => Some(limit.at.to_string()),
        Count::Items { arrays, .. } => arrays.first().cloned(),
        Count::Body => Some("the list".into()),
    })
}
