//! Rows that were given to the nearest doubt, for nothing decided whose they were. They may have been another's:
//! the list's silence about that one is no certainty then, and a person is told of it too.
//!
//! The other is released later than the first has its row: its day is over later, or the process died between
//! the two.

use std::collections::btree_map::Range;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::ending::ALLOCATED_NAME;
use super::kinds::Kinds;
use super::matching::Doubt;
use super::run::{ReconcileError, Reconciler};
use super::state::State;
use crate::ledger::{HoldId, MatchedBy, StoreError};
use crate::transaction::{Transaction, TransactionId};

/// See the module. Times are by our clock.
pub(super) struct Given(Vec<Transaction>);

impl Given {
    /// The first of them that may be this doubt's.
    pub(super) fn may_be(&self, doubt: &Doubt, kinds: Kinds) -> Option<&TransactionId> {
        let mut rows = self.0.iter();
        let its = rows.find(|row| {
            (doubt.from..=doubt.to).contains(&row.at)
                && row.taken() <= doubt.most
                && kinds.may_be(&row.kind, &doubt.operation)
        });
        its.map(|row| &row.id)
    }
}

impl Reconciler {
    /// What was given and is not explained.
    pub(super) async fn given(&self, state: &State) -> Result<Given, ReconcileError> {
        let from = (Bound::Included(ALLOCATED_NAME), Bound::Unbounded);
        let named: Range<'_, Arc<str>, Timestamp> = state.told.range::<str, _>(from);
        let holds = named.map_while(|(name, _)| name.strip_prefix(ALLOCATED_NAME));
        let holds: Vec<HoldId> = holds.filter_map(|hold| hold.parse().ok()).collect();
        if holds.is_empty() {
            return Ok(Given(Vec::new()));
        }
        let open_reader = self.settings.open_reader.clone();
        let read = move || {
            let reader = open_reader.open()?;
            let mut rows = Vec::new();
            for hold in holds {
                let matches = reader.matches_of(hold)?.into_iter();
                for given in matches.filter(|one| one.how == MatchedBy::Allocated) {
                    rows.extend(reader.transaction(&given.transaction)?);
                }
            }
            Ok::<_, StoreError>(rows)
        };
        let mut rows = spawn_blocking(read).await??;
        for row in &mut rows {
            row.at = state.by_our_clock(row.at);
        }
        Ok(Given(rows))
    }
}
