//! Ledgers that grow old or are lost, by the real binary: archives of closed months, backups put back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[expect(dead_code, reason = "this is shared with other tests")]
#[path = "../support/mod.rs"]
mod support;

mod archive;
mod restore;
