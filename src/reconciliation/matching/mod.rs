//! Whose row is it? Ties rows of the account to calls of ours, by time, kind and amount.
//!
//! A row names no call (dossier section 3.3), so everything here is inference, and the rules are made so
//! that a wrong one is rare and errs towards *held*:
//!
//! 1. **Settled charges first.** A charge is explained by rows of its exact amount inside its time:
//!    one row, or several that add up (the *grain* of a kind, learned). As many are explained as
//!    can be (`exact.rs`).
//! 2. **Then doubts**, by what is left, up to their most. Doubts that move the same budgets are
//!    interchangeable (a `group`). Where doubts of several groups, or calls in flight, could own the
//!    same rows: all or none, else nothing is said (`contest.rs`, `decide.rs`).
//! 3. **Absence** ends a doubt only where the account was read completely.
//! 4. **Nearness** ends what is left of a doubt after a day, and is no certainty, neither about that doubt nor about
//!    those that are decided later where it would have stood in the way (`allocated.rs`).
//!
//! A row that a settled charge took may still be the doubt's: the charge might as well have taken another.
//! So a contest is followed through such exchanges, and while a doubt is undecided the matches
//! that its end could change are not said either ([`LeftBecause::Contested`]), nor those that a
//! call in flight or an unread row could change: the next question must bring those charges and
//! rows again. Only a row that comes later than reading allowed for can put what was said in the wrong.
//!
//! What a kind of row stands for is [`Known`]: documented for some, learned for the others from what
//! they explain, and unlearned when something else explains more.
//!
//! The answer does not depend on the order of what is asked.

mod allocated;
mod answer;
mod board;
mod contest;
mod decide;
mod differing;
mod exact;
mod exchange;
mod fill;
mod known;
mod learn;
mod lone;
mod nearest;
mod pieces;
mod stands_for;

use std::fmt;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::{HoldId, Match};
use crate::transaction::{Transaction, TransactionId};

pub use answer::answer;
pub use differing::{Differing, pair_differing};
pub use known::{Grain, Known, is_documented};

/// A settled charge that no row is matched with yet.
#[derive(Clone, Debug)]
pub struct Charge {
    /// Its hold.
    pub hold: HoldId,
    /// What was called.
    pub operation: OperationName,
    /// What was settled; one of zero or less is passed over.
    pub amount: Credits,
    /// The earliest its row can have been written.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
}

/// Settled charges of one operation that no row is near: they stay without, and only their number counts.
#[derive(Clone, Debug)]
pub struct Rowless {
    /// What was called.
    pub operation: OperationName,
    /// The earliest a row of theirs could have been written.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
    /// How many.
    pub count: u32,
}

/// A call that may have been charged: in doubt, or a job that has not ended.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// Its hold.
    pub hold: HoldId,
    /// What was called.
    pub operation: OperationName,
    /// The most it can have taken.
    pub most: Credits,
    /// When it began.
    pub began_at: Timestamp,
    /// The earliest its row can have been written.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
    /// Doubts of one group move the same budgets, team and key, whichever of them was charged.
    pub group: u32,
    /// Whether it is a job.
    pub is_job: bool,
    /// Whether it has waited long enough: if nothing decides it, the nearest row is allocated, or
    /// it is released where there is none.
    pub overdue: bool,
}

/// A call in flight: its row may be there already.
#[derive(Clone, Debug)]
pub struct Live {
    /// What was called.
    pub operation: OperationName,
    /// The most it can take.
    pub most: Credits,
    /// The earliest its row can have been written.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
}

/// A doubt that an earlier answer ended by nearness.
#[derive(Clone, Debug)]
pub struct Allocated {
    /// Its hold.
    pub hold: HoldId,
    /// What was called.
    pub operation: OperationName,
    /// The most it can have taken.
    pub most: Credits,
    /// The earliest its row can have been written.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
    /// The rows it got, if any was near.
    pub rows: Vec<Transaction>,
}

