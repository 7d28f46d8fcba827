//! What is kept beside the entries: the account's rows, what they were matched with, and what does
//! not agree; what people changed, and what calls did not take.
//!
//! Entries are facts of ours and never change. Records are what the account says, and what was made
//! of it: a row that was pending becomes final, a match can be taken back, a finding is closed. A
//! change somebody made is never altered.

use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};
use crate::transaction::{Transaction, TransactionId};

use super::change::{Change, Saving};
use super::entry::HoldId;

/// One thing to keep. Each is kept once under its name; a later one of that name takes its place,
/// except that of a change, which stays as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A row of the account's, by its id.
    Transaction(Transaction),
    /// A row belongs to a hold, by the row's id. A hold may have several.
    Matched(Match),
    /// A match was taken back.
    Unmatched(TransactionId),
    /// Something does not agree, by the finding's name.
    Found(Finding),
    /// A finding has been explained since.
    Closed {
        /// Its name.
        name: Arc<str>,
        /// When.
        at: Timestamp,
        /// By what.
        why: String,
    },
    /// A small thing to remember across restarts, by its name.
    Note {
        /// Its name, e.g. `reconciliation.read_until`.
        name: String,
        /// Its text; `None` forgets it.
        value: Option<String>,
    },
    /// Somebody changed something.
    Changed(Change),
    /// What calls of one day, team, operation and reason did not take, all together so far.
    Saved(Saving),
}

/// A row of the account and the hold it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The row.
    pub transaction: TransactionId,
    /// Whose charge it is.
    pub hold: HoldId,
    /// How sure that is.
    pub how: MatchedBy,
}

/// How a row was tied to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchedBy {
    /// The hold was settled, and the row has its amount and its time.
    Charge,
    /// The hold was in doubt, and the row decided it.
    Doubt,
    /// The hold was bound to a job, and the row ended it.
    Job,
    /// Nothing decided, and the nearest in time was taken; or that may be another way round for one of these.
    Allocated,
}

/// One disagreement between our books and the account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name: the same disagreement found again has the same one.
    pub name: Arc<str>,
    /// Which kind.
    pub kind: FindingKind,
    /// When it was found.
    pub found_at: Timestamp,
    /// The moment it is about: the row's or the call's.
    pub at: Timestamp,
    /// What was called, where that is known.
    pub operation: Option<OperationName>,
    /// Whose call it was, where that is known.
    pub team: Option<TeamId>,
    /// The account's figure less ours.
    pub drift: Credits,
    /// The hold it is about.
    pub hold: Option<HoldId>,
    /// The row it is about.
    pub transaction: Option<TransactionId>,
    /// What a person should know.
    pub detail: String,
}

/// The kinds of disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// The account took something no call of ours explains: somebody used it around the guard.
    TheirsOnly,
    /// We settled a charge the account has no row for.
    OursOnly,
    /// Both know it, with different amounts (a refund is one).
    AmountDiffers,
    /// The row came only after the doubt it belongs to had been decided otherwise.
    Late,
    /// A doubt was given the nearest row, because nothing decided, or the row of such a one may be its own.
    Allocated,
    /// A charge is not a whole number of units at the price that was expected.
    UnexpectedPrice,
    /// The account got money: a top-up.
    TopUp,
    /// A source's figures are not in the unit the settings say.
    Unit,
}

impl FindingKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::TheirsOnly,
        Self::OursOnly,
        Self::AmountDiffers,
        Self::Late,
        Self::Allocated,
        Self::UnexpectedPrice,
        Self::TopUp,
        Self::Unit,
    ];

    /// The word for it, in logs, metrics and stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TheirsOnly => "theirs_only",
            Self::OursOnly => "ours_only",
            Self::AmountDiffers => "amount_differs",
            Self::Late => "late",
            Self::Allocated => "allocated",
            Self::UnexpectedPrice => "unexpected_price",
            Self::TopUp => "top_up",
            Self::Unit => "unit",
        }
    }

    /// The kind of a stored word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl MatchedBy {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Charge, Self::Doubt, Self::Job, Self::Allocated];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Doubt => "doubt",
            Self::Job => "job",
            Self::Allocated => "allocated",
        }
    }

    /// The way of a stored word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.as_str() == text)
    }
}
