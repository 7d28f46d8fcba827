//! One alert that is told, and its words.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::credits::Credits;
use crate::ids::BudgetId;

/// One alert that is told, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its name. Whoever gets it twice under one name may drop the second.
    pub id: Arc<str>,
    /// Which alert.
    pub alert: Arc<str>,
    /// When it was seen.
    pub at: Timestamp,
    /// What was seen.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What was seen. Amounts are credits, written as text; spans of time are written as in ISO 8601.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Facts {
    /// A share of a budget is used up.
    BudgetShare {
        /// Which budget.
        budget: BudgetId,
        /// The share that was reached.
        percent: u32,
        /// The limit, grants included.
        limit: Credits,
        /// Settled, and in doubt.
        spent: Credits,
        /// The part of it that is in doubt.
        in_doubt: Credits,
        /// When something becomes free by itself.
        resets_at: Option<Timestamp>,
    },
    /// The balance is low.
    BalanceBelow {
        /// Under this.
        below: Credits,
        /// What the account has left.
        balance: Credits,
        /// When that was asked.
        read_at: Timestamp,
    },
    /// The balance will not last.
    RunsOutWithin {
        /// This long.
        within: SignedDuration,
        /// It ends here.
        runs_out_at: Timestamp,
        /// What the account has left.
        balance: Credits,
    },
    /// Somebody uses the account around the guard.
    UnattributedAbove {
        /// More than this.
        above: Credits,
        /// On this UTC day.
        day: Date,
        /// This much was taken.
        unattributed: Credits,
    },
    /// The books do not agree.
    DriftAbove {
        /// By more than this.
        above: Credits,
        /// On this UTC day.
        day: Date,
        /// By this much, without a sign.
        drift: Credits,
    },
    /// A doubt does not end.
    DoubtOlderThan {
        /// For this long.
        older_than: SignedDuration,
        /// It began here.
        since: Timestamp,
    },
    /// The account cannot be read.
    ReadingOlderThan {
        /// For this long.
        older_than: SignedDuration,
        /// How old the last reading is.
        age: SignedDuration,
    },
}

impl Facts {
    /// The word for it; the same as that of the alert's condition.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BudgetShare { .. } => "budget_share",
            Self::BalanceBelow { .. } => "balance_below",
            Self::RunsOutWithin { .. } => "runs_out_within",
            Self::UnattributedAbove { .. } => "unattributed_above",
            Self::DriftAbove { .. } => "drift_above",
            Self::DoubtOlderThan { .. } => "doubt_older_than",
            Self::ReadingOlderThan { .. } => "reading_older_than",
        }
    }

    /// Whether something is already wrong, rather than about to be.
    pub const fn is_urgent(&self) -> bool {
        match self {
            Self::BudgetShare { percent, .. } => *percent >= 100,
            _ => true,
        }
    }
}

impl fmt::Display for Facts {
    /// A sentence for people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BudgetShare {
                budget,
                percent,
                limit,
                spent,
                in_doubt,
                resets_at,
            } => {
                write!(
                    out,
                    "budget {budget} has reached {percent} %: {spent} of {}",
                    limit.counted()
                )?;
                if *in_doubt > Credits::ZERO {
                    write!(out, ", {in_doubt} of them in doubt")?;
                }
                match resets_at {
                    Some(at) => write!(out, ", resets at {at}"),
                    None => Ok(()),
                }
            }
            Self::BalanceBelow {
                below,
                balance,
                read_at,
            } => write!(
                out,
                "the account has {} left, less than {below} (read at {read_at})",
                balance.counted()
            ),
            Self::RunsOutWithin {
                within,
                runs_out_at,
                balance,
            } => write!(
                out,
                "at the last day's pace the account, which has {} left, is empty at {runs_out_at}, \
                 within {within:#}",
                balance.counted()
            ),
            Self::UnattributedAbove {
                above,
                day,
                unattributed,
            } => write!(
                out,
                "of what was taken on {day} (UTC) no call of the guard explains {}, more than {above}",
                unattributed.counted()
            ),
            Self::DriftAbove { above, day, drift } => write!(
                out,
                "the account's figures for {day} (UTC) and the guard's differ by {}, more than {above}",
                drift.counted()
            ),
            Self::DoubtOlderThan { older_than, since } => write!(
                out,
                "a call has been in doubt since {since}, for more than {older_than:#}"
            ),
            Self::ReadingOlderThan { older_than, age } => write!(
                out,
                "the account's balance has not been read for {age:#}, more than {older_than:#}"
            ),
        }
    }
}
