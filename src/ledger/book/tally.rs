//! One budget's count in its current window.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};
use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;

use crate::ledger::budget::{Budget, BudgetStatus};
use crate::ledger::entry::Entry;
use crate::ledger::levels::Level;
use crate::ledger::shortfall::BudgetShort;
use crate::ledger::window::{RollingSteps, Window, WindowRule};

/// What is counted, in micro-credits. Wider than [`Credits`], so that no sum of them overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) settled: i128,
    /// In doubt included.
    pub(super) held: i128,
    pub(super) in_doubt: i128,
    pub(super) granted: i128,
}

impl AddAssign for Amounts {
    fn add_assign(&mut self, other: Self) {
        self.settled += other.settled;
        self.held += other.held;
        self.in_doubt += other.in_doubt;
        self.granted += other.granted;
    }
}

impl SubAssign for Amounts {
    fn sub_assign(&mut self, other: Self) {
        self.settled -= other.settled;
        self.held -= other.held;
        self.in_doubt -= other.in_doubt;
        self.granted -= other.granted;
    }
}

/// A budget and its count.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) budget: Budget,
    counting: Counting,
    /// What others see of it at any time.
    pub(super) level: Arc<Level>,
}

#[derive(Clone, Debug)]
enum Counting {
    /// Calendar and total: one bucket.
    Fixed { window: Window, sums: Amounts },
    /// Steps that hold something, oldest first, and their sum.
    Rolling {
        steps: RollingSteps,
        oldest: i64,
        counted: VecDeque<(i64, Amounts)>,
        sums: Amounts,
    },
}

impl Tally {
    /// An empty count for the window of `now`.
    pub(super) fn new(budget: Budget, now: Timestamp) -> Self {
        let counting = match &budget.window {
            WindowRule::Rolling(span) => {
                let steps = RollingSteps::of(*span);
                Counting::Rolling {
                    steps,
                    oldest: steps.oldest_at(now),
                    counted: VecDeque::new(),
                    sums: Amounts::default(),
                }
            }
            rule => Counting::Fixed {
                window: rule.window_at(now),
                sums: Amounts::default(),
            },
        };
        let tally = Self {
            level: Level::of(budget.filter.clone()),
            budget,
            counting,
        };
        tally.show();
        tally
    }

    /// Lets others see how it stands.
    fn show(&self) {
        let sums = self.sums();
        let until = match &self.counting {
            Counting::Fixed { window, .. } => window.end,
            // What leaves a rolling window is seen to have left at the next call.
            Counting::Rolling { .. } => None,
        };
        let used = credits(sums.settled + sums.held);
        self.level.set(used, credits(self.limit()), until);
    }

    /// Whether this is the count of `budget`, but for its limit.
    pub(super) fn counts_for(&self, budget: &Budget) -> bool {
        let own = &self.budget;
        own.id == budget.id && own.filter == budget.filter && own.window == budget.window
    }

    /// The same count for a budget of another limit or mode.
    pub(super) fn under(&self, budget: &Budget) -> Self {
        let mut other = self.clone();
        other.budget = budget.clone();
        other.show();
        other
    }

    /// Moves to the window of `now`. Time never goes back here: the ledger's does not.
    pub(super) fn advance(&mut self, now: Timestamp) {
        match &mut self.counting {
            Counting::Fixed { window, sums } => {
                if window.end.is_some_and(|end| end <= now) {
                    *window = self.budget.window.window_at(now);
                    *sums = Amounts::default();
                    self.show();
                }
            }
            Counting::Rolling {
                steps,
                oldest,
                counted,
                sums,
            } => {
                *oldest = steps.oldest_at(now).max(*oldest);
                let before = counted.len();
                while let Some((step, amounts)) = counted.front()
                    && step < oldest
                {
                    *sums -= *amounts;
                    counted.pop_front();
                }
                if counted.len() < before {
                    self.show();
                }
            }
        }
    }

    /// Adds what happened to a call that began at `began_at`; nothing if that is in another window.
    pub(super) fn add(&mut self, began_at: Timestamp, change: Amounts) {
        self.count(began_at, change);
        self.show();
    }

