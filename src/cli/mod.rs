//! The command line: one file a command.
//!
//! Exit codes: 0 it worked; 1 it did not; 2 the configuration or the command line is wrong. What was
//! asked for goes to standard output, everything else to standard error.

mod archive;
mod archives;
mod asking;
mod backup;
mod books;
mod check;
mod export;
mod grant;
mod key;
mod pause;
mod progress;
mod reconcile;
mod reload;
mod report;
mod resolve;
mod restore;
mod sandbox;
mod serve;
mod systemd;
mod verify;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{ConfigErrors, Environment};
use crate::reports::ParsePeriodError;
use crate::version;

/// Where the configuration is when nobody says.
const CONFIG_PATH: &str = "./generect-guard.toml";
/// The variable that says where it is.
const CONFIG_VARIABLE: &str = "GUARD_CONFIG";
/// The exit code of a wrong configuration or command line; clap uses the same.
const EXIT_USAGE: u8 = 2;

/// A budget proxy in front of the Generect API.
#[derive(Debug, Parser)]
#[command(
    name = "generect-guard",
    version = version::VERSION,
    long_version = version::LONG,
    about,
    disable_help_subcommand = true
)]
struct Cli {
    /// The configuration file [default: $GUARD_CONFIG, else ./generect-guard.toml]
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the guard until SIGTERM or SIGINT
    Serve(serve::Args),
    /// Try everything out: a simulated Generect, the guard, and a little traffic
    Sandbox(sandbox::Args),
    #[command(flatten)]
    Answering(Answering),
    /// End a hold in doubt by your own decision
    Resolve(resolve::Args),
    /// Give a budget more room in its present window, or take it back
    Grant(grant::Args),
    /// Refuse the new calls of a team or a key
    Pause(pause::Args),
    /// Let a paused team or key go on
    Resume(pause::Args),
    /// Have the running guard read its configuration again
    Reload(reload::Args),
    /// Move closed months out of the ledger into a file of their own
    Archive(archive::Args),
}

/// The commands whose standard output is what was asked for. The others speak through the log.
#[derive(Debug, Subcommand)]
enum Answering {
    /// Check the configuration, by the code that `serve` runs
    Check(check::Args),
    /// Make keys
    #[command(subcommand)]
    Key(key::Command),
    /// Show budgets, spend, and the calls that have not ended
    Report(report::Args),
    /// Hold the books against the account's list of transactions
    Reconcile(reconcile::Args),
    /// Write the entries of a period, for finance
    Export(export::Args),
    /// Check the whole ledger against itself
    Verify(verify::Args),
    /// Copy the ledger, also beside a running guard
    Backup(backup::Args),
    /// Put a backup in the place of a ledger that was lost
    Restore(restore::Args),
}

/// What every command is given.
struct Context {
    config: PathBuf,
    environment: Environment,
    clock: Clock,
}

impl Context {
    fn config(&self) -> Option<&Path> {
        Some(&self.config)
    }

    /// How the person at the terminal calls themselves.
    fn who(&self) -> String {
        self.environment.get("USER").unwrap_or("unnamed").to_owned()
    }
}

/// Runs the command the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::of_process();
    let config = cli
        .config
        .or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(CONFIG_PATH));
    let context = Context {
        config,
        environment,
        clock: Clock::system(),
    };
    run(cli.command, &context).unwrap_or_else(|error| explain(&error, &context))
}

fn run(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(&args, context),
        Command::Sandbox(args) => sandbox::run(&args, context),
        Command::Resolve(args) => resolve::run(args, context),
        Command::Grant(args) => grant::run(args, context),
        Command::Pause(args) => pause::pause(args, context),
        Command::Resume(args) => pause::resume(args, context),
        Command::Reload(args) => reload::run(args, context),
        Command::Archive(args) => archive::run(args, context),
        Command::Answering(command) => {
            let mut out = BufWriter::new(io::stdout().lock());
            let code = answer(command, context, &mut out)?;
            out.flush()?;
            Ok(code)
        }
    }
}

fn answer(command: Answering, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Answering::Check(args) => check::run(&args, context, out),
        Answering::Key(command) => key::run(&command, context, out),
        Answering::Report(args) => report::run(&args, context, out),
        Answering::Reconcile(args) => reconcile::run(&args, context, out),
        Answering::Export(args) => export::run(&args, context, out),
        Answering::Verify(args) => verify::run(&args, context, out),
        Answering::Backup(args) => backup::run(&args, context, out),
        Answering::Restore(args) => restore::run(&args, context, out),
    }
}

/// Says why a command failed, and which exit code that is.
fn explain(error: &anyhow::Error, context: &Context) -> ExitCode {
    // Whoever reads the output may stop early (`| head`): that is no failure.
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    if error.is::<ConfigErrors>() {
        note(&format!("error: {}: {error}", context.config.display()));
    } else {
        note(&format!("error: {}", told(error)));
    }
    if error.is::<ConfigErrors>() || error.is::<ParsePeriodError>() {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::FAILURE
    }
}

/// What happened, and all that led to it, each once: many an error has its cause's words already.
fn told(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words += &format!(": {cause}");
        }
    }
    words
}

/// Tells a person something beside the output. If even that cannot be written, nobody is there.
fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn each_cause_of_an_error_is_told_once() {
        let quoted = anyhow!("the disk is full").context("not written: the disk is full");
        assert_eq!(told(&quoted), "not written: the disk is full");
        let apart = anyhow!("the disk is full").context("not written");
        assert_eq!(told(&apart), "not written: the disk is full");
    }
}
