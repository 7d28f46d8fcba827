//! `resolve`: ends a doubt by a person's decision.

use std::process::ExitCode;

use crate::cli::{Context, asking};
use crate::control::Command;
use crate::credits::Credits;

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
    let command = Command::Resolve {
        hold: args.hold,
        charge: args.charge,
    };
    asking::change(command, args.reason, "not resolved", context)
}
