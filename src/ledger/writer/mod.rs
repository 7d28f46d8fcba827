//! The one owner of the books.
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::clock::Clock;
use crate::ids::JobId;

use super::budget::{Budget, BudgetStatus};
use super::entry::{Ending, Entry, HoldId};
use super::handle::Shared;
use super::hold::Delivery;
use super::request::{HoldError, HoldRequest, LedgerError, Resolution, ResolveError, Settings};
use super::store::Store;

/// What somebody waits for.
#[derive(Debug)]
pub(super) enum Request {
    Hold {
        request: HoldRequest,
        place: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Delivery, HoldError>>,
    },
    Bind {
        hold: HoldId,
        job: JobId,
        place: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
    Resolve {
        hold: HoldId,
        resolution: Resolution,
        reply: oneshot::Sender<Result<Entry, ResolveError>>,
    },
    Budgets {
        reply: oneshot::Sender<Vec<BudgetStatus>>,
    },
    SetBudgets {
        budgets: Vec<Budget>,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
    Close {
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
}

/// What nobody waits for.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) target: Target,
    pub(super) ending: Ending,
    /// Given back when the ending is on disk.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// Whose hold ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Hold(HoldId),
    Job(HoldId),
}

/// The loop that decides and writes.
#[derive(Debug)]
pub struct Writer {}

impl Writer {
    pub(super) fn open(
        _store: Box<dyn Store>,
        _settings: Settings,
        _clock: Clock,
        _shared: &Arc<Shared>,
        _requests: mpsc::Receiver<Request>,
        _endings: mpsc::UnboundedReceiver<Ended>,
    ) -> Result<Self, LedgerError> {
        Err(LedgerError::Closed)
    }

    /// Runs until the ledger is closed or every handle is gone.
    pub async fn run(self) {}

    /// Runs it on a thread of its own.
    pub fn spawn(self) -> std::io::Result<std::thread::JoinHandle<()>> {
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(|| {})
    }
}
