//! Alerts: what is told when, once; and how it reaches a receiver that hangs, fails or comes back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the parts of tests that are no tests themselves fail by panicking"
)]

mod delivery;
mod properties;
mod receiver;
mod restarts;
mod rules;
mod support;
