//! What is asked of the ledger, and its ways to say no.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::credits::Credits;
use crate::ids::{BudgetId, JobId, KeyId, OperationName, TeamId};

use super::budget::{Budget, BudgetStatus};
use super::entry::{Fingerprint, HoldId, Origin};
use super::shortfall::Shortfall;
use super::store::StoreError;

/// One call that wants to leave.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// Who pays.
    pub team: TeamId,
    /// Which key was used.
    pub key: KeyId,
    /// What is called.
    pub operation: OperationName,
    /// The most it can take. Below zero counts as zero.
    pub quote: Credits,
    /// The balance under which the caller is refused; `None`: the account is not asked.
    pub floor: Option<Credits>,
    /// A floor in shadow, which refuses nobody; `None`: there is none.
    pub shadow_floor: Option<Credits>,
    /// What a repeat of this call is recognised by.
    pub fingerprint: Option<Fingerprint>,
}

impl HoldRequest {
    /// Whose call it is, and what it calls.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            team: self.team.clone(),
            key: self.key.clone(),
            operation: self.operation.clone(),
        }
    }
}

/// Why no hold was made. Nothing was written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HoldError {
    /// It does not fit.
    #[error("it does not fit: {0}")]
    Short(Arc<Shortfall>),
    /// The same call is in doubt since less than the repeat window: sending it again could pay twice.
    #[error("the same call is in doubt since {doubted_at} (hold {hold})")]
    InDoubt {
        /// The hold in doubt.
        hold: HoldId,
        /// Since when.
        doubted_at: Timestamp,
    },
    /// No budget covers it, and it may not go without: the budgets were changed under it.
    #[error("no budget covers it")]
    Uncovered,
    /// The store cannot be written.
    #[error("the ledger cannot be written: {0}")]
    Unavailable(String),
    /// More callers are waiting, or more calls under way, than the bounds in [`Settings`] allow.
    #[error("the ledger has more to do than its bounds allow")]
    Overloaded,
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
}

/// What would become of a call, had it asked to be held at this moment. Nothing is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Considered {
    /// Why it would not be held.
    pub refused: Option<HoldError>,
    /// What limits in shadow would refuse.
    pub shadow: Shortfall,
    /// Every budget that covers it, without the call, in the order they were configured.
    pub budgets: Vec<BudgetStatus>,
}

/// The tightest budget over a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tightest {
    /// Which.
    pub budget: BudgetId,
    /// Its headroom after the hold.
    pub remaining: Credits,
}

/// One observation of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the account has left.
    pub balance: Credits,
    /// When the question was sent: calls that ended later cannot be in the answer.
    pub started_at: Timestamp,
}

/// How readings of the account become a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRule {
    /// How long after a charge the balance may still be without it.
    pub lag: SignedDuration,
    /// A reading that began longer ago than this is stale.
    pub stale_after: SignedDuration,
    /// What then.
    pub when_stale: WhenStale,
    /// Whether the balance already lacks what running jobs will take.
    pub balance_is: BalanceIs,
}

impl Default for AccountRule {
    /// 10 seconds of lag, stale after 5 minutes, closed when stale, gross: each the careful choice.
    fn default() -> Self {
        Self {
            lag: SignedDuration::from_secs(10),
            stale_after: SignedDuration::from_mins(5),
            when_stale: WhenStale::Refuse,
            balance_is: BalanceIs::Gross,
        }
    }
}

/// What a caller with a floor meets when the reading is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStale {
    /// A refusal.
    Refuse,
    /// The account is not asked.
    Allow,
}

/// What the upstream's balance means while a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceIs {
    /// Jobs are taken off when they end: all job holds are counted on top.
    Gross,
    /// Jobs are taken off when they begin: only those the reading cannot have seen are counted.
    Net,
}

/// What a ledger is opened with. Bounds have defaults that suit one machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// All budgets.
    pub budgets: Vec<Budget>,
    /// The account's limit.
    pub account: AccountRule,
    /// Operations that the upstream takes as jobs. One of them in doubt may be running under an id
    /// that nobody knows, so the account counts it like the hold of a job.
    pub job_operations: BTreeSet<OperationName>,
    /// How long after a doubt the same call is refused.
    pub repeat_window: SignedDuration,
    /// Most holds that may be under way at once, bound jobs included. Each owns the place of its
    /// ending in the queue, so this also bounds the memory that waits for a failing disk.
    pub live_holds_max: usize,
    /// Most requests that may wait for the writer: about 20 ms of work, beyond which a quick no is
    /// worth more than a late yes.
    pub queue_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            budgets: Vec::new(),
            account: AccountRule::default(),
            job_operations: BTreeSet::new(),
            repeat_window: SignedDuration::from_mins(10),
            live_holds_max: 65_536,
            queue_max: 4_096,
        }
    }
}

/// A job of the upstream and the hold it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its hold.
    pub hold: HoldId,
    /// Who submitted it.
    pub team: TeamId,
    /// What was submitted.
    pub operation: OperationName,
    /// Whether the hold has not ended yet (in doubt counts as open).
    pub open: bool,
}

/// A hold that has not ended, as the books know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Its hold.
    pub hold: HoldId,
    /// Who calls what.
    pub origin: Origin,
    /// What is held.
    pub quote: Credits,
    /// When the call began.
    pub began_at: Timestamp,
    /// The job it is bound to.
    pub job: Option<JobId>,
    /// Since when it is bound.
    pub bound_at: Option<Timestamp>,
    /// Since when it is in doubt; `None`: its call is under way, or its job is.
    pub doubted_at: Option<Timestamp>,
    /// The budgets that cover it, in the order they were configured.
    pub budgets: Arc<[BudgetId]>,
}

/// A person's decision about a hold whose outcome nobody else can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// What is decided.
    pub decision: Decision,
    /// Who decided.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// The two ways to end a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It took this much.
    Settle(Credits),
    /// It took nothing.
    Release,
}

/// Why a decision about a hold was not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No such hold was ever made.
    #[error("there is no hold {0}")]
    NoSuchHold(HoldId),
    /// It has ended already; it ends once.
    #[error("hold {hold} has already been {how}")]
    AlreadyEnded {
        /// Which.
        hold: HoldId,
        /// `settled` or `released`.
        how: super::entry::EntryKind,
    },
    /// Its call is still under way and will end it.
    #[error("hold {0} is live: its call is still under way")]
    StillLive(HoldId),
    /// It has not ended, so there is nothing to correct.
    #[error("hold {0} has not ended as was said")]
    NotEnded(HoldId),
    /// What it is corrected on was written to its corrections before; it counts once.
    #[error("entry {seq} corrects hold {hold} on the same evidence")]
    AlreadyCorrected {
        /// Which.
        hold: HoldId,
        /// The correction.
        seq: i64,
    },
    /// A charge below zero, or beyond what the ledger counts.
    #[error("{0} is no charge the ledger can record")]
    NotACharge(Credits),
    /// It could not be written; the hold is as it was.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What can go wrong with the ledger as a whole.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job belongs to another hold already; this hold is in doubt.
    #[error("job {job} is already bound to hold {hold}")]
    JobTaken {
        /// The job.
        job: JobId,
        /// The hold it belongs to.
        hold: HoldId,
    },
    /// The writer's thread could not be started.
    #[error("the ledger's thread could not be started: {0}")]
    Thread(String),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
}
