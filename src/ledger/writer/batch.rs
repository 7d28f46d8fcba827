//! What is decided but not yet on disk, and who waits for it.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::ids::JobId;
use crate::ledger::entry::{Entry, EntryKind, HoldId};
use crate::ledger::grant::{GrantError, Granted};
use crate::ledger::hold::Made;
use crate::ledger::request::{LedgerError, ResolveError};

use super::answers::Reply;

/// Entries waiting for the next commit. After a failure the endings stay here until they are
/// written; new holds do not.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// Given back when the entries are on disk.
    pub(super) places: Vec<OwnedSemaphorePermit>,
    /// Jobs whose hold has ended.
    pub(super) ended_jobs: Vec<JobId>,
    /// Holds that no longer need a place for their ending.
    pub(super) left: Vec<HoldId>,
    pub(super) holds: Vec<WaitingHold>,
    pub(super) binds: Vec<WaitingBind>,
    /// A decision is kept like an ending: who took it is answered when it is on disk.
    pub(super) decisions: Vec<WaitingDecision>,
    /// In the order of their entries. Kept like decisions.
    pub(super) grants: Vec<WaitingGrant>,
}

#[derive(Debug)]
pub(super) struct WaitingHold {
    pub(super) made: Made,
    pub(super) place: OwnedSemaphorePermit,
    pub(super) reply: Reply,
}

#[derive(Debug)]
pub(super) struct WaitingBind {
    pub(super) hold: HoldId,
    pub(super) job: JobId,
    pub(super) place: OwnedSemaphorePermit,
    pub(super) reply: oneshot::Sender<Result<(), LedgerError>>,
}

#[derive(Debug)]
pub(super) struct WaitingDecision {
    /// What was decided.
    pub(super) entry: Entry,
    pub(super) reply: oneshot::Sender<Result<Entry, ResolveError>>,
}

#[derive(Debug)]
pub(super) struct WaitingGrant {
    pub(super) granted: Granted,
    pub(super) reply: oneshot::Sender<Result<Granted, GrantError>>,
}

impl Batch {
    /// How a hold ends in this batch.
    pub(super) fn ending_of(&self, hold: HoldId) -> Option<&Entry> {
        let ends = |kind| matches!(kind, EntryKind::Settled | EntryKind::Released);
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.hold == hold && ends(entry.kind))
    }
}
