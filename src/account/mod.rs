//! The upstream account: what it has left, what it took and for what, and its own prices.
//!
//! [`AccountClient`] asks once and says exactly why it got no answer: for the balance, for a page
//! of transactions, for sums, for prices. [`Watcher`] asks for the balance again and again and hands
//! each [`Reading`] on. [`Pull`] reads a span of transactions, page by page. None of them knows the
//! ledger: whoever builds both feeds the one with what the other saw. A balance that cannot be read is an error with a name, never zero and never the
//! previous one again: how old a reading may be is decided by its reader.

mod client;
mod error;
mod json;
mod me;
mod pace;
mod reading;
mod tier;
mod tier_watcher;
mod transactions;
mod transport;
mod usage;
mod watcher;
mod way;

pub use client::AccountClient;
pub use error::{AccountError, ClientBuildError};
pub use me::{BalanceSource, read_balance};
pub use pace::{Near, WatcherSettings};
pub use reading::{Reading, Seen};
pub use tier::{PriceFault, TierPrices, read_tier};
pub use tier_watcher::{TierWatcher, TierWatcherSettings};
pub use transactions::{
    Page, Pull, PullReport, PullSettings, RowFault, Span, Stop, TransactionsQuery, UnreadableRow,
    read_rows,
};
pub use transport::{AccountClientSettings, in_the_clear};
pub use usage::{Spent, Sums, Usage, read_spent, read_usage};
pub use watcher::{FundsGone, Nudge, Watcher};
pub use way::{Carried, Carrier};
