//! What the writer is told and asked.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::credits::Credits;
use crate::ids::JobId;
use crate::ledger::archive::Archived;
use crate::ledger::budget::{Budget, BudgetStatus};
use crate::ledger::entry::{Ending, Entry, HoldId, Note};
use crate::ledger::grant::{Grant, GrantError, Granted};
use crate::ledger::hold::Delivery;
use crate::ledger::record::Record;
use crate::ledger::request::{
    Considered, Decision, HoldError, HoldRequest, LedgerError, OpenCall, ResolveError,
};

/// What somebody waits for.
#[derive(Debug)]
pub(in crate::ledger) enum Request {
    Hold {
        request: HoldRequest,
        cover: Cover,
        place: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Delivery, HoldError>>,
    },
    /// What would become of a hold, without making it.
    Consider {
        request: HoldRequest,
        reply: oneshot::Sender<Result<Considered, HoldError>>,
    },
    Bind {
        hold: HoldId,
        job: JobId,
        place: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
    Decide {
        hold: HoldId,
        decision: Decision,
        evidence: Note,
        reply: oneshot::Sender<Result<Entry, ResolveError>>,
    },
    Correct {
        /// Boxed, for it is wide, and every request of a call would be as wide.
        ended: Box<Entry>,
        difference: Credits,
        evidence: Note,
        reply: oneshot::Sender<Result<Entry, ResolveError>>,
    },
    Grant {
        /// Boxed for the same reason.
        grant: Box<Grant>,
        reply: oneshot::Sender<Result<Granted, GrantError>>,
    },
    Keep {
        records: Vec<Record>,
        /// Answered with the rest that calls should have from it.
        reply: oneshot::Sender<Result<Duration, LedgerError>>,
    },
    Archive {
        /// Boxed for the same reason.
        archived: Box<Archived>,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
    ClearArchived {
        /// Answered with how many were removed (none: nothing is left over), and the rest that calls should
        /// have from it.
        reply: oneshot::Sender<Result<(usize, Duration), LedgerError>>,
    },
    OpenCalls {
        reply: oneshot::Sender<Result<Vec<OpenCall>, LedgerError>>,
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

/// Whether a budget must cover a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Cover {
    Any,
    Needed,
}

/// What nobody waits for.
#[derive(Debug)]
pub(in crate::ledger) struct Ended {
    pub(in crate::ledger) hold: HoldId,
    pub(in crate::ledger) ending: Ending,
    /// Given back when the ending is on disk.
    pub(in crate::ledger) place: Option<OwnedSemaphorePermit>,
}
