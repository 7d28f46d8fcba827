//! The connections to the upstream: those at rest, and those being made.
//!
//! A call takes the connection that was used last, which is the one least likely to have been closed
//! meanwhile; of those of HTTP/2 the oldest that has room for it. Where none is at rest one is made, and
//! the call has whichever is free first: that one, or another's. For every call that waits one is being
//! made, so that none waits for ever, and one that fails is told to a call only if there are not enough
//! others. What is made for a call that has gone rests for the next; none more is begun where all that may
//! rest would be left over.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::ServiceExt;

use super::many_at_a_time::Shared;
use super::one_at_a_time::{AtRest, OneAtATime};
use super::origin::Origin;
use super::queue::{Made, Queue};
use super::sender::Sender;
use super::{Connector, UpstreamSettings};
use crate::proxy::body::BodyError;

const BROKE_DOWN: &str = "making a connection broke down";

/// See the module.
pub(super) struct Pool {
    connector: Connector,
    pub(super) origin: Origin,
    connect_timeout: Duration,
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

/// Of each protocol; an upstream that changes its mind has both for a while.
#[derive(Default)]
struct Connections {
    at_rest: AtRest,
    shared: Shared,
    /// Calls without one.
    queue: Queue,
    /// Whether a task closes those that rested too long.
    is_swept: bool,
}

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
        settings: &UpstreamSettings,
    ) -> Arc<Self> {
        Arc::new(Self {
            connector,
            origin,
            connect_timeout: settings.connect_timeout,
            idle_timeout: settings.pool_idle_timeout,
            idle_max: settings.idle_connections_max,
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
            if let Some(sender) = connections.take(self.idle_timeout) {
                let is_new = false;
                return Ok(Taken { sender, is_new });
            }
            if !std::mem::replace(&mut connections.is_swept, true) {
                tokio::spawn(sweep(Arc::downgrade(self), self.idle_timeout));
            }
            let (give, given) = oneshot::channel();
            let (place, is_more) = connections.queue.wait(give, self.idle_max);
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

    /// An exchange of a connection that many can use has ended.
    pub(super) fn has_more_room(&self) {
        let mut connections = self.connections();
        let Connections { shared, queue, .. } = &mut *connections;
        shared.ended(queue, self.idle_max);
    }

    fn give_back_one(&self, sender: OneAtATime) {
        if sender.is_closed() {
            return;
        }
        let mut connections = self.connections();
        if sender.is_ready() {
            connections.add_one(sender, false, self.idle_max);
        } else {
            // Nobody waits for one that is not yet at the end of its last exchange: it may never be.
            connections.at_rest.add(sender, self.idle_max);
        }
    }

    async fn make(&self) -> Result<Sender, BodyError> {
        let by = Instant::now() + self.connect_timeout;
        let connector = self.connector.clone();
        let link = connector.oneshot(self.origin.destination()).await?;
        Sender::over(link, self.connect_timeout, by).await
    }

    fn made(&self, made: Result<Sender, BodyError>) {
        let mut connections = self.connections();
        connections.queue.was_made();
        match made {
            Ok(sender) => connections.add(sender, self.idle_max),
            Err(error) => connections.queue.tell_first(error),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pool.connections().queue.leave(self.place);
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

impl Connections {
    /// One of HTTP/2 that has room, or else one of HTTP/1.1 at rest.
    fn take(&mut self, idle_timeout: Duration) -> Option<Sender> {
        let now = Instant::now();
        if let Some(many) = self.shared.take(now, idle_timeout) {
            return Some(Sender::Http2(many));
        }
        self.at_rest.take(now, idle_timeout).map(Sender::Http1)
    }

    /// A connection that was made.
    fn add(&mut self, sender: Sender, idle_max: usize) {
        match sender {
            Sender::Http1(sender) => self.add_one(sender, true, idle_max),
            Sender::Http2(sender) => self.shared.add(sender, &mut self.queue),
        }
    }

    /// Gives `sender` to a call that waits, or puts it to rest.
    fn add_one(&mut self, sender: OneAtATime, is_new: bool, idle_max: usize) {
        let back = self.queue.give(Sender::Http1(sender), is_new);
        if let Some(Sender::Http1(sender)) = back {
            self.at_rest.add(sender, idle_max);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pool")
            .field("origin", &self.origin)
            .field("idle", &self.connections().at_rest.len())
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
        let (now, mut connections) = (Instant::now(), pool.connections());
        connections.at_rest.sweep(now, idle_timeout);
        connections.shared.sweep(now, idle_timeout);
    }
}
