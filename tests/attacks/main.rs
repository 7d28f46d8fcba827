//! The guard under attack, through real sockets: from clients without a key, from teams with one,
//! and from the upstream. Each test states the bound that holds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/strict.rs"]
mod strict;

mod answers;
mod ceiling;
mod floods;
mod headers;
mod paths;
mod recorder;
mod slow_bodies;
mod smuggling;
mod unknown_keys;
mod villain;
