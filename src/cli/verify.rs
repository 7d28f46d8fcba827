//! `verify`: does the ledger agree with itself?

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::progress::Progress;
use crate::cli::{Context, archives, books};
use crate::counted::counted;
use crate::ledger::VerifyReport;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where an archive is now, if it is not where it was written
    #[arg(long, value_name = "FILE")]
    archive: Vec<PathBuf>,
    /// Leave out what is archived: only the sums that are kept of it are checked
    #[arg(long, conflicts_with = "archive")]
    without_archives: bool,
}

pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (books, reader) = books::open(context)?;
    let archives = archives::open(&*reader, &args.archive, |_| !args.without_archives)?;
    let progress = Progress::new("verifying", "entries");
    let report = reader
        .verify_with(&archives, &mut |done, all| progress.show(done, all))
        .with_context(|| format!("{} cannot be read to its end", books.ledger.path.display()))?;
    drop(progress);
    tell(&books.ledger.path.display().to_string(), &report, out)
}

fn tell(path: &str, report: &VerifyReport, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    writeln!(
        out,
        "{path}: {}, {} ({} open), {}, {} of the account ({} matched), {}",
        counted(report.entries, "entry", "entries"),
        counted(report.holds, "hold", "holds"),
        report.open,
        counted(report.sums, "sum", "sums"),
        counted(report.transactions, "row", "rows"),
        report.matches,
        counted(report.findings, "finding", "findings")
    )?;
    if report.archives > 0 {
        let archives = counted(report.archives, "archive", "archives");
        let unread = counted(report.unread, "entry", "entries");
        writeln!(out, "{archives}; left out: {unread}")?;
    }
    if report.is_sound() {
        writeln!(out, "Everything agrees.")?;
        return Ok(ExitCode::SUCCESS);
    }
    for mismatch in &report.mismatches {
        writeln!(out, "mismatch: {mismatch}")?;
    }
    if report.untold > 0 {
        let more = counted(report.untold, "more mismatch", "more mismatches");
        writeln!(out, "and {more}")?;
    }
    writeln!(
        out,
        "What to do: stop the guard, move the file with its -wal and -shm away and keep them, then put a backup of \
         before in its place with `restore` and start again (the README says what is not in it)."
    )?;
    if report.archives > 0 {
        writeln!(
            out,
            "If it is an archive that differs, put a copy of that in its place, or name one with --archive, and \
             verify again first."
        )?;
    }
    Ok(ExitCode::FAILURE)
}
