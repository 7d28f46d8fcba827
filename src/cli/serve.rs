//! `serve`: the guard itself, until it is told to stop.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{Drained, Guard, LoadConfig, Sockets};
use crate::cli::{Context, note, systemd};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigErrors, Environment};
use crate::control::{Asker, ReloadNow};
use crate::ledger::{HearMigrating, Migrating};
use crate::logging::{self, Secrets};

/// The code of a process that a second signal ended at once: 128 + SIGINT, as shells count.
const EXIT_AT_ONCE: i32 = 130;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let secrets = Secrets::new();
    let config = load(&context.config, &context.environment, &secrets)?;
    logging::install(
        &config.logging,
        context.environment.get("RUST_LOG"),
        &secrets,
    )?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Before there are threads: what says which sockets are ours is taken out of the environment.
    let sockets = systemd::sockets(&context.environment)?;
    let runtime = runtime().context("the runtime cannot be started")?;
    let (path, environment) = (context.config.clone(), context.environment.clone());
    let again = Arc::new(move || load(&path, &environment, &secrets));
    let ended = runtime.block_on(serve(config, again, sockets, context));
    logging::write_at_once();
    ended
}

/// Reads the settings, at the start and whenever they are read again. What no log line may show is
/// registered before anything can be logged of it.
fn load(path: &Path, environment: &Environment, secrets: &Secrets) -> Result<Config, ConfigErrors> {
    let config = config::load(Some(path), environment)?;
    for text in config.unloggable() {
        secrets.register(text);
    }
    Ok(config)
}

/// A thread for each core. On a single one it is this thread: handing calls over to another was
/// 4 to 8 hundredths of all work (`benches/beside`).
fn runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut builder = match cores {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let builder = builder.enable_all();
    builder.on_thread_park(logging::write_before_rest).build()
}

async fn serve(
    config: Config,
    again: LoadConfig,
    sockets: Sockets,
    context: &Context,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let hangups = signal(SignalKind::hangup())?;
    let hear = HearMigrating::new(migrating);
    let starting = Guard::start_live(config, context.clock.clone(), again, sockets, &hear);
    let guard = tokio::select! {
        started = starting => started?,
        () = signals.wait() => end_before_the_start(),
    };
    let status = format!("clients call {}", guard.address);
    systemd::ready(&status);
    systemd::keep_saying_alive();
    let reloading = tokio::spawn(reload_on(
        hangups,
        guard.reload.clone(),
        context.clock.clone(),
        status,
    ));
    signals.wait().await;
    reloading.abort();
    systemd::stopping();
    tracing::info!("told to stop: no new calls, running ones finish; a second signal ends at once");
    tokio::spawn(async move {
        signals.wait().await;
        note(
            "ended at once by a second signal; open holds stay and are in doubt at the next start",
        );
        logging::write_at_once();
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

/// Nobody waits for what was begun: no call was taken, and a ledger that is being brought to a newer schema stands
/// a process's end at any moment.
fn end_before_the_start() -> ! {
    systemd::stopping();
    tracing::info!(
        "told to stop before the guard listened: no call was taken; if the ledger was being brought to a \
         newer schema, the next start goes on with it"
    );
    logging::write_at_once();
    std::process::exit(0)
}

/// The thread that opens the ledger rests only when that is done, and lines are written at a rest.
fn migrating(told: Migrating) {
    tracing::info!("{told}");
    logging::write_at_once();
    systemd::starting(&told.to_string());
}

/// SIGHUP is `reload` without a socket. How it went stands in the log.
async fn reload_on(mut hangups: Signal, reload: ReloadNow, clock: Clock, status: String) {
    while hangups.recv().await.is_some() {
        systemd::reloading();
        let asker = Asker {
            at: clock.now(),
            who: "SIGHUP".into(),
            reason: String::new(),
        };
        let _ = reload.reload(asker).await;
        systemd::ready(&status);
    }
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
