//! The catalogue as its callers meet it: the built-in file, quotes, charges.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

mod charges;
mod controls;
mod documented;
mod properties;
mod quotes;
mod rewriting;
mod twins;

use std::sync::LazyLock;

use generect_guard::catalogue::{Catalogue, Operation, Quote, QuoteError, Unbounded, quote};

/// The built-in catalogue, read once because properties ask for it thousands of times.
pub fn catalogue() -> &'static Catalogue {
    static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());
    &BUILT_IN
}

/// A quote of the built-in catalogue.
pub fn quoted(operation: &str, body: &str, unbounded: Unbounded) -> Result<Quote, QuoteError> {
    let catalogue = catalogue();
    let operation: &Operation = catalogue.operation(operation).unwrap();
    quote(operation, catalogue.prices(), body.as_bytes(), unbounded)
}

/// What the quote comes to.
pub fn amount(operation: &str, body: &str) -> String {
    match quoted(operation, body, Unbounded::Maximum) {
        Ok(quote) => quote.amount.to_string(),
        Err(error) => panic!("{operation} {body}: {error}"),
    }
}

/// Why there is no quote.
pub fn refused(operation: &str, body: &str) -> String {
    match quoted(operation, body, Unbounded::Maximum) {
        Err(QuoteError::Unreadable(what)) => what,
        other => panic!("{operation} {body}: {other:?}"),
    }
}
