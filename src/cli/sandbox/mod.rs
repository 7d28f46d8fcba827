//! `sandbox`: a simulated Generect, a real guard before it, and a little traffic. Nothing to
//! configure, nothing that is charged to anybody.

mod traffic;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::app::Guard;
use crate::cli::serve::Signals;
use crate::cli::{Context, EXIT_USAGE, note};
use crate::config::{self, Config, Environment};
use crate::credits::Credits;
use crate::ledger::{Budget, open_reader};
use crate::logging::{self, Format, LoggingSettings, Secrets};
use crate::reports::{Period, TeamNames, findings_report, findings_text, spend_report, spend_text};
use crate::simulator::{LIVE_TOKEN, Simulator, SimulatorSettings};

const SETTINGS: &str = include_str!("../../../config/sandbox.toml");
/// What the simulated account has at the start, in micro-credits: 40 credits.
const BALANCE: Credits = Credits::from_micros(40_000_000);

/// What somebody takes around the guard: 1.5 credits.
const ELSEWHERE: Credits = Credits::from_micros(1_500_000);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the guard listens
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where health and metrics are read
    #[arg(long, default_value = "127.0.0.1:8081")]
    admin_listen: SocketAddr,
    /// End after the traffic in place of waiting for calls
    #[arg(long)]
    once: bool,
    /// In the place of the one that every other command has
    #[arg(long, hide = true)]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.config.is_some() {
        note("error: the sandbox has a configuration of its own: leave --config out");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let secrets = Secrets::new();
    secrets.register(LIVE_TOKEN);
    let log = LoggingSettings {
        format: Format::Auto,
        // The tour speaks for itself; later calls are the visitor's, and they see their spend lines.
        filter: if args.once {
            "error"
        } else {
            "warn,spend=info"
        }
        .into(),
    };
    logging::install(&log, context.environment.get("RUST_LOG"), &secrets)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(sandbox(args, context))
}

async fn sandbox(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let folder = Folder::new()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let settings = SimulatorSettings {
        balance: BALANCE,
        ..SimulatorSettings::default()
    };
    let simulator = Simulator::start(listener, settings).await;
    let config = settings_for(args, &simulator, folder.path())?;
    let (budgets, ledger) = (config.budgets.clone(), config.ledger.path.clone());
    let guard = Guard::start(config, context.clock.clone()).await?;

    note(&format!(
        "A simulated Generect with {}, and the guard before it on http://{}\n",
        BALANCE.counted(),
        guard.address
    ));
    let lines = traffic::drive(&guard, &simulator).await?;
    note(&lines);
    // Endings that nobody waits for may take some milliseconds to reach the disk.
    tokio::time::sleep(Duration::from_millis(50)).await;
    note(&report(&ledger, &budgets, context)?);
    note(&reconciled(&guard, &simulator, &ledger).await?);
    note(&format!(
        "The simulator charged {} in all and has {} left.",
        simulator.truth().total_charged().counted(),
        simulator.balance()
    ));
    if !args.once {
        note(&try_it(guard.address, guard.admin_address, folder.path()));
        signals.wait().await;
    }
    guard.drain().await;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Somebody uses the account around the guard, and then the account's own list is read.
async fn reconciled(guard: &Guard, simulator: &Simulator, ledger: &Path) -> anyhow::Result<String> {
    simulator.spend_elsewhere("search_database_leads", ELSEWHERE);
    let reconcile = guard
        .reconcile
        .as_ref()
        .context("nothing reconciles here")?;
    let summary = reconcile.run().await.map_err(anyhow::Error::msg)?;
    let all = Period {
        from: jiff::Timestamp::MIN,
        to: jiff::Timestamp::MAX,
    };
    let findings = findings_report(&*open_reader(ledger)?, all, true)?;
    Ok(format!(
        "\nThen somebody takes {} around the guard, and the account's own list is read:\n\n{summary}\n\n{}",
        ELSEWHERE.counted(),
        findings_text(&findings)
    ))
}

/// The sandbox's settings, with this run's addresses in them.
fn settings_for(args: &Args, simulator: &Simulator, folder: &Path) -> anyhow::Result<Config> {
    let path = folder.join("guard.toml");
    std::fs::write(&path, SETTINGS)?;
    let ledger = folder.join("ledger.db");
    let environment = Environment::from_iter([
        ("SANDBOX_TOKEN", LIVE_TOKEN.to_owned()),
        ("GUARD__UPSTREAM__BASE_URL", simulator.base_url()),
        ("GUARD__SERVER__LISTEN", args.listen.to_string()),
        ("GUARD__SERVER__ADMIN_LISTEN", args.admin_listen.to_string()),
        ("GUARD__LEDGER__PATH", ledger.display().to_string()),
    ]);
    Ok(config::load(Some(&path), &environment)?)
}

fn report(ledger: &Path, budgets: &[Budget], context: &Context) -> anyhow::Result<String> {
    let now = context.clock.now();
    let reader = open_reader(ledger)?;
    let report = spend_report(&*reader, budgets, Period::month_of(now), now)?;
    Ok(spend_text(&report, budgets, &TeamNames::new()))
}

fn try_it(address: SocketAddr, admin: SocketAddr, folder: &Path) -> String {
    format!(
        r#"
Now you. Each key is a team's: sandbox-growth, sandbox-research, sandbox-ops.

  curl -i http://{address}/api/v1/search/database/leads/ \
    -H 'Authorization: Token sandbox-growth' -H 'Content-Type: application/json' \
    -d '{{"job_titles": ["cto"], "limit_by": 10}}'

Ask for more than is left ("limit_by": 1000), without a key, or for /api/v1/webhooks/.

  curl http://{admin}/metrics
  GUARD__LEDGER__PATH={folder}/ledger.db SANDBOX_TOKEN=x {program} --config {folder}/guard.toml report

Ctrl-C ends it; its ledger goes with it."#,
        folder = folder.display(),
        program = program()
    )
}

/// This program, as a shell finds it.
fn program() -> String {
    let path = std::env::current_exe();
    path.map_or("generect-guard".into(), |path| path.display().to_string())
}

/// A folder of this run, gone when it ends.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let name = format!("generect-guard-sandbox-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
