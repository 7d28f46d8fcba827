//! The connections to the upstream: those at rest, and those being made.
//!
//! A call takes the connection that was used last, which is the one least likely to have been closed
//! meanwhile. Where none is at rest one is made, and the call has whichever is free first: that one, or
//! another's. For every call that waits one is being made, so that none waits for ever, and what is made
//! for a call that has gone rests for the next.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::ServiceExt;

use super::Connector;
use super::sender::{ManyAtATime, OneAtATime, Origin, Sender};
use crate::proxy::body::BodyError;

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
    /// Those of HTTP/1.1 at rest, the one used last at the end. Some are not quite at the end of their last exchange.
    idle: Vec<Used<OneAtATime>>,
    /// The one of HTTP/2.
    shared: Option<Used<ManyAtATime>>,
    /// Calls without a connection. At least as many are being made.
    waiting: VecDeque<oneshot::Sender<Result<Taken, BodyError>>>,
    /// Whether a task closes those that rested too long.
    is_swept: bool,
}

struct Used<S> {
    sender: S,
    last: Instant,
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
        let given = {
            let mut connections = self.connections();
            if let Some(sender) = connections.at_rest(self.idle_timeout) {
                let is_new = false;
                return Ok(Taken { sender, is_new });
            }
            let (give, given) = oneshot::channel();
            connections.waiting.push_back(give);
            given
        };
        // Of its own, so that what was begun is there for others if this call goes.
        tokio::spawn(Arc::clone(self).connect());
        given
            .await
            .unwrap_or_else(|_| Err("making a connection broke down".into()))
    }

    /// Puts a connection to rest, or gives it to a call that waits.
    pub(super) fn give_back(&self, sender: OneAtATime) {
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

    async fn connect(self: Arc<Self>) {
        let linked = self
            .connector
            .clone()
            .oneshot(self.origin.destination())
            .await;
        let made = match linked {
            Ok(link) => Sender::over(link).await.map_err(BodyError::from),
            Err(error) => Err(error),
        };
        let mut connections = self.connections();
        match made {
            Ok(sender) => connections.add(sender, self.idle_max),
            Err(error) => connections.tell_first(error),
        }
        if !std::mem::replace(&mut connections.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self), self.idle_timeout));
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used<ManyAtATime> {
    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

impl Connections {
    /// The connection used last of those on which something can be sent.
    fn at_rest(&mut self, idle_timeout: Duration) -> Option<Sender> {
        let now = Instant::now();
        let rested_too_long = |last: Instant| now.duration_since(last) >= idle_timeout;
        if let Some(shared) = &mut self.shared {
            if shared.is_open() && !rested_too_long(shared.last) {
                shared.last = now;
                return Some(Sender::Http2(shared.sender.clone()));
            }
            self.shared = None;
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

    /// A connection that was made: for the first call that waits, and one that many can use for all of them.
    fn add(&mut self, sender: Sender, idle_max: usize) {
        match sender {
            Sender::Http1(sender) => {
                if let Some(sender) = self.hand_over(sender, true) {
                    self.rest(sender, idle_max);
                }
            }
            Sender::Http2(sender) => {
                // Made at the same time as the one all use now: nobody needs it.
                let last = Instant::now();
                let shared = self.shared.take().filter(Used::is_open);
                let shared = shared.unwrap_or(Used { sender, last });
                for waiting in self.waiting.drain(..) {
                    let sender = Sender::Http2(shared.sender.clone());
                    let is_new = true;
                    // Whoever has gone needs none.
                    let _ = waiting.send(Ok(Taken { sender, is_new }));
                }
                self.shared = Some(shared);
            }
        }
    }

    /// Gives `sender` to the first that still waits; back if nobody does.
    fn hand_over(&mut self, sender: OneAtATime, is_new: bool) -> Option<OneAtATime> {
        let mut sender = sender;
        while let Some(waiting) = self.waiting.pop_front() {
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

    /// One that could not be made: told to the first that still waits.
    fn tell_first(&mut self, error: BodyError) {
        let mut told = Err(error);
        while let Some(waiting) = self.waiting.pop_front() {
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
        connections.shared = connections
            .shared
            .take()
            .filter(|used| used.is_open() && !rested(used.last));
    }
}
