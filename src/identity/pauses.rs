//! Who may make no calls for now.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Client;
use crate::ids::{KeyId, TeamId};

/// Who stopped somebody's calls, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// A team or a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// All keys of this team.
    Team(TeamId),
    /// This key alone.
    Key(KeyId),
}

impl fmt::Display for Whose {
    /// `team growth`, `key growth-crm`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Team(team) => write!(out, "team {team}"),
            Self::Key(key) => write!(out, "key {key}"),
        }
    }
}

/// Every pause in force. Never changed in place, like the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pauses(Vec<(Whose, Pause)>);

impl Pauses {
    /// What stops this client, its team's pause first.
    pub fn of(&self, client: &Client) -> Option<&(Whose, Pause)> {
        let stops = |whose: &Whose| match whose {
            Whose::Team(team) => *team == client.team.id,
            Whose::Key(key) => *key == client.key,
        };
        // There are few of them, and mostly none.
        self.0.iter().find(|(whose, _)| stops(whose))
    }

    /// The pause of this team or key itself.
    pub fn get(&self, whose: &Whose) -> Option<&Pause> {
        let mut pauses = self.0.iter();
        pauses
            .find(|(other, _)| other == whose)
            .map(|(_, pause)| pause)
    }

    /// These and one more, in the place of an earlier one of the same team or key.
    pub fn with(&self, whose: Whose, pause: Pause) -> Self {
        let mut all: BTreeMap<_, _> = self.0.iter().cloned().collect();
        all.insert(whose, pause);
        Self(all.into_iter().collect())
    }

    /// These without that of one team or key.
    pub fn without(&self, whose: &Whose) -> Self {
        let others = self.0.iter().filter(|(other, _)| other != whose);
        Self(others.cloned().collect())
    }

    /// All of them: teams, then keys.
    pub fn iter(&self) -> impl Iterator<Item = &(Whose, Pause)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identity::{Priority, Team};

    fn client(team: &str, key: &str) -> Client {
        Client {
            team: Arc::new(Team {
                id: team.into(),
                priority: Priority::Normal,
                unlimited: false,
            }),
            key: key.into(),
            account: false,
            operations: None,
        }
    }

    fn pause(reason: &str) -> Pause {
        Pause {
            at: Timestamp::UNIX_EPOCH,
            who: "ann".into(),
            reason: reason.into(),
        }
    }

    #[test]
    fn a_team_is_paused_with_all_its_keys_and_a_key_alone() {
        let pauses = Pauses::default()
            .with(Whose::Key("crm".into()), pause("leaked"))
            .with(Whose::Team("growth".into()), pause("overspent"));
        let why = |team, key| {
            pauses
                .of(&client(team, key))
                .map(|(_, pause)| &*pause.reason)
        };
        assert_eq!(why("growth", "forms"), Some("overspent"));
        assert_eq!(why("growth", "crm"), Some("overspent"), "the team's first");
        assert_eq!(why("sales", "crm"), Some("leaked"));
        assert_eq!(
            why("sales", "growth"),
            None,
            "a team and a key of one name are two things"
        );
        let team = Whose::Team("growth".into());
        assert_eq!(pauses.without(&team).of(&client("growth", "forms")), None);
        assert_eq!(pauses.without(&team).iter().count(), 1);
    }

    #[test]
    fn pauses_are_read_as_they_were_written() {
        let pauses = Pauses::default()
            .with(Whose::Team("growth".into()), pause("a"))
            .with(Whose::Key("crm".into()), pause("b \"quoted\""));
        let text = serde_json::to_string(&pauses).unwrap();
        assert_eq!(serde_json::from_str::<Pauses>(&text).unwrap(), pauses);
    }
}
