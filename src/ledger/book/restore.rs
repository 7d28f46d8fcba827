//! The books as a store tells them: at the start, after a change of budgets, and beside a running
//! guard. The same code for all three, and the same tallies as the live ones.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::{JobId, OperationName, TeamId};
use crate::ledger::budget::{Budget, BudgetStatus};
use crate::ledger::entry::{HoldId, Origin};
use crate::ledger::request::Settings;
use crate::ledger::store::{OpenHold, Reader, StoreError};
use crate::ledger::window::{
    QUARTER_MICROS, RollingSteps, WindowRule, at_micros, quarter_of, quarter_start,
};

use super::callers::Callers;
use super::tally::{Amounts, Tally};
use super::{Book, HeldCall, KnownJob};

impl Book {
    /// The books at `now`, or at the time of the last entry if that is later.
    pub(in crate::ledger) fn restore(
        reader: &dyn Reader,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let last = reader.tail()?.recorded_at.unwrap_or(Timestamp::MIN);
        let mut book = Self::new(settings, now.max(last));
        book.clock = now;
        count_recorded(reader, &mut book.tallies, &mut book.callers, book.now)?;
        for (second, micros) in reader.recorded_seconds(book.account.matters_from(now))? {
            let recorded_at = at_micros(second.saturating_mul(1_000_000));
            book.account
                .charge(recorded_at, i128::from(micros.micros()));
        }
        let mut open = reader.open_holds()?;
        // Repeats want to hear of doubts in their order.
        open.sort_by_key(|hold| (hold.doubted_at, hold.hold));
        for hold in open {
            book.take_up(hold);
        }
        for entry in reader.bound(book.jobs_known_from())? {
            if let Some(job) = entry.job.clone() {
                let known = KnownJob {
                    hold: entry.hold,
                    began_at: entry.began_at,
                    caller: book.callers.find(&entry.origin()),
                };
                book.jobs.insert(job, known);
            }
        }
        Ok(book)
    }

    fn take_up(&mut self, open: OpenHold) {
        let call = HeldCall {
            caller: self.callers.find(&open.origin),
            quote: open.quote,
            began_at: open.began_at,
            fingerprint: open.fingerprint,
            job: open.job,
            bound_at: open.bound_at,
            doubted_at: open.doubted_at,
        };
        self.begin(open.hold, call);
    }

    /// Replaces the budgets. One that counts the same calls over the same windows goes on counting,
    /// whatever its limit is now; the others are counted anew from the store and the open holds.
    pub(in crate::ledger) fn set_budgets(
        &mut self,
        reader: &dyn Reader,
        budgets: Vec<Budget>,
    ) -> Result<(), StoreError> {
        let goes_on = |budget: &Budget| {
            let mut tallies = self.tallies.iter();
            tallies.find(|tally| tally.counts_for(budget))
        };
        let new = budgets.iter().filter(|budget| goes_on(budget).is_none());
        let new = new.cloned().collect::<Vec<_>>();
        let mut counted = self.count_anew(reader, &new)?.into_iter();
        let tallies = budgets.iter().filter_map(|budget| match goes_on(budget) {
            Some(tally) => Some(tally.under(budget)),
            None => counted.next(), // In their order, and as many.
        });
        // From here on nothing can fail.
        self.tallies = tallies.collect();
        self.callers.set_budgets(&budgets);
        Ok(())
    }

    /// The counts of budgets that there were none of until now.
    fn count_anew(
        &self,
        reader: &dyn Reader,
        budgets: &[Budget],
    ) -> Result<Vec<Tally>, StoreError> {
        let mut tallies = budgets
            .iter()
            .map(|budget| Tally::new(budget.clone(), self.now))
            .collect::<Vec<_>>();
        if tallies.is_empty() {
            return Ok(tallies);
        }
        let mut callers = Callers::default(); // What is a job concerns the account, not budgets.
        callers.set_budgets(budgets);
        count_recorded(reader, &mut tallies, &mut callers, self.now)?;
        for call in self.open.values() {
            let caller = callers.find(self.callers.origin(call.caller));
            for &budget in callers.budgets(caller) {
                tallies[budget as usize].add(call.began_at, call.held(1));
            }
        }
        Ok(tallies)
    }

    /// Holds nobody will end any more: the process that made them has died.
    pub(in crate::ledger) fn abandoned(&self) -> Vec<HoldId> {
        let live = |call: &HeldCall| call.job.is_none() && call.doubted_at.is_none();
        let mut holds = self
            .open
            .iter()
            .filter(|(_, call)| live(call))
            .map(|(hold, _)| *hold)
            .collect::<Vec<_>>();
        holds.sort_unstable();
        holds
    }

    /// Who submitted a known job, and what.
    pub(in crate::ledger) fn job_origin(&self, job: &JobId) -> Option<(TeamId, OperationName)> {
        let known = self.jobs.get(job)?;
        let origin = self.callers.origin(known.caller);
        Some((origin.team.clone(), origin.operation.clone()))
    }

    /// Every known job: its hold, and whether it is open.
    pub(in crate::ledger) fn known_jobs(&self) -> impl Iterator<Item = (&JobId, HoldId, bool)> {
        self.jobs.iter().map(|(job, known)| {
            let open = self.open.contains_key(&known.hold);
            (job, known.hold, open)
        })
    }
}

