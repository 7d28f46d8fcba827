//! How often: rates of teams, keys and operations, and the floors that slow.
//!
//! - Decides: whether a call fits its rates now. It never makes a call wait: a guard answers.
//!   A rate or a floor in shadow lets the call pass and marks it.
//! - Needs and leaves: [`Classified`].
//! - Fails: `rate_exceeded`, `account_slowed`, both with the time after which a call fits.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tower::{Layer, Service};

use super::rates::OverRate;
use super::refusal::Refusal;
use super::slowing::OverSlow;
use super::{Answer, Classified, Decided, refuse, shadow};
use crate::account::Reading;

/// Makes [`Throttle`].
#[derive(Clone, Debug)]
pub struct ThrottleLayer {
    /// The account's latest reading.
    pub balance: watch::Receiver<Option<Reading>>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Throttle<S> {
    inner: S,
    layer: Arc<ThrottleLayer>,
}

impl<S> Layer<S> for ThrottleLayer {
    type Service = Throttle<S>;

    fn layer(&self, inner: S) -> Throttle<S> {
        Throttle {
            inner,
            layer: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Classified> for Throttle<S>
where
    S: Service<Classified, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Decided<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, classified: Classified) -> Self::Future {
        match self.check(&classified) {
            Ok(()) => Decided::Right(self.inner.call(classified)),
            Err(refusal) => refuse(refusal),
        }
    }
}

impl<S> Throttle<S> {
    fn check(&self, classified: &Classified) -> Result<(), Refusal> {
        let client = &classified.identified.client;
        let policy = &classified.identified.policy;
        let name = &classified.operation.name;
        let exchange = &classified.identified.exchange;
        let full = policy.rates.check(client, name);
        for over in full.map_err(exceeded)? {
            let name = Arc::clone(&over.name);
            shadow::note(exchange, name, &exceeded(over));
        }
        if !classified.operation.class.is_charged() {
            return Ok(());
        }
        let balance = self
            .layer
            .balance
            .borrow()
            .as_ref()
            .map(|reading| reading.balance);
        let full = policy.slowing.check(client, balance);
        for over in full.map_err(slowed)? {
            let name = Arc::clone(&over.name);
            shadow::note(exchange, name, &slowed(over));
        }
        Ok(())
    }
}

fn exceeded(over: OverRate) -> Refusal {
    Refusal::RateExceeded {
        rate: over.rate,
        wait: over.wait,
    }
}

fn slowed(over: OverSlow) -> Refusal {
    Refusal::AccountSlowed {
        below: over.below,
        wait: over.wait,
    }
}
