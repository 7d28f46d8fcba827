//! What can be asked through the socket, and what is answered.

use serde::{Deserialize, Serialize};

use crate::credits::Credits;
use crate::ledger::{Decision, Entry, HoldId, Ledger, Resolution};
use crate::reconciliation::{ReconcileNow, Summary};

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
    /// Holds the books against the account's list, now.
    Reconcile {},
}

/// The parts of a running guard that commands are for.
#[derive(Clone, Debug)]
pub struct Running {
    /// The books.
    pub ledger: Ledger,
    /// Reconciles out of turn; `None` if the settings want no reconciliation.
    pub reconcile: Option<ReconcileNow>,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done and on disk; in words.
    Done(String),
    /// The books were held against the account's list; what that did.
    Reconciled(Box<Summary>),
    /// Not done; why.
    Refused(String),
}

impl Command {
    /// Does what is asked, in the name of `peer`.
    pub async fn run(self, running: &Running, peer: &str) -> Reply {
        match self {
            Self::Resolve {
                hold,
                charge,
                reason,
                who,
            } => {
                let who = format!("{who} ({peer})");
                resolve(&running.ledger, &hold, charge, reason, who).await
            }
            Self::Reconcile {} => reconcile(running.reconcile.as_ref()).await,
        }
    }
}

async fn reconcile(reconcile: Option<&ReconcileNow>) -> Reply {
    let Some(reconcile) = reconcile else {
        return Reply::Refused(
            "reconciliation.source is \"none\": name the list to read, \"v1\" or \"legacy\"".into(),
        );
    };
    match reconcile.run().await {
        Ok(summary) => Reply::Reconciled(Box::new(summary)),
        Err(why) => Reply::Refused(why),
    }
}

async fn resolve(
    ledger: &Ledger,
    hold: &str,
    charge: Option<Credits>,
    reason: String,
    who: String,
) -> Reply {
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
        who,
        reason,
    };
    match ledger.resolve(hold, resolution).await {
        Ok(entry) => Reply::Done(words(&entry)),
        Err(error) => Reply::Refused(error.to_string()),
    }
}

fn words(entry: &Entry) -> String {
    format!(
        "hold {} of team {} ({}) is {} at {} credits",
        entry.hold, entry.team, entry.operation, entry.kind, entry.amount
    )
}
