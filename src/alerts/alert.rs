//! What a person wants to be told of, and what is looked at to know it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::credits::Credits;
use crate::identity::Secret;
use crate::ids::BudgetId;
use crate::ledger::BudgetStatus;

/// One thing to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its permanent name: letters, digits, `.`, `_` and `-`.
    pub id: Arc<str>,
    /// When it is told.
    pub condition: Condition,
    /// Who is told, beside the log and the metrics.
    pub webhook: Option<Webhook>,
}

/// When an alert is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A budget is used up to some shares of its limit, grants included. Running calls do not
    /// count, doubts do.
    BudgetShare {
        /// Which budget; `None` for each.
        budget: Option<BudgetId>,
        /// The shares in percent, above zero and rising.
        percents: Vec<u32>,
    },
    /// The account has less than this.
    BalanceBelow(Credits),
    /// At the last day's pace the account is empty within this time.
    RunsOutWithin(SignedDuration),
    /// More than this was taken today (UTC) that no call of the guard explains.
    UnattributedAbove(Credits),
    /// The account's figures and the guard's differ by more than this today (UTC).
    DriftAbove(Credits),
    /// Some call has been in doubt for this long.
    DoubtOlderThan(SignedDuration),
    /// The account's balance has not been read for this long.
    ReadingOlderThan(SignedDuration),
}

impl Condition {
    /// The word for it, in logs, metrics and messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BudgetShare { .. } => "budget_share",
            Self::BalanceBelow(_) => "balance_below",
            Self::RunsOutWithin(_) => "runs_out_within",
            Self::UnattributedAbove(_) => "unattributed_above",
            Self::DriftAbove(_) => "drift_above",
            Self::DoubtOlderThan(_) => "doubt_older_than",
            Self::ReadingOlderThan(_) => "reading_older_than",
        }
    }
}

/// Where an alert is posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The address. Hidden: those of chat services are as good as a password.
    pub url: Secret,
    /// What messages are signed with.
    pub secret: Option<Secret>,
    /// How a message looks.
    pub shape: Shape,
    /// Whether it is posted through the proxy that calls leave through.
    pub through_proxy: bool,
}

/// How a message looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every fact under a name of its own.
    Generic,
    /// `{"text": …}`, as Slack and its likes take it.
    Slack,
}

/// Everything the rules look at, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// How each budget stands.
    pub budgets: Vec<BudgetStatus>,
    /// The account's last reading and when it was begun; `None` before the first one.
    pub balance: Option<(Credits, Timestamp)>,
    /// When the account is empty at the last day's pace ([`runs_out_at`](crate::ledger::runs_out_at));
    /// `None` if never, or if there is no reading.
    pub runs_out_at: Option<Timestamp>,
    /// What was taken on the UTC day of this moment that no call of ours explains.
    pub unattributed_today: Credits,
    /// By how much the account's figures and ours differ on the UTC day of this moment. The sign
    /// does not matter.
    pub drift_today: Credits,
    /// When the oldest call in doubt went into doubt.
    pub oldest_doubt: Option<Timestamp>,
    /// The age of the last reading; before the first one, how long it has been waited for.
    pub reading_age: SignedDuration,
}
