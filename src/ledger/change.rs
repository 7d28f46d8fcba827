//! What people changed while the guard ran, and what calls did not take: kept beside the entries,
//! for whoever asks later. No sum and no decision is taken from either.

use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};

/// One change somebody made. Kept once under its name, and never altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is known by, so that one that is kept again is not a second one.
    pub name: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// Who: the name the asker gave, and the kernel's word for them.
    pub who: String,
    /// What was done.
    pub what: ChangeKind,
    /// What it was done to, e.g. `budget growth-month`, `team growth`, `settings`.
    pub about: String,
    /// What is different now, in words.
    pub detail: String,
    /// Why, in the words of who did it. May be empty.
    pub reason: String,
}

impl Change {
    /// The name of a change that nothing else tells from another: its moment, what was done, and to
    /// what.
    pub fn name_of(at: Timestamp, what: ChangeKind, about: &str) -> Arc<str> {
        format!("{}-{}-{about}", at.as_microsecond(), what.as_str()).into()
    }
}

/// The kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// A budget was given more room, or a part of what it was given was taken back.
    Granted,
    /// A team or a key may make no calls.
    Paused,
    /// It may again.
    Resumed,
    /// Other settings are in force.
    Reloaded,
    /// A hold was ended by a person's decision.
    Resolved,
    /// Closed months were moved to an archive.
    Archived,
}

impl ChangeKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Granted,
        Self::Paused,
        Self::Resumed,
        Self::Reloaded,
        Self::Resolved,
        Self::Archived,
    ];

    /// The word for it, in logs, reports and stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Reloaded => "reloaded",
            Self::Resolved => "resolved",
            Self::Archived => "archived",
        }
    }
}

/// A change as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptChange {
    /// Its place among the changes: 1, 2, 3 …
    pub number: i64,
    /// What was changed.
    pub change: Change,
}

/// What one team's calls of one operation did not take on one day, for one reason: a running sum,
/// replaced by a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    /// The first moment of the day (UTC).
    pub day: Timestamp,
    /// Who would have paid.
    pub team: TeamId,
    /// For what.
    pub operation: OperationName,
    /// Why nobody paid.
    pub how: SavedBy,
    /// How many calls.
    pub calls: u64,
    /// What they would have taken, as far as that is known.
    pub credits: Credits,
}

/// Why a call took nothing, or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SavedBy {
    /// The answer of a call that was paid before was given again.
    Replayed,
    /// It was given the answer of a call that was still running.
    Joined,
    /// Its idempotency key had been used for the same call.
    Idempotent,
    /// It was sent to the database in place of a realtime search.
    Database,
}

impl SavedBy {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::Replayed,
        Self::Joined,
        Self::Idempotent,
        Self::Database,
    ];

    /// The word for it, in metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::Joined => "joined",
            Self::Idempotent => "idempotent",
            Self::Database => "database",
        }
    }
}
