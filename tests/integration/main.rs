//! The promises, through real sockets: a real guard with a real ledger file before a simulated
//! Generect. One file a promise or a topic.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod bad_upstream;
mod bad_wire;
mod explains;
mod explains_shortage;
mod hard_cap;
mod one_gate;
mod one_gate_beside;
mod order;
mod readme;
mod refusals;
mod secrets;
mod secrets_in_logs;
mod settlement;
mod upstream;
mod who_pays;
