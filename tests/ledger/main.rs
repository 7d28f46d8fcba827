//! The ledger, through its public face: promises, scenarios, stores, failures and properties.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the parts of tests that are no tests themselves fail by panicking"
)]

mod any_records;
mod archives;
mod changes;
mod closed_months;
mod corrections;
mod damage;
mod decisions;
mod digests;
mod entries;
mod exhausted;
mod failing;
mod failures;
mod files;
mod findings;
mod grants;
mod half_a_year;
mod histories;
mod interleavings;
mod keeping;
mod levels;
mod migrating;
mod naive;
mod of_team;
mod other_budgets;
mod promises;
mod properties;
mod record_files;
mod records;
mod scenarios;
mod schemas;
mod shadow;
mod stores;
mod support;
#[path = "../support/told.rs"]
mod told;
mod windows;
