//! `archive`: moves closed months out of the ledger into a file of their own.
//!
//! Writes the archive beside whoever writes the ledger; then the running guard, or this process where none
//! runs, holds it against the ledger and removes the entries.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::cli::progress::Progress;
use crate::cli::{Context, asking, books, note};
use crate::control::Command;
use crate::ledger::{archive_span, write_archive};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The first month (UTC) that stays in the ledger; all before it are archived
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    before: Timestamp,
    /// The archive: a new file, on a disk that is kept as long as the books must be
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Why; kept with the change
    #[arg(long, default_value = "")]
    reason: String,
}

fn month(text: &str) -> Result<Timestamp, &'static str> {
    let wrong = "a month is written as 2026-01";
    let day: Date = match text.len() {
        7 => format!("{text}-01").parse().map_err(|_| wrong)?,
        _ => return Err(wrong),
    };
    let start = day.to_zoned(TimeZone::UTC).map_err(|_| wrong)?;
    Ok(start.timestamp())
}

pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let file = std::path::absolute(&args.to)?;
    write(&args, &file, context)?;
    note("the archive is written; now it is held against the ledger");
    asking::change(
        Command::Archive { file },
        args.reason,
        "not archived (the ledger is as it was)",
        context,
    )
}

fn write(args: &Args, file: &Path, context: &Context) -> anyhow::Result<()> {
    let (_, reader) = books::open(context)?;
    let span = archive_span(&*reader, args.before, context.clock.now())?;
    let progress = Progress::new("archiving", "entries");
    write_archive(&*reader, &span, file, &mut |done, all| {
        progress.show(done, all);
    })?;
    Ok(())
}
