//! Calls that wait for a connection, in their order, and how many are being made for them.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::pool::Taken;
use super::sender::Sender;
use crate::proxy::body::BodyError;

/// What a call hears that waited.
pub(super) type Made = Result<Taken, BodyError>;

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    /// By their order; nobody who has gone.
    waiting: BTreeMap<u64, oneshot::Sender<Made>>,
    /// The order of the next.
    next: u64,
    /// Connections being made, at least as many as calls wait.
    in_the_making: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A call's place among those that wait, and whether a connection is to be made for it: there are
    /// enough when all that may rest would be left over.
    pub(super) fn wait(&mut self, give: oneshot::Sender<Made>, idle_max: usize) -> (u64, bool) {
        let place = self.next;
        self.next += 1;
        self.waiting.insert(place, give);
        let is_more = self.in_the_making < self.waiting.len() + idle_max;
        self.in_the_making += usize::from(is_more);
        (place, is_more)
    }

    /// The call of this place waits no more.
    pub(super) fn leave(&mut self, place: u64) {
        self.waiting.remove(&place);
    }

    /// One less is being made.
    pub(super) fn was_made(&mut self) {
        self.in_the_making -= 1;
    }

    /// Gives `sender` to the first that still waits; back if nobody does.
    pub(super) fn give(&mut self, sender: Sender, is_new: bool) -> Option<Sender> {
        let mut taken = Taken { sender, is_new };
        while let Some((_, waiting)) = self.waiting.pop_first() {
            match waiting.send(Ok(taken)) {
                Err(Ok(back)) => taken = back,
                _ => return None,
            }
        }
        Some(taken.sender)
    }

    /// One that could not be made: told to the first that still waits, unless each has another.
    pub(super) fn tell_first(&mut self, error: BodyError) {
        let mut told = Err(error);
        while self.in_the_making < self.waiting.len()
            && let Some((_, waiting)) = self.waiting.pop_first()
        {
            match waiting.send(told) {
                Ok(()) => return,
                Err(back) => told = back,
            }
        }
    }
}
