//! `check`: is the configuration right? By the code that `serve` runs.

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::cli::Context;
use crate::config::{self, Config};
use crate::counted::counted;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fail if there are warnings
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = config::load(context.config(), &context.environment)?;
    writeln!(out, "{} can be served.", context.config.display())?;
    summary(&config, out)?;
    ended_keys(&config, context.clock.now(), out)?;
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if args.strict && !config.warnings.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(config: &Config, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "  clients   http://{}", config.server.listen)?;
    writeln!(out, "  admin     http://{}", config.server.admin_listen)?;
    writeln!(out, "  upstream  {}", config.upstream.base_url)?;
    writeln!(out, "  ledger    {}", config.ledger.path.display())?;
    let counts = [
        counted(config.teams.len(), "team", "teams"),
        counted(config.clients.len(), "key", "keys"),
        counted(config.budgets.len(), "budget", "budgets"),
        counted(config.floors.len(), "floor", "floors"),
        counted(config.rates.len(), "rate", "rates"),
        counted(
            config.catalogue.operations().count(),
            "operation",
            "operations",
        ),
    ];
    writeln!(out, "  {}", counts.join(", "))
}

/// Not wrong, and easily forgotten: a key that ended is refused.
fn ended_keys(config: &Config, now: Timestamp, out: &mut dyn Write) -> std::io::Result<()> {
    for key in &config.clients {
        if let Some(expires) = key.expires.filter(|expires| *expires <= now) {
            let (id, team) = (&key.client.key, &key.client.team.id);
            writeln!(
                out,
                "  key {id} of team {team} ended at {expires}: its calls are refused"
            )?;
        }
    }
    Ok(())
}
