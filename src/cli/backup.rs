//! `backup`: a complete copy of the ledger, made beside a running guard.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::progress::Progress;
use crate::cli::{Context, books};
use crate::counted::counted;
use crate::ledger::open_reader;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The new file; it must not exist yet
    file: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (_, reader) = books::open(context)?;
    let progress = Progress::new("copying", "pages");
    reader.backup(&args.file, &mut |done, all| progress.show(done, all))?;
    drop(progress);
    // A copy that cannot be read is worth nothing: it is opened before it is called one.
    let tail = open_reader(&args.file)
        .and_then(|copy| copy.tail())
        .context("the copy was made and cannot be read")?;
    let last = tail
        .recorded_at
        .map(|at| format!(", the last recorded at {at}"))
        .unwrap_or_default();
    let entries = counted(tail.seq, "entry", "entries");
    writeln!(out, "{}: {entries}{last}", args.file.display())?;
    Ok(ExitCode::SUCCESS)
}
