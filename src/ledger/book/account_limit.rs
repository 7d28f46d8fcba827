//! The account as one more limit: what is safe to spend, as far as the last reading and our own
//! books show.
//!
//! Safe to spend = reading − what the reading cannot have seen. A reading that was begun at `t` is
//! only trusted to have seen what happened before `t − lag`, the *cut*. Not seen are:
//! - charges recorded after the cut,
//! - all live holds: their calls may take their quote at any moment,
//! - holds put in doubt after the cut,
//! - with a gross balance all job holds; with a net one those of jobs accepted after the cut.
//!   The hold of a submission in doubt is one of a job: it may run under an id nobody knows.
//!
//! Moments are kept in whole seconds, and the second the cut falls in counts: it errs on the side
//! of no, and keeps the memory bounded however many calls there are.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ledger::request::{AccountRule, BalanceIs, Reading, WhenStale};
use crate::ledger::shortfall::AccountShort;

use super::tally::credits;

const SECOND_MICROS: i64 = 1_000_000;

/// When an amount counts against the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Always,
    /// While the cut is not after this second.
    From(i64),
}

/// The state of an open hold, as far as the account is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldState {
    /// Since when it is bound to a job whose id is known.
    pub(super) bound_at: Option<Timestamp>,
    pub(super) is_job: bool,
    pub(super) doubted_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Unseen {
    settled: i128,
    held: i128,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct AccountLimit {
    rule: AccountRule,
    reading: Option<Reading>,
    /// Held, whatever the reading.
    always: i128,
    by_second: BTreeMap<i64, Unseen>,
    /// The cut as a second, and the sum of `by_second` from there on.
    cut: i64,
    since_cut: Unseen,
    /// Nothing before this second is kept any more.
    kept_from: i64,
}

fn second_of(moment: Timestamp) -> i64 {
    moment.as_microsecond().div_euclid(SECOND_MICROS)
}

impl AccountLimit {
    pub(super) fn new(rule: AccountRule) -> Self {
        Self {
            rule,
            reading: None,
            always: 0,
            by_second: BTreeMap::new(),
            cut: i64::MIN,
            since_cut: Unseen::default(),
            kept_from: i64::MIN,
        }
    }

    /// How far back charges can matter at `now`: a reading that is older is stale.
    pub(super) fn matters_from(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.rule.lag)
            .and_then(|at| at.checked_sub(self.rule.stale_after))
            .unwrap_or(Timestamp::MIN)
    }

    /// Takes a newer reading, and drops what can no longer matter. One that is later than `now` is
    /// from before the clock was set back, and gives way to any.
    pub(super) fn observe(&mut self, reading: Reading, now: Timestamp) {
        let is_older =
            |last: Reading| reading.started_at < last.started_at && last.started_at <= now;
        if self.reading == Some(reading) || self.reading.is_some_and(is_older) {
            return;
        }
        self.reading = Some(reading);
        let cut = reading.started_at.checked_sub(self.rule.lag);
        self.cut = second_of(cut.unwrap_or(Timestamp::MIN));
        self.keep_from(self.cut);
        self.since_cut = Unseen::default();
        for unseen in self.by_second.range(self.cut..).map(|(_, unseen)| unseen) {
            self.since_cut.settled += unseen.settled;
            self.since_cut.held += unseen.held;
        }
    }

    /// Drops what no reading that is fresh at `now` could need, also when none comes.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        if self.reading.is_none() || self.is_stale(now) {
            self.keep_from(second_of(self.matters_from(now)));
        }
    }

    fn keep_from(&mut self, second: i64) {
        if second > self.kept_from {
            self.kept_from = second;
            self.by_second = self.by_second.split_off(&second);
        }
    }

    /// A charge (or a correction that adds to one) was recorded.
    pub(super) fn charge(&mut self, recorded_at: Timestamp, micros: i128) {
        let change = Unseen {
            settled: micros,
            held: 0,
        };
        self.add_at(second_of(recorded_at), change);
    }

    /// A hold is in this state from now on.
    pub(super) fn enter(&mut self, state: HeldState, micros: i128) {
        self.alter(state, micros);
    }

    /// A hold no longer is in this state.
    pub(super) fn leave(&mut self, state: HeldState, micros: i128) {
        self.alter(state, -micros);
    }

    fn alter(&mut self, state: HeldState, micros: i128) {
        match self.counts(state) {
            Counts::Always => self.always += micros,
            Counts::From(second) => {
                let change = Unseen {
                    settled: 0,
                    held: micros,
                };
                self.add_at(second, change);
            }
        }
    }

    fn counts(&self, state: HeldState) -> Counts {
        let gross = self.rule.balance_is == BalanceIs::Gross;
        match (state.doubted_at, state.bound_at) {
            _ if state.is_job && gross => Counts::Always,
            (Some(doubted_at), _) => Counts::From(second_of(doubted_at)),
            // Not since its call began: the upstream may take long to accept a job.
            (None, Some(bound_at)) => Counts::From(second_of(bound_at)),
            (None, None) => Counts::Always,
        }
    }

    fn add_at(&mut self, second: i64, change: Unseen) {
        if second < self.kept_from {
            return;
        }
        let unseen = self.by_second.entry(second).or_default();
        unseen.settled += change.settled;
        unseen.held += change.held;
        if second >= self.cut {
            self.since_cut.settled += change.settled;
            self.since_cut.held += change.held;
        }
    }

    fn is_stale(&self, now: Timestamp) -> bool {
        self.reading
            .is_none_or(|reading| now.duration_since(reading.started_at) > self.rule.stale_after)
    }

    /// Whether a call that asks for `asked` would leave `floor` in the account.
    pub(super) fn check(
        &self,
        floor: Credits,
        asked: Credits,
        now: Timestamp,
    ) -> Option<AccountShort> {
        let reading = match self.reading {
            Some(reading) if !self.is_stale(now) => reading,
            stale => {
                return match self.rule.when_stale {
                    WhenStale::Allow => None,
                    WhenStale::Refuse => Some(AccountShort::Stale {
                        read_at: stale.map(|reading| reading.started_at),
                    }),
                };
            }
        };
        let unheld = i128::from(reading.balance.micros()) - self.since_cut.settled;
        let safe = unheld - self.always - self.since_cut.held;
        let needed = i128::from(asked.micros()) + i128::from(floor.micros());
        (safe < needed).then(|| AccountShort::Low {
            safe_to_spend: credits(safe),
            floor,
            asked,
            balance: reading.balance,
            read_at: reading.started_at,
            busy: unheld >= needed,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn limit(balance_is: BalanceIs) -> AccountLimit {
        let mut limit = AccountLimit::new(AccountRule {
            lag: SignedDuration::from_secs(10),
            stale_after: SignedDuration::from_secs(100),
            when_stale: WhenStale::Refuse,
            balance_is,
        });
        limit.observe(reading(100, 50), at(50));
        limit
    }

    fn reading(balance: i64, second: i64) -> Reading {
        Reading {
            balance: Credits::from_micros(balance),
            started_at: at(second),
        }
    }

    fn safe(limit: &AccountLimit, now: i64) -> i64 {
        match limit.check(Credits::ZERO, Credits::from_micros(1_000_000), at(now)) {
            Some(AccountShort::Low { safe_to_spend, .. }) => safe_to_spend.micros(),
            other => panic!("expected a refusal that says what is safe, got {other:?}"),
        }
    }

    const LIVE: HeldState = HeldState {
        bound_at: None,
        is_job: false,
        doubted_at: None,
    };

    #[test]
    fn charges_count_until_a_reading_can_have_seen_them() {
        let mut limit = limit(BalanceIs::Gross);
        limit.charge(at(39), 5);
        assert_eq!(
            safe(&limit, 50),
            100,
            "before the cut at 40: in the reading"
        );
        limit.charge(at(40), 7);
        assert_eq!(safe(&limit, 50), 93);
        limit.observe(reading(93, 51), at(51));
        assert_eq!(safe(&limit, 52), 93, "the cut moved past it");
    }

    #[test]
    fn live_holds_count_whenever_they_began() {
        let mut limit = limit(BalanceIs::Gross);
        limit.enter(LIVE, 30);
        assert_eq!(safe(&limit, 50), 70);
        limit.observe(reading(100, 90), at(90));
        assert_eq!(safe(&limit, 90), 70);
        limit.leave(LIVE, 30);
        assert_eq!(safe(&limit, 90), 100);
    }

    #[test]
    fn a_doubt_counts_until_a_reading_can_have_seen_its_call() {
        let mut limit = limit(BalanceIs::Gross);
        let doubted = HeldState {
            doubted_at: Some(at(60)),
            ..LIVE
        };
        limit.enter(doubted, 30);
        assert_eq!(safe(&limit, 60), 70);
        limit.observe(reading(70, 71), at(71));
        assert_eq!(
            safe(&limit, 71),
            70,
            "taken off by the upstream, or not at all"
        );
        limit.leave(doubted, 30);
        assert_eq!(safe(&limit, 71), 70);
    }

    #[test]
    fn job_holds_count_always_or_only_while_unseen() {
        let job = HeldState {
            bound_at: Some(at(45)),
            is_job: true,
            doubted_at: None,
        };
        for (balance_is, seen) in [(BalanceIs::Gross, 80), (BalanceIs::Net, 100)] {
            let mut limit = limit(balance_is);
            limit.enter(job, 20);
            assert_eq!(safe(&limit, 50), 80);
            limit.observe(reading(100, 56), at(56));
            assert_eq!(safe(&limit, 56), seen, "{balance_is:?}");
        }
    }

    #[test]
    fn an_old_reading_or_none_is_stale() {
        let asked = Credits::from_micros(1);
        let mut limit = limit(BalanceIs::Gross);
        assert_eq!(limit.check(Credits::ZERO, asked, at(150)), None);
        assert_eq!(
            limit.check(Credits::ZERO, asked, at(151)),
            Some(AccountShort::Stale {
                read_at: Some(at(50))
            })
        );
        limit.rule.when_stale = WhenStale::Allow;
        assert_eq!(limit.check(Credits::ZERO, asked, at(151)), None);
        let unread = AccountLimit::new(AccountRule::default());
        assert_eq!(
            unread.check(Credits::ZERO, asked, at(1)),
            Some(AccountShort::Stale { read_at: None })
        );
    }

    #[test]
    fn memory_is_bounded_when_no_reading_comes() {
        let mut limit = limit(BalanceIs::Gross);
        for second in 0..10_000 {
            limit.charge(at(second), 1);
            limit.forget_old(at(second));
        }
        assert!(limit.by_second.len() <= 112, "{}", limit.by_second.len());
    }
}
