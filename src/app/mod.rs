//! The only place that builds the parts from the settings, binds, spawns and drains.
//!
//! Order of a start: everything that can fail is tried before anything is spawned. Order of an
//! end: stop accepting, let calls finish, flush the ledger; health answers to the last.

mod account;
mod alerting;
mod background;
mod beside;
mod checking;
mod conditions;
mod differences;
mod forecast;
mod keys;
mod listening;
mod live;
mod policy;
mod reconcile;
mod stack;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::control::{ControlSocket, ReloadNow};
use crate::ledger::store::{HearMigrating, OpenReader, open_locked_heard};
use crate::ledger::{Ledger, LedgerLock, Settings, Writer};
use crate::metrics;
use crate::proxy::savings::Savings;
use crate::proxy::server::{self, ServerSettings};
use crate::proxy::stack::stack;
use crate::proxy::upstream::{Upstream, UpstreamSettings};
use crate::reconciliation::ReconcileNow;

use beside::Beside;
pub use beside::pausing;
pub use listening::Sockets;
use listening::{announce, first_reading, idle_at_end, local, refusing};
pub use live::{Live, LoadConfig};
pub use reconcile::{AloneError, reconcile_alone, reconciler_settings};
pub use stack::{StackParts, stack_settings};

/// Why the guard does not start. Each says what to look at.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process has the ledger, or its file cannot be used.
    #[error(transparent)]
    Open(#[from] crate::ledger::store::OpenError),
    /// Its books cannot be restored.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    /// A listener's address cannot be taken.
    #[error(
        "{setting} = {address} cannot be listened on: {why}; stop what listens there, or choose another address"
    )]
    Listen {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// The control socket beside the ledger cannot be made.
    #[error("the control socket {} cannot be made: {why}", path.display())]
    Control {
        /// Where.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// A thread cannot be started, or broke down: the ledger's, or that of reconciliation.
    #[error("a thread cannot be started, or broke down: {0}")]
    Thread(#[from] std::io::Error),
    /// Two keys have one secret: nobody could say who pays.
    #[error("{0}; make one of them a new secret with `generect-guard key new`")]
    Keys(#[from] crate::identity::DuplicateKey),
    /// A setting of the upstream cannot be used.
    #[error("{0}")]
    Upstream(String),
    /// An alert cannot be sent as its settings say.
    #[error(transparent)]
    Alert(#[from] crate::alerts::AlertsError),
    /// The metrics cannot be recorded.
    #[error(transparent)]
    Metrics(#[from] metrics::InstallError),
}

/// A running guard.
#[derive(Debug)]
pub struct Guard {
    /// Where clients call.
    pub address: SocketAddr,
    /// Where health and metrics are read.
    pub admin_address: SocketAddr,
    /// The books, for whoever runs in the same process.
    pub ledger: Ledger,
    /// Reconciles out of turn; `None` if the settings want no reconciliation.
    pub reconcile: Option<ReconcileNow>,
    /// Has the settings read again.
    pub reload: ReloadNow,
    savings: Savings,
    drain_timeout: Duration,
    draining: CancellationToken,
    ended: CancellationToken,
    proxy: tokio::task::JoinHandle<()>,
    tasks: TaskTracker,
    beside: TaskTracker,
    writer: JoinHandle<()>,
    _lock: LedgerLock,
}

/// How a guard came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every call finished and the ledger is flushed.
    Clean,
    /// Calls were still running at the deadline; their holds stay and are in doubt at the next start.
    CallsLeft(usize),
    /// The ledger could not be flushed; what was queued is in doubt at the next start.
    Unflushed,
}

impl Guard {
    /// Builds, binds and spawns everything. These settings stay in force to the end.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing runs then.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        Self::begin(
            config,
            clock,
            None,
            Sockets::default(),
            &HearMigrating::nobody(),
        )
        .await
    }

    /// The same on `sockets`, as far as there are any; when somebody wants the settings to be read
    /// again, `load` does that; and `hear` is told while the ledger is brought to a newer schema.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing runs then.
    pub async fn start_live(
        config: Config,
        clock: Clock,
        load: LoadConfig,
        sockets: Sockets,
        hear: &HearMigrating,
    ) -> Result<Self, StartError> {
        Self::begin(config, clock, Some(load), sockets, hear).await
    }

    async fn begin(
        config: Config,
        clock: Clock,
        load: Option<LoadConfig>,
        sockets: Sockets,
        hear: &HearMigrating,
    ) -> Result<Self, StartError> {
        let exporter = metrics::install()?;
        let tls = tls::client_config(config.upstream.ca_file.as_deref())?;
        let (lock, ledger, writer) = open_ledger(&config, &clock, hear).await?;
        let outlived = sockets.outlive_the_guard();
        let (listener, admin_listener) = sockets.listen(&config.server).await?;
        let (address, admin_address) = (local(&listener), local(&admin_listener));
        let client = account::client(&config, &tls, &clock)?;
        let watcher = account::watcher(&config, &client, &clock);
        let (draining, ended) = (CancellationToken::new(), CancellationToken::new());
        let (tasks, beside) = (TaskTracker::new(), TaskTracker::new());
        let parts = StackParts {
            upstream: upstream(&config, &tls)?,
            open: OpenReader::of_file(&config.ledger.path),
            ledger: &ledger,
            balance: watcher.latest(),
            funds_gone: watcher.funds_gone(),
            clock: &clock,
            draining: &refusing(outlived, &draining),
            tasks: &tasks,
        };
        let stack_settings = stack_settings(&config, parts)?;
        let parts = Beside {
            config: &config,
            load,
            clock: &clock,
            ledger: &ledger,
            stack: &stack_settings,
            reconciler_client: account::client(&config, &tls, &clock)?,
            client,
            watcher,
            alerts: alerting::alerts(&config, &tls, &clock)?,
            admin_listener,
            control: control(&config)?,
            exporter,
            tls,
            draining: &draining,
            ended: &ended,
        };
        let writer = writer.spawn()?;
        let (reconcile, reload) = parts.spawn(&beside)?;
        first_reading(outlived, &config, stack_settings.balance.clone()).await;
        let bounds = server_settings(&config.server, outlived);
        let clients = server::serve(listener, stack(&stack_settings), bounds, draining.clone());
        announce(address, admin_address);
        Ok(Self {
            address,
            admin_address,
            ledger,
            reconcile,
            reload,
            savings: stack_settings.savings,
            drain_timeout: config.server.drain_timeout,
            draining,
            ended,
            proxy: tokio::spawn(clients),
            tasks,
            beside,
            writer,
            _lock: lock,
        })
    }

    /// Stops accepting, lets running calls finish within the drain timeout, flushes the ledger.
    pub async fn drain(self) -> Drained {
        self.draining.cancel();
        self.tasks.close();
        let finish = async {
            let _ = self.proxy.await;
            self.tasks.wait().await;
        };
        let finished = tokio::time::timeout(self.drain_timeout, finish).await;
        let left = self.tasks.len();
        if let Err(error) = self.savings.write(&self.ledger).await {
            tracing::warn!("the last second of what was saved is lost: {error}");
        }
        let flushed = self.ledger.close().await;
        self.ended.cancel();
        self.beside.close();
        self.beside.wait().await;
        match (finished, flushed) {
            (_, Err(error)) => {
                tracing::error!(%error, "the ledger could not be flushed");
                Drained::Unflushed
            }
            (Err(_), Ok(())) => Drained::CallsLeft(left),
            (Ok(()), Ok(())) => {
                let _ = spawn_blocking(move || self.writer.join()).await;
                Drained::Clean
            }
        }
    }
}

/// Away from the threads that serve: to bring a large ledger to a newer schema takes long, and whoever waits for
/// the start must be able to give it up meanwhile.
async fn open_ledger(
    config: &Config,
    clock: &Clock,
    hear: &HearMigrating,
) -> Result<(LedgerLock, Ledger, Writer), StartError> {
    let (path, settings) = (config.ledger.path.clone(), ledger_settings(config));
    let (clock, hear) = (clock.clone(), hear.clone());
    let open = move || {
        let (lock, store) = open_locked_heard(&path, clock.now(), &hear)?;
        let (ledger, writer) = Ledger::open(Box::new(store), settings, clock)?;
        Ok((lock, ledger, writer))
    };
    spawn_blocking(open).await.map_err(std::io::Error::from)?
}

fn control(config: &Config) -> Result<ControlSocket, StartError> {
    let path = crate::control::socket_path(&config.ledger.path);
    ControlSocket::bind(&path).map_err(|why| StartError::Control { path, why })
}

/// The bounds of the books and what they count, from the settings.
pub fn ledger_settings(config: &Config) -> Settings {
    Settings {
        budgets: config.budgets.clone(),
        account: config.account.rule.clone(),
        job_operations: config.job_operations(),
        repeat_window: config.ledger.repeat_window,
        ..Settings::default()
    }
}

/// The way to the upstream, over the network.
fn upstream(config: &Config, tls: &rustls::ClientConfig) -> Result<Upstream, StartError> {
    let settings = upstream_settings(&config.upstream, tls.clone())?;
    Upstream::new(settings).map_err(|error| StartError::Upstream(error.to_string()))
}

fn upstream_settings(
    upstream: &config::Upstream,
    tls: rustls::ClientConfig,
) -> Result<UpstreamSettings, StartError> {
    let proxy = upstream.proxy.as_ref().map(|proxy| proxy.expose().parse());
    let proxy = proxy.transpose();
    Ok(UpstreamSettings {
        base_url: upstream.base_url.clone(),
        connect_timeout: upstream.connect_timeout,
        pool_idle_timeout: upstream.pool_idle_timeout,
        idle_connections_max: upstream.idle_connections_max,
        // Its words may hold a password and are not repeated.
        proxy: proxy.map_err(|_| StartError::Upstream("upstream.proxy is no URL".into()))?,
        tls,
    })
}

/// The bounds on connections, from the settings; `outlived`: the sockets outlive the guard.
pub fn server_settings(server: &config::Server, outlived: bool) -> ServerSettings {
    ServerSettings {
        headers_max: server.header_count_max,
        header_bytes_max: server.header_bytes_max,
        header_read_timeout: server.header_read_timeout,
        stalled_client_timeout: server.stalled_client_timeout,
        connections_max: server.connections_max,
        connections_per_source_max: server.connections_per_source_max,
        idle_at_end: idle_at_end(outlived),
    }
}
