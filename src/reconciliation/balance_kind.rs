//! Whether the account's balance already lacks what running jobs will take.
//!
//! The vendor does not say (dossier section 7, no. 17). It shows whenever a job begins or ends
//! between two readings: a *net* balance falls by the whole hold when a job begins and gets the rest
//! back when it ends, a *gross* one falls by the charge when it ends. A pair of readings is a
//! witness only if it fits one of the two to the micro-credit and not the other, so that somebody
//! else's spending between them cannot testify.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ledger::BalanceIs;

/// Witnesses for one kind, and none for the other, before anything is said.
const WITNESSES_MIN: u32 = 3;
/// Readings kept whose movements have not been looked at.
const READINGS_MAX: usize = 1_000;
/// Movements kept that no reading has seen yet.
pub(super) const MOVEMENTS_MAX: usize = 100_000;

/// What our books say moved the balance at one moment, under either meaning, in micro-credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// When.
    pub at: Timestamp,
    /// What a gross balance falls by.
    pub gross: i64,
    /// What a net balance falls by; below zero it rises.
    pub net: i64,
}

impl Movement {
    /// A call that is no job was charged.
    pub fn charged(at: Timestamp, charge: Credits) -> Self {
        let taken = charge.micros();
        Self {
            at,
            gross: taken,
            net: taken,
        }
    }

    /// The upstream took a call as a job.
    pub fn job_began(at: Timestamp, quote: Credits) -> Self {
        Self {
            at,
            gross: 0,
            net: quote.micros(),
        }
    }

    /// A job ended.
    pub fn job_ended(at: Timestamp, quote: Credits, charge: Credits) -> Self {
        Self {
            at,
            gross: charge.micros(),
            net: charge.micros().saturating_sub(quote.micros()),
        }
    }
}

/// What was observed so far.
#[derive(Debug, Default)]
pub struct BalanceKind {
    last: Option<(Timestamp, Credits)>,
    /// Since the books were looked at last: only they say what moved before these.
    readings: VecDeque<(Timestamp, Credits)>,
    movements: VecDeque<Movement>,
    /// Witnesses that it is gross, and that it is net.
    witnesses: (u32, u32),
}

impl BalanceKind {
    /// The account was read. It is looked at with the books' next movements.
    pub fn observe(&mut self, started_at: Timestamp, balance: Credits) {
        if self.readings.len() == READINGS_MAX {
            self.readings.pop_front();
        }
        self.readings.push_back((started_at, balance));
    }

    /// The books were looked at, and say that this moved since the last time.
    pub fn catch_up(&mut self, movements: impl IntoIterator<Item = Movement>) {
        for movement in movements {
            self.moved(movement);
        }
        for (started_at, balance) in std::mem::take(&mut self.readings) {
            self.read(started_at, balance);
        }
    }

    /// Our books say that something moved.
    pub fn moved(&mut self, movement: Movement) {
        if self.movements.len() == MOVEMENTS_MAX {
            self.movements.pop_front();
        }
        self.movements.push_back(movement);
    }

    /// The account was read. Everything up to `started_at` has been told to [`moved`](Self::moved).
    pub fn read(&mut self, started_at: Timestamp, balance: Credits) {
        let before = self.last.replace((started_at, balance));
        let Some((last_at, last_balance)) = before.filter(|(at, _)| *at < started_at) else {
            return;
        };
        let (mut gross, mut net, mut jobs) = (0_i64, 0_i64, false);
        for movement in &self.movements {
            if movement.at > last_at && movement.at <= started_at {
                gross = gross.saturating_add(movement.gross);
                net = net.saturating_add(movement.net);
                jobs |= movement.gross != movement.net;
            }
        }
        self.movements.retain(|movement| movement.at > started_at);
        let fell = last_balance.micros().saturating_sub(balance.micros());
        if jobs && gross != net {
            self.witnesses.0 += u32::from(fell == gross);
            self.witnesses.1 += u32::from(fell == net);
        }
    }

    /// What it seems to be, once enough readings agree and none disagrees.
    pub fn seems(&self) -> Option<BalanceIs> {
        match self.witnesses {
            (gross, 0) if gross >= WITNESSES_MIN => Some(BalanceIs::Gross),
            (0, net) if net >= WITNESSES_MIN => Some(BalanceIs::Net),
            _ => None,
        }
    }

    /// Readings that speak for gross, and for net.
    pub fn witnesses(&self) -> (u32, u32) {
        self.witnesses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn micros(amount: i64) -> Credits {
        Credits::from_micros(amount)
    }

    /// Three jobs of a quote of 100 and a charge of 60, read after each beginning and each end, with
    /// a plain call between; `others` is spent by somebody else before each reading.
    fn observed(is_net: bool, others: i64) -> BalanceKind {
        let mut kind = BalanceKind::default();
        let mut balance = 10_000;
        let mut now = 0;
        kind.read(at(now), micros(balance));
        for _ in 0..3 {
            kind.moved(Movement::job_began(at(now + 1), micros(100)));
            kind.moved(Movement::charged(at(now + 2), micros(7)));
            balance -= 7 + others + if is_net { 100 } else { 0 };
            kind.read(at(now + 3), micros(balance));
            kind.moved(Movement::job_ended(at(now + 4), micros(100), micros(60)));
            balance -= others;
            balance += if is_net { 40 } else { -60 };
            now += 5;
            kind.read(at(now), micros(balance));
        }
        kind
    }

    #[test]
    fn jobs_between_readings_tell_gross_from_net() {
        assert_eq!(observed(false, 0).seems(), Some(BalanceIs::Gross));
        assert_eq!(observed(true, 0).seems(), Some(BalanceIs::Net));
        assert_eq!(observed(true, 0).witnesses(), (0, 6));
    }

    #[test]
    fn somebody_elses_spending_is_no_witness() {
        assert_eq!(observed(true, 3).seems(), None);
        assert_eq!(observed(true, 3).witnesses(), (0, 0));
    }

    #[test]
    fn calls_that_are_no_jobs_say_nothing() {
        let mut kind = BalanceKind::default();
        kind.read(at(0), micros(100));
        for second in 1..20 {
            kind.moved(Movement::charged(at(second), micros(1)));
            kind.read(at(second), micros(100 - second));
        }
        assert_eq!(kind.witnesses(), (0, 0));
    }
}
