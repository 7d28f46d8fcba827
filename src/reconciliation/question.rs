//! What is open on both sides, as the matching wants to be asked.

use ahash::AHashMap;
use jiff::{SignedDuration, Timestamp};

use super::matching::{Charge, Doubt, Live, Rowless};
use super::notes::Notes;
use super::open::Open;
use std::sync::Arc;

use crate::ids::{BudgetId, KeyId, TeamId};
use crate::ledger::{HoldId, OpenCall};
use crate::transaction::Transaction;

/// A doubt that nothing decided for so long gets the nearest row.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24);

/// The longest a job can run (dossier section 5).
const JOB_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// Where the list lacks a charge, its silence about calls this near to that charge has no weight.
const SILENT_NEAR: SignedDuration = SignedDuration::from_hours(6);

/// Everything a question is made of.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) charges: Vec<Charge>,
    /// Those that no row is near.
    pub(super) rowless: Vec<Rowless>,
    pub(super) doubts: Vec<Doubt>,
    pub(super) live: Vec<Live>,
    /// By our clock.
    pub(super) rows: Vec<Transaction>,
    /// Doubts and holds of jobs that may still run, and whether the job is known that will tell.
    pub(super) running: AHashMap<HoldId, bool>,
    /// Where rows of calls that were given up may be: what they may be of, and the most.
    pub(super) given_up: Vec<Live>,
}

/// What a doubt moves: doubts alike in all of it are interchangeable.
type Moves = (TeamId, KeyId, Arc<[BudgetId]>);

impl Asked {
    /// `skew`: how far the account's clock is ahead of ours.
    pub(super) fn of(
        open: &Open,
        calls: Vec<OpenCall>,
        skew: SignedDuration,
        now: Timestamp,
    ) -> Self {
        let times = open.times;
        let charges = open.charges.iter().map(|(hold, charge)| Charge {
            hold: *hold,
            operation: charge.operation.clone(),
            amount: charge.amount,
            from: times.from(charge.began_at),
            to: charge.to(times),
        });
        let rows = open.rows.values().filter(|open| !open.is_given_up());
        let rows = rows.map(|open| {
            let mut row = open.row.clone();
            row.at = row.at.checked_sub(skew).unwrap_or(row.at);
            row
        });
        let given_up = open.given_up.values().filter(|call| !call.is_found);
        let given_up = given_up.map(|call| Live {
            operation: call.operation.clone(),
            most: call.amount,
            from: times.from(call.began_at),
            to: call.to(times),
        });
        let mut asked = Self {
            charges: charges.collect(),
            rowless: open.aside.rowless(),
            rows: rows.collect(),
            given_up: given_up.collect(),
            ..Self::default()
        };
        let mut groups = AHashMap::new();
        for call in calls {
            asked.take(call, open, &mut groups, now);
        }
        asked
    }

    /// Why the list's silence about this doubt says nothing, if it does not.
    pub(super) fn no_silence(
        &self,
        hold: HoldId,
        open: &Open,
        notes: &Notes,
    ) -> Option<&'static str> {
        let mut doubts = self.doubts.iter();
        let doubt = doubts.find(|doubt| doubt.hold == hold)?;
        if self.running.contains_key(&hold) {
            return Some("its job may still run, and be charged at its end");
        }
        if notes.is_blind(doubt.from, doubt.to) {
            return Some("a row of its time cannot be read");
        }
        if !notes.shown.contains(&doubt.operation) {
            return Some("the account's list has never shown a charge of this operation");
        }
        if doubt.overdue {
            return None;
        }
        let (first, last) = around(doubt.from, SILENT_NEAR);
        let mut missed = open.charges.values().filter(|charge| charge.is_found);
        let is_missed = missed.any(|charge| {
            let is_near = first <= charge.began_at && charge.began_at <= last;
            is_near && charge.operation == doubt.operation
        }) || open.aside.lacks(&doubt.operation, first, last);
        is_missed.then_some("the account's list lacks charges of this operation near its time")
    }

    fn take(
        &mut self,
        call: OpenCall,
        open: &Open,
        groups: &mut AHashMap<Moves, u32>,
        now: Timestamp,
    ) {
        let times = open.times;
        let from = times.from(call.began_at);
        if call.doubted_at.is_none() && call.job.is_none() {
            let to = times.to(call.began_at, Some(now));
            let (operation, most) = (call.origin.operation, call.quote);
            self.live.push(Live {
                operation,
                most,
                from,
                to,
            });
            return;
        }
        let is_job = call.job.is_some() || open.submits.contains(&call.origin.operation);
        let end = is_job.then(|| Self::job_ends(&call, now));
        if end == Some(None) {
            self.running.insert(call.hold, call.job.is_some());
        }
        let to = match end.flatten() {
            Some(ended_at) => times.to(call.began_at, Some(ended_at)),
            None => times.to(call.began_at, call.bound_at.filter(|_| call.job.is_some())),
        };
        // A job that nobody has asked for is nobody's doubt, and has ended all the same.
        let job_is_over = call.began_at.checked_add(JOB_LASTS);
        let open_since = (call.doubted_at).unwrap_or(job_is_over.unwrap_or(Timestamp::MAX));
        let next = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let moves = (call.origin.team, call.origin.key, call.budgets);
        self.doubts.push(Doubt {
            hold: call.hold,
            operation: call.origin.operation,
            most: call.quote,
            began_at: call.began_at,
            from,
            to,
            group: *groups.entry(moves).or_insert(next),
            is_job,
            overdue: now.duration_since(open_since) >= OVERDUE,
        });
    }

    /// When a job had ended at the latest; `None`: it may still run.
    ///
    /// Its row is dated when it was taken up (dossier section 3.3, inference), and is looked for there
    /// as long as it may run. Once it has ended the row may as well be dated at the end: the account
    /// may take a job's charge only then.
    fn job_ends(call: &OpenCall, now: Timestamp) -> Option<Timestamp> {
        if call.job.is_some() && call.doubted_at.is_some() {
            return call.doubted_at;
        }
        // Of one whose id nobody knows, nobody will ever see the end.
        let last = call.began_at.checked_add(JOB_LASTS).ok()?;
        (last <= now).then_some(last)
    }
}

/// The span that reaches this far before and after a moment.
fn around(at: Timestamp, span: SignedDuration) -> (Timestamp, Timestamp) {
    (
        at.checked_sub(span).unwrap_or(Timestamp::MIN),
        at.checked_add(span).unwrap_or(Timestamp::MAX),
    )
}
