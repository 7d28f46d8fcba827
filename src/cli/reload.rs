//! `reload`: the running guard reads its configuration again, all of it or nothing.

use std::process::ExitCode;

use anyhow::bail;

use crate::cli::{Context, note};
use crate::config;
use crate::control::{self, AskError, Command, Question, Reply};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Why; kept in the list of changes
    #[arg(long, default_value = "")]
    reason: String,
}

pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    // What is wrong with the file is told here already, with the exit code of such mistakes.
    let books = config::load_books(context.config(), &context.environment)?;
    let question = Question {
        command: Command::Reload {},
        who: context.who(),
        reason: args.reason,
    };
    let reply = match control::ask(&control::socket_path(&books.ledger.path), &question) {
        Err(error @ AskError::NobodyThere) => bail!("{error}; `serve` reads the file as it is"),
        asked => asked?,
    };
    match reply {
        Reply::Done(what) => {
            note(&what);
            Ok(ExitCode::SUCCESS)
        }
        Reply::Refused(why) => bail!("not reloaded, everything is as it was: {why}"),
        Reply::Reconciled(_) => bail!("the running guard answered something else"),
    }
}
