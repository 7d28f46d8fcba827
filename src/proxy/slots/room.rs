//! The slots of one family: who has one, who waits, who is next.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ::metrics::{Gauge, Histogram, gauge, histogram};
use http::HeaderMap;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::cap::{self, Cap};
use super::queue::{FairQueue, Ticket};
use super::turnover::Turnover;
use crate::identity::Priority;
use crate::ids::TeamId;
use crate::metrics::{FAMILY, SLOT_CAP, SLOT_WAIT, SLOTS_IN_USE, SLOTS_WAITING};

/// See the module.
#[derive(Debug)]
pub struct Room {
    family: Arc<str>,
    opened: Instant,
    state: Mutex<State>,
    meters: Meters,
}

#[derive(Debug)]
struct State {
    cap: Cap,
    in_use: u32,
    queue: FairQueue<oneshot::Sender<Slot>>,
    turnover: Turnover,
}

/// How full a room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Calls that may be in flight now.
    pub cap: u32,
    /// Calls that are.
    pub in_use: u32,
    /// Calls that wait.
    pub waiting: usize,
    /// How long another would wait, as slots have been freed of late.
    pub expected: Option<Duration>,
}

/// One call that may be in flight. Freed when it is dropped: at the end of the exchange with the
/// upstream, however it ends.
pub struct Slot {
    room: Arc<Room>,
}

/// A place in the queue. Left when it is dropped.
#[derive(Debug)]
pub struct Waiting {
    slot: oneshot::Receiver<Slot>,
    room: Arc<Room>,
    ticket: Ticket,
    _place: Place,
}

/// One of the calls that wait over all rooms together.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// `None` if there are `max` already.
    pub(super) fn take(waiting: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let place = Self(Arc::clone(waiting));
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        (before < max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Room {
    /// With every slot free.
    pub(super) fn new(family: Arc<str>, cap: u32) -> Arc<Self> {
        let room = Self {
            meters: Meters::new(&family),
            family,
            opened: Instant::now(),
            state: Mutex::new(State {
                cap: Cap::new(cap),
                in_use: 0,
                queue: FairQueue::default(),
                turnover: Turnover::default(),
            }),
        };
        room.meters.show(&room.state(), room.now());
        Arc::new(room)
    }

    /// Whose slots these are.
    pub fn family(&self) -> &Arc<str> {
        &self.family
    }

    /// A slot, if one is free and nobody waits for it.
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        let now = self.now();
        let mut state = self.state();
        if state.in_use >= state.cap.at(now) || !state.queue.is_empty() {
            return None;
        }
        state.in_use += 1;
        self.meters.show(&state, now);
        Some(self.slot())
    }

    /// Waits for a slot.
    pub(super) fn wait(
        self: &Arc<Self>,
        team: &TeamId,
        priority: Priority,
        place: Place,
    ) -> Waiting {
        let (sender, slot) = oneshot::channel();
        let ticket = self.change(|state, _| state.queue.push(team, priority, sender));
        Waiting {
            slot,
            room: Arc::clone(self),
            ticket,
            _place: place,
        }
    }

    /// Changes the setting; who waits is served at once if there is room now. Who has a slot keeps it.
    pub(super) fn set_cap(self: &Arc<Self>, cap: u32) {
        self.change(|state, _| state.cap.set(cap));
    }

    /// How full it is.
    pub fn standing(&self) -> Standing {
        let now = self.now();
        let state = self.state();
        Standing {
            cap: state.cap.at(now),
            in_use: state.in_use,
            waiting: state.queue.len(),
            expected: state.turnover.wait(state.queue.len(), now),
        }
    }

    /// Writes down how long a call waited, whether or not it got a slot.
    pub(super) fn waited(&self, span: Duration) {
        self.meters.waits.record(span);
    }

    /// Changes something, then hands out what became free.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let now = self.now();
        let mut granted = Vec::new();
        let changed = {
            let mut state = self.state();
            let changed = change(&mut state, now);
            while state.in_use < state.cap.at(now)
                && let Some(next) = state.queue.pop()
            {
                state.in_use += 1;
                granted.push(next);
            }
            self.meters.show(&state, now);
            changed
        };
        for next in granted {
            // One that has left in this very moment gives it back: the slot that is not taken is
            // dropped here, and frees itself.
            let _ = next.send(self.slot());
        }
        changed
    }

    fn slot(self: &Arc<Self>) -> Slot {
        Slot {
            room: Arc::clone(self),
        }
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Held for an instant only.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Hears what the head of the call's answer says about the cap.
    pub fn hear(&self, headers: &HeaderMap) {
        if let Some(limit) = cap::told(headers) {
            self.room.change(|state, now| state.cap.tell(limit, now));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.room.change(|state, now| {
            state.in_use -= 1;
            state.turnover.freed(now);
        });
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Slot({})", self.room.family)
    }
}

impl Future for Waiting {
    type Output = Slot;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Slot> {
        match Pin::new(&mut self.slot).poll(cx) {
            Poll::Ready(Ok(slot)) => Poll::Ready(slot),
            // The room keeps the other end for as long as this call waits.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // If it has had its turn and did not look, the slot is dropped with the receiver.
        self.room
            .change(|state, _| state.queue.remove(&self.ticket));
    }
}

/// What a room shows of itself.
struct Meters {
    in_use: Gauge,
    waiting: Gauge,
    cap: Gauge,
    waits: Histogram,
}

impl Meters {
    fn new(family: &str) -> Self {
        let labels = [(FAMILY, family.to_owned())];
        Self {
            in_use: gauge!(SLOTS_IN_USE, &labels),
            waiting: gauge!(SLOTS_WAITING, &labels),
            cap: gauge!(SLOT_CAP, &labels),
            waits: histogram!(SLOT_WAIT, &labels),
        }
    }

    fn show(&self, state: &State, now: Duration) {
        self.in_use.set(state.in_use);
        self.waiting
            .set(u32::try_from(state.queue.len()).unwrap_or(u32::MAX));
        self.cap.set(state.cap.at(now));
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Meters")
    }
}
