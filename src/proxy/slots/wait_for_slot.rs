//! Waits for a slot where the upstream serves only so many calls at a time.
//!
//! - Decides: which call of a capped family may be in flight now, and which waits, for how long at
//!   most. Free operations of such a family need a slot as well; operations of no family need none.
//! - Needs: [`Quoted`].
//! - Leaves: [`Slotted`]. The slot is free again when the exchange with the upstream has ended.
//!   While a call waits nothing is held, and a client that goes away leaves the queue.
//! - Fails: `slots_full`, `draining`; and what the ledger has just said to the same call, so that a
//!   hopeless one does not wait.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Either};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

use super::{Prospect, Room, Slot, Slots, Would};
use crate::ledger::Ledger;
use crate::proxy::refusal::{Refusal, SlotsFull};
use crate::proxy::{Answer, Quoted, Slotted, hold_credits, settle};

/// Makes [`WaitForSlot`].
#[derive(Clone, Debug)]
pub struct WaitForSlotLayer {
    /// The rooms.
    pub slots: Arc<Slots>,
    /// Asked before a call begins to wait.
    pub ledger: Ledger,
    /// Set when the guard shuts down.
    pub draining: CancellationToken,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct WaitForSlot<S> {
    inner: S,
    settings: Arc<WaitForSlotLayer>,
}

impl<S> Layer<S> for WaitForSlotLayer {
    type Service = WaitForSlot<S>;

    fn layer(&self, inner: S) -> WaitForSlot<S> {
        WaitForSlot {
            inner,
            settings: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Quoted> for WaitForSlot<S>
where
    S: Service<Slotted, Response = Answer, Error = Refusal> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Either<S::Future, BoxFuture<'static, Result<Answer, Refusal>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut quoted: Quoted) -> Self::Future {
        let family = quoted.operation.slots.as_ref();
        let room = family.map(|family| self.settings.slots.room(family));
        let slot = room.as_ref().and_then(Room::take);
        let Some(room) = room.filter(|_| slot.is_none()) else {
            return Either::Left(self.inner.call(Slotted { quoted, slot }));
        };
        // The instance that was polled ready goes into the future, its clone stays behind.
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let settings = Arc::clone(&self.settings);
        Either::Right(Box::pin(async move {
            let slot = settings.wait(&quoted, &room).await;
            let slot = slot.inspect_err(|refusal| {
                if let Refusal::SlotsFull(full) = refusal
                    && let Some(keeping) = quoted.keeping.take()
                {
                    keeping.refused(full);
                }
                if quoted.quote.is_some() {
                    settle::log_refused(&quoted, refusal);
                }
            })?;
            let slot = Some(slot);
            inner.call(Slotted { quoted, slot }).await
        }))
    }
}

impl WaitForSlotLayer {
    async fn wait(&self, quoted: &Quoted, room: &Arc<Room>) -> Result<Slot, Refusal> {
        if let (Some((quote, _)), Some(request)) = (&quoted.quote, hold_credits::request(quoted))
            && let Some(no) = self.ledger.no_again(&request)
        {
            return Err(hold_credits::refusal(no, quoted, quote));
        }
        let team = &quoted.client.team;
        let Some(waiting) = self.slots.wait(room, &team.id, team.priority) else {
            return Err(full(room, false));
        };
        let (began, longest) = (Instant::now(), self.slots.settings().wait_max);
        let slot = tokio::select! {
            biased;
            () = self.draining.cancelled() => Err(Refusal::Draining),
            slot = waiting => Ok(slot),
            () = tokio::time::sleep(longest) => Err(full(room, true)),
        };
        let waited = began.elapsed();
        room.waited(waited);
        quoted.exchange.facts().slot_wait = Some(waited);
        slot
    }
}

fn full(room: &Room, waited: bool) -> Refusal {
    Refusal::SlotsFull(SlotsFull {
        family: Arc::clone(room.family()),
        standing: room.standing(),
        waited,
    })
}

/// Whether a call that came now could at least wait.
pub(in crate::proxy) fn has_place(foreseen: Option<&Prospect>) -> Result<(), Refusal> {
    match foreseen {
        Some(full) if full.would == Would::BeRefused => Err(Refusal::SlotsFull(SlotsFull {
            family: Arc::clone(&full.family),
            standing: full.standing,
            waited: false,
        })),
        _ => Ok(()),
    }
}