/// Everything a matching is made from.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Settled and not yet matched.
    pub charges: &'a [Charge],
    /// The same, where no row can be theirs: nothing is said of them.
    pub rowless: &'a [Rowless],
    /// Not known whether charged.
    pub doubts: &'a [Doubt],
    /// In flight.
    pub live: &'a [Live],
    /// Ended by nearness, in the order of their holds: what else is decided may be another way round.
    pub allocated: &'a [Allocated],
    /// Every operation that can be charged: a row of that kind is that operation's.
    pub operations: &'a [OperationName],
    /// Rows not yet matched, each once. Those that took nothing are passed over.
    pub rows: &'a [Transaction],
    /// That a row is not there is evidence for times up to here.
    pub complete_until: Timestamp,
}

/// What a matching says.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Rows of settled charges, oldest charge first.
    pub matches: Vec<Match>,
    /// Doubts that are decided, in the order of their holds.
    pub ended: Vec<DoubtEnd>,
    /// Doubts that are not, in the order of their holds.
    pub undecided: Vec<Undecided>,
    /// Rows that took something and are matched with nothing, oldest first.
    pub rows_left: Vec<RowLeft>,
    /// Charges without a row, oldest first.
    pub charges_left: Vec<ChargeLeft>,
    /// What is known of the kinds of rows now: for the next question.
    pub known: Known,
}

/// A doubt that is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtEnd {
    /// Its hold.
    pub hold: HoldId,
    /// What was taken: zero where it is released.
    pub charge: Credits,
    /// Its rows; none where absence decided.
    pub matches: Vec<Match>,
    /// Nothing decided it: it was overdue, and got the nearest row, or none was near.
    pub allocated: bool,
    /// It is not certain for another reason: its own may be the row of this hold, which was ended by nearness, or
    /// the other way round.
    pub perhaps: Option<HoldId>,
}

/// A doubt that is not decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// Its hold.
    pub hold: HoldId,
    /// What it waits for.
    pub why: Why,
    /// Rows inside its time that could be its own, oldest first; at most
    /// [`CANDIDATES_MAX`].
    pub candidates: Vec<TransactionId>,
}

/// The most candidates an undecided doubt names.
pub const CANDIDATES_MAX: usize = 20;

/// Why a doubt is not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No row is there, and the account has not been read to the end of its time.
    NotRead,
    /// A row that could be its own is not final.
    RowPending,
    /// Calls in flight, or charges whose rows are not there, could own the rows.
    Rivals,
    /// Doubts that move different budgets could own the rows, and there is not one for each.
    Groups,
    /// The rows that could be its own differ in amount.
    Amounts,
    /// Several rows of about one moment could be its own together, and it is not known yet whether
    /// rows of their kind are one for each call or one for each result.
    Grain,
    /// A row that could be its own bears another operation's name, and none that bears its own has been seen.
    Kind,
    /// More calls and rows alike than can be told apart.
    Tangled,
}

/// A row that no call is matched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowLeft {
    /// Its place in [`Question::rows`].
    pub row: usize,
    /// Why.
    pub because: LeftBecause,
}

/// A charge that no row is matched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeLeft {
    /// Its place in [`Question::charges`].
    pub charge: usize,
    /// Why.
    pub because: LeftBecause,
}

/// Why a row or a charge is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftBecause {
    /// Nothing of ours, or nothing of theirs, explains it.
    Unexplained,
    /// A doubt that is not decided, a call in flight, or what has not been read yet could change its
    /// match.
    Contested,
    /// The account has not been read to the end of the charge's time.
    NotRead,
    /// The row is not final; or the charge's row may be one that is not.
    Pending,
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotRead => "the account has not been read to the end of its time",
            Self::RowPending => "a row that could be its own is not final",
            Self::Rivals => "calls in flight, or charges without a row, could own the rows",
            Self::Groups => {
                "doubts of other budgets could own the rows, and there is not one for each"
            }
            Self::Amounts => "the rows that could be its own differ in amount",
            Self::Grain => {
                "it is not known yet whether a call has one row of this kind, or one for each result"
            }
            Self::Kind => {
                "a row that could be its own bears another operation's name, and it is not known yet which its own bear"
            }
            Self::Tangled => "more calls and rows alike than can be told apart",
        })
    }
}
