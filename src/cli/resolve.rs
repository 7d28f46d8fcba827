//! `resolve`: ends a doubt by a person's decision.
//!
//! Asks the running guard through its socket. When none runs, takes the ledger's lock and does it
//! by the same code.

use std::process::ExitCode;

use anyhow::bail;

use crate::cli::{Context, note};
use crate::config;
use crate::control::{self, AskError, Command, Reply, Running};
use crate::credits::Credits;
use crate::ledger::store::open_locked;
use crate::ledger::{Ledger, Settings};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("decision").required(true))]
pub(super) struct Args {
    /// The hold, by its number in `report`
    hold: String,
    /// It was charged this many credits
    #[arg(long, value_name = "CREDITS", group = "decision")]
    charge: Option<Credits>,
    /// It was charged nothing
    #[arg(long, group = "decision")]
    release: bool,
    /// How this is known; kept with the entry for ever
    #[arg(long)]
    reason: String,
}

pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let books = config::load_books(context.config(), &context.environment)?;
    let command = Command::Resolve {
        hold: args.hold,
        charge: args.charge,
        reason: args.reason,
        who: context
            .environment
            .get("USER")
            .unwrap_or("unnamed")
            .to_owned(),
    };
    let path = &books.ledger.path;
    let reply = match control::ask(&control::socket_path(path), &command) {
        Ok(reply) => reply,
        Err(AskError::NobodyThere) => alone(path, command, context)?,
        Err(error) => return Err(error.into()),
    };
    match reply {
        Reply::Done(what) => {
            note(&what);
            Ok(ExitCode::SUCCESS)
        }
        Reply::Refused(why) => bail!("not resolved: {why}"),
        Reply::Reconciled(_) => bail!("the running guard answered something else"),
    }
}

/// Without a guard: opens the ledger as it would, decides, and closes it.
fn alone(path: &std::path::Path, command: Command, context: &Context) -> anyhow::Result<Reply> {
    // Opening for writing would make a ledger where none is.
    if !path.exists() {
        bail!(
            "there is no ledger at {}; check ledger.path",
            path.display()
        );
    }
    let (lock, store) = open_locked(path, context.clock.now())?;
    let (ledger, writer) =
        Ledger::open(Box::new(store), Settings::default(), context.clock.clone())?;
    let writer = writer.spawn()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let reply = runtime.block_on(async {
        let running = Running {
            ledger: ledger.clone(),
            reconcile: None,
        };
        let reply = command.run(&running, "no guard running").await;
        ledger.close().await.map(|()| reply)
    })?;
    if writer.join().is_err() {
        bail!("the ledger's writer broke down; run `generect-guard verify`");
    }
    drop(lock);
    Ok(reply)
}
