//! How far a long command is: a bar on standard error, if that is a terminal.

use std::time::Duration;

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

    /// For who cannot tell how much is done: the time that `what` has taken.
    pub(super) fn waiting(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{msg}: {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_secs(1));
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
