//! generect-guard: a gateway that holds the money before the call leaves.

pub mod account;
pub mod admin;
pub mod clock;
pub mod credits;
pub mod ids;
pub mod logging;
pub mod metrics;
