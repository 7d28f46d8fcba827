//! What a run found goes into the ledger: what belongs together in one step, and told once it is kept.

use std::sync::Arc;

use jiff::Timestamp;

use super::judge::Left;
use super::question::Asked;
use super::run::{ReconcileError, Reconciler};
use super::state::State;
use super::summary::Summary;
use super::telemetry;
use super::wording::{self, OURS_ONLY, THEIRS_ONLY};
use crate::ledger::{Finding, HoldId, Record};

/// Records kept in one step, unless more belong together.
const STEP_MAX: usize = 128;

/// How many matches or findings are put into words at a time.
pub(super) const AT_HAND_MAX: usize = 1_024;

/// What belongs together, and is kept all or none: rows, whose they are, what is found of them and what
/// that explains.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) records: Vec<Record>,
    pub(super) closed: Vec<(Arc<str>, &'static str)>,
    pub(super) found: Vec<Finding>,
    /// What was found before and is said in other words now.
    pub(super) again: Vec<Finding>,
}

impl Judged {
    /// One finding and nothing else.
    pub(super) fn found(finding: Finding) -> Self {
        Self {
            found: vec![finding],
            ..Self::default()
        }
    }

    fn len(&self) -> usize {
        self.records.len() + self.closed.len() + self.found.len() + self.again.len()
    }

    /// As records. A finding that is closed and found again is open afterwards.
    fn records(&self, now: Timestamp) -> impl Iterator<Item = Record> {
        let found = self.again.iter().chain(&self.found);
        let found = found.cloned().map(Record::Found);
        let closed = self.closed.iter().map(move |(name, why)| Record::Closed {
            name: Arc::clone(name),
            at: now,
            why: (*why).to_owned(),
        });
        let records = self.records.iter().cloned();
        records.chain(closed).chain(found)
    }
}

impl Reconciler {
    /// Keeps what was found, step by step, and tells of each what is new once it is on disk. A run
    /// that fails here has told what it has kept, and the next finds the rest again.
    pub(super) async fn keep(
        &self,
        state: &mut State,
        judged: Vec<Judged>,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let (mut step, mut in_step) = (Vec::new(), Vec::new());
        for one in judged {
            if !in_step.is_empty() && step.len() + one.len() > STEP_MAX {
                let full = std::mem::take(&mut step);
                self.ledger.keep_together(full).await?;
                state.tell(in_step.drain(..), summary);
            }
            step.extend(one.records(now));
            in_step.push(one);
        }
        if !step.is_empty() {
            self.ledger.keep_together(step).await?;
            state.tell(in_step.drain(..), summary);
        }
        Ok(())
    }

    /// Keeps what a matching left: there may be a million of it, and only some is put into words at a
    /// time.
    pub(super) async fn keep_left(
        &self,
        state: &mut State,
        left: Left,
        asked: &Asked,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        self.take_late(state, left.late, summary).await?;
        self.keep(state, left.differing, summary).await?;
        for places in left.theirs.chunks(AT_HAND_MAX) {
            let rows = places.iter().filter_map(|row| asked.rows.get(*row));
            let theirs = rows.map(|row| Judged::found(wording::theirs_only(row, now)));
            let theirs = theirs.collect();
            self.keep(state, theirs, summary).await?;
        }
        for holds in left.ours.chunks(AT_HAND_MAX) {
            let charge = |hold: &HoldId| Some((*hold, state.open.charges.get(hold)?));
            let charges = holds.iter().filter_map(charge);
            let ours = charges.map(|(hold, charge)| wording::ours_only(hold, charge, now));
            let ours = ours.map(Judged::found).collect();
            self.keep(state, ours, summary).await?;
        }
        Ok(())
    }
}

/// Whether a finding of this name is told of as it is kept: the charge, or the row, that it is about
/// remembers that it was found.
pub(super) fn is_known_of(name: &str) -> bool {
    name.starts_with(OURS_ONLY) || name.starts_with(THEIRS_ONLY)
}

impl State {
    /// Tells what is new among the findings, once each.
    fn tell(&mut self, kept: impl Iterator<Item = Judged>, summary: &mut Summary) {
        for judged in kept {
            for (name, _) in &judged.closed {
                let was_told = is_known_of(name) || self.told.remove(name).is_some();
                summary.closed += usize::from(was_told);
            }
            for finding in &judged.found {
                let name = Arc::clone(&finding.name);
                if is_known_of(&name) || self.told.insert(name, finding.at).is_none() {
                    telemetry::found(finding);
                    summary.add_finding(finding.kind, finding.drift);
                }
            }
        }
    }
}
