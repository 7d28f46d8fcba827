//! The money: nothing billable passes here before its quote is held, on disk.
//!
//! - Decides: with the ledger, in one atomic and durable step, whether the quote fits every budget
//!   the call falls under and the account's floor. A poll passes if the job is the team's own. Who was
//!   paused while the call waited, or whose key has ended meanwhile, gets no further.
//! - Needs: [`Slotted`].
//! - Leaves: [`Admitted`]; a request can get no further without it.
//! - Fails: `budget_exhausted`, `budget_busy`, `account_low`, `account_busy`, `reading_stale`,
//!   `call_in_doubt`, `ledger_unavailable`, `overloaded`, `upstream_failing`, `operation_not_allowed`,
//!   `paused`, `unknown_key`, `rules_changed`.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Either};
use tower::{Layer, Service};

use super::breaker::Breaker;
use super::may_call::MayCall;
use super::refusal::Refusal;
use super::short::Short;
use super::slots::Slot;
use super::{Admitted, Answer, Pledge, Quoted, Slotted, settle, shadow};
use crate::catalogue::{Class, Quote};
use crate::ids::JobId;
use crate::ledger::{HoldError, HoldRequest, Ledger};

/// Makes [`HoldCredits`].
#[derive(Clone, Debug)]
pub struct HoldCreditsLayer {
    /// The books.
    pub ledger: Ledger,
    /// Whether the upstream is worth a hold at the moment.
    pub breaker: Arc<Breaker>,
    /// Who may call at this moment.
    pub may_call: MayCall,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct HoldCredits<S> {
    inner: S,
    layer: Arc<HoldCreditsLayer>,
}

impl<S> Layer<S> for HoldCreditsLayer {
    type Service = HoldCredits<S>;

    fn layer(&self, inner: S) -> HoldCredits<S> {
        HoldCredits {
            inner,
            layer: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Slotted> for HoldCredits<S>
where
    S: Service<Admitted, Response = Answer, Error = Refusal> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Either<S::Future, BoxFuture<'static, Result<Answer, Refusal>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, Slotted { quoted, slot }: Slotted) -> Self::Future {
        // Again: the call may have waited.
        if let Err(refusal) = self.layer.may_call.still(&quoted) {
            if quoted.quote.is_some() {
                settle::log_refused(&quoted, &refusal);
            }
            return Either::Right(Box::pin(std::future::ready(Err(refusal))));
        }
        if quoted.quote.is_none() {
            return match unheld(&quoted, &self.layer.ledger) {
                Ok(pledge) => Either::Left(self.inner.call(admit(quoted, pledge, slot))),
                Err(refusal) => Either::Right(Box::pin(std::future::ready(Err(refusal)))),
            };
        }
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let layer = Arc::clone(&self.layer);
        Either::Right(Box::pin(async move {
            let held = hold(&quoted, &layer.ledger, &layer.breaker).await;
            let pledge = held.inspect_err(|refusal| settle::log_refused(&quoted, refusal))?;
            inner.call(admit(quoted, pledge, slot)).await
        }))
    }
}

fn admit(quoted: Quoted, pledge: Pledge, slot: Option<Slot>) -> Admitted {
    Admitted {
        request: quoted.request,
        exchange: quoted.exchange,
        policy: quoted.policy,
        operation: quoted.operation,
        pledge,
        slot,
        keeping: quoted.keeping,
        alarm: quoted.peer.alarm().clone(),
    }
}

async fn hold(quoted: &Quoted, ledger: &Ledger, breaker: &Breaker) -> Result<Pledge, Refusal> {
    let (Some((quote, _)), Some(request)) = (&quoted.quote, request(quoted)) else {
        return Ok(Pledge::Nothing);
    };
    worth_a_hold(breaker)?;
    // Again, at the moment of the decision: the settings may have been changed since it was looked up.
    let held = if quoted.client.team.unlimited {
        ledger.hold(request).await
    } else {
        ledger.hold_covered(request).await
    };
    let hold = held.map_err(|error| refusal(error, quoted, quote))?;
    if let Some(short) = hold.shadow() {
        let short = Short {
            shortfall: Arc::clone(short),
            operation: quoted.operation.name.clone(),
            asked: quote.amount,
            items: quote.items,
        };
        let priority = quoted.client.team.priority;
        shadow::note_all(&quoted.exchange, short, &quoted.policy, priority);
    }
    let mut facts = quoted.exchange.facts();
    facts.hold = Some(hold.id());
    facts.tightest = hold.tightest().cloned();
    Ok(Pledge::Hold(hold))
}

/// The ledger's no in words.
pub(super) fn refusal(no: HoldError, quoted: &Quoted, quote: &Quote) -> Refusal {
    let operation = quoted.operation.name.clone();
    Refusal::from_hold(no, operation, quote.amount, quote.items)
}

/// What is asked of the ledger for a call that is charged.
pub(super) fn request(quoted: &Quoted) -> Option<HoldRequest> {
    let (quote, fingerprint) = quoted.quote.as_ref()?;
    let (team, policy) = (&quoted.client.team, &quoted.policy);
    let on_trial = policy.shadow_floor(team.priority);
    Some(HoldRequest {
        team: team.id.clone(),
        key: quoted.client.key.clone(),
        operation: quoted.operation.name.clone(),
        quote: quote.amount,
        floor: Some(policy.refuse_below.of(team.priority)),
        shadow_floor: on_trial.map(|floor| floor.below),
        fingerprint: Some(*fingerprint),
    })
}

/// Nothing is held for a call into an outage.
pub(super) fn worth_a_hold(breaker: &Breaker) -> Result<(), Refusal> {
    breaker.check().map_err(Refusal::UpstreamFailing)
}

/// What the end of a free exchange must be told to, if anything.
pub(super) fn unheld(quoted: &Quoted, ledger: &Ledger) -> Result<Pledge, Refusal> {
    match (&quoted.job, quoted.operation.class) {
        (Some(job), Class::Poll) => own_job(quoted, job, ledger),
        _ => Ok(Pledge::Nothing),
    }
}

/// A job's answer holds what its team paid for; nobody else may see it.
fn own_job(quoted: &Quoted, job: &JobId, ledger: &Ledger) -> Result<Pledge, Refusal> {
    let client = &quoted.client;
    match ledger.job(job) {
        Some(known) if known.team == client.team.id => Ok(Pledge::Job(job.clone())),
        None if client.account => Ok(Pledge::Nothing),
        Some(_) | None => Err(Refusal::OperationNotAllowed(format!(
            "Job {job} is no job of team {}. A job can be polled by the team that submitted it, through the guard, for 24 hours.",
            client.team.id
        ))),
    }
}
