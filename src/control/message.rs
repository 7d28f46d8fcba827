//! What can be asked through the socket, and what is answered.

use serde::{Deserialize, Serialize};

use crate::credits::Credits;
use crate::ledger::{Decision, Entry, HoldId, Resolution};

/// A change that somebody asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Ends a hold that is in doubt, or bound to a job, by a person's decision.
    Resolve {
        /// Which hold, as `report` shows it.
        hold: String,
        /// What was charged; without it the hold is released.
        charge: Option<Credits>,
        /// Why this is known.
        reason: String,
        /// How the asker calls themselves; the kernel's word is added to it.
        who: String,
    },
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done and on disk; in words.
    Done(String),
    /// Not done; why.
    Refused(String),
}

impl Command {
    /// Does what is asked with these books, in the name of `peer`.
    pub async fn run(self, ledger: &crate::ledger::Ledger, peer: &str) -> Reply {
        let Self::Resolve {
            hold,
            charge,
            reason,
            who,
        } = self;
        let Ok(hold) = hold.parse::<HoldId>() else {
            return Reply::Refused(format!(
                "{hold:?} is no hold; `report` lists them by number"
            ));
        };
        if reason.trim().is_empty() {
            return Reply::Refused("a reason is needed: the entry is kept for ever".into());
        }
        let resolution = Resolution {
            decision: charge.map_or(Decision::Release, Decision::Settle),
            who: format!("{who} ({peer})"),
            reason,
        };
        match ledger.resolve(hold, resolution).await {
            Ok(entry) => Reply::Done(words(&entry)),
            Err(error) => Reply::Refused(error.to_string()),
        }
    }
}

fn words(entry: &Entry) -> String {
    format!(
        "hold {} of team {} ({}) is {} at {} credits",
        entry.hold, entry.team, entry.operation, entry.kind, entry.amount
    )
}
