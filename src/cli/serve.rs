//! `serve`: the guard itself, until it is told to stop.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{Drained, Guard};
use crate::cli::{Context, note};
use crate::config::{self, Config};
use crate::logging::{self, Secrets};

/// The code of a process that a second signal ended at once: 128 + SIGINT, as shells count.
const EXIT_AT_ONCE: i32 = 130;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = config::load(context.config(), &context.environment)?;
    let secrets = Secrets::new();
    for text in config.unloggable() {
        secrets.register(text);
    }
    logging::install(
        &config.logging,
        context.environment.get("RUST_LOG"),
        &secrets,
    )?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = runtime().context("the runtime cannot be started")?;
    runtime.block_on(serve(config, context))
}

/// A thread for each core. On a single one it is this thread: handing calls over to another was
/// 4 to 8 hundredths of all work (`benches/request_path`).
fn runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut builder = match cores {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn serve(config: Config, context: &Context) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let guard = Guard::start(config, context.clock.clone()).await?;
    signals.wait().await;
    tracing::info!("told to stop: no new calls, running ones finish; a second signal ends at once");
    tokio::spawn(async move {
        signals.wait().await;
        note(
            "ended at once by a second signal; open holds stay and are in doubt at the next start",
        );
        std::process::exit(EXIT_AT_ONCE);
    });
    Ok(match guard.drain().await {
        Drained::Clean => {
            tracing::info!("stopped: every call finished and the ledger is flushed");
            ExitCode::SUCCESS
        }
        Drained::CallsLeft(calls) => {
            tracing::warn!(
                calls,
                "stopped at the drain timeout; the calls left are in doubt at the next start"
            );
            ExitCode::FAILURE
        }
        Drained::Unflushed => ExitCode::FAILURE,
    })
}

/// SIGTERM from whatever runs services, SIGINT from a terminal.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
