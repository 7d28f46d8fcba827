//! The money: nothing billable passes here before its quote is held, on disk.
//!
//! - Decides: with the ledger, in one atomic and durable step, whether the quote fits every budget
//!   the call falls under and the account's floor. A poll passes if the job is the team's own.
//! - Needs: [`Quoted`].
//! - Leaves: [`Admitted`]; a request can get no further without it.
//! - Fails: `budget_exhausted`, `budget_busy`, `account_low`, `account_busy`, `reading_stale`,
//!   `call_in_doubt`, `ledger_unavailable`, `overloaded`, `upstream_failing`, `operation_not_allowed`.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tower::{Layer, Service};

use super::breaker::Breaker;
use super::refusal::Refusal;
use super::{Admitted, Answer, Pledge, Quoted, settle};
use crate::catalogue::Class;
use crate::ids::JobId;
use crate::ledger::{HoldRequest, Ledger};

/// Makes [`HoldCredits`].
#[derive(Clone, Debug)]
pub struct HoldCreditsLayer {
    /// The books.
    pub ledger: Ledger,
    /// Whether the upstream is worth a hold at the moment.
    pub breaker: Arc<Breaker>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct HoldCredits<S> {
    inner: S,
    ledger: Ledger,
    breaker: Arc<Breaker>,
}

impl<S> Layer<S> for HoldCreditsLayer {
    type Service = HoldCredits<S>;

    fn layer(&self, inner: S) -> HoldCredits<S> {
        HoldCredits {
            inner,
            ledger: self.ledger.clone(),
            breaker: Arc::clone(&self.breaker),
        }
    }
}

impl<S> Service<Quoted> for HoldCredits<S>
where
    S: Service<Admitted, Response = Answer, Error = Refusal> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = BoxFuture<'static, Result<Answer, Refusal>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, quoted: Quoted) -> Self::Future {
        if quoted.quote.is_none() {
            return match self.unheld(&quoted) {
                Ok(pledge) => Box::pin(self.inner.call(admit(quoted, pledge))),
                Err(refusal) => Box::pin(std::future::ready(Err(refusal))),
            };
        }
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let (ledger, breaker) = (self.ledger.clone(), Arc::clone(&self.breaker));
        Box::pin(async move {
            let held = hold(&quoted, &ledger, &breaker).await;
            let pledge = held.inspect_err(|refusal| settle::log_refused(&quoted, refusal))?;
            inner.call(admit(quoted, pledge)).await
        })
    }
}

fn admit(quoted: Quoted, pledge: Pledge) -> Admitted {
    Admitted {
        request: quoted.request,
        exchange: quoted.exchange,
        policy: quoted.policy,
        operation: quoted.operation,
        pledge,
        keeping: quoted.keeping,
    }
}

async fn hold(quoted: &Quoted, ledger: &Ledger, breaker: &Breaker) -> Result<Pledge, Refusal> {
    let Some((quote, fingerprint)) = &quoted.quote else {
        return Ok(Pledge::Nothing);
    };
    breaker.check().map_err(Refusal::UpstreamFailing)?;
    let team = &quoted.client.team;
    let request = HoldRequest {
        team: team.id.clone(),
        key: quoted.client.key.clone(),
        operation: quoted.operation.name.clone(),
        quote: quote.amount,
        floor: Some(quoted.policy.refuse_below.of(team.priority)),
        fingerprint: Some(*fingerprint),
    };
    let held = ledger.hold(request).await;
    let hold = held.map_err(|error| {
        Refusal::from_hold(
            error,
            quoted.operation.name.clone(),
            quote.amount,
            quote.items,
        )
    })?;
    let mut facts = quoted.exchange.facts();
    facts.hold = Some(hold.id());
    facts.tightest = hold.tightest().cloned();
    Ok(Pledge::Hold(hold))
}

impl<S> HoldCredits<S> {
    /// What the end of a free exchange must be told to, if anything.
    fn unheld(&self, quoted: &Quoted) -> Result<Pledge, Refusal> {
        match (&quoted.job, quoted.operation.class) {
            (Some(job), Class::Poll) => self.own_job(quoted, job),
            _ => Ok(Pledge::Nothing),
        }
    }

    /// A job's answer holds what its team paid for; nobody else may see it.
    fn own_job(&self, quoted: &Quoted, job: &JobId) -> Result<Pledge, Refusal> {
        let client = &quoted.client;
        match self.ledger.job(job) {
            Some(known) if known.team == client.team.id => Ok(Pledge::Job(job.clone())),
            None if client.account => Ok(Pledge::Nothing),
            Some(_) | None => Err(Refusal::OperationNotAllowed(format!(
                "Job {job} is no job of team {}. A job can be polled by the team that submitted it, through the guard, for 24 hours.",
                client.team.id
            ))),
        }
    }
}
