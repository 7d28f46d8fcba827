//! The upstream account: what it has left, as last seen.
//!
//! [`AccountClient`] asks once and says exactly why it got no answer; [`Watcher`] asks again and
//! again and hands each [`Reading`] on. Neither knows the ledger: whoever builds both feeds the
//! one with what the other saw. A balance that cannot be read is an error with a name, never
//! zero and never the previous one again: how old a reading may be is decided by its reader.

mod client;
mod pace;
mod reading;
mod watcher;

pub use client::{AccountClient, AccountClientSettings, AccountError, ClientBuildError};
pub use pace::WatcherSettings;
pub use reading::Reading;
pub use watcher::{Nudge, Watcher};