    fn count(&mut self, began_at: Timestamp, change: Amounts) {
        match &mut self.counting {
            Counting::Fixed { window, sums } => {
                if window.contains(began_at) {
                    *sums += change;
                }
            }
            Counting::Rolling {
                steps,
                oldest,
                counted,
                sums,
            } => {
                let step = steps.step_of(began_at);
                if step < *oldest {
                    return;
                }
                *sums += change;
                // Nearly always the last one, or one of the last.
                match counted.iter().rposition(|(other, _)| *other <= step) {
                    Some(at) if counted[at].0 == step => counted[at].1 += change,
                    Some(at) => counted.insert(at + 1, (step, change)),
                    None => counted.push_front((step, change)),
                }
            }
        }
    }

    /// Whether a grant makes room here: it was made for this budget, and for windows such as it has now.
    /// Under another rule one that had ended would be in a window again. What was granted before this was
    /// written down counts by the budget alone.
    pub(super) fn is_granted_by(&self, entry: &Entry) -> bool {
        let is_rule = |print| print == self.budget.window.fingerprint();
        entry.budget.as_ref() == Some(&self.budget.id) && entry.fingerprint.is_none_or(is_rule)
    }

    /// Adds a grant that was decided at `granted_at`. What is taken back is taken from what was
    /// given last in this window, and never more than that: then it does not matter which earlier
    /// grants have left a rolling window since, or are not read again at a start.
    pub(super) fn grant(&mut self, granted_at: Timestamp, amount: Credits) {
        let micros = i128::from(amount.micros());
        if micros >= 0 {
            let change = Amounts {
                granted: micros,
                ..Amounts::default()
            };
            return self.add(granted_at, change);
        }
        match &mut self.counting {
            Counting::Fixed { window, sums } => {
                if window.contains(granted_at) {
                    sums.granted = (sums.granted + micros).max(0);
                }
            }
            Counting::Rolling { counted, sums, .. } => {
                let mut back = -micros;
                for (_, amounts) in counted.iter_mut().rev() {
                    let taken = back.min(amounts.granted);
                    amounts.granted -= taken;
                    sums.granted -= taken;
                    back -= taken;
                }
            }
        }
        self.show();
    }

    fn sums(&self) -> &Amounts {
        match &self.counting {
            Counting::Fixed { sums, .. } | Counting::Rolling { sums, .. } => sums,
        }
    }

    fn limit(&self) -> i128 {
        i128::from(self.budget.limit.micros()) + self.sums().granted
    }

    /// What may still be held, in micro-credits.
    pub(super) fn headroom(&self) -> i128 {
        let sums = self.sums();
        self.limit() - sums.settled - sums.held
    }

    /// Whether `asked` fits, and if not, why.
    pub(super) fn check(&self, asked: Credits, now: Timestamp) -> Option<BudgetShort> {
        let micros = i128::from(asked.micros());
        if micros <= self.headroom() {
            return None;
        }
        Some(BudgetShort {
            status: self.status(now),
            asked,
            exhausted: self.sums().settled + micros > self.limit(),
        })
    }

    /// How it stands; `advance` to `now` first.
    pub(super) fn status(&self, now: Timestamp) -> BudgetStatus {
        let sums = self.sums();
        let (window, resets_at) = match &self.counting {
            Counting::Fixed { window, .. } => (*window, window.end),
            Counting::Rolling { steps, counted, .. } => {
                let oldest = counted
                    .iter()
                    .find(|(_, amounts)| amounts.settled != 0 || amounts.held != 0);
                (
                    self.budget.window.window_at(now),
                    oldest.map(|(step, _)| steps.leaves_at(*step)),
                )
            }
        };
        BudgetStatus {
            id: self.budget.id.clone(),
            filter: self.budget.filter.clone(),
            window,
            limit: self.budget.limit,
            mode: self.budget.mode,
            granted: credits(sums.granted),
            settled: credits(sums.settled),
            held: credits(sums.held),
            in_doubt: credits(sums.in_doubt),
            resets_at,
        }
    }
}

/// For showing: stops at the ends.
pub(super) fn credits(micros: i128) -> Credits {
    Credits::from_micros(i64::try_from(micros).unwrap_or(if micros < 0 {
        i64::MIN
    } else {
        i64::MAX
    }))
}
