//! One exchange with the upstream: send, read to the end, settle, answer.
//!
//! - Needs: [`Sealed`].
//! - Leaves: the answer. Free operations stream straight through. A billable call, and a poll of a
//!   job, runs in a task of its own that the client's leaving does not cancel: the answer is read to
//!   its end and settled whether or not anybody still wants it.
//! - Fails: `upstream_unreachable` (nothing was sent, or the upstream did nothing with it),
//!   `upstream_silent`, `upstream_redirected`, `upstream_unreadable`.
//!
//! An answer up to a bound is kept whole, so that its charge can stand in a header; a larger one,
//! or one for which there is no room, streams on and is settled at its end. In either case the
//! ending is queued before the last byte of the answer leaves.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{StatusCode, response};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::body::AnswerBody;
use super::breaker::Breaker;
use super::database_twin::{self, TwinSavings};
use super::exchange::Exchange;
use super::exchange_task::ExchangeTask;
use super::memory::Memory;
use super::redact::Redactor;
use super::refusal::Refusal;
use super::resend::Patience;
use super::unpack::Unpacker;
use super::upstream::Upstream;
use super::{Admitted, Answer, Pledge, Sealed, answer};
use crate::account::FundsGone;
use crate::credits::Credits;
use crate::ledger::Ledger;

/// What every exchange needs.
#[derive(Debug)]
pub struct ForwardSettings {
    /// The way to the upstream.
    pub upstream: Upstream,
    /// How often what was not sent is tried again.
    pub patience: Patience,
    /// The books.
    pub ledger: Ledger,
    /// Told how each billable exchange went.
    pub breaker: Arc<Breaker>,
    /// Told when the upstream says that funds are insufficient.
    pub funds_gone: FundsGone,
    /// Covers the token in answers.
    pub redactor: Redactor,
    /// Whether our token is one of test mode.
    pub token_is_test: bool,
    /// From sending to the last byte.
    pub response_timeout: Duration,
    /// Answers up to this size are kept whole, in bytes.
    pub answer_bytes_kept: usize,
    /// Room for all bodies and answers kept at one time.
    pub memory: Arc<Memory>,
    /// A client that takes no byte of its answer for so long is cut off.
    pub stalled_client_timeout: Duration,
    /// What calls that were sent to the database did not take.
    pub twin_savings: TwinSavings,
    /// The tasks that must end before the guard does.
    pub tasks: TaskTracker,
}

/// See the module. The innermost service.
#[derive(Clone, Debug)]
pub struct Forward(Arc<ForwardSettings>);

impl Forward {
    /// Forwards by these settings.
    pub fn new(settings: Arc<ForwardSettings>) -> Self {
        Self(settings)
    }
}

impl Service<Sealed> for Forward {
    type Response = Answer;
    type Error = Refusal;
    type Future = BoxFuture<'static, Result<Answer, Refusal>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, Sealed(admitted): Sealed) -> Self::Future {
        let settings = Arc::clone(&self.0);
        if matches!(admitted.pledge, Pledge::Nothing) {
            return Box::pin(pass(settings, admitted));
        }
        let (reply, answer) = oneshot::channel();
        let tasks = settings.tasks.clone();
        // Boxed, for it is some kilobytes large and would be moved three times on its way.
        tasks.spawn(Box::pin(ExchangeTask::new(settings, admitted, reply).run()));
        // The task always answers, unless it broke down; then its hold is in doubt.
        Box::pin(async { answer.await.unwrap_or(Err(Refusal::UpstreamSilent)) })
    }
}

/// A free operation: through, as it comes.
async fn pass(settings: Arc<ForwardSettings>, admitted: Admitted) -> Result<Answer, Refusal> {
    let (exchange, slot) = (admitted.exchange, admitted.slot);
    let sent = Instant::now();
    exchange.note_own_time(sent);
    let mut deadline = admitted.alarm.until(sent + settings.response_timeout);
    let answered = tokio::select! {
        biased;
        answered = settings.patience.send(&settings.upstream, admitted.request, &exchange) => answered,
        () = &mut deadline => return Err(Refusal::UpstreamSilent),
    };
    let response = match answered {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(request.id = %exchange.request_id, "{error}");
            return Err(Refusal::unanswered(&error));
        }
    };
    let (head, body) = response.into_parts();
    note_status(&exchange, head.status, sent);
    if let Some(slot) = &slot {
        slot.hear(&head.headers);
    }
    let unpacker = readable(&head)?;
    let body = AnswerBody::passed(body, deadline, unpacker, settings.redactor.clone(), slot);
    if head.status.is_success() {
        settings.twin_savings.settled(&exchange, Credits::ZERO);
    }
    let mut head = answer::passed_head(head, &settings.redactor);
    answer::tell_wait(&mut head);
    database_twin::tell(&mut head.headers, &exchange);
    Ok(Answer::from_parts(head, body))
}

/// How to read the answer with this head; a refusal if it is one that is never passed on.
pub(super) fn readable(head: &response::Parts) -> Result<Unpacker, Refusal> {
    if head.status.is_redirection() {
        return Err(Refusal::UpstreamRedirected(head.status));
    }
    if head.status.is_informational() {
        let why = format!("it changes the protocol (status {})", head.status.as_u16());
        return Err(Refusal::UpstreamUnreadable(why));
    }
    Unpacker::of(&head.headers).map_err(|error| Refusal::UpstreamUnreadable(error.to_string()))
}

/// Writes down that the upstream's answer began.
pub(super) fn note_status(exchange: &Exchange, status: StatusCode, sent: Instant) {
    let mut facts = exchange.facts();
    facts.upstream_status = Some(status.as_u16());
    facts.upstream_time = Some(sent.elapsed());
    let meter = exchange.meter_by(&facts);
    meter.answered(status.as_u16());
    // From here on it stays the same.
    facts.meter = Some(meter);
}
