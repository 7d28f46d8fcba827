//! Slots: whose turn it is, and that no slot is ever lost or given twice.

#![expect(
    clippy::unwrap_used,
    reason = "the parts of tests that are no tests themselves fail by panicking"
)]

mod fairness;
mod rooms;
