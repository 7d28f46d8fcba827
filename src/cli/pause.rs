//! `pause` and `resume`: a team's or a key's calls are refused from now on, or no more.

use std::process::ExitCode;

use crate::cli::{Context, asking};
use crate::control::Command;
use crate::identity::Whose;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
pub(super) struct Args {
    /// All keys of this team
    #[arg(long, value_name = "ID", group = "whose")]
    team: Option<String>,
    /// This key alone
    #[arg(long, value_name = "ID", group = "whose")]
    key: Option<String>,
    /// Why: the team reads it in its refusals, and it is kept for ever
    #[arg(long)]
    reason: String,
}

impl Args {
    fn whose(&self) -> Whose {
        match (&self.team, &self.key) {
            (Some(team), _) => Whose::Team(team.as_str().into()),
            // One of the two is there: the command line asks for it.
            (None, key) => Whose::Key(key.as_deref().unwrap_or_default().into()),
        }
    }
}

pub(super) fn pause(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let whose = args.whose();
    asking::change(Command::Pause { whose }, args.reason, "not paused", context)
}

pub(super) fn resume(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let whose = args.whose();
    asking::change(
        Command::Resume { whose },
        args.reason,
        "not resumed",
        context,
    )
}
