//! The simulator through real sockets: what it answers, what it charges, how it misbehaves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so; the lint's exception only knows `#[test]` functions"
)]

mod account;
mod books;
mod charges;
mod client;
mod contacts;
mod faults;
mod framework;
mod jobs;
mod legacy;
mod listening;
mod reading;
mod test_mode;
mod transactions;
