//! A naive model of the books: slow, and straight from the words of the design.

use generect_guard::ledger::{Budget, HoldId, WindowRule};
use jiff::Timestamp;

/// A call as the naive model knows it.
pub struct Call {
    pub hold: HoldId,
    pub team: &'static str,
    pub began_at: Timestamp,
    pub held: i64,
    pub settled: i64,
    pub in_doubt: bool,
}

fn floor_div(moment: Timestamp, micros: i64) -> i64 {
    moment.as_microsecond().div_euclid(micros)
}

/// Whether a budget counts a call at `now`, straight from the words of the design.
fn counts(rule: &WindowRule, began_at: Timestamp, now: Timestamp) -> bool {
    let WindowRule::Rolling(span) = rule else {
        return rule.window_at(now).contains(began_at);
    };
    let step = (i64::try_from(span.as_micros()).unwrap() + 99) / 100;
    let quarter = 900_000_000;
    let counted_at = if step >= quarter {
        Timestamp::from_microsecond((floor_div(began_at, quarter) + 1) * quarter).unwrap()
    } else {
        began_at
    };
    floor_div(counted_at, step) >= floor_div(now, step) - 100
}

/// All calls that were admitted: budgets are added up from them anew each time.
#[derive(Default)]
pub struct Model {
    pub calls: Vec<Call>,
}

impl Model {
    /// Settled, held, in doubt.
    pub fn stands(&self, budget: &Budget, now: Timestamp) -> [i64; 3] {
        let mut sums = [0; 3];
        for call in &self.calls {
            let key = format!("{}-key", call.team).as_str().into();
            if budget
                .filter
                .covers(&call.team.into(), &key, &"search_leads".into())
                && counts(&budget.window, call.began_at, now)
            {
                sums[0] += call.settled;
                sums[1] += call.held;
                sums[2] += if call.in_doubt { call.held } else { 0 };
            }
        }
        sums
    }

    /// Whether a budget has room for a call, if it covers it at all.
    pub fn fits(&self, budget: &Budget, team: &str, quote: i64, now: Timestamp) -> bool {
        let key = format!("{team}-key").as_str().into();
        let [settled, held, _] = self.stands(budget, now);
        !budget
            .filter
            .covers(&team.into(), &key, &"search_leads".into())
            || settled + held + quote <= budget.limit.micros()
    }
}
