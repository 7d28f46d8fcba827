//! What a budget is: a limit over a filter and a window, and how it stands.
//!
//! A budget is a view of the entries, not a counter of its own: one that is added at noon already
//! counts the morning, and no job resets it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::{BudgetId, KeyId, OperationName, TeamId};

use super::window::{Window, WindowRule};

/// What a limit does to a call that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It refuses the call.
    #[default]
    Enforce,
    /// It lets the call pass and says what it would have refused: a limit on trial. It counts like
    /// any other, and caps nothing.
    Shadow,
}

impl Mode {
    /// `enforce` or `shadow`, as in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

/// A limit: all calls the filter covers must fit under it in each window.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Its permanent name.
    pub id: BudgetId,
    /// Which calls it counts.
    pub filter: Filter,
    /// The span it counts over.
    pub window: WindowRule,
    /// What settled and held together may not pass.
    pub limit: Credits,
    /// Whether it refuses what does not fit.
    pub mode: Mode,
}

/// Which calls a budget counts. `None` stands for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this team's.
    pub team: Option<TeamId>,
    /// Only this key's.
    pub key: Option<KeyId>,
    /// Only these operations.
    pub operations: Option<BTreeSet<OperationName>>,
}

impl Filter {
    /// Whether a call of this team, key and operation is counted.
    pub fn covers(&self, team: &TeamId, key: &KeyId, operation: &OperationName) -> bool {
        self.team.as_ref().is_none_or(|only| only == team)
            && self.key.as_ref().is_none_or(|only| only == key)
            && self
                .operations
                .as_ref()
                .is_none_or(|only| only.contains(operation))
    }
}

/// How a budget stands in the window of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetStatus {
    /// The budget's name.
    pub id: BudgetId,
    /// Which calls it counts.
    pub filter: Filter,
    /// The window of that moment.
    pub window: Window,
    /// The configured limit.
    pub limit: Credits,
    /// Whether it refuses what does not fit.
    pub mode: Mode,
    /// What was granted on top, in this window.
    pub granted: Credits,
    /// Charges of calls that began in this window.
    pub settled: Credits,
    /// Quotes of calls that began in this window and have not ended, those in doubt included.
    pub held: Credits,
    /// The part of `held` whose outcome is unknown.
    pub in_doubt: Credits,
    /// When something becomes free without anybody's doing: the end of a calendar window, or the
    /// moment the oldest step of a rolling one leaves.
    pub resets_at: Option<Timestamp>,
}

impl BudgetStatus {
    /// What the window has room for: limit + granted.
    pub fn limit_with_grants(&self) -> Credits {
        self.limit.saturating_add(self.granted)
    }

    /// What may still be held: limit + granted − settled − held. Below zero after an overrun or a
    /// lowered limit.
    pub fn headroom(&self) -> Credits {
        self.limit_with_grants()
            .saturating_sub(self.settled)
            .saturating_sub(self.held)
    }
}
