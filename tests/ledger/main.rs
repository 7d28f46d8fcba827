//! The ledger, through its public face: promises, scenarios, stores, failures and properties.

mod promises;
mod support;
