//! Which limits a call does not fit under, and by how much.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use jiff::Timestamp;

use crate::credits::Credits;

use super::budget::BudgetStatus;

/// Every limit that stood in the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shortfall {
    /// The budgets, in the order they were configured.
    pub budgets: Vec<BudgetShort>,
    /// The account's floor.
    pub account: Option<AccountShort>,
    /// How it was put to the caller.
    pub wording: Wording,
}

/// A no in words, kept with it: a caller that is told the same no again is told it in the same words.
/// Nothing the ledger reads, so that any two are equal and a copy has none.
#[derive(Debug, Default)]
pub struct Wording(OnceLock<(u64, Box<[u8]>)>);

impl Wording {
    /// The words for a call of so many items: those of the first time, or what `write` says now.
    pub fn of(&self, items: u64, write: impl Fn() -> Vec<u8>) -> Cow<'_, [u8]> {
        let first = self.0.get_or_init(|| (items, write().into_boxed_slice()));
        match first {
            (of, words) if *of == items => Cow::Borrowed(words),
            _ => Cow::Owned(write()),
        }
    }
}

impl Clone for Wording {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Wording {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Shortfall {
    /// Whether nothing stood in the way.
    pub fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.account.is_none()
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for short in &self.budgets {
            let status = &short.status;
            write!(
                out,
                "{between}budget {} has {} left, {} asked",
                status.id,
                status.headroom(),
                short.asked
            )?;
            between = "; ";
        }
        match &self.account {
            None => Ok(()),
            Some(AccountShort::Low {
                safe_to_spend,
                floor,
                asked,
                ..
            }) => write!(
                out,
                "{between}the account has {safe_to_spend} safe to spend over a floor of {floor}, {asked} asked"
            ),
            Some(AccountShort::Stale { read_at }) => match read_at {
                Some(at) => write!(out, "{between}the account was last read at {at}"),
                None => write!(out, "{between}the account was not read yet"),
            },
        }
    }
}

/// One budget that stood in the way.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetShort {
    /// How it stands, without the call that was refused.
    pub status: BudgetStatus,
    /// The quote that did not fit.
    pub asked: Credits,
    /// What is settled alone leaves too little: waiting does not help before the window ends.
    /// Otherwise only what is held stands in the way, and may be given back shortly.
    pub exhausted: bool,
}

/// The account stood in the way.
#[derive(Clone, Debug, PartialEq)]
pub enum AccountShort {
    /// The call could take the balance below its caller's floor.
    Low {
        /// Reading less everything the reading cannot have seen.
        safe_to_spend: Credits,
        /// The caller's floor.
        floor: Credits,
        /// The quote.
        asked: Credits,
        /// The last reading.
        balance: Credits,
        /// When it was begun.
        read_at: Timestamp,
        /// It would fit if nothing were held: try again shortly.
        busy: bool,
    },
    /// No reading, or one too old to go by.
    Stale {
        /// When the last one was begun.
        read_at: Option<Timestamp>,
    },
}
