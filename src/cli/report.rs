//! `report`: budgets, spend and open calls, as tables or as JSON.

use std::io::Write;
use std::process::ExitCode;

use crate::cli::{Context, books};
use crate::reports::{Period, spend_report, spend_text};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write JSON in place of tables
    #[arg(long)]
    json: bool,
    /// Spend from this date or time on (UTC) [default: the first of this month]
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// Spend up to this date or time, itself excluded [default: the end of this month, or now]
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
}

pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let now = context.clock.now();
    let period = Period::parse(args.from.as_deref(), args.to.as_deref(), now)?;
    let (books, reader) = books::open(context)?;
    let report = spend_report(&*reader, &books.budgets, period, now)?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(
            out,
            "{}",
            spend_text(&report, &books.budgets, &books.team_names())
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
