//! generect-guard: a gateway that holds the money before the call leaves.

pub mod catalogue;
pub mod clock;
pub mod config;
pub mod credits;
pub mod identity;
pub mod ids;
pub mod ledger;
pub mod reports;
