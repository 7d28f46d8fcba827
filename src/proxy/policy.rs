//! The rules in force for calls: who may call, at what rates, above which floors.
//!
//! One value, built from the settings and swapped whole; a call keeps the one it met at its
//! start. Budgets are not here: they belong to the ledger, which decides them in one place.

use std::collections::HashMap;
use std::sync::Arc;

use super::rates::{Rates, Slowing};
use crate::catalogue::{Catalogue, Prices, Unbounded};
use crate::credits::Credits;
use crate::identity::{Directory, Priority};
use crate::ids::TeamId;

/// See the module.
#[derive(Debug)]
pub struct Policy {
    /// Digest of a secret → client.
    pub directory: Directory,
    /// What the upstream can be asked to do.
    pub catalogue: Arc<Catalogue>,
    /// What one unit of each operation takes, and what legacy amounts mean.
    pub prices: Arc<Prices>,
    /// What to do with a search that names no bound, where a team says other than the maximum.
    pub unbounded: HashMap<TeamId, Unbounded>,
    /// Rates of teams, keys and operations.
    pub rates: Rates,
    /// Floors that slow.
    pub slowing: Slowing,
    /// Floors that refuse.
    pub refuse_below: RefuseBelow,
}

/// The balance a call of each priority must leave behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct RefuseBelow {
    /// For `low`.
    pub low: Credits,
    /// For `normal`.
    pub normal: Credits,
    /// For `high`.
    pub high: Credits,
}

impl RefuseBelow {
    /// The floor of `priority`; zero where none is set, since the account cannot go below that.
    pub fn of(&self, priority: Priority) -> Credits {
        match priority {
            Priority::Low => self.low,
            Priority::Normal => self.normal,
            Priority::High => self.high,
        }
    }
}

impl Policy {
    /// What `team` wants done with an unbounded search.
    pub fn unbounded(&self, team: &TeamId) -> Unbounded {
        self.unbounded
            .get(team)
            .copied()
            .unwrap_or(Unbounded::Maximum)
    }
}
