//! Stops and lets go on the calls of a team or a key: in force at once, and still after a restart.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::audit::Asker;
use crate::identity::{Pause, Pauses, Whose};
use crate::ids::{KeyId, TeamId};
use crate::ledger::{Change, ChangeKind, Ledger, Reader, Record, StoreError};

/// The note that the pauses in force are kept under.
const NOTE: &str = "pauses";

/// The teams and keys there are.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The teams.
    pub teams: Vec<TeamId>,
    /// The keys.
    pub keys: Vec<KeyId>,
}

/// Who stops and lets go on. Cheap to clone.
#[derive(Clone)]
pub struct Pausing {
    in_force: Arc<ArcSwap<Pauses>>,
    names: Arc<dyn Fn() -> Names + Send + Sync>,
    /// One at a time, so that none is lost.
    turn: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Pausing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Pausing")
            .field("in_force", &self.in_force.load())
            .finish_non_exhaustive()
    }
}

impl Pausing {
    /// Changes what is `in_force`, for the teams and keys that `names` tells.
    pub fn new(
        in_force: Arc<ArcSwap<Pauses>>,
        names: impl Fn() -> Names + Send + Sync + 'static,
    ) -> Self {
        Self {
            in_force,
            names: Arc::new(names),
            turn: Arc::default(),
        }
    }

    /// The pauses that were in force when the ledger was last written.
    ///
    /// # Errors
    /// What the store says, or that what it has is none of ours.
    pub fn kept(reader: &dyn Reader) -> Result<Pauses, StoreError> {
        let Some(text) = reader.note(NOTE)? else {
            return Ok(Pauses::default());
        };
        let damaged = |error| StoreError::Damaged(format!("the note {NOTE:?}: {error}"));
        serde_json::from_str(&text).map_err(damaged)
    }

    pub(super) async fn pause(
        &self,
        ledger: &Ledger,
        whose: Whose,
        by: Asker,
    ) -> Result<String, String> {
        let _turn = self.turn.lock().await;
        self.must_be_there(&whose)?;
        let before = self.in_force.load_full();
        if let Some(pause) = before.get(&whose) {
            return Err(format!(
                "{whose} has been paused since {} by {}: {}",
                pause.at, pause.who, pause.reason
            ));
        }
        let pause = Pause {
            at: by.at,
            who: by.who.clone(),
            reason: by.reason.clone(),
        };
        let after = before.with(whose.clone(), pause);
        let detail = "its new calls are refused; those that are running go on";
        let change = by.change(ChangeKind::Paused, whose.to_string(), detail.to_owned());
        self.put(ledger, after, change).await?;
        Ok(format!("{whose} is paused: {detail}"))
    }

    pub(super) async fn resume(
        &self,
        ledger: &Ledger,
        whose: Whose,
        by: Asker,
    ) -> Result<String, String> {
        let _turn = self.turn.lock().await;
        let before = self.in_force.load_full();
        let Some(pause) = before.get(&whose) else {
            self.must_be_there(&whose)?;
            return Err(format!("{whose} is not paused"));
        };
        let detail = format!(
            "paused since {} by {}: {}",
            pause.at, pause.who, pause.reason
        );
        let change = by.change(ChangeKind::Resumed, whose.to_string(), detail);
        self.put(ledger, before.without(&whose), change).await?;
        Ok(format!("{whose} may call again"))
    }

    /// On disk first: what is in force is in force after a restart too.
    async fn put(&self, ledger: &Ledger, pauses: Pauses, change: Change) -> Result<(), String> {
        let text = serde_json::to_string(&pauses).map_err(|error| error.to_string())?;
        let note = Record::Note {
            name: NOTE.to_owned(),
            value: pauses.iter().next().is_some().then_some(text),
        };
        let kept = ledger.keep(vec![note, Record::Changed(change)]).await;
        kept.map_err(|error| error.to_string())?;
        self.in_force.store(Arc::new(pauses));
        Ok(())
    }

    fn must_be_there(&self, whose: &Whose) -> Result<(), String> {
        let names = (self.names)();
        let (is_there, kind, known) = match whose {
            Whose::Team(team) => (names.teams.contains(team), "team", listed(&names.teams)),
            Whose::Key(key) => (names.keys.contains(key), "key", listed(&names.keys)),
        };
        if is_there {
            return Ok(());
        }
        Err(format!(
            "there is no {whose}; each {kind} there is: {known}"
        ))
    }
}

fn listed<T: ToString>(names: &[T]) -> String {
    let names = names.iter().map(ToString::to_string);
    names.collect::<Vec<_>>().join(", ")
}
