//! What an answer says was taken, read while it streams by.

use super::operation::Operation;
use super::price::Prices;
use crate::credits::Credits;
use crate::ids::JobId;

/// What an answer says was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The answer states it.
    Stated {
        /// To the nearest micro-credit.
        amount: Credits,
        /// The digits as they came.
        raw: String,
    },
    /// The answer does not state it in credits; worked out.
    Estimated {
        /// The estimate.
        amount: Credits,
        /// From what.
        how: String,
    },
    /// The answer is readable and says nothing.
    Missing,
    /// The answer says `null`.
    Null,
    /// A v1 answer says less than nothing.
    Negative {
        /// The digits as they came.
        raw: String,
    },
    /// The answer is not one JSON document, is cut short, or says it twice.
    Unreadable(String),
}

/// What one answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was taken.
    pub charge: Charge,
    /// Top-level `meta.job_id`.
    pub job: Option<JobId>,
    /// Top-level `meta.status`.
    pub status: Option<String>,
    /// The top-level `detail` says that the account's funds are insufficient.
    pub funds_empty: bool,
}

/// Reads one answer in pieces of any size, in constant memory.
pub struct ChargeReader;

impl ChargeReader {
    /// A reader for the answer to one call of `operation`.
    pub fn new(operation: &Operation) -> Self {
        let _ = operation;
        Self
    }

    /// Reads the next piece of the body.
    pub fn feed(&mut self, chunk: &[u8]) {
        let _ = chunk;
    }

    /// What the whole answer says. `quote` is what was held for the call.
    pub fn finish(self, prices: &Prices, quote: Credits) -> Answer {
        let _ = (prices, quote);
        Answer {
            charge: Charge::Missing,
            job: None,
            status: None,
            funds_empty: false,
        }
    }
}
