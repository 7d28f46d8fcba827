//! What is set aside, and when it is read again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;

use super::aside::{IsIn, PAGE, Page, Place};
use super::keeping::Judged;
use super::open::{Open, OpenCharge};
use super::run::{ReconcileError, Reconciler};
use super::state::State;
use super::summary::Summary;
use super::wording;
use crate::credits::Credits;
use crate::ledger::store::Reader;
use crate::ledger::{Entry, EntryKind, Finding, FindingKind, HoldId, StoreError};
use crate::transaction::TransactionStatus;

/// Findings read at a time.
const FINDINGS: usize = 1_000;
/// Pages read at a time.
const PAGES: usize = 16;
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// The moments of the rows that belong to no call, by our clock, in microseconds and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct RowTimes {
    all: Vec<i64>,
    /// Of those that were not there when charges were set aside.
    new: Vec<i64>,
}

/// Whether matching would see one of them inside.
fn has_inside(times: &[i64], from: Timestamp, to: Timestamp) -> bool {
    let first = times.partition_point(|at| *at < from.as_microsecond());
    times
        .get(first)
        .is_some_and(|at| *at <= to.as_microsecond())
}

impl Open {
    /// When the open rows were written by our clock. `skew`: how far the account's is ahead.
    pub(super) fn row_times(&self, skew: SignedDuration) -> RowTimes {
        let takes = self.rows.values().filter(|open| {
            let row = &open.row;
            row.status != TransactionStatus::Error && row.charge() > Credits::ZERO
        });
        let at = |at: Timestamp| at.checked_sub(skew).unwrap_or(at).as_microsecond();
        let moved = self.set_aside_by != skew;
        let (mut all, mut new) = (Vec::new(), Vec::new());
        for open in takes {
            all.push(at(open.row.at));
            if open.is_new || moved {
                new.push(at(open.row.at));
            }
        }
        all.sort_unstable();
        new.sort_unstable();
        RowTimes { all, new }
    }

    /// Sets aside what no row is near, if more charges are open than are kept. It is looked at again
    /// when they have doubled.
    pub(super) fn set_aside(&mut self, rows: &RowTimes) {
        if self.charges.len() <= self.kept_max.max(self.left_open.saturating_mul(2)) {
            return;
        }
        let (times, aside, submits) = (self.times, &mut self.aside, &self.submits);
        self.charges.retain(|hold, charge| {
            let from = times.from(charge.began_at);
            // A bound call of another operation would not be known for a job again.
            let is_told = charge.is_job == submits.contains(&charge.operation);
            let stays = !is_told || has_inside(&rows.all, from, charge.to(times));
            if !stays {
                aside.put(*hold, charge, times);
            }
            stays
        });
        self.left_open = self.charges.len();
    }

    /// The same at the end of a run, whatever was left before.
    pub(super) fn set_aside_at_last(&mut self, skew: SignedDuration) {
        self.left_open = 0;
        if self.charges.len() > self.kept_max {
            self.set_aside(&self.row_times(skew));
        }
    }

    /// Sets aside what was found before a start: the rows are looked at afterwards.
    pub(super) fn set_found_aside(&mut self) {
        if self.charges.len() > self.kept_max {
            for (hold, charge) in std::mem::take(&mut self.charges) {
                self.aside.put(hold, &charge, self.times);
            }
        }
    }

    /// Reads the charges again that new rows are near.
    pub(super) fn read_aside(
        &mut self,
        reader: &dyn Reader,
        rows: &RowTimes,
        skew: SignedDuration,
    ) -> Result<(), StoreError> {
        let is_near = |from, to| has_inside(&rows.new, from, to);
        for place in self.aside.near(is_near) {
            for (hold, charge) in self.take_page(reader, place)? {
                let from = self.times.from(charge.began_at);
                if has_inside(&rows.all, from, charge.to(self.times)) {
                    self.charges.insert(hold, charge);
                } else {
                    self.aside.put(hold, &charge, self.times);
                }
            }
        }
        self.set_aside_by = skew;
        for open in self.rows.values_mut() {
            open.is_new = false;
        }
        Ok(())
    }

