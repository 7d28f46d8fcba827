//! The promises, through real sockets: a real guard with a real ledger file before a simulated
//! Generect. One file a promise or a topic.

#[path = "../support/mod.rs"]
mod support;

mod hard_cap;
mod refusals;
mod settlement;
