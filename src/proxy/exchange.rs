//! What is known of one exchange, gathered on its way for the log, the metrics and the answer.
//!
//! Trace makes it, each layer adds what it decided, trace writes it down at the end. Nothing is
//! ever decided by what stands here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::database_twin::Asked;
use super::meters::{Meter, Meters};
use crate::credits::Credits;
use crate::identity::Client;
use crate::ids::{OperationName, TeamId};
use crate::ledger::{HoldId, Tightest};

/// One exchange: a client's request and what became of it.
#[derive(Debug)]
pub struct Exchange {
    /// A label for people, taken from the client or minted. Never unique, never a key.
    pub request_id: Box<str>,
    /// When the request's head had arrived.
    pub started: Instant,
    meters: Arc<Meters>,
    facts: Mutex<Facts>,
}

/// What the layers found out.
#[derive(Debug, Default)]
pub struct Facts {
    /// Who calls.
    pub client: Option<Arc<Client>>,
    /// What is called.
    pub operation: Option<OperationName>,
    /// What was asked for, if it is called on stored data in the place of that.
    pub asked: Option<Asked>,
    /// The most it can take.
    pub quote: Option<Credits>,
    /// The metrics it counts in, once what is called is sent.
    pub meter: Option<Arc<Meter>>,
    /// The hold made for it.
    pub hold: Option<HoldId>,
    /// The budget with the least room left after the hold.
    pub tightest: Option<Tightest>,
    /// The limits in shadow that would have refused it.
    pub shadow: Vec<Arc<str>>,
    /// How it ended: one of [`metrics::outcome`](crate::metrics::outcome).
    pub outcome: Option<&'static str>,
    /// The guard's reason, if it refused.
    pub refusal: Option<&'static str>,
    /// It is counted, and not written down: there are too many like it.
    pub unlogged: bool,
    /// What was charged.
    pub charge: Option<Credits>,
    /// How often it was tried to send it, if more than once.
    pub upstream_tries: Option<u32>,
    /// What was charged for its answer before, when that was given to nobody.
    pub saved: Option<Credits>,
    /// The status the upstream answered with.
    pub upstream_status: Option<u16>,
    /// From sending to the last byte of the upstream's answer.
    pub upstream_time: Option<Duration>,
    /// How long it waited for a slot, if it had to.
    pub slot_wait: Option<Duration>,
    /// From the request's head to the moment it was sent on or refused, without its wait for a slot:
    /// the guard's own time.
    pub guard_time: Option<Duration>,
}

impl Exchange {
    /// An exchange that begins now.
    pub fn begin(request_id: Box<str>, meters: Arc<Meters>) -> Arc<Self> {
        Arc::new(Self {
            request_id,
            started: Instant::now(),
            meters,
            facts: Mutex::default(),
        })
    }

    /// The metrics it counts in, as far as its team and operation are known.
    pub fn meter(&self) -> Arc<Meter> {
        self.meter_by(&self.facts())
    }

    /// The same by its facts, which are at hand.
    pub fn meter_by(&self, facts: &Facts) -> Arc<Meter> {
        if let Some(meter) = &facts.meter {
            return Arc::clone(meter);
        }
        let team = facts.client.as_ref().map(|client| &client.team.id);
        self.meters.of(team, facts.operation.as_ref())
    }

    /// Those of another team and operation: of the one that submitted a job.
    pub fn meter_of(&self, team: &TeamId, operation: &OperationName) -> Arc<Meter> {
        self.meters.of(Some(team), Some(operation))
    }

    /// Writes down the guard's own time, which ends at `until`.
    pub fn note_own_time(&self, until: Instant) {
        let mut facts = self.facts();
        let waited = facts.slot_wait.unwrap_or_default();
        facts.guard_time = Some((until - self.started).saturating_sub(waited));
    }

    /// The facts, to read or to add to. Held for an instant only.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    /// The limits in shadow that would have refused it, by name; `None`: none would.
    pub fn shadow_text(&self) -> Option<String> {
        (!self.shadow.is_empty()).then(|| self.shadow.join(", "))
    }
}
