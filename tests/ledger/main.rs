//! The ledger, through its public face: promises, scenarios, stores, failures and properties.

mod failures;
mod promises;
mod properties;
mod stores;
mod support;
