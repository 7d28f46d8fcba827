//! The handle of a hold: settle, release, or leave in doubt.
//!
//! Whoever has a [`Hold`] may send the call. It must be ended; one that is dropped without an end
//! is in doubt, never free, and the drop itself does no I/O.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::credits::Credits;
use crate::ids::JobId;

use super::entry::{Ending, Evidence, HoldId};
use super::handle::Shared;
use super::request::{LedgerError, Tightest};
use super::shortfall::Shortfall;
use super::writer::{Ended, Request};

/// Why a hold without an ending is in doubt.
const DROPPED: &str = "dropped without an ending";
/// Why a hold that nobody received was given back.
const NOT_TAKEN_UP: &str = "the caller had left before the hold was made; nothing was sent";

/// A quote held on disk for one call.
#[must_use = "a hold that is dropped without an end is in doubt"]
#[derive(Debug)]
pub struct Hold {
    id: HoldId,
    quote: Credits,
    began_at: Timestamp,
    tightest: Option<Tightest>,
    shadow: Option<Arc<Shortfall>>,
    /// `None` once it has an end.
    ending: Option<OpenEnd>,
}

/// What an ending needs: the way to the writer, and its own place there.
#[derive(Debug)]
struct OpenEnd {
    shared: Arc<Shared>,
    place: OwnedSemaphorePermit,
}

impl Hold {
    pub(super) fn new(made: Made, shared: Arc<Shared>, place: OwnedSemaphorePermit) -> Self {
        Self {
            id: made.id,
            quote: made.quote,
            began_at: made.began_at,
            tightest: made.tightest,
            shadow: made.shadow,
            ending: Some(OpenEnd { shared, place }),
        }
    }

    /// Its number.
    pub fn id(&self) -> HoldId {
        self.id
    }

    /// What is held.
    pub fn quote(&self) -> Credits {
        self.quote
    }

    /// When the call began, by the ledger's time of decision.
    pub fn began_at(&self) -> Timestamp {
        self.began_at
    }

    /// The limits in shadow that would have refused it; `None`: none would.
    pub fn shadow(&self) -> Option<&Arc<Shortfall>> {
        self.shadow.as_ref()
    }

    /// The tightest budget over it that refuses what does not fit, if any such covers it.
    pub fn tightest(&self) -> Option<&Tightest> {
        self.tightest.as_ref()
    }

    /// Replaces the quote by the charge. Queued in order; never waits, never fails. A charge above
    /// the quote is an overrun and recorded in full; one below zero is no charge: in doubt.
    pub fn settle(mut self, charge: Credits, evidence: Evidence) {
        self.end(Ending::Settled { charge, evidence });
    }

    /// Gives the quote back: the upstream has taken nothing.
    pub fn release(mut self, why: &str) {
        self.end(Ending::Released { why: why.into() });
    }

    /// The call was sent and its outcome is unknown: goes on being counted.
    pub fn doubt(mut self, why: &str) {
        self.end(Ending::Doubted { why: why.into() });
    }

    /// Binds it to the job the upstream made of the call; the job's end ends the hold.
    ///
    /// # Errors
    /// [`LedgerError::JobTaken`] if another hold has the job, otherwise what the store said. On any
    /// error the hold is in doubt.
    pub async fn bind_job(mut self, job: JobId) -> Result<(), LedgerError> {
        let Some(OpenEnd { shared, place }) = self.ending.take() else {
            return Err(LedgerError::Closed);
        };
        let (reply, answer) = oneshot::channel();
        let request = Request::Bind {
            hold: self.id,
            job,
            place,
            reply,
        };
        if let Err(refused) = shared.requests.send(request).await {
            drop(refused); // The writer is gone; the next start finds the hold open.
            return Err(LedgerError::Closed);
        }
        answer.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// The call never left, because nobody was there to send it.
    pub(super) fn not_taken_up(mut self) {
        self.end(Ending::Released {
            why: NOT_TAKEN_UP.into(),
        });
    }

    fn end(&mut self, ending: Ending) {
        if let Some(OpenEnd { shared, place }) = self.ending.take() {
            shared.end(Ended {
                hold: self.id,
                ending,
                place: Some(place),
            });
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.end(Ending::Doubted {
            why: DROPPED.into(),
        });
    }
}

/// What the rules decided about a hold that was made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Made {
    pub(super) id: HoldId,
    pub(super) quote: Credits,
    pub(super) began_at: Timestamp,
    pub(super) tightest: Option<Tightest>,
    pub(super) shadow: Option<Arc<Shortfall>>,
}

/// A hold on its way to its caller. If the caller has left, it is given back: nothing was sent.
#[derive(Debug)]
pub(super) struct Delivery(Option<Hold>);

impl Delivery {
    pub(super) fn new(hold: Hold) -> Self {
        Self(Some(hold))
    }

    pub(super) fn take(mut self) -> Option<Hold> {
        self.0.take()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(hold) = self.0.take() {
            hold.not_taken_up();
        }
    }
}
