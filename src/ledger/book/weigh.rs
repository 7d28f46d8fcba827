//! Whether a call fits everywhere it has to. Asked for a hold, and for an answer alone.

use crate::credits::Credits;
use crate::ledger::budget::Mode;
use crate::ledger::request::{Considered, HoldError, HoldRequest};
use crate::ledger::shortfall::Shortfall;

use super::Book;

/// What stands in the way of a call.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    /// Limits that refuse it.
    pub(super) short: Shortfall,
    /// Limits in shadow that would.
    pub(super) shadow: Shortfall,
}

/// What a request asks for: a quote below zero is none.
pub(super) fn asked(request: &HoldRequest) -> Credits {
    request.quote.max(Credits::ZERO)
}

impl Book {
    /// What would become of `request`, had it asked to be held.
    pub(in crate::ledger) fn consider(&mut self, request: &HoldRequest) -> Considered {
        let caller = self.callers.find(&request.origin());
        // Before the statuses: it brings each budget to its present window.
        let Weighed { short, shadow } = self.weigh(request, caller);
        let refused = match self.check_repeat(request) {
            Err(in_doubt) => Some(in_doubt),
            Ok(()) => (!short.is_empty()).then(|| HoldError::Short(short.into())),
        };
        let covering = self.callers.budgets(caller).iter();
        let budgets = covering.map(|&budget| self.tallies[budget as usize].status(self.now));
        Considered {
            refused,
            shadow,
            budgets: budgets.collect(),
        }
    }

    /// Refuses a repeat of a call in doubt.
    pub(super) fn check_repeat(&self, request: &HoldRequest) -> Result<(), HoldError> {
        let same = |fingerprint| self.repeats.find(fingerprint, self.now);
        match request.fingerprint.and_then(same) {
            Some((hold, doubted_at)) => Err(HoldError::InDoubt { hold, doubted_at }),
            None => Ok(()),
        }
    }

    /// Compares what is asked with the headroom of every budget that covers `caller`, and with what the
    /// account has above the floor.
    pub(super) fn weigh(&mut self, request: &HoldRequest, caller: u32) -> Weighed {
        let (now, asked) = (self.now, asked(request));
        let mut weighed = Weighed::default();
        for &budget in self.callers.budgets(caller) {
            let tally = &mut self.tallies[budget as usize];
            tally.advance(now);
            let short = tally.check(asked, now);
            match tally.budget.mode {
                Mode::Enforce => weighed.short.budgets.extend(short),
                Mode::Shadow => weighed.shadow.budgets.extend(short),
            }
        }
        let account = |floor| self.account.check(floor, asked, self.clock);
        weighed.short.account = request.floor.and_then(account);
        weighed.shadow.account = request.shadow_floor.and_then(account);
        weighed
    }
}
