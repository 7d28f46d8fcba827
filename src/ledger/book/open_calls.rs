//! The open holds, for whoever looks for what became of them.

use std::sync::Arc;

use ahash::AHashMap;

use crate::ids::BudgetId;
use crate::ledger::request::OpenCall;

use super::Book;

impl Book {
    /// Every hold that has not ended, oldest first.
    pub(in crate::ledger) fn open_calls(&self) -> Vec<OpenCall> {
        let mut budgets: AHashMap<u32, Arc<[BudgetId]>> = AHashMap::new();
        let mut calls = Vec::with_capacity(self.open.len());
        for (hold, call) in &self.open {
            let covering = budgets
                .entry(call.caller)
                .or_insert_with(|| self.covering(call.caller));
            calls.push(OpenCall {
                hold: *hold,
                origin: self.callers.origin(call.caller).clone(),
                quote: call.quote,
                began_at: call.began_at,
                job: call.job.clone(),
                bound_at: call.bound_at,
                doubted_at: call.doubted_at,
                budgets: Arc::clone(covering),
            });
        }
        calls.sort_unstable_by_key(|call| call.hold);
        calls
    }

    fn covering(&self, caller: u32) -> Arc<[BudgetId]> {
        let indexes = self.callers.budgets(caller).iter();
        indexes
            .map(|&index| self.tallies[index as usize].budget.id.clone())
            .collect()
    }
}
