//! Which budgets cover whom, worked out once per combination of team, key and operation, so that
//! hundreds of budgets weigh on a call no more than the few that cover it.

use std::collections::BTreeSet;

use ahash::AHashMap;

use crate::ids::OperationName;
use crate::ledger::budget::{Budget, Filter};
use crate::ledger::entry::Origin;

/// Every combination seen. Their number is bounded by the keys and operations configured.
#[derive(Debug, Default)]
pub(super) struct Callers {
    job_operations: BTreeSet<OperationName>,
    filters: Vec<Filter>,
    places: AHashMap<Origin, u32>,
    known: Vec<Caller>,
}

#[derive(Debug)]
struct Caller {
    origin: Origin,
    /// Whether the upstream takes its calls as jobs.
    begins_jobs: bool,
    /// Indexes of the budgets that cover it, in the order they were configured.
    budgets: Box<[u32]>,
}

impl Callers {
    /// Nobody yet; `job_operations` are those that the upstream takes as jobs.
    pub(super) fn new(job_operations: BTreeSet<OperationName>) -> Self {
        Self {
            job_operations,
            ..Self::default()
        }
    }

    /// Replaces the budgets. Places that were given stay.
    pub(super) fn set_budgets(&mut self, budgets: &[Budget]) {
        self.filters = budgets.iter().map(|budget| budget.filter.clone()).collect();
        for caller in &mut self.known {
            caller.budgets = covering(&self.filters, &caller.origin);
        }
    }

    /// The place of a combination; a new one gets the next.
    pub(super) fn find(&mut self, origin: &Origin) -> u32 {
        if let Some(place) = self.places.get(origin) {
            return *place;
        }
        let place = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.places.insert(origin.clone(), place);
        self.known.push(Caller {
            begins_jobs: self.job_operations.contains(&origin.operation),
            origin: origin.clone(),
            budgets: covering(&self.filters, origin),
        });
        place
    }

    /// Indexes of the budgets that cover it.
    pub(super) fn budgets(&self, caller: u32) -> &[u32] {
        &self.known[caller as usize].budgets
    }

    /// Whether the upstream takes its calls as jobs.
    pub(super) fn begins_jobs(&self, caller: u32) -> bool {
        self.known[caller as usize].begins_jobs
    }

    pub(super) fn origin(&self, caller: u32) -> &Origin {
        &self.known[caller as usize].origin
    }
}

fn covering(filters: &[Filter], origin: &Origin) -> Box<[u32]> {
    (0..)
        .zip(filters)
        .filter(|(_, filter)| filter.covers(&origin.team, &origin.key, &origin.operation))
        .map(|(index, _)| index)
        .collect()
}
