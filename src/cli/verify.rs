//! `verify`: does the ledger agree with itself?

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use crate::cli::{Context, books};

/// How many entries lie between two signs of life.
const PROGRESS_STEP: i64 = 100_000;

pub(super) fn run(context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (books, reader) = books::open(context)?;
    let mut stderr = std::io::stderr();
    let shows_progress = stderr.is_terminal();
    let mut shown = 0;
    let report = reader.verify(&mut |done, all| {
        if shows_progress && done - shown >= PROGRESS_STEP {
            shown = done;
            let _ = write!(stderr, "\r{done} of {all} entries");
        }
    })?;
    if shown > 0 {
        let _ = writeln!(stderr);
    }
    writeln!(
        out,
        "{}: {} entries, {} holds ({} open), {} sums, {} rows of the account ({} matched), {} findings",
        books.ledger.path.display(),
        report.entries,
        report.holds,
        report.open,
        report.sums,
        report.transactions,
        report.matches,
        report.findings
    )?;
    if report.is_sound() {
        writeln!(out, "Everything agrees.")?;
        return Ok(ExitCode::SUCCESS);
    }
    for mismatch in &report.mismatches {
        writeln!(out, "mismatch: {mismatch}")?;
    }
    if report.untold > 0 {
        writeln!(out, "and {} more mismatches", report.untold)?;
    }
    Ok(ExitCode::FAILURE)
}
