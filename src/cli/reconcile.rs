//! `reconcile`: holds the books against the account's list of transactions, now.
//!
//! Asks the running guard through its socket. When none runs, takes the ledger's lock and does it
//! by the same code, telling on standard error how far it is.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use jiff::Timestamp;

use crate::app::reconcile_alone;
use crate::cli::{Context, asking, note};
use crate::config;
use crate::control::{self, AskError, Command, Question, Reply};
use crate::ledger::open_reader;
use crate::reports::{Period, findings_report, findings_text};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write JSON in place of text: what this run did, and every finding that nothing explains yet
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let books = config::load_books(context.config(), &context.environment)?;
    let path = &books.ledger.path;
    let question = Question {
        command: Command::Reconcile {},
        who: context.who(),
        reason: String::new(),
    };
    let summary = match control::ask(&control::socket_path(path), &question) {
        Ok(Reply::Reconciled(summary)) => *summary,
        Ok(Reply::Refused(why)) => bail!("not reconciled: {why}"),
        Ok(Reply::Done(_)) => bail!("the running guard answered something else"),
        Err(AskError::NobodyThere) => {
            // Opening for writing would make a ledger where none is.
            if !path.exists() {
                bail!(
                    "there is no ledger at {}; check ledger.path",
                    path.display()
                );
            }
            let config = config::load(context.config(), &context.environment)?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let mut progress = |read_until: Timestamp| {
                note(&format!("the account's list is read up to {read_until}"));
            };
            let hear = asking::migrating();
            runtime.block_on(reconcile_alone(
                &config,
                &context.clock,
                &hear,
                &mut progress,
            ))?
        }
        Err(error) => return Err(error.into()),
    };
    let all = Period {
        from: Timestamp::MIN,
        to: Timestamp::MAX,
    };
    let report = findings_report(&*open_reader(path)?, all, true)?;
    if args.json {
        let told = serde_json::json!({ "run": summary, "open": report });
        serde_json::to_writer_pretty(&mut *out, &told).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{summary}\n\n{}", findings_text(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}
