//! The promises, through real sockets: a real guard with a real ledger file before a simulated
//! Generect. One file a promise or a topic.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod account_changes;
mod account_floors;
mod admin;
mod clock;
mod crash;
mod disk;
mod doubts;
mod drain;
mod hard_cap;
mod held_before_sent;
mod jobs;
mod jobs_in_doubt;
mod leaving;
mod one_gate;
mod one_process;
mod order;
mod readme;
mod refusals;
mod sdk;
mod sdk_reactions;
mod sdk_session;
mod secrets;
mod settlement;
mod upstream;
