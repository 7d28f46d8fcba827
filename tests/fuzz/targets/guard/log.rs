//! What the guard writes into its log, as its own settings of a log would have it: without its secrets, if
//! they are taken out of every line.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use generect_guard::logging::{Redactor, Secrets};
use tracing::Level;

use super::TOKEN;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Adds to the lines of its thread.
#[derive(Debug)]
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From here on this thread's lines are those of what follows.
pub fn begin() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let secrets = Secrets::new();
        secrets.register(TOKEN);
        tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_writer(Redactor::new(|| Lines, secrets))
            .init();
    });
    LINES.take();
}

/// This thread's lines since [`begin`].
pub fn lines() -> Vec<u8> {
    LINES.take()
}
