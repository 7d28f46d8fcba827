//! More room for a budget, for the rest of its window.

use crate::credits::Credits;
use crate::ids::BudgetId;

use super::budget::BudgetStatus;
use super::entry::Entry;
use super::request::LedgerError;

/// Somebody wants a budget to have more room, or takes back what it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which budget.
    pub budget: BudgetId,
    /// How much, in credits; below zero takes back.
    pub amount: Credits,
    /// Who decided.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// A grant that is on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// Its entry.
    pub entry: Entry,
    /// How the budget stood right after it.
    pub status: BudgetStatus,
}

/// Why nothing was granted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GrantError {
    /// No budget has this name.
    #[error("there is no budget {budget}; there are: {known}")]
    NoSuchBudget {
        /// The name that was asked for.
        budget: BudgetId,
        /// Those that are there, with commas between.
        known: String,
    },
    /// It is nothing, or more than any account has.
    #[error(
        "{} cannot be granted: name an amount above or below zero, up to a thousand million in all",
        .0.counted()
    )]
    NotAnAmount(Credits),
    /// More is taken back than was given.
    #[error(
        "{} cannot be taken back from budget {budget}: in its present window it was granted {granted}",
        .asked.counted()
    )]
    MoreThanGranted {
        /// Which budget.
        budget: BudgetId,
        /// How much was to be taken back.
        asked: Credits,
        /// What it has been granted in this window.
        granted: Credits,
    },
    /// The ledger cannot.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
