//! Tells the ledger how an exchange ended, once, and writes the spend line.
//!
//! The spend line (target `spend`) is one event per billable exchange with stable dotted fields:
//! what was quoted, what was charged, to whom. Never bodies, never query strings, never keys.

use std::sync::Arc;
use std::time::Duration;

use ::metrics::counter;
use tokio::time::Instant;

use super::exchange::Exchange;
use super::forward::ForwardSettings;
use super::outcome::Verdict;
use super::refusal::Refusal;
use super::{Pledge, Quoted};
use crate::catalogue::Operation;
use crate::credits::Credits;
use crate::ids::{JobId, OperationName};
use crate::ledger::{Ending, Evidence, Hold, Job};
use crate::metrics::{self, outcome};

/// The end that a pledge is waiting for, with what is needed to write it down.
#[derive(Debug)]
pub struct Settling {
    /// The record of the exchange.
    pub exchange: Arc<Exchange>,
    /// What was called.
    pub operation: Arc<Operation>,
    /// What waits for the end.
    pub pledge: Pledge,
    /// The books, and what else is told of an end.
    pub forward: Arc<ForwardSettings>,
}

impl Settling {
    /// The most the call can take; zero for what holds nothing.
    pub fn quote(&self) -> Credits {
        match &self.pledge {
            Pledge::Hold(hold) => hold.quote(),
            Pledge::Job(_) | Pledge::Nothing => Credits::ZERO,
        }
    }

    /// Ends the hold as the table says, and writes the spend line.
    pub async fn end(self, verdict: Verdict) {
        let Pledge::Hold(hold) = self.pledge else {
            return;
        };
        let (exchange, operation) = (&self.exchange, &self.operation.name);
        let quote = hold.quote();
        match verdict {
            Verdict::End(ending) => {
                note(exchange, operation, quote, &ending);
                if let Ending::Settled { charge, .. } = &ending {
                    self.forward.twin_savings.settled(exchange, *charge);
                }
                end_hold(hold, ending);
            }
            Verdict::Bind(job) => {
                let ledger = &self.forward.ledger;
                self.forward.twin_savings.begun(exchange, &job, ledger);
                bind(hold, job, exchange, operation).await;
            }
        }
        log_spend(exchange);
    }

    /// Ends the hold of the job that was polled. It ends once, however often it is polled, and is
    /// counted and written down as what was submitted, not as the poll that showed its end.
    pub fn end_job(self, ending: Ending) {
        let Pledge::Job(id) = &self.pledge else {
            return;
        };
        let ledger = &self.forward.ledger;
        let Some(job) = ledger.job(id) else {
            return;
        };
        if ledger.end_job(id, ending.clone()) {
            let charge = match &ending {
                Ending::Settled { charge, .. } => Some(*charge),
                Ending::Released { .. } | Ending::Doubted { .. } => None,
            };
            if ending.ends() {
                let savings = &self.forward.twin_savings;
                savings.job_ended(&job.team, id, charge);
            }
            log_job(&self.exchange, &job, &ending);
        }
    }
}

fn end_hold(hold: Hold, ending: Ending) {
    match ending {
        Ending::Settled { charge, evidence } => hold.settle(charge, evidence),
        Ending::Released { why } => hold.release(&why),
        Ending::Doubted { why } => hold.doubt(&why),
    }
}

/// A job's id reaches the client only after the books have it, or its poll would be nobody's.
async fn bind(hold: Hold, job: JobId, exchange: &Exchange, operation: &OperationName) {
    let bound = hold.bind_job(job.clone()).await;
    let outcome = match bound {
        Ok(()) => outcome::ACCEPTED,
        Err(error) => {
            tracing::error!(%job, %error, "a job could not be bound to its hold, which is in doubt");
            outcome::IN_DOUBT
        }
    };
    let mut facts = exchange.facts();
    facts.outcome = Some(outcome);
    let team = facts
        .client
        .as_ref()
        .map_or(metrics::NOBODY, |client| client.team.id.as_str());
    if outcome == outcome::IN_DOUBT {
        count(metrics::DOUBTS, team, operation);
    }
}

