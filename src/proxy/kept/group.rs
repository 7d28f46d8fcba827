//! The exchanges of identical calls, and what is known of the client of each. Pure.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answer::KeptAnswer;
use super::table::{Mark, Seen, Ticket};
use crate::ledger::HoldId;
use crate::proxy::quote_body::CallDigest;

/// Of more identical calls than this under way at one time, the clients of the others are not looked at: so many
/// calls are no repeats.
const LOOKED_AT_MAX: usize = 16;
/// The end of a connection may be told a moment after the repeat of its call came in on another.
const LEAVING: Duration = Duration::from_millis(10);
/// Whether a client that has closed its connection had its answer is known soon after.
const CLOSING: Duration = Duration::from_millis(300);
/// A client that has said nothing for this long after its answer was written has it.
const READING: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug)]
pub(super) struct Group<P, B> {
    pub(super) bell: B,
    /// The oldest first.
    pub(super) exchanges: Vec<Known<P>>,
}

#[derive(Debug)]
pub(super) struct Known<P> {
    pub(super) id: u64,
    pub(super) turn: u32,
    pub(super) digest: CallDigest,
    pub(super) client: Client<P>,
    pub(super) state: State,
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) enum Client<P> {
    /// It waits for its answer, or is being given it.
    There(P),
    /// Every byte of its answer was written to its connection.
    Handed(P, Timestamp),
    /// It left before that.
    Gone,
}

#[derive(Debug)]
pub(super) enum State {
    Running,
    Answered(Arc<KeptAnswer>, Timestamp),
    Doubted(HoldId, Timestamp),
}

/// What became of the clients of identical calls.
pub(super) enum Asked {
    /// The client of the one at this place has left.
    Left(usize),
    /// All are there, as far as is known; it may take this time to hear otherwise.
    Unsure(Duration),
}

impl<P, B> Group<P, B> {
    pub(super) fn left_by_its_client(
        &self,
        now: Timestamp,
        is_there: impl Fn(&P) -> bool,
    ) -> Asked {
        let mut patience = Duration::ZERO;
        for (at, known) in self.exchanges.iter().enumerate() {
            let is_there = |client| at >= LOOKED_AT_MAX || is_there(client);
            match &known.client {
                Client::Gone => return Asked::Left(at),
                Client::There(client) if !is_there(client) => return Asked::Left(at),
                Client::There(_) => patience = patience.max(LEAVING),
                // It closed its connection: after it had read everything, or before. What its
                // system says to our last bytes will tell.
                Client::Handed(client, _) if !is_there(client) => patience = CLOSING,
                Client::Handed(_, at) if now.duration_since(*at) < READING => {
                    patience = patience.max(LEAVING);
                }
                Client::Handed(..) => {}
            }
        }
        if self.exchanges.len() > LOOKED_AT_MAX {
            patience = Duration::ZERO;
        }
        Asked::Unsure(patience)
    }

    pub(super) fn take_over(&mut self, mark: Mark, at: usize, client: P) -> Ticket {
        let known = &mut self.exchanges[at];
        known.turn += 1;
        known.client = Client::There(client);
        Ticket {
            mark,
            id: known.id,
            turn: known.turn,
        }
    }

    pub(super) fn named(&self, mark: Mark, digest: CallDigest) -> Option<Seen<B>> {
        let known = self.exchanges.first()?;
        Some(match known.state {
            _ if known.digest != digest => Seen::Conflict,
            State::Doubted(hold, _) => Seen::Doubted(hold),
            State::Running | State::Answered(..) => Seen::Known(Ticket {
                mark,
                id: known.id,
                turn: known.turn,
            }),
        })
    }
}
