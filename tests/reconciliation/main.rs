//! Reconciliation without a guard: a ledger file, a list that says what a test wants, and a clock
//! to move.

#![expect(
    clippy::unwrap_used,
    reason = "the parts of tests that are no tests themselves fail by panicking"
)]

mod aside;
mod between;
mod changes;
mod clocks;
mod crashes;
mod dying;
mod hostile;
mod jobs;
mod list;
mod memory;
mod restarts;
mod sources;
mod support;
mod teams;
