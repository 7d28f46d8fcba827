//! The rules in force for calls: who may call, at what rates, above which floors.
//!
//! One value, built from the settings and swapped whole; a call keeps the one it met at its
//! start. Budgets are not here: they belong to the ledger, which decides them in one place.

use std::collections::HashMap;
use std::sync::Arc;

use super::rates::Rates;
use super::slowing::Slowing;
use crate::catalogue::{Catalogue, Prices, Unbounded};
use crate::credits::Credits;
use crate::identity::{AccountView, Directory, Priority};
use crate::ids::TeamId;

/// See the module. Cheap to clone, so that one rule can be changed and the others, with the counts
/// they keep, stay.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Digest of a secret → client.
    pub directory: Arc<Directory>,
    /// What the upstream can be asked to do.
    pub catalogue: Arc<Catalogue>,
    /// What one unit of each operation takes, and what legacy amounts mean.
    pub prices: Arc<Prices>,
    /// What is set for each team.
    pub teams: Arc<HashMap<TeamId, TeamRules>>,
    /// Rates of teams, keys and operations.
    pub rates: Arc<Rates>,
    /// Floors that slow.
    pub slowing: Arc<Slowing>,
    /// Floors that refuse.
    pub refuse_below: RefuseBelow,
    /// Floors that would refuse, were they not in shadow.
    pub shadow_floors: Arc<[ShadowFloor]>,
}

/// What is set for one team.
#[derive(Clone, Debug)]
pub struct TeamRules {
    /// What people call it.
    pub name: String,
    /// What to do with its searches that name no bound.
    pub unbounded: Unbounded,
    /// What it sees where the account's pages show every team together.
    pub account_view: AccountView,
    /// How many percent of a budget that covers a call must be used before the call is sent to the
    /// database in the place of a realtime one; `None`: it never is.
    pub database_beyond: Option<u32>,
}

/// A floor that refuses nobody and says whom it would have.
#[derive(Clone, Debug)]
pub struct ShadowFloor {
    /// What people call it: its place in the settings.
    pub name: Arc<str>,
    /// Whom it would refuse.
    pub priority: Priority,
    /// The balance a call would have to leave behind.
    pub below: Credits,
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
        self.teams
            .get(team)
            .map_or(Unbounded::Maximum, |rules| rules.unbounded)
    }

    /// From which share of its budgets on, in percent, `team` wants the database.
    pub fn database_beyond(&self, team: &TeamId) -> Option<u32> {
        self.teams.get(team)?.database_beyond
    }

    /// What `team` sees of the account.
    pub fn account_view(&self, team: &TeamId) -> AccountView {
        self.teams
            .get(team)
            .map_or(AccountView::Own, |rules| rules.account_view)
    }

    /// The floor in shadow for `priority`, if there is one.
    pub fn shadow_floor(&self, priority: Priority) -> Option<&ShadowFloor> {
        let mut floors = self.shadow_floors.iter();
        floors.find(|floor| floor.priority == priority)
    }

    /// What people call `team`.
    pub fn team_name<'a>(&'a self, team: &'a TeamId) -> &'a str {
        self.teams
            .get(team)
            .map_or(team.as_str(), |rules| rules.name.as_str())
    }
}
