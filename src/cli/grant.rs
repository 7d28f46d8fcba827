//! `grant`: more room for a budget, for the rest of its window.

use std::process::ExitCode;

use crate::cli::{Context, asking};
use crate::control::Command;
use crate::credits::Credits;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The budget, by its id
    #[arg(long)]
    budget: String,
    /// How many credits on top of its limit, in its present window alone; below zero takes back what
    /// was granted there
    #[arg(long, value_name = "CREDITS", allow_negative_numbers = true)]
    amount: Credits,
    /// Why; kept with the entry for ever
    #[arg(long)]
    reason: String,
}

pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let command = Command::Grant {
        budget: args.budget.into(),
        amount: args.amount,
    };
    asking::change(command, args.reason, "not granted", context)
}
