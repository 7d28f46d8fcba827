//! Doubts that were ended by nearness, for nothing decided about them. Matching is told of them: what is decided
//! later may be another way round, and a person is told of that too.
//!
//! It is decided later because a day is over later, or the process died between the two.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::ending::ALLOCATED_NAME;
use super::matching::Allocated;
use super::open::Open;
use super::run::{ReconcileError, Reconciler};
use super::state::State;
use crate::ledger::store::Reader;
use crate::ledger::{HoldId, MatchedBy, StoreError};

/// By the hold, as it was when it was asked for first: nothing, if the ledger does not have it any more.
pub(super) type AllocatedKept = BTreeMap<HoldId, Option<Allocated>>;

impl Reconciler {
    /// Those whose finding is open, by our clock.
    pub(super) async fn allocated(
        &self,
        state: &mut State,
    ) -> Result<Vec<Allocated>, ReconcileError> {
        let from = (Bound::Included(ALLOCATED_NAME), Bound::Unbounded);
        let named: Range<'_, Arc<str>, Timestamp> = state.told.range::<str, _>(from);
        let holds = named.map_while(|(name, _)| name.strip_prefix(ALLOCATED_NAME));
        let mut before = std::mem::take(&mut state.allocated);
        let (mut all, mut unread) = (AllocatedKept::new(), Vec::new());
        for hold in holds.filter_map(|hold| hold.parse().ok()) {
            match before.remove(&hold) {
                Some(kept) => drop(all.insert(hold, kept)),
                None => unread.push(hold),
            }
        }
        if !unread.is_empty() {
            let open_reader = self.settings.open_reader.clone();
            let open = std::mem::take(&mut state.open);
            let read = move || {
                let reader = open_reader.open()?;
                for hold in unread {
                    all.insert(hold, open.allocated(hold, &*reader)?);
                }
                Ok::<_, StoreError>((open, all))
            };
            (state.open, all) = spawn_blocking(read).await??;
        }
        state.allocated = all;
        let mut all: Vec<_> = state.allocated.values().flatten().cloned().collect();
        for row in all.iter_mut().flat_map(|one| &mut one.rows) {
            row.at = state.by_our_clock(row.at);
        }
        Ok(all)
    }
}

impl Open {
    fn allocated(
        &self,
        hold: HoldId,
        reader: &dyn Reader,
    ) -> Result<Option<Allocated>, StoreError> {
        let held = reader.entries(hold.get() - 1, 1)?.pop();
        let held = held.filter(|held| held.hold == hold);
        let Some((held, ended)) = held.zip(reader.ending_of(hold)?) else {
            return Ok(None);
        };
        let is_job = self.is_job(hold, &held.operation);
        let mut rows = Vec::new();
        let matches = reader.matches_of(hold)?.into_iter();
        for one in matches.filter(|one| one.how == MatchedBy::Allocated) {
            rows.extend(reader.transaction(&one.transaction)?);
        }
        Ok(Some(Allocated {
            hold,
            most: held.amount,
            from: self.times.from(held.began_at),
            to: (self.times).to(held.began_at, is_job.then_some(ended.recorded_at)),
            operation: held.operation,
            rows,
        }))
    }
}
