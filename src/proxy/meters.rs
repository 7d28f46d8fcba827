//! The metrics of exchanges, each looked up by its labels once and then kept at hand.
//!
//! A metric's handle is found by hashing its name and labels, which have to be copied for it. An
//! exchange counts in half a dozen of them: found anew each time, that was a tenth of all work done
//! for a free call.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use ahash::RandomState;
use dashmap::DashMap;

use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};
use crate::metrics::{
    CHARGED, EXCHANGE_TIME, NOBODY, NOTHING, OPERATION, OUTCOME, OWN_TIME, REASON, REFUSALS,
    REQUESTS, STATUS_CLASS, TEAM, UPSTREAM_RESPONSES, credits_as_f64, status_class,
};

/// The metrics of every team and operation that was seen. Bounded: both names come from the
/// settings and the catalogue.
#[derive(Debug)]
pub struct Meters {
    nobody: TeamId,
    nothing: OperationName,
    known: DashMap<(TeamId, OperationName), Arc<Meter>, RandomState>,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            nobody: NOBODY.into(),
            nothing: NOTHING.into(),
            known: DashMap::default(),
        }
    }
}

impl Meters {
    /// Those of a team's calls of an operation, as far as either is known.
    pub fn of(&self, team: Option<&TeamId>, operation: Option<&OperationName>) -> Arc<Meter> {
        let key = (
            team.unwrap_or(&self.nobody).clone(),
            operation.unwrap_or(&self.nothing).clone(),
        );
        if let Some(meter) = self.known.get(&key) {
            return Arc::clone(&meter);
        }
        let meter = Arc::new(Meter::new(&key.0, &key.1));
        Arc::clone(&self.known.entry(key).or_insert(meter))
    }
}

/// The metrics of one team's calls of one operation.
pub struct Meter {
    team: String,
    operation: String,
    exchange_time: Histogram,
    own_time: Histogram,
    requests: ByWord<Counter>,
    refusals: ByWord<Counter>,
    upstream_responses: ByWord<Counter>,
    charged: ByWord<Gauge>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Meter({}, {})", self.team, self.operation)
    }
}

impl Meter {
    fn new(team: &TeamId, operation: &OperationName) -> Self {
        let (team, operation) = (team.to_string(), operation.to_string());
        let labels = [(TEAM, team.clone()), (OPERATION, operation.clone())];
        Self {
            exchange_time: histogram!(EXCHANGE_TIME, &labels),
            own_time: histogram!(OWN_TIME, &labels),
            requests: ByWord::default(),
            refusals: ByWord::default(),
            upstream_responses: ByWord::default(),
            charged: ByWord::default(),
            team,
            operation,
        }
    }

    /// An exchange has ended: how, how long it took, and how much of that was the guard's own.
    pub fn ended(&self, outcome: &'static str, took: Duration, own: Option<Duration>) {
        self.exchange_time.record(took);
        if let Some(own) = own {
            self.own_time.record(own);
        }
        let (team, operation) = (&self.team, &self.operation);
        let requests = self.requests.of(outcome, || {
            counter!(REQUESTS, TEAM => team.clone(), OPERATION => operation.clone(), OUTCOME => outcome)
        });
        requests.increment(1);
    }

    /// The guard said no.
    pub fn refused(&self, reason: &'static str) {
        let (team, operation) = (&self.team, &self.operation);
        let refusals = self.refusals.of(reason, || {
            counter!(REFUSALS, REASON => reason, TEAM => team.clone(), OPERATION => operation.clone())
        });
        refusals.increment(1);
    }

    /// The upstream's answer began, with this status.
    pub fn answered(&self, status: u16) {
        let class = status_class(status);
        let responses = self.upstream_responses.of(class, || {
            counter!(UPSTREAM_RESPONSES, OPERATION => self.operation.clone(), STATUS_CLASS => class)
        });
        responses.increment(1);
    }

    /// A charge was settled.
    pub fn charged(&self, charge: Credits) {
        let (team, operation) = (&self.team, &self.operation);
        let charged = self.charged.of(
            CHARGED,
            || gauge!(CHARGED, TEAM => team.clone(), OPERATION => operation.clone()),
        );
        charged.increment(credits_as_f64(charge));
    }
}

/// The handles of one metric by its last label, of which there are a few words. Each is made when
/// it is first counted in: a metric that was never counted in is not shown.
struct ByWord<T>(RwLock<Vec<(&'static str, T)>>);

impl<T> Default for ByWord<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Clone> ByWord<T> {
    fn of(&self, word: &'static str, make: impl FnOnce() -> T) -> T {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, handle)) = known.iter().find(|(known, _)| *known == word) {
            return handle.clone();
        }
        drop(known);
        // Two that make it at one time get handles of one and the same metric.
        let handle = make();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.push((word, handle.clone()));
        handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::outcome;

    #[test]
    fn each_exchange_counts_once_under_its_own_labels() {
        let (recorder, exporter) = crate::metrics::recorder().unwrap();
        ::metrics::with_local_recorder(&recorder, || {
            let meters = Meters::default();
            let (team, search) = ("growth".into(), "search".into());
            for _ in 0..3 {
                let meter = meters.of(Some(&team), Some(&search));
                meter.ended(outcome::SETTLED, Duration::from_millis(2), None);
                meter.answered(200);
                meter.charged(Credits::from_micros(500_000));
            }
            meters.of(None, None).refused("unknown_key");
        });
        let page = exporter.render();
        for line in [
            r#"guard_requests_total{team="growth",operation="search",outcome="settled"} 3"#,
            r#"guard_upstream_responses_total{operation="search",status_class="2xx"} 3"#,
            r#"guard_charged_credits_total{team="growth",operation="search"} 1.5"#,
            r#"guard_refusals_total{reason="unknown_key",team="none",operation="none"} 1"#,
            r#"guard_exchange_seconds_count{team="growth",operation="search"} 3"#,
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
        }
        assert!(!page.contains("guard_refusals_total{reason=\"unknown_key\",team=\"growth\""));
    }
}