    /// Takes the charges of a page out, as the ledger has them.
    fn take_page(
        &mut self,
        reader: &dyn Reader,
        place: Place,
    ) -> Result<Vec<(HoldId, OpenCharge)>, StoreError> {
        let Some(page) = self.aside.take(place) else {
            return Ok(Vec::new());
        };
        match place.is_in {
            IsIn::Entries => {
                let first = place.number.saturating_mul(PAGE);
                let limit = usize::try_from(PAGE).unwrap_or(usize::MAX);
                let entries = reader.entries(first - 1, limit)?.into_iter();
                let inside = entries.filter(|entry| entry.seq - first < PAGE);
                Ok(inside
                    .filter(|entry| page.has(entry.seq) && entry.kind == EntryKind::Settled)
                    .map(|entry| (entry.hold, self.charge_of(&entry, &page)))
                    .collect())
            }
            IsIn::Findings => self.found_of(reader, place, &page),
        }
    }

    fn charge_of(&self, entry: &Entry, page: &Page) -> OpenCharge {
        let is_job = self.submits.contains(&entry.operation);
        OpenCharge {
            is_found: page.is_found(entry.seq),
            ..OpenCharge::of(entry, is_job)
        }
    }

    fn found_of(
        &self,
        reader: &dyn Reader,
        place: Place,
        page: &Page,
    ) -> Result<Vec<(HoldId, OpenCharge)>, StoreError> {
        let (first, last) = page.began;
        let end = last.checked_add(MICROSECOND).unwrap_or(Timestamp::MAX);
        let mut charges = Vec::new();
        let mut after: Option<(Timestamp, Arc<str>)> = None;
        loop {
            let last = after.as_ref().map(|(at, name)| (*at, name.as_ref()));
            let found = reader.findings(first, end, true, last, FINDINGS)?;
            let Some(last) = found.last() else {
                return Ok(charges);
            };
            after = Some((last.finding.at, Arc::clone(&last.finding.name)));
            let found = found.iter().map(|kept| &kept.finding);
            charges.extend(found.filter_map(|found| self.found_charge(found)).filter(
                |(hold, _)| {
                    let is_there = hold.get().div_euclid(PAGE) == place.number;
                    is_there && page.has(hold.get())
                },
            ));
        }
    }

    /// A charge as it is known from what was found of it.
    pub(super) fn found_charge(&self, found: &Finding) -> Option<(HoldId, OpenCharge)> {
        if found.kind != FindingKind::OursOnly {
            return None;
        }
        let hold = found.hold?;
        let (team, operation) = found.team.clone().zip(found.operation.clone())?;
        let charge = OpenCharge {
            team,
            key: None,
            amount: Credits::ZERO.saturating_sub(found.drift),
            began_at: found.at,
            ended_at: found.found_at,
            settled_by: None,
            is_answered: false,
            by_operator: false,
            is_job: self.is_job(hold, &operation),
            is_found: true,
            operation,
        };
        Some((hold, charge))
    }
}

impl Reconciler {
    /// Finds what was set aside and can have no row any more, some pages at a time.
    pub(super) async fn judge_aside(
        &self,
        state: &mut State,
        complete_until: Timestamp,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        for places in state.open.aside.due(complete_until).chunks(PAGES) {
            let (open_reader, places) = (self.settings.open_reader.clone(), places.to_vec());
            let mut open = std::mem::take(&mut state.open);
            let read = move || {
                let reader = open_reader.open()?;
                let mut charges = Vec::new();
                for place in places {
                    charges.extend(open.take_page(&*reader, place)?);
                }
                Ok::<_, StoreError>((open, charges))
            };
            let (open, charges) = spawn_blocking(read).await??;
            state.open = open;
            let mut judged = Vec::new();
            for (hold, mut charge) in charges {
                let is_over = charge.to(state.open.times) <= complete_until;
                if is_over && !charge.is_found {
                    charge.is_found = true;
                    judged.push(Judged::found(wording::ours_only(hold, &charge, now)));
                }
                let times = state.open.times;
                state.open.aside.put(hold, &charge, times);
            }
            self.keep(state, judged, summary).await?;
        }
        Ok(())
    }
}
