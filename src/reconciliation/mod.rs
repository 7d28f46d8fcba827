//! The account's truth: what the account says it took, held against what our books say.
//!
//! [`Reconciler`] runs again and again: it reads the account's list of transactions into the ledger,
//! each row once, and holds it against the entries. [`matching`] ties rows to calls, and is pure: it
//! is given everything and asks nobody, and never says what is not known. What it decides ends doubts
//! and jobs; what it leaves becomes findings, which are kept in the ledger, told once each, and closed
//! when something explains them later.
//!
//! Nothing here is in the way of a call: entries and rows are read beside the writer, and what is
//! written goes through it in small pieces.

mod allocated;
mod aside;
mod balance_kind;
mod cross_check;
mod ending;
mod entries;
mod judge;
mod keeping;
mod kinds;
mod list;
pub mod matching;
mod notes;
mod open;
mod pending;
mod prices;
mod question;
mod restore;
mod run;
mod running;
mod service;
mod setting_aside;
mod state;
mod summary;
mod telemetry;
mod twins;
mod unit;
mod usage;
mod wording;

pub use balance_kind::{BalanceKind, Movement};
pub use cross_check::{CrossCheck, kept_usage};
pub use notes::{UndecidedNote, explained_up_to, kinds, read_until, undecided, undecided_count};
pub use prices::{is_expected, put_kept_prices, record_of_prices};
pub use run::{CHARGES_KEPT, Depth, InForce, ReconcileError, Reconciler, ReconcilerSettings};
pub use service::{ReconcileNow, Service};
pub use summary::Summary;
pub use usage::{RowSums, operations_of, usage_key};
