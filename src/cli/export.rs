//! `export`: the entries of a period, for finance.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;

use crate::cli::{Context, books, note};
use crate::reports::{self, Period};

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
    let count = match &args.output {
        None => reports::export(&*reader, period, format, out)?,
        Some(path) => {
            // An export that finance has filed is never written over.
            let file = File::create_new(path)
                .with_context(|| format!("{} cannot be made", path.display()))?;
            let mut file = BufWriter::new(file);
            let count = reports::export(&*reader, period, format, &mut file)?;
            file.into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            count
        }
    };
    note(&format!(
        "{count} entries recorded from {} up to {}",
        period.from, period.to
    ));
    if period.is_open(now) {
        note("note: this period is not over yet; a later export of it will have more entries");
    }
    Ok(ExitCode::SUCCESS)
}
