//! Teams, and the client that a request turns out to be.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::ids::{KeyId, OperationName, TeamId};

/// How late a team is slowed or refused when the account runs low: floors are set per priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// The first to be slowed or refused.
    Low,
    /// What a team has that says nothing.
    #[default]
    Normal,
    /// The last to be refused.
    High,
}

impl Priority {
    /// All of them, lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The word used in settings, logs and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// What a team sees where the account's own pages show every team together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountView {
    /// Its own books, in the shape of those pages, with any of its keys.
    #[default]
    Own,
    /// The account's pages as they are, with a key that may see the account.
    Account,
}

impl AccountView {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Own, Self::Account];

    /// The word used in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Account => "account",
        }
    }
}

/// Who pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its permanent id; entries are written under it.
    pub id: TeamId,
    /// When it is slowed or refused as the account runs low.
    pub priority: Priority,
    /// Whether it may spend where no budget covers it. Said aloud in the settings, never assumed.
    pub unlimited: bool,
}

/// What one request is: the key its secret belongs to, and the team that pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Who pays.
    pub team: Arc<Team>,
    /// The public name of the secret.
    pub key: KeyId,
    /// Whether it may read the account's own endpoints, which show what everybody spends.
    pub account: bool,
    /// The operations it may use; `None` is every operation that is not denied to all.
    pub operations: Option<BTreeSet<OperationName>>,
}

impl Client {
    /// Whether this client may use `operation`.
    pub fn may_use(&self, operation: &OperationName) -> bool {
        self.operations
            .as_ref()
            .is_none_or(|allowed| allowed.contains(operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_rise_from_low_to_high() {
        assert!(Priority::ALL.is_sorted());
        assert!(Priority::Low < Priority::Normal && Priority::Normal < Priority::High);
    }

    #[test]
    fn a_client_without_a_list_may_use_everything_and_with_one_only_what_it_names() {
        let team = Arc::new(Team {
            id: "growth".into(),
            priority: Priority::Normal,
            unlimited: false,
        });
        let mut client = Client {
            team,
            key: "growth-crm".into(),
            account: false,
            operations: None,
        };
        assert!(client.may_use(&"email_find".into()));
        client.operations = Some(BTreeSet::from(["email_find".into()]));
        assert!(client.may_use(&"email_find".into()));
        assert!(!client.may_use(&"phone_find".into()));
    }
}
