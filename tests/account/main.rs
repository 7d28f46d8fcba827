//! The account client, its watcher and the operator's pages, over real connections.

#![expect(
    clippy::unwrap_used,
    reason = "the lint spares test functions but not what they call"
)]

mod admin;
mod client;
mod emptied;
mod log;
mod pages;
mod pull;
mod tier;
mod upstream;
mod watcher;
