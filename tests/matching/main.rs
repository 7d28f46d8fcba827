//! Matching the account's rows with our calls: what is decided, what is not, and what never happens.

#![expect(
    clippy::unwrap_used,
    reason = "the parts of tests that are no tests themselves fail by panicking"
)]

mod allocated;
mod charges;
mod doubts;
mod histories;
mod kinds;
mod oracle;
mod runs;
mod support;
