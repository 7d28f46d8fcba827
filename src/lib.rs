//! generect-guard: a gateway that holds the money before the call leaves.

pub mod account;
pub mod admin;
pub mod app;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod credits;
pub mod identity;
pub mod ids;
pub mod ledger;
pub mod logging;
pub mod metrics;
pub mod proxy;
pub mod reports;
pub mod simulator;
