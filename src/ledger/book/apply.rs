//! Facts become state: what an entry means for the holds that are open and for what budgets and the
//! account count.

use crate::ledger::entry::{Entry, EntryKind, HoldId};

use super::tally::Amounts;
use super::{Book, HeldCall, KnownJob};

impl Book {
    /// Takes an entry into the books: the one place where facts become state.
    pub(in crate::ledger) fn apply(&mut self, entry: &Entry) {
        let hold = entry.hold;
        match entry.kind {
            EntryKind::Held => {
                let call = HeldCall {
                    caller: self.callers.find(&entry.origin()),
                    quote: entry.amount,
                    began_at: entry.began_at,
                    fingerprint: entry.fingerprint,
                    job: None,
                    bound_at: None,
                    doubted_at: None,
                };
                self.begin(hold, call);
            }
            EntryKind::Bound => self.alter(hold, |call| {
                call.job.clone_from(&entry.job);
                call.bound_at = Some(entry.recorded_at);
            }),
            EntryKind::Doubted => self.alter(hold, |call| {
                call.doubted_at = Some(entry.recorded_at);
            }),
            EntryKind::Released => self.finish(hold),
            EntryKind::Settled => {
                self.finish(hold);
                self.charge(entry);
            }
            EntryKind::Corrected => self.charge(entry),
            EntryKind::Granted => self.grant(entry),
        }
    }

    /// Takes back a hold whose entry was never written.
    pub(in crate::ledger) fn forget(&mut self, hold: HoldId) {
        self.finish(hold);
    }

    /// A hold enters the books, in whatever state it is.
    pub(super) fn begin(&mut self, hold: HoldId, call: HeldCall) {
        self.count_held(&call, 1);
        self.account.enter(call.state(&self.callers), call.micros());
        if let (Some(fingerprint), Some(at)) = (call.fingerprint, call.doubted_at) {
            self.repeats.doubted(fingerprint, hold, at);
        }
        if let Some(job) = &call.job {
            let known = KnownJob {
                hold,
                began_at: call.began_at,
                caller: call.caller,
            };
            self.jobs.insert(job.clone(), known);
        }
        self.open.insert(hold, call);
    }

    /// An open hold changes its state.
    fn alter(&mut self, hold: HoldId, change: impl FnOnce(&mut HeldCall)) {
        if let Some(mut call) = self.open.remove(&hold) {
            self.count_held(&call, -1);
            self.account.leave(call.state(&self.callers), call.micros());
            change(&mut call);
            self.begin(hold, call);
        }
    }

    /// A hold leaves the books.
    fn finish(&mut self, hold: HoldId) {
        if let Some(call) = self.open.remove(&hold) {
            self.count_held(&call, -1);
            self.account.leave(call.state(&self.callers), call.micros());
            if let Some(fingerprint) = call.fingerprint {
                self.repeats.ended(fingerprint, hold);
            }
        }
    }

    fn count_held(&mut self, call: &HeldCall, sign: i128) {
        let change = call.held(sign);
        for &budget in self.callers.budgets(call.caller) {
            self.tallies[budget as usize].add(call.began_at, change);
        }
    }

    fn charge(&mut self, entry: &Entry) {
        let settled = i128::from(entry.amount.micros());
        let change = Amounts {
            settled,
            ..Amounts::default()
        };
        let caller = self.callers.find(&entry.origin());
        for &budget in self.callers.budgets(caller) {
            let tally = &mut self.tallies[budget as usize];
            tally.advance(self.now);
            tally.add(entry.began_at, change);
        }
        // What is given back here was charged to an account that may never have taken it.
        self.account.charge(entry.recorded_at, settled.max(0));
    }

    fn grant(&mut self, entry: &Entry) {
        for tally in &mut self.tallies {
            if tally.is_granted_by(entry) {
                tally.advance(self.now);
                tally.grant(entry.began_at, entry.amount);
            }
        }
    }
}
