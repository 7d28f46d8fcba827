//! The connections to the upstream: those at rest, and those being made.
//!
//! A call takes the connection that was used last, which is the one least likely to have been closed
//! meanwhile; of those of HTTP/2 the oldest that has room for it. Where none is at rest one is made, and
//! the call has whichever is free first: that one, or another's. For every call that waits one is being
//! made, so that none waits for ever, and one that fails is told to a call only if there are not enough
//! others. What is made for a call that has gone rests for the next; none more is begun where all that may
//! rest would be left over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::ServiceExt;

use super::Connector;
use super::sender::{ManyAtATime, OneAtATime, Origin, Sender};
use crate::proxy::body::BodyError;

const BROKE_DOWN: &str = "making a connection broke down";

/// See the module.
pub(super) struct Pool {
    connector: Connector,
    pub(super) origin: Origin,
    idle_timeout: Duration,
    idle_max: usize,
    connections: Mutex<Connections>,
}

/// A connection for one exchange.
pub(super) struct Taken {
    pub(super) sender: Sender,
    /// Nothing was sent on it before. Of a used one the upstream may have tired.
    pub(super) is_new: bool,
}

#[derive(Default)]
struct Connections {
    /// Those of HTTP/1.1 at rest, the one used last at the end. Some are not quite at the end of their last
    /// exchange.
    idle: Vec<Used<OneAtATime>>,
    /// Those of HTTP/2, the oldest first: there are more than one where one has no room for all.
    shared: Vec<Used<ManyAtATime>>,
    /// Calls without a connection, by their order; nobody who has gone.
    waiting: BTreeMap<u64, oneshot::Sender<Made>>,
    /// The order of the next.
    next: u64,
    /// Connections being made, at least as many as calls wait.
    in_the_making: usize,
    /// Whether a task closes those that rested too long.
    is_swept: bool,
}

struct Used<S> {
    sender: S,
    last: Instant,
}

type Made = Result<Taken, BodyError>;

/// A call that has no answer yet. Dropped after its connection, it tells the pool that there is room again:
/// a connection that many can use outlives it, and nobody gives it back.
pub(super) struct Awaiting<'a>(Option<&'a Pool>);

/// A call's place among those that wait. Dropped, it waits no more.
struct Waiting<'a> {
    pool: &'a Pool,
    place: u64,
    given: oneshot::Receiver<Made>,
}

/// A connection being made. However that ends, it is one less, and whoever waits for it hears of it.
struct Making {
    pool: Arc<Pool>,
    made: Result<Sender, BodyError>,
}

