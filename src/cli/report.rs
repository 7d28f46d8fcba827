//! `report`: budgets, spend and open calls, as tables or as JSON.

use std::io::Write;
use std::process::ExitCode;

use crate::cli::{Context, books};
use crate::reports::{
    Period, changes_report, changes_text, doubts_report, doubts_text, findings_report,
    findings_text, spend_report, spend_text, usage_report, usage_text,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write JSON in place of tables
    #[arg(long)]
    json: bool,
    /// Where the account and the books do not agree, in place of spend
    #[arg(long, group = "part")]
    findings: bool,
    /// What is known of each call in doubt and what would decide it, in place of spend
    #[arg(long, group = "part")]
    in_doubt: bool,
    /// The books beside the account's rows and sums by operation, and the dearest operations, in
    /// place of spend
    #[arg(long, group = "part")]
    usage: bool,
    /// Who changed what while the guard ran (grants, pauses, reloads, resolved holds), in place of
    /// spend
    #[arg(long, group = "part")]
    changes: bool,
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
    if args.findings {
        let report = findings_report(&*reader, period, false)?;
        return show(args, out, &report, findings_text);
    }
    if args.changes {
        let report = changes_report(&*reader, period)?;
        return show(args, out, &report, changes_text);
    }
    if args.usage {
        let (catalogue, prices) = (&books.catalogue, &books.prices);
        let report = usage_report(&*reader, catalogue, prices, books.source, period)?;
        return show(args, out, &report, usage_text);
    }
    let report = spend_report(&*reader, &books.budgets, period, now)?;
    if args.in_doubt {
        let report = doubts_report(&*reader, &report)?;
        return show(args, out, &report, doubts_text);
    }
    show(args, out, &report, |report| {
        spend_text(report, &books.budgets, &books.team_names())
    })
}

fn show<T: serde::Serialize>(
    args: &Args,
    out: &mut dyn Write,
    report: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<ExitCode> {
    if args.json {
        serde_json::to_writer_pretty(&mut *out, report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", text(report))?;
    }
    Ok(ExitCode::SUCCESS)
}
