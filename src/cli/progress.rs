//! How far a long command is: a bar on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// One bar. Without a terminal it draws nothing.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// `what` is being done, to so many `units`.
    pub(super) fn new(what: &'static str, units: &str) -> Self {
        let bar = ProgressBar::new(0);
        let shape = format!("{{msg:10}} {{bar:30}} {{pos}} of {{len}} {units}, {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&shape) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(bar)
    }

    /// So many are done, of so many.
    pub(super) fn show(&self, done: i64, all: i64) {
        self.0.set_length(all.unsigned_abs());
        self.0.set_position(done.unsigned_abs());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
