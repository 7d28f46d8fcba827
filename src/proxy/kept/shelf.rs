//! The kept answers of the process: the table under its lock, with the time and the metrics.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ::metrics::{Gauge, gauge};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::answer::KeptAnswer;
use super::table::{Bounds, Foreseen, Mark, Progress, Seen, Table, Ticket};
use crate::clock::Clock;
use crate::ledger::HoldId;
use crate::metrics::{KEPT_ANSWERS, KEPT_BYTES};
use crate::proxy::connection::Connection;
use crate::proxy::quote_body::CallDigest;
use crate::proxy::refusal::SlotsFull;

/// Where a client can be seen.
type Peer = Arc<dyn Connection>;
type Bell = Arc<Ring>;

/// What is rung when an exchange has ended, or its client has left.
#[derive(Debug, Default)]
pub struct Ring {
    rung: Notify,
    /// Why the exchange was not made, where that is true of whoever waits for it.
    refused: OnceLock<SlotsFull>,
}

/// See the module.
#[derive(Debug)]
pub struct Shelf {
    table: Mutex<Table<Peer, Bell>>,
    keeps: bool,
    clock: Clock,
    meters: Meters,
}

struct Meters {
    number: Gauge,
    bytes: Gauge,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Meters")
    }
}

/// What became of the exchange a client waits for.
#[derive(Debug)]
pub enum Came {
    /// Its answer, and whether it was waited for.
    Answer(Arc<KeptAnswer>, bool),
    /// It found no slot, and no other would have.
    Refused(SlotsFull),
    /// Nothing that is kept.
    Nothing,
    /// This client was taken for gone.
    Lost,
}

impl Shelf {
    /// An empty one.
    pub fn new(bounds: Bounds, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::new(Table::new(bounds)),
            keeps: bounds.number_max > 0,
            clock,
            meters: Meters {
                number: gauge!(KEPT_ANSWERS),
                bytes: gauge!(KEPT_BYTES),
            },
        })
    }

    /// Whether anything is kept at all.
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// A client makes a call. Waits a moment if the same was called by somebody who may be leaving.
    pub async fn look(&self, mark: Mark, digest: CallDigest, peer: &Peer) -> Seen<Bell> {
        let is_there = |peer: &Peer| peer.is_there();
        let began = Instant::now();
        loop {
            let when = (self.clock.now(), began.elapsed());
            let seen = self
                .table()
                .look(mark, digest, Arc::clone(peer), when, is_there);
            let Seen::Unsure(bell, patience) = seen else {
                return seen;
            };
            // A ring that is missed here is some milliseconds of waiting and no more.
            let _ = tokio::time::timeout(patience, bell.rung.notified()).await;
        }
    }

    /// What `look` would say, as far as is known now.
    pub fn foreseen(&self, mark: Mark, digest: CallDigest) -> Foreseen {
        let is_there = |peer: &Peer| peer.is_there();
        let now = self.clock.now();
        self.table().foresee(mark, digest, now, is_there)
    }

    /// Whether the call was made before, as far as is known.
    pub fn knows(&self, mark: Mark) -> bool {
        self.table().knows(mark)
    }

    /// Waits for what comes of the exchange of a ticket.
    pub async fn wait(&self, ticket: Ticket) -> Came {
        let mut waited_for: Option<Bell> = None;
        loop {
            let Progress::Running(bell) = self.table().progress(ticket) else {
                break;
            };
            let rung = bell.rung.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            // From here on no ring is missed; one from before shows in the table.
            if matches!(self.table().progress(ticket), Progress::Running(_)) {
                waited_for = Some(Arc::clone(&bell));
                rung.await;
            }
        }
        match self.table().progress(ticket) {
            Progress::Answered(answer) => Came::Answer(answer, waited_for.is_some()),
            Progress::Lost => Came::Lost,
            Progress::Over | Progress::Running(_) => {
                let refused = waited_for.and_then(|bell| bell.refused.get().cloned());
                refused.map_or(Came::Nothing, Came::Refused)
            }
        }
    }

    /// See `Table::make_room`.
    pub fn make_room(&self, ticket: Ticket, bytes: usize) -> bool {
        self.table().make_room(ticket, bytes)
    }

    /// See `Table::give_back_room`.
    pub fn give_back_room(&self, ticket: Ticket) {
        self.table().give_back_room(ticket);
    }

    /// See `Table::answered`.
    pub fn answered(&self, ticket: Ticket, answer: KeptAnswer) {
        let now = self.clock.now();
        self.change(|table| table.answered(ticket, answer, now));
    }

    /// See `Table::ended`.
    pub fn ended(&self, ticket: Ticket, doubt: Option<HoldId>) {
        let now = self.clock.now();
        self.change(|table| table.ended(ticket, doubt, now));
    }

    /// An exchange was not made, for want of a slot. Whoever waits for it has waited as long as it did, or
    /// would: each of them would only try in its turn what was just refused.
    pub fn refused(&self, ticket: Ticket, full: &SlotsFull) {
        let now = self.clock.now();
        self.change(|table| {
            let bell = table.ended(ticket, None, now)?;
            // Under a client's own name for a call there is one exchange, and it alone rings.
            if matches!(ticket.mark, Mark::Named(_)) {
                let _ = bell.refused.set(full.clone());
            }
            Some(bell)
        });
    }

    /// See `Table::forget_doubt`.
    pub fn forget_doubt(&self, mark: Mark, hold: HoldId) {
        self.table().forget_doubt(mark, hold);
    }

    /// See `Table::left`.
    pub fn left(&self, ticket: Ticket) {
        self.change(|table| table.left(ticket));
    }

    /// See `Table::handed`.
    pub fn handed(&self, ticket: Ticket) {
        self.table().handed(ticket, self.clock.now());
    }

    /// See `Table::delivered`.
    pub fn delivered(&self, ticket: Ticket) {
        self.change(|table| table.delivered(ticket));
    }

    fn change(&self, change: impl FnOnce(&mut Table<Peer, Bell>) -> Option<Bell>) {
        let mut table = self.table();
        let bell = change(&mut table);
        let (number, bytes) = (table.number(), table.bytes());
        drop(table);
        self.meters.number.set(number as f64);
        self.meters.bytes.set(bytes as f64);
        if let Some(bell) = bell {
            bell.rung.notify_waiters();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<Peer, Bell>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
