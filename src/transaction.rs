//! One row of the account's own list of what it took and was given.
//!
//! A row names no key, team, path or request (dossier section 3.3): it can be tied to a call only
//! by its time, its kind and its amount. Read by `account`, kept by `ledger`, matched by
//! `reconciliation`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;

/// A row's name: the list it stands in, and its id there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId {
    /// Which list.
    pub source: TransactionSource,
    /// The upstream's own id.
    pub id: Arc<str>,
}

/// The list a row was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionSource {
    /// `/api/v1/accounts/transactions/`.
    V1,
    /// `/api/auth/transactions/`.
    Legacy,
}

/// How far a row is (dossier section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionStatus {
    /// Set aside for a call in flight; amount and status may still change.
    Pending,
    /// Taken, or given.
    Success,
    /// Given back in full.
    Error,
    /// A word no document knows: counted like one that is not final.
    Unknown,
}

/// One row, as it was read last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its name.
    pub id: TransactionId,
    /// When the upstream wrote it. A time without an offset is taken as UTC.
    pub at: Timestamp,
    /// What it is for, in the upstream's words: v1 `type`, legacy `balance_type`.
    pub kind: Arc<str>,
    /// In the account's credits, with the upstream's sign: below zero was taken, above was given.
    pub amount: Credits,
    /// How far it is.
    pub status: TransactionStatus,
}

impl Transaction {
    /// What was taken; zero for what was given.
    pub fn charge(&self) -> Credits {
        Credits::ZERO.saturating_sub(self.amount).max(Credits::ZERO)
    }

    /// What was taken for good, so far: zero as long as the row is not final, or is an error.
    pub fn taken(&self) -> Credits {
        match self.status {
            TransactionStatus::Success => self.charge(),
            _ => Credits::ZERO,
        }
    }
}

impl TransactionSource {
    /// The word a store keeps.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Legacy => "legacy",
        }
    }

    /// The source of a stored word.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::V1, Self::Legacy]
            .into_iter()
            .find(|source| source.as_str() == text)
    }
}

impl TransactionStatus {
    /// The upstream's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }

    /// Whether amount and status stay as they are, if the upstream keeps its word.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Error)
    }

    /// The status of a word.
    pub fn from_text(text: &str) -> Self {
        [Self::Pending, Self::Success, Self::Error]
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.source.as_str(), self.id)
    }
}

/// A text is not the name of a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no transaction; it would look like v1:txn_1")]
pub struct ParseTransactionIdError(String);

impl FromStr for TransactionId {
    type Err = ParseTransactionIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseTransactionIdError(text.to_owned());
        let (source, id) = text.split_once(':').ok_or_else(wrong)?;
        let source = TransactionSource::from_text(source).ok_or_else(wrong)?;
        Ok(Self {
            source,
            id: id.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for text in ["v1:txn_1", "legacy:7b2c-11", "v1:a:b"] {
            let id: TransactionId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
        }
        for text in ["", "txn_1", "v2:txn_1"] {
            assert!(text.parse::<TransactionId>().is_err(), "{text}");
        }
    }
}