impl Pool {
    pub(super) fn new(
        connector: Connector,
        origin: Origin,
        idle_timeout: Duration,
        idle_max: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            connector,
            origin,
            idle_timeout,
            idle_max,
            connections: Mutex::default(),
        })
    }

    /// A connection, at rest or new.
    ///
    /// # Errors
    /// That of making it.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Taken, BodyError> {
        let (mut waiting, is_more) = {
            let mut connections = self.connections();
            if let Some(sender) = connections.at_rest(self.idle_timeout) {
                let is_new = false;
                return Ok(Taken { sender, is_new });
            }
            if !std::mem::replace(&mut connections.is_swept, true) {
                tokio::spawn(sweep(Arc::downgrade(self), self.idle_timeout));
            }
            let (give, given) = oneshot::channel();
            let (place, is_more) = connections.wait(give, self.idle_max);
            let pool = self.as_ref();
            (Waiting { pool, place, given }, is_more)
        };
        if is_more {
            // Of its own, so that what was begun is there for others if this call goes.
            tokio::spawn(Making::begin(Arc::clone(self)).run());
        }
        (&mut waiting.given)
            .await
            .unwrap_or_else(|_| Err(BROKE_DOWN.into()))
    }

    /// Puts a connection to rest, or gives it to a call that waits.
    pub(super) fn give_back(&self, sender: Sender) {
        match sender {
            Sender::Http1(sender) => self.give_back_one(sender),
            Sender::Http2(sender) => {
                drop(sender);
                self.has_more_room();
            }
        }
    }

    /// An exchange of a connection that many can use has ended: others have its room, or the connection rests.
    fn has_more_room(&self) {
        let mut connections = self.connections();
        connections.share();
        connections.rest_shared(self.idle_max);
    }

    fn give_back_one(&self, sender: OneAtATime) {
        if sender.is_closed() {
            return;
        }
        let mut connections = self.connections();
        // Nobody waits for one that is not yet at the end of its last exchange: it may never be.
        let back = if sender.is_ready() {
            connections.hand_over(sender, false)
        } else {
            Some(sender)
        };
        if let Some(sender) = back {
            connections.rest(sender, self.idle_max);
        }
    }

    async fn make(&self) -> Result<Sender, BodyError> {
        let connector = self.connector.clone();
        let link = connector.oneshot(self.origin.destination()).await?;
        Ok(Sender::over(link).await?)
    }

    fn made(&self, made: Result<Sender, BodyError>) {
        let mut connections = self.connections();
        connections.in_the_making -= 1;
        match made {
            Ok(sender) => connections.add(sender, self.idle_max),
            Err(error) => connections.tell_first(error),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Awaiting<'a> {
    pub(super) fn of(pool: &'a Pool) -> Self {
        Self(Some(pool))
    }

    /// Its connection goes with the answer, and is given back with that.
    pub(super) fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        if let Some(pool) = self.0 {
            pool.has_more_room();
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pool.connections().waiting.remove(&self.place);
    }
}

impl Making {
    fn begin(pool: Arc<Pool>) -> Self {
        let made = Err(BROKE_DOWN.into());
        Self { pool, made }
    }

    async fn run(mut self) {
        self.made = self.pool.make().await;
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let made = std::mem::replace(&mut self.made, Err(BROKE_DOWN.into()));
        self.pool.made(made);
    }
}

impl Used<ManyAtATime> {
    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

impl Connections {
    /// The connection of HTTP/2 that is the oldest with room, or that of HTTP/1.1 used last of those on which
    /// something can be sent.
    fn at_rest(&mut self, idle_timeout: Duration) -> Option<Sender> {
        let now = Instant::now();
        let rested_too_long = |last: Instant| now.duration_since(last) >= idle_timeout;
        (self.shared).retain(|used| used.is_open() && !rested_too_long(used.last));
        if let Some(used) = self.shared.iter_mut().find(|used| used.sender.has_room()) {
            used.last = now;
            return Some(Sender::Http2(used.sender.clone()));
        }
        let mut place = self.idle.len();
        while let Some(before) = place.checked_sub(1) {
            place = before;
            let used = &self.idle[place];
            if rested_too_long(used.last) {
                // So did all before it.
                self.idle.drain(..=place);
                return None;
            }
            if used.sender.is_closed() {
                self.idle.remove(place);
            } else if used.sender.is_ready() {
                return Some(Sender::Http1(self.idle.remove(place).sender));
            }
        }
        None
    }

    /// A call's place among those that wait, and whether a connection is to be made for it: there are
    /// enough when all that may rest would be left over.
    fn wait(&mut self, give: oneshot::Sender<Made>, idle_max: usize) -> (u64, bool) {
        let place = self.next;
        self.next += 1;
        self.waiting.insert(place, give);
        let is_more = self.in_the_making < self.waiting.len() + idle_max;
        self.in_the_making += usize::from(is_more);
        (place, is_more)
    }

    /// A connection that was made: for the first call that waits, and one that many can use for as many as it
    /// has room for.
    fn add(&mut self, sender: Sender, idle_max: usize) {
        match sender {
            Sender::Http1(sender) => {
                if let Some(sender) = self.hand_over(sender, true) {
                    self.rest(sender, idle_max);
                }
            }
            Sender::Http2(sender) => {
                self.share();
                // Whoever waits has it, whatever room it has: nobody else makes one for that call.
                let is_taken = self.hand_over_shared(&sender, true);
                // Made at the same time as one that has room for all: nobody needs it.
                if is_taken || !self.shared.iter().any(Used::is_open) {
                    let last = Instant::now();
                    self.shared.push(Used { sender, last });
                    self.share();
                }
            }
        }
    }

    /// Gives those that wait the room there is on connections that many can use.
    fn share(&mut self) {
        let mut shared = std::mem::take(&mut self.shared);
        for used in shared.iter_mut().filter(|used| used.is_open()) {
            while used.sender.has_room() && self.hand_over_shared(&used.sender, false) {
                used.last = Instant::now();
            }
        }
        self.shared = shared;
    }

    /// Gives one more exchange on `sender` to the first that still waits. Whether anybody did.
    fn hand_over_shared(&mut self, sender: &ManyAtATime, is_new: bool) -> bool {
        while let Some((_, waiting)) = self.waiting.pop_first() {
            let sender = Sender::Http2(sender.clone());
            if waiting.send(Ok(Taken { sender, is_new })).is_ok() {
                return true;
            }
        }
        false
    }

    /// Lets go of what rests beyond the most that may, of connections that many can use.
    fn rest_shared(&mut self, idle_max: usize) {
        let mut resting = 0;
        self.shared.retain(|used| {
            resting += usize::from(used.sender.exchanges() == 0);
            used.sender.exchanges() > 0 || resting <= idle_max
        });
    }

    /// Gives `sender` to the first that still waits; back if nobody does.
    fn hand_over(&mut self, sender: OneAtATime, is_new: bool) -> Option<OneAtATime> {
        let mut sender = sender;
        while let Some((_, waiting)) = self.waiting.pop_first() {
            let taken = Taken {
                sender: Sender::Http1(sender),
                is_new,
            };
            match waiting.send(Ok(taken)) {
                Err(Ok(Taken {
                    sender: Sender::Http1(back),
                    ..
                })) => sender = back,
                _ => return None,
            }
        }
        Some(sender)
    }

    fn rest(&mut self, sender: OneAtATime, idle_max: usize) {
        if self.idle.len() < idle_max {
            let last = Instant::now();
            self.idle.push(Used { sender, last });
        }
    }

    /// One that could not be made: told to the first that still waits, unless each has another.
    fn tell_first(&mut self, error: BodyError) {
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

impl fmt::Debug for Pool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pool")
            .field("origin", &self.origin)
            .field("idle", &self.connections().idle.len())
            .finish_non_exhaustive()
    }
}

/// Closes what rested too long, for as long as there is a pool.
async fn sweep(pool: Weak<Pool>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep(idle_timeout).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut connections = pool.connections();
        let rested = |last: Instant| last.elapsed() >= idle_timeout;
        connections
            .idle
            .retain(|used| !used.sender.is_closed() && !rested(used.last));
        connections
            .shared
            .retain(|used| used.is_open() && !rested(used.last));
    }
}
