//! The two ends of an exchange: its client's, and that of the task which reads its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::response;

use super::answer::KeptAnswer;
use super::shelf::Shelf;
use super::table::Ticket;
use crate::credits::Credits;
use crate::metrics::outcome;
use crate::proxy::exchange::Exchange;
use crate::proxy::refusal::SlotsFull;

/// A client that waits for an answer. Dropped, it has left.
#[derive(Debug)]
pub struct Claim {
    shelf: Arc<Shelf>,
    ticket: Ticket,
    delivered: bool,
}

impl Claim {
    pub(super) fn new(shelf: &Arc<Shelf>, ticket: Ticket) -> Self {
        Self {
            shelf: Arc::clone(shelf),
            ticket,
            delivered: false,
        }
    }

    /// Every byte was written to its connection.
    pub fn handed(&self) {
        self.shelf.handed(self.ticket);
    }

    /// It has the whole answer.
    pub fn delivered(mut self) {
        self.delivered = true;
        self.shelf.delivered(self.ticket);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.delivered {
            self.shelf.left(self.ticket);
        }
    }
}

/// Where the answer of an exchange goes, whoever waits for it. Dropped, there is none.
#[derive(Debug)]
pub struct Keeping {
    shelf: Arc<Shelf>,
    ticket: Ticket,
    exchange: Arc<Exchange>,
    /// Of an answer that is handed on before it has ended. `None`: it has grown too long to be kept.
    pieces: Option<Vec<Bytes>>,
    /// Whoever waits for it was told what came of it.
    told: bool,
}

impl Keeping {
    pub(super) fn new(shelf: &Arc<Shelf>, ticket: Ticket, exchange: &Arc<Exchange>) -> Self {
        Self {
            shelf: Arc::clone(shelf),
            ticket,
            exchange: Arc::clone(exchange),
            pieces: Some(Vec::new()),
            told: false,
        }
    }

    /// Keeps a piece of a long answer. One that grows too long is not kept; but whoever makes the same
    /// call waits for its end all the same, and hears of its doubt.
    pub fn add(&mut self, piece: &Bytes) {
        let Some(pieces) = &mut self.pieces else {
            return;
        };
        if piece.is_empty() {
            return;
        }
        if self.shelf.make_room(self.ticket, piece.len()) {
            pieces.push(piece.clone());
        } else {
            self.pieces = None;
            self.shelf.give_back_room(self.ticket);
        }
    }

    /// The exchange has ended, and is settled. Its answer is kept if it was paid for, or if it is
    /// that of a job, which would be made a second time. Errors are not, paid or not.
    pub fn answered(mut self, head: &response::Parts, last: Bytes) {
        let Some(charge) = self.paid().filter(|_| head.status.is_success()) else {
            return;
        };
        let Some(mut pieces) = self.pieces.take() else {
            return;
        };
        pieces.push(last);
        let answer = KeptAnswer::new(head, &pieces, charge);
        self.told = true;
        self.shelf.answered(self.ticket, answer);
    }

    /// It was not made, for want of a slot.
    pub fn refused(mut self, full: &SlotsFull) {
        self.told = true;
        self.shelf.refused(self.ticket, full);
    }

    fn paid(&self) -> Option<Credits> {
        let facts = self.exchange.facts();
        match facts.outcome? {
            outcome::ACCEPTED => Some(Credits::ZERO),
            outcome::SETTLED | outcome::ESTIMATED => {
                facts.charge.filter(|charge| *charge > Credits::ZERO)
            }
            _ => None,
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        let facts = self.exchange.facts();
        let in_doubt = facts.outcome == Some(outcome::IN_DOUBT);
        let doubt = facts.hold.filter(|_| in_doubt);
        drop(facts);
        self.shelf.ended(self.ticket, doubt);
    }
}