/// See `budget_statuses` of [`Reader`].
pub(in crate::ledger) fn budget_statuses(
    reader: &dyn Reader,
    budgets: &[Budget],
    now: Timestamp,
) -> Result<Vec<BudgetStatus>, StoreError> {
    let settings = Settings {
        budgets: budgets.to_vec(),
        ..Settings::default()
    };
    let mut statuses = Vec::new();
    reader.in_one_view(&mut || {
        statuses = Book::restore(reader, &settings, now)?.statuses();
        Ok(())
    })?;
    Ok(statuses)
}

/// What each budget has to be told, found with as few reads as there are different beginnings.
#[derive(Default)]
struct Wanted {
    /// Fixed windows by their start (in microseconds; `None`: everything).
    fixed: BTreeMap<Option<i64>, Vec<u32>>,
    /// Rolling windows that go by quarter hours, and the first quarter any of them needs.
    by_quarter: (Vec<u32>, Option<i64>),
    /// Rolling windows that go by the exact beginning, and the first moment any of them needs.
    exact: (Vec<u32>, Option<Timestamp>),
}

impl Wanted {
    fn by(tallies: &[Tally], now: Timestamp) -> Self {
        let mut wanted = Self::default();
        for (index, tally) in (0_u32..).zip(tallies) {
            match &tally.budget.window {
                WindowRule::Rolling(span) => {
                    let steps = RollingSteps::of(*span);
                    let from = steps.counts_from(now);
                    if steps.by_quarter {
                        let (indexes, first) = &mut wanted.by_quarter;
                        indexes.push(index);
                        *first = earlier(*first, quarter_of(from));
                    } else {
                        let (indexes, first) = &mut wanted.exact;
                        indexes.push(index);
                        *first = earlier(*first, from);
                    }
                }
                rule => {
                    let start = rule.window_at(now).start.map(Timestamp::as_microsecond);
                    wanted.fixed.entry(start).or_default().push(index);
                }
            }
        }
        wanted
    }
}

fn earlier<T: Ord>(first: Option<T>, other: T) -> Option<T> {
    Some(match first {
        Some(first) => first.min(other),
        None => other,
    })
}

/// Adds everything that was charged and granted to fresh tallies.
fn count_recorded(
    reader: &dyn Reader,
    tallies: &mut [Tally],
    callers: &mut Callers,
    now: Timestamp,
) -> Result<(), StoreError> {
    let wanted = Wanted::by(tallies, now);
    let archived_until = reader.archived()?.recorded_at;
    let count = tallies.len();
    let mut add = |only: &[bool], origin: &Origin, began_at: Timestamp, charge: Credits| {
        let settled = i128::from(charge.micros());
        let change = Amounts {
            settled,
            ..Amounts::default()
        };
        let caller = callers.find(origin);
        for &budget in callers.budgets(caller) {
            if only[budget as usize] {
                tallies[budget as usize].add(began_at, change);
            }
        }
    };
    for (start, indexes) in &wanted.fixed {
        let only = marked(indexes, count);
        // The sums go by quarter hours; a window that begins inside one takes the rest of that
        // quarter from the entries themselves. Where they are archived it takes the whole quarter: it
        // errs on the side of no.
        let is_archived = |start| archived_until.is_some_and(|until| at_micros(start) <= until);
        let quarter = start.map(|start| match start {
            start if is_archived(start) => start.div_euclid(QUARTER_MICROS),
            start => -((-start).div_euclid(QUARTER_MICROS)),
        });
        if let (Some(start), Some(quarter)) = (*start, quarter)
            && start < quarter.saturating_mul(QUARTER_MICROS)
        {
            reader.each_charge(
                at_micros(start),
                quarter_start(quarter),
                &mut |origin, at, charge| {
                    add(&only, origin, at, charge);
                },
            )?;
        }
        for sum in reader.began_sums(quarter, true)? {
            // All of it began inside the window, so it may be added as of now.
            add(&only, &sum.origin, now, sum.settled);
        }
    }
    if let (indexes, Some(first)) = &wanted.by_quarter {
        let only = marked(indexes, count);
        for sum in reader.began_sums(Some(*first), false)? {
            add(&only, &sum.origin, quarter_start(sum.quarter), sum.settled);
        }
    }
    if let (indexes, Some(first)) = &wanted.exact {
        let only = marked(indexes, count);
        reader.each_charge(*first, Timestamp::MAX, &mut |origin, at, charge| {
            add(&only, origin, at, charge);
        })?;
    }
    count_grants(reader, tallies, now)
}

fn marked(indexes: &[u32], count: usize) -> Vec<bool> {
    let mut only = vec![false; count];
    for &index in indexes {
        only[index as usize] = true;
    }
    only
}

fn count_grants(
    reader: &dyn Reader,
    tallies: &mut [Tally],
    now: Timestamp,
) -> Result<(), StoreError> {
    // Grants are few: a person makes them.
    let mut start = Some(Timestamp::MAX);
    for tally in tallies.iter() {
        let from = match &tally.budget.window {
            WindowRule::Rolling(span) => Some(RollingSteps::of(*span).counts_from(now)),
            rule => rule.window_at(now).start,
        };
        start = start.and_then(|start| from.map(|from| from.min(start)));
    }
    for entry in reader.grants(start)? {
        for tally in tallies.iter_mut() {
            if tally.is_granted_by(&entry) {
                tally.grant(entry.began_at, entry.amount);
            }
        }
    }
    Ok(())
}
