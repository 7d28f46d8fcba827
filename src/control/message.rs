//! What can be asked through the socket, and what is answered.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archiving;
use super::audit::{self, Asker};
use super::pausing::Pausing;
use super::reload::ReloadNow;
use crate::clock::Clock;
use crate::credits::Credits;
use crate::identity::Whose;
use crate::ids::BudgetId;
use crate::ledger::{ChangeKind, Decision, Entry, Grant, Granted, HoldId, Ledger, Resolution};
use crate::reconciliation::{ReconcileNow, Summary};

/// Something that somebody asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Question {
    /// What.
    pub command: Command,
    /// How the asker calls themselves; the kernel's word is added to it.
    pub who: String,
    /// Why. Kept with what is changed.
    #[serde(default)]
    pub reason: String,
}

/// What can be asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Ends a hold that is in doubt, or bound to a job, by a person's decision.
    Resolve {
        /// Which hold, as `report` shows it.
        hold: String,
        /// What was charged; without it the hold is released.
        charge: Option<Credits>,
    },
    /// Gives a budget more room in its present window, or takes back what it was given.
    Grant {
        /// Which budget.
        budget: BudgetId,
        /// How much; below zero takes back.
        amount: Credits,
    },
    /// Refuses the new calls of a team or a key.
    Pause {
        /// Whose.
        whose: Whose,
    },
    /// Lets them go on.
    Resume {
        /// Whose.
        whose: Whose,
    },
    /// Reads the settings again.
    Reload {},
    /// Holds the books against the account's list, now.
    Reconcile {},
    /// Has the entries of an archive, which is written, removed from the ledger.
    Archive {
        /// Where it is.
        file: PathBuf,
    },
}

/// The parts of a running guard that commands are for.
#[derive(Clone, Debug)]
pub struct Running {
    /// The books.
    pub ledger: Ledger,
    /// Where their file is.
    pub path: PathBuf,
    /// What changes are dated by.
    pub clock: Clock,
    /// Who may make no calls.
    pub pausing: Pausing,
    /// Reads the settings again; `None` where no guard runs.
    pub reload: Option<ReloadNow>,
    /// Reconciles out of turn; `None` if the settings want no reconciliation.
    pub reconcile: Option<ReconcileNow>,
    /// Who hears how far a long command is.
    pub hear: HearProgress,
}

/// Hears how far a long command is: what is being done, how much of it is, and of how much.
#[derive(Clone)]
pub struct HearProgress(Arc<dyn Fn(&'static str, i64, i64) + Send + Sync>);

impl HearProgress {
    /// Calls `hear`.
    pub fn new(hear: impl Fn(&'static str, i64, i64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// Nobody hears it.
    pub fn nobody() -> Self {
        Self::new(|_, _, _| {})
    }

    pub(super) fn tell(&self, what: &'static str, done: i64, all: i64) {
        (self.0)(what, done, all);
    }
}

impl fmt::Debug for HearProgress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("HearProgress")
    }
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

impl Question {
    /// Does what is asked, in the name of `peer`.
    pub async fn answer(self, running: &Running, peer: &str) -> Reply {
        let Running {
            ledger,
            clock,
            pausing,
            reload,
            reconcile,
            ..
        } = running;
        let by = Asker {
            at: clock.now(),
            who: format!("{} ({peer})", self.who),
            reason: self.reason.trim().to_owned(),
        };
        if self.command.needs_a_reason() && by.reason.is_empty() {
            return Reply::Refused("a reason is needed: what is changed is kept for ever".into());
        }
        let done = match self.command {
            Command::Resolve { hold, charge } => resolve(ledger, &hold, charge, by).await,
            Command::Grant { budget, amount } => grant(ledger, budget, amount, by).await,
            Command::Pause { whose } => pausing.pause(ledger, whose, by).await,
            Command::Resume { whose } => pausing.resume(ledger, whose, by).await,
            Command::Reload {} => match reload {
                Some(reload) => reload.reload(by).await,
                None => Err("no guard is running on this ledger".into()),
            },
            Command::Reconcile {} => return reconciled(reconcile.as_ref()).await,
            Command::Archive { file } => archiving::archive(running, file, by).await,
        };
        match done {
            Ok(what) => Reply::Done(what),
            Err(why) => Reply::Refused(why),
        }
    }
}

impl Command {
    fn needs_a_reason(&self) -> bool {
        !matches!(
            self,
            Self::Reload {} | Self::Reconcile {} | Self::Archive { .. }
        )
    }
}

async fn reconciled(reconcile: Option<&ReconcileNow>) -> Reply {
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
    by: Asker,
) -> Result<String, String> {
    let Ok(hold) = hold.parse::<HoldId>() else {
        return Err(format!(
            "{hold:?} is no hold; `report` lists them by number"
        ));
    };
    let resolution = Resolution {
        decision: charge.map_or(Decision::Release, Decision::Settle),
        who: by.who.clone(),
        reason: by.reason.clone(),
    };
    let entry = ledger.resolve(hold, resolution).await;
    let words = resolved(&entry.map_err(|error| error.to_string())?);
    let change = by.change(ChangeKind::Resolved, format!("hold {hold}"), words.clone());
    Ok(words + &audit::keep(ledger, change).await)
}

fn resolved(entry: &Entry) -> String {
    format!(
        "hold {} of team {} ({}) is {} at {}",
        entry.hold,
        entry.team,
        entry.operation,
        entry.kind,
        entry.amount.counted()
    )
}

async fn grant(
    ledger: &Ledger,
    budget: BudgetId,
    amount: Credits,
    by: Asker,
) -> Result<String, String> {
    let grant = Grant {
        budget,
        amount,
        who: by.who.clone(),
        reason: by.reason.clone(),
    };
    let granted = ledger.grant(grant).await;
    let Granted { entry, status } = granted.map_err(|error| error.to_string())?;
    let budget = &status.id;
    let until = match status.window.end {
        Some(end) => format!(" until {end}"),
        None => String::new(),
    };
    let words = format!(
        "budget {budget} is granted {}: {} on top of its limit of {}{until}, {} left",
        amount.counted(),
        status.granted,
        status.limit,
        status.headroom()
    );
    let by = Asker {
        at: entry.recorded_at, // As the ledger dates it, so that both are found together.
        ..by
    };
    let mut change = by.change(
        ChangeKind::Granted,
        format!("budget {budget}"),
        words.clone(),
    );
    change.name = format!("{}-{}", change.name, entry.seq).into();
    Ok(words + &audit::keep(ledger, change).await)
}
