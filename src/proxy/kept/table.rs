//! Which answers are kept, for whom, and which have reached their client. Pure: it is given the time,
//! and told how a client is doing by whoever can see that.
//!
//! Every charged call under way has a place here, under its [`Mark`]: key, operation and body, or the
//! idempotency key its client gave it. Without an idempotency key an exchange belongs to one client at
//! a time. When that one has left, the next that makes the same call takes its place; while it is
//! there, the next is a call of its own. So as many calls are sent as there are clients that stayed,
//! and as many answers are given away as were lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use jiff::{SignedDuration, Timestamp};

use super::answer::KeptAnswer;
use super::group::{Asked, Client, Group, Known, State};
use crate::ledger::HoldId;
use crate::proxy::quote_body::CallDigest;

/// One answer may take this part of all room.
const ANSWER_SHARE: usize = 4;
/// How often answers that are too old are looked for.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Under what an exchange is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// The call itself.
    Call(CallDigest),
    /// The idempotency key of a client's key.
    Named(CallDigest),
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Answers at most. Zero: none, and nobody is asked after.
    pub number_max: usize,
    /// Bytes of all of them at most.
    pub bytes_max: usize,
    /// From the end of the call.
    pub keep: SignedDuration,
    /// The same, of calls with an idempotency key.
    pub idempotency_keep: SignedDuration,
}

/// An exchange, and one client's turn at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(super) mark: Mark,
    pub(super) id: u64,
    pub(super) turn: u32,
}

/// What is known of a call that was made just now. `B` is rung when it may be another.
#[derive(Debug)]
pub enum Seen<B> {
    /// Nothing: it is a call of its own.
    New(Ticket),
    /// It was made before, and what comes of that is this client's.
    Known(Ticket),
    /// The same was called a moment ago by somebody who may just be leaving: to be asked again when
    /// it rings, or after this time.
    Unsure(B, Duration),
    /// Its idempotency key was used for something else.
    Conflict,
    /// Under its idempotency key a call was made whose outcome was unknown when it ended.
    Doubted(HoldId),
}

/// What a call would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// A call of its own.
    New,
    /// One that was answered before.
    Answered,
    /// One that is under way.
    Running,
    /// Its idempotency key was used for something else.
    Conflict,
    /// See [`Seen::Doubted`].
    Doubted(HoldId),
}

/// How far the exchange of a ticket is.
#[derive(Debug)]
pub enum Progress<B> {
    /// Under way.
    Running(B),
    /// Here it is.
    Answered(Arc<KeptAnswer>),
    /// It ended without an answer that is kept, or its answer is gone.
    Over,
    /// Another client took this one's place, since it seemed to have left.
    Lost,
}

/// See the module. `P` stands for a client, `B` for what is rung.
#[derive(Debug)]
pub struct Table<P, B> {
    bounds: Bounds,
    groups: HashMap<Mark, Group<P, B>, RandomState>,
    /// What is answered, the oldest first: what its client most likely has, and the rest.
    handed: BTreeMap<u64, Mark>,
    kept: BTreeMap<u64, Mark>,
    bytes: usize,
    next: u64,
    swept_at: Timestamp,
}

