//! `export`: the entries of a period, for finance.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;

use crate::cli::progress::Progress;
use crate::cli::{Context, archives, books, note};
use crate::counted::counted;
use crate::reports::{self, Entries, Period};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The first date or time (UTC) of recording that belongs to it
    #[arg(long, value_name = "MOMENT")]
    from: String,
    /// The first date or time of recording that no longer does
    #[arg(long, value_name = "MOMENT")]
    to: String,
    /// The form
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Where an archive is now, if it is not where it was written
    #[arg(long, value_name = "FILE")]
    archive: Vec<PathBuf>,
    /// Write into this new file in place of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Comma separated values, safe to open in a spreadsheet
    Csv,
    /// One JSON object a line
    Jsonl,
}

pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let now = context.clock.now();
    let period = Period::parse(Some(&args.from), Some(&args.to), now)?;
    let (_, reader) = books::open(context)?;
    let format = match args.format {
        Format::Csv => reports::Format::Csv,
        Format::Jsonl => reports::Format::Jsonl,
    };
    let archives = archives::open(&*reader, &args.archive, |span| {
        period.from <= span.recorded_at
    })?;
    let bar = Progress::new("exporting", "entries");
    let entries = Entries {
        archives: &archives,
        ledger: &*reader,
        progress: &|done, all| bar.show(done, all),
    };
    let count = match &args.output {
        None => reports::export(&entries, period, format, out)?,
        Some(path) => into_file(&entries, period, format, path)?,
    };
    drop(bar);
    note(&format!(
        "{} recorded from {} up to {}",
        counted(count, "entry", "entries"),
        period.from,
        period.to
    ));
    if period.is_open(now) {
        note("note: this period is not over yet; a later export of it will have more entries");
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a new file, whole or not at all: an export that finance has filed is never written over,
/// and half of one is not mistaken for it.
fn into_file(
    entries: &Entries<'_>,
    period: Period,
    format: reports::Format,
    path: &Path,
) -> anyhow::Result<u64> {
    let file =
        File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?;
    let write = || -> anyhow::Result<u64> {
        let mut buffer = BufWriter::new(&file);
        let count = reports::export(entries, period, format, &mut buffer)?;
        buffer.flush()?;
        drop(buffer);
        file.sync_all()?;
        Ok(count)
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })
}
