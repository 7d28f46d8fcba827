//! What is open on both sides, as the matching wants to be asked.

use ahash::AHashMap;
use jiff::{SignedDuration, Timestamp};

use super::matching::{Charge, Doubt, Live};
use super::notes::Notes;
use super::open::Open;
use std::sync::Arc;

use crate::ids::{BudgetId, KeyId, TeamId};
use crate::ledger::{HoldId, OpenCall};
use crate::transaction::Transaction;

/// A doubt that nothing decided for so long gets the nearest row.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24);

/// A job can be asked for so long after its call began (dossier section 5); then only the list tells.
const JOB_LIVES: SignedDuration = SignedDuration::from_hours(24);

/// Everything a question is made of.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) charges: Vec<Charge>,
    pub(super) doubts: Vec<Doubt>,
    pub(super) live: Vec<Live>,
    /// By our clock.
    pub(super) rows: Vec<Transaction>,
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
            to: times.to(charge.began_at, charge.answered_at),
        });
        let rows = open.rows.values().filter(|open| !open.is_given_up());
        let rows = rows.map(|open| {
            let mut row = open.row.clone();
            row.at = row.at.checked_sub(skew).unwrap_or(row.at);
            row
        });
        let mut asked = Self {
            charges: charges.collect(),
            rows: rows.collect(),
            ..Self::default()
        };
        let mut groups = AHashMap::new();
        for call in calls {
            asked.take(call, open, &mut groups, now);
        }
        asked
    }

    /// Whether a row that could not be read may be this doubt's.
    pub(super) fn is_blind(&self, hold: HoldId, notes: &Notes) -> bool {
        let mut doubts = self.doubts.iter();
        let doubt = doubts.find(|doubt| doubt.hold == hold);
        doubt.is_some_and(|doubt| notes.is_blind(doubt.from, doubt.to))
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
        let is_job = call.job.is_some();
        if call.doubted_at.is_none() && !is_job {
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
        // A job's row is dated when it was taken up (dossier section 3.3, inference). Where nobody saw
        // its end, it may as well be dated then.
        let to = match (is_job, call.doubted_at, call.bound_at) {
            (true, None, Some(bound_at)) => times.to(call.began_at, Some(bound_at)),
            (true, doubted_at, _) => times.to(call.began_at, Some(doubted_at.unwrap_or(now))),
            (false, ..) => times.to(call.began_at, None),
        };
        // A job that nobody has asked for is nobody's doubt, and has ended all the same.
        let job_is_over = call.began_at.checked_add(JOB_LIVES);
        let open_since = (call.doubted_at).unwrap_or(job_is_over.unwrap_or(Timestamp::MAX));
        let next = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let moves = (call.origin.team, call.origin.key, call.budgets);
        self.doubts.push(Doubt {
            hold: call.hold,
            operation: call.origin.operation,
            most: call.quote,
            from,
            to,
            group: *groups.entry(moves).or_insert(next),
            is_job,
            overdue: now.duration_since(open_since) >= OVERDUE,
        });
    }
}