fn note(exchange: &Exchange, operation: &OperationName, quote: Credits, ending: &Ending) {
    if let Ending::Settled { charge, .. } = ending {
        exchange.meter().charged(*charge);
    }
    let mut facts = exchange.facts();
    let facts = &mut *facts;
    let team = facts
        .client
        .as_ref()
        .map_or(metrics::NOBODY, |client| client.team.id.as_str());
    match ending {
        Ending::Settled { charge, evidence } => {
            facts.charge = Some(*charge);
            facts.outcome = Some(settled_on(evidence));
            // What the call did not use of its hold is room again.
            if let Some(tightest) = &mut facts.tightest {
                tightest.remaining = tightest
                    .remaining
                    .saturating_add(quote.saturating_sub(*charge));
            }
            if matches!(evidence, Evidence::Estimated { .. }) {
                count(metrics::ESTIMATED, team, operation);
            }
        }
        Ending::Released { .. } => {
            facts.outcome = Some(outcome::RELEASED);
            if let Some(tightest) = &mut facts.tightest {
                tightest.remaining = tightest.remaining.saturating_add(quote);
            }
        }
        Ending::Doubted { .. } => {
            facts.outcome = Some(outcome::IN_DOUBT);
            count(metrics::DOUBTS, team, operation);
        }
    }
}

/// How a call ended that was settled, by what its charge is known from.
fn settled_on(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::TestMode => outcome::TEST_MODE,
        Evidence::Estimated { .. } => outcome::ESTIMATED,
        _ => outcome::SETTLED,
    }
}

fn count(name: &'static str, team: &str, operation: &OperationName) {
    counter!(name, metrics::TEAM => team.to_owned(), metrics::OPERATION => operation.to_string())
        .increment(1);
}

/// Counts how a job ended, and writes its spend line. Its quote and its budget stand in the line of
/// its submission, which has the same hold.
fn log_job(exchange: &Exchange, job: &Job, ending: &Ending) {
    let (outcome, charge) = match ending {
        Ending::Settled { charge, evidence } => {
            let meter = exchange.meter_of(&job.team, &job.operation);
            meter.charged(*charge);
            (settled_on(evidence), Some(*charge))
        }
        Ending::Released { .. } => (outcome::RELEASED, None),
        Ending::Doubted { .. } => {
            count(metrics::DOUBTS, job.team.as_str(), &job.operation);
            (outcome::IN_DOUBT, None)
        }
    };
    let facts = exchange.facts();
    tracing::info!(
        target: "spend",
        {
        team.id = job.team.as_str(),
        key.id = facts.client.as_ref().map(|client| client.key.as_str()),
        request.id = %exchange.request_id,
        hold.id = job.hold.to_string(),
        operation = job.operation.as_str(),
        outcome,
        charge = charge.map(|charge| charge.to_string()),
        upstream.status = facts.upstream_status,
        },
        "bulk job ended: {outcome}"
    );
}

/// The spend line of a billable call for which no hold was made.
pub fn log_refused(quoted: &Quoted, refusal: &Refusal) {
    {
        let mut facts = quoted.exchange.facts();
        facts.outcome = Some(outcome::REFUSED);
        facts.refusal = Some(refusal.reason());
    }
    quoted.exchange.note_own_time(Instant::now());
    log_spend(&quoted.exchange);
}

/// The spend line of a charged call, as far as it is known.
pub(super) fn log_spend(exchange: &Exchange) {
    let facts = exchange.facts();
    let text = |amount: Option<Credits>| amount.map(Credits::text);
    let (quote, charge, saved) = (text(facts.quote), text(facts.charge), text(facts.saved));
    let remaining = text(facts.tightest.as_ref().map(|tightest| tightest.remaining));
    let micros = |span: Option<Duration>| {
        span.map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    };
    let outcome = facts.outcome.unwrap_or_default();
    tracing::info!(
        target: "spend",
        {
        team.id = facts.client.as_ref().map(|client| client.team.id.as_str()),
        key.id = facts.client.as_ref().map(|client| client.key.as_str()),
        request.id = &*exchange.request_id,
        hold.id = facts.hold.map(|hold| hold.to_string()),
        operation = facts.operation.as_ref().map(|name| name.as_str()),
        asked.operation = facts.asked.as_ref().map(|asked| asked.operation.as_str()),
        outcome,
        refusal = facts.refusal,
        shadow = facts.shadow_text(),
        quote = quote.as_deref(),
        charge = charge.as_deref(),
        saved = saved.as_deref(),
        budget.id = facts.tightest.as_ref().map(|tightest| tightest.budget.as_str()),
        budget.remaining = remaining.as_deref(),
        upstream.tries = facts.upstream_tries,
        upstream.status = facts.upstream_status,
        upstream.ms = micros(facts.upstream_time).map(|micros| micros / 1000),
        guard.us = micros(facts.guard_time),
        slot.wait_us = micros(facts.slot_wait),
        },
        "billable call {outcome}"
    );
}
