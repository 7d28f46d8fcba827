//! Ledgers that grow old or large or are lost, by the real binary: archives of closed months, backups put back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[path = "../support/mod.rs"]
mod support;

mod archive;
mod older;
mod reading;
mod restore;