impl<P, B: Clone + Default> Table<P, B> {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            groups: HashMap::default(),
            handed: BTreeMap::new(),
            kept: BTreeMap::new(),
            bytes: 0,
            next: 0,
            swept_at: Timestamp::MIN,
        }
    }

    /// A client makes a call; `waited` is the time for which it was told to ask again.
    pub fn look(
        &mut self,
        mark: Mark,
        digest: CallDigest,
        client: P,
        (now, waited): (Timestamp, Duration),
        is_there: impl Fn(&P) -> bool,
    ) -> Seen<B> {
        self.sweep(now);
        let group = self.groups.entry(mark).or_insert_with(|| Group {
            bell: B::default(),
            exchanges: Vec::with_capacity(1),
        });
        match mark {
            Mark::Named(_) => {
                if let Some(seen) = group.named(mark, digest) {
                    return seen;
                }
            }
            Mark::Call(_) => match group.left_by_its_client(now, is_there) {
                Asked::Left(at) => {
                    let ticket = group.take_over(mark, at, client);
                    self.rank(ticket.mark, ticket.id);
                    return Seen::Known(ticket);
                }
                Asked::Unsure(patience) if waited < patience => {
                    return Seen::Unsure(group.bell.clone(), patience - waited);
                }
                Asked::Unsure(_) => {}
            },
        }
        Seen::New(self.begin(mark, digest, client))
    }

    fn begin(&mut self, mark: Mark, digest: CallDigest, client: P) -> Ticket {
        let id = self.next;
        self.next += 1;
        if let Some(group) = self.groups.get_mut(&mark) {
            group.exchanges.push(Known {
                id,
                turn: 0,
                digest,
                client: Client::There(client),
                state: State::Running,
                bytes: 0,
            });
        }
        Ticket { mark, id, turn: 0 }
    }

    /// What [`look`](Self::look) would say of a call that came now and were not waited for. Nothing is
    /// changed, but that what is too old is forgotten.
    pub fn foresee(
        &mut self,
        mark: Mark,
        digest: CallDigest,
        now: Timestamp,
        is_there: impl Fn(&P) -> bool,
    ) -> Foreseen {
        self.sweep(now);
        let Some(group) = self.groups.get(&mark) else {
            return Foreseen::New;
        };
        let found = match mark {
            Mark::Named(_) => group.exchanges.first(),
            Mark::Call(_) => match group.left_by_its_client(now, is_there) {
                Asked::Left(at) => group.exchanges.get(at),
                Asked::Unsure(_) => None,
            },
        };
        match found {
            None => Foreseen::New,
            Some(known) if known.digest != digest => Foreseen::Conflict,
            Some(known) => match known.state {
                State::Running => Foreseen::Running,
                State::Answered(..) => Foreseen::Answered,
                State::Doubted(hold, _) => Foreseen::Doubted(hold),
            },
        }
    }

    /// Whether anything is known of such a call.
    pub fn knows(&self, mark: Mark) -> bool {
        self.groups.contains_key(&mark)
    }

    /// How far the exchange of this ticket is.
    pub fn progress(&self, ticket: Ticket) -> Progress<B> {
        let Some(group) = self.groups.get(&ticket.mark) else {
            return Progress::Over;
        };
        let mut exchanges = group.exchanges.iter();
        match exchanges.find(|known| known.id == ticket.id) {
            None => Progress::Over,
            Some(known) if known.turn != ticket.turn => Progress::Lost,
            Some(known) => match &known.state {
                State::Running => Progress::Running(group.bell.clone()),
                State::Answered(answer, _) => Progress::Answered(Arc::clone(answer)),
                State::Doubted(..) => Progress::Over,
            },
        }
    }

    /// Sees to room for so many more bytes of an exchange's answer. `false`: there is none, and
    /// the answer cannot be kept.
    pub fn make_room(&mut self, ticket: Ticket, bytes: usize) -> bool {
        let Some(known) = self.known(ticket) else {
            return false;
        };
        let taken = known.bytes.saturating_add(bytes);
        if taken > self.bounds.bytes_max / ANSWER_SHARE {
            return false;
        }
        while self.bytes.saturating_add(bytes) > self.bounds.bytes_max {
            if !self.drop_oldest(ticket) {
                return false;
            }
        }
        if let Some(known) = self.known(ticket) {
            known.bytes = taken;
            self.bytes += bytes;
        }
        true
    }

    /// Nothing of an exchange's answer is kept after all.
    pub fn give_back_room(&mut self, ticket: Ticket) {
        if let Some(known) = self.known(ticket) {
            let freed = std::mem::take(&mut known.bytes);
            self.bytes -= freed;
        }
    }

    /// An exchange has ended, with an answer worth keeping. Whoever waits for it is to be rung.
    pub fn answered(&mut self, ticket: Ticket, answer: KeptAnswer, now: Timestamp) -> Option<B> {
        let more = answer.bytes().saturating_sub(self.known(ticket)?.bytes);
        let mut fits = self.make_room(ticket, more);
        while fits && self.number() >= self.bounds.number_max {
            fits = self.drop_oldest(ticket);
        }
        if !fits {
            return self.remove(ticket.mark, ticket.id);
        }
        self.known(ticket)?.state = State::Answered(Arc::new(answer), now);
        self.rank(ticket.mark, ticket.id);
        self.bell(ticket)
    }

    /// An exchange has ended without an answer worth keeping; `doubt` is its hold, if its outcome is
    /// unknown. Whoever waits for it is to be rung.
    pub fn ended(&mut self, ticket: Ticket, doubt: Option<HoldId>, now: Timestamp) -> Option<B> {
        match doubt {
            Some(hold) if matches!(ticket.mark, Mark::Named(_)) => {
                self.give_back_room(ticket);
                self.known(ticket)?.state = State::Doubted(hold, now);
                while self.number() >= self.bounds.number_max && self.drop_oldest(ticket) {}
                self.kept.insert(ticket.id, ticket.mark);
                self.bell(ticket)
            }
            _ => self.remove(ticket.mark, ticket.id),
        }
    }

    /// The doubt that an exchange ended in has ended.
    pub fn forget_doubt(&mut self, mark: Mark, hold: HoldId) {
        let Some(group) = self.groups.get(&mark) else {
            return;
        };
        let mut exchanges = group.exchanges.iter();
        let found = exchanges
            .find(|known| matches!(known.state, State::Doubted(of, _) if of == hold))
            .map(|known| known.id);
        if let Some(id) = found {
            self.remove(mark, id);
        }
    }

    /// A client left before it had the whole answer.
    pub fn left(&mut self, ticket: Ticket) -> Option<B> {
        self.own(ticket)?.client = Client::Gone;
        self.rank(ticket.mark, ticket.id);
        self.bell(ticket)
    }

    /// The last byte of the answer was written to a client's connection.
    pub fn handed(&mut self, ticket: Ticket, now: Timestamp) {
        if let Some(known) = self.own(ticket) {
            known.client = match std::mem::replace(&mut known.client, Client::Gone) {
                Client::There(client) | Client::Handed(client, _) => Client::Handed(client, now),
                Client::Gone => Client::Gone,
            };
            self.rank(ticket.mark, ticket.id);
        }
    }

    /// A client has the whole answer.
    pub fn delivered(&mut self, ticket: Ticket) -> Option<B> {
        self.own(ticket)?;
        self.remove(ticket.mark, ticket.id)
    }

    /// Answers kept, and doubts of idempotency keys.
    pub fn number(&self) -> usize {
        self.handed.len() + self.kept.len()
    }

    /// What they, and answers on their way in, take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Calls of which anything is known.
    #[cfg(test)]
    pub fn marks(&self) -> usize {
        self.groups.len()
    }

    fn known(&mut self, ticket: Ticket) -> Option<&mut Known<P>> {
        let group = self.groups.get_mut(&ticket.mark)?;
        let mut exchanges = group.exchanges.iter_mut();
        exchanges.find(|known| known.id == ticket.id)
    }

    /// The exchange, if it belongs to this client alone, and to nobody who came later.
    fn own(&mut self, ticket: Ticket) -> Option<&mut Known<P>> {
        let is_one_clients = matches!(ticket.mark, Mark::Call(_));
        let known = self.known(ticket)?;
        (is_one_clients && known.turn == ticket.turn).then_some(known)
    }

    fn bell(&self, ticket: Ticket) -> Option<B> {
        Some(self.groups.get(&ticket.mark)?.bell.clone())
    }

    /// Puts what is answered where it is dropped from in its turn.
    fn rank(&mut self, mark: Mark, id: u64) {
        let Some(group) = self.groups.get(&mark) else {
            return;
        };
        let mut exchanges = group.exchanges.iter();
        let Some(known) = exchanges.find(|known| known.id == id) else {
            return;
        };
        if matches!(known.state, State::Running) {
            return;
        }
        let (into, from) = match known.client {
            Client::Handed(..) => (&mut self.handed, &mut self.kept),
            Client::There(_) | Client::Gone => (&mut self.kept, &mut self.handed),
        };
        from.remove(&id);
        into.insert(id, mark);
    }

    /// Drops the oldest answer but that of `spared`: first of those whose client most likely has it.
    fn drop_oldest(&mut self, spared: Ticket) -> bool {
        let mut all = self.handed.iter().chain(&self.kept);
        let oldest = all.find(|(id, _)| **id != spared.id);
        let Some((id, mark)) = oldest.map(|(id, mark)| (*id, *mark)) else {
            return false;
        };
        self.remove(mark, id);
        true
    }

    fn remove(&mut self, mark: Mark, id: u64) -> Option<B> {
        self.handed.remove(&id);
        self.kept.remove(&id);
        let group = self.groups.get_mut(&mark)?;
        let at = group.exchanges.iter().position(|known| known.id == id)?;
        self.bytes -= group.exchanges.remove(at).bytes;
        let bell = group.bell.clone();
        if group.exchanges.is_empty() {
            self.groups.remove(&mark);
        }
        Some(bell)
    }

    /// Forgets what is too old.
    pub fn sweep(&mut self, now: Timestamp) {
        if now.duration_since(self.swept_at) < SWEEP_EVERY && now >= self.swept_at {
            return;
        }
        self.swept_at = now;
        let ranked = self.handed.iter().chain(&self.kept);
        let old = ranked.filter(|(id, mark)| self.is_old(**mark, **id, now));
        let old: Vec<_> = old.map(|(id, mark)| (*id, *mark)).collect();
        for (id, mark) in old {
            self.remove(mark, id);
        }
    }

    fn is_old(&self, mark: Mark, id: u64, now: Timestamp) -> bool {
        let keep = match mark {
            Mark::Call(_) => self.bounds.keep,
            Mark::Named(_) => self.bounds.idempotency_keep,
        };
        let exchanges = self.groups.get(&mark).map(|group| &group.exchanges);
        let mut exchanges = exchanges.into_iter().flatten();
        exchanges.any(|known| match known.state {
            State::Answered(_, at) | State::Doubted(_, at) => {
                known.id == id && now.duration_since(at) >= keep
            }
            State::Running => false,
        })
    }
}
