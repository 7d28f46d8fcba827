//! Standard output, written to once for all lines of a busy moment.
//!
//! A pipe is read by another process, which every write wakes: at thousands of calls a second that
//! is more work than the calls. So a thread that says when it is about to wait gathers its lines until
//! then. At rest each line leaves at once; under load many leave together; none waits while its
//! thread does.

use std::cell::RefCell;
use std::io::{self, Write};

/// With this many bytes it is written out without waiting for the thread to rest: less than a pipe holds.
const FULL_BYTES: usize = 32 * 1024;

thread_local! {
    static LINES: RefCell<Lines> = const { RefCell::new(Lines { bytes: Vec::new(), gathers: false }) };
}

struct Lines {
    bytes: Vec<u8>,
    /// Whether this thread says when it rests.
    gathers: bool,
}

impl Lines {
    /// A failure to write is dropped: there is nowhere left to report it.
    fn write_out(&mut self) {
        if !self.bytes.is_empty() {
            let _ = io::stdout().write_all(&self.bytes);
            self.bytes.clear();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.write_out();
    }
}

/// Writes out what this thread has gathered. To be called before each of its rests: from the first
/// call on its lines wait for the next.
pub fn write_before_rest() {
    in_this_thread(|lines| {
        lines.gathers = true;
        lines.write_out();
    });
}

/// Writes out what this thread has gathered, and each further line at once: it will no longer say
/// when it rests.
pub fn write_at_once() {
    in_this_thread(|lines| {
        lines.gathers = false;
        lines.write_out();
    });
}

/// Does nothing in a thread that is ending.
fn in_this_thread(change: impl FnOnce(&mut Lines)) {
    let _ = LINES.try_with(|lines| {
        if let Ok(mut lines) = lines.try_borrow_mut() {
            change(&mut lines);
        }
    });
}

/// Takes whole lines for standard output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GatheredLines;

impl Write for GatheredLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gathered = LINES.try_with(|lines| match lines.try_borrow_mut() {
            Ok(mut lines) if lines.gathers => {
                lines.bytes.extend_from_slice(bytes);
                if lines.bytes.len() >= FULL_BYTES {
                    lines.write_out();
                }
                true
            }
            _ => false,
        });
        if !matches!(gathered, Ok(true)) {
            io::stdout().write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    /// Does nothing: see the module.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
