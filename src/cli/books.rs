//! Opens the books for the commands that only read them.

use crate::cli::Context;
use crate::config::{self, Books};
use crate::ledger::open_reader;
use crate::ledger::store::Reader;

/// The configured books, opened for reading beside whoever writes them. Needs no token.
pub(super) fn open(context: &Context) -> anyhow::Result<(Books, Box<dyn Reader>)> {
    let books = config::load_books(context.config(), &context.environment)?;
    let reader = open_reader(&books.ledger.path)?;
    Ok((books, reader))
}
