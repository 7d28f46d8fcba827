//! The most one call can take, worked out from its body before it is sent.

use bytes::Bytes;

use super::operation::Operation;
use super::price::Prices;
use crate::credits::Credits;

/// What to do with a search whose body has no bound on its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbounded {
    /// Quote the documented maximum and write it into the body.
    Maximum,
    /// Refuse the call.
    Refuse,
    /// Write this bound into the body, or the documented maximum if that is lower.
    Limit(u64),
}

/// The most one call can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The most it can take.
    pub amount: Credits,
    /// Some: forward this body instead, which is the same with the bound written in.
    pub body: Option<Bytes>,
    /// Units it can take at most, without extras.
    pub items: u64,
}

/// Why a call has no quote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// The body cannot be read, or could be read in two ways.
    #[error("{0}")]
    Unreadable(String),
    /// The body has no bound and its team wants one.
    #[error("{field} is missing; at most {fits} would fit")]
    Unbounded {
        /// The field that would bound it, dotted.
        field: String,
        /// The documented maximum.
        fits: u64,
    },
    /// More than can be counted.
    #[error("the most this call can take is more than can be counted")]
    TooLarge,
}

/// The most one call of `operation` with this body can take.
///
/// # Errors
/// [`QuoteError`]; none of them is ever to be read as nothing.
pub fn quote(
    operation: &Operation,
    prices: &Prices,
    body: &[u8],
    unbounded: Unbounded,
) -> Result<Quote, QuoteError> {
    let _ = (operation, prices, body, unbounded);
    Err(QuoteError::TooLarge)
}
