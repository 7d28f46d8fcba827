//! The promises, through real sockets: a real guard with a real ledger file before a simulated
//! Generect. One file a promise or a topic.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[path = "../support/mod.rs"]
mod support;

mod hard_cap;
mod order;
mod readme;
mod refusals;
mod settlement;
mod slow_clients;
mod upstream;
