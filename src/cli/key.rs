//! `key new`: makes a secret, prints it once, and the lines that register its digest.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;

use crate::cli::{Context, note};
use crate::config::{self, Declared};
use crate::identity::{KeyDigest, new_secret};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a new key's secret, print it once, and the lines for the configuration
    New(New),
}

#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// The team that will pay
    #[arg(long, value_parser = id)]
    team: String,
    /// The key's permanent, public id [default: the team's id and the next free number]
    #[arg(long, value_parser = id)]
    id: Option<String>,
}

fn id(text: &str) -> Result<String, &'static str> {
    if config::is_id(text) {
        Ok(text.to_owned())
    } else {
        Err("an id is 1 to 64 of the letters A-Z a-z 0-9 . _ -")
    }
}

pub(super) fn run(
    command: &Command,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let Command::New(args) = command;
    let declared = declared(context);
    let (team, id) = names(args, declared.as_ref(), context)?;
    let secret = new_secret()?;
    let digest = KeyDigest::of(secret.expose());
    writeln!(
        out,
        "# The secret of key {id}. It is shown this once and kept nowhere: give it to the client now."
    )?;
    writeln!(out, "{}", secret.expose())?;
    writeln!(out)?;
    writeln!(
        out,
        "# For the configuration, which never holds the secret itself:"
    )?;
    writeln!(out, "[[key]]")?;
    writeln!(out, "id = \"{id}\"")?;
    writeln!(out, "team = \"{team}\"")?;
    writeln!(out, "sha256 = \"{digest}\"")?;
    Ok(ExitCode::SUCCESS)
}

/// What the configuration names already. It may be wrong in other ways: a new one is, until its
/// first key is there.
fn declared(context: &Context) -> Option<Declared> {
    match config::declared(context.config(), &context.environment) {
        Ok(declared) => Some(declared),
        Err(errors) => {
            note(&format!(
                "note: nobody looked whether the team exists and the id is free. {errors}"
            ));
            None
        }
    }
}

fn names(
    args: &New,
    declared: Option<&Declared>,
    context: &Context,
) -> anyhow::Result<(String, String)> {
    let team = &args.team;
    if let Some(declared) = declared
        && !declared.teams.contains(team)
    {
        bail!(
            "there is no team {team} in {}: add a [[team]] with this id first",
            context.config.display()
        );
    }
    let taken = |id: &str| declared.is_some_and(|declared| declared.keys.contains(id));
    let id = match &args.id {
        Some(id) => id.clone(),
        None => (1_u32..)
            .map(|number| format!("{team}-{number}"))
            .find(|id| !taken(id))
            .unwrap_or_default(),
    };
    // The team's id and a number together may be too long for one.
    if !config::is_id(&id) {
        bail!("{id} is too long for an id: give one with --id");
    }
    if taken(&id) {
        bail!("there is a key {id} already");
    }
    Ok((team.clone(), id))
}
