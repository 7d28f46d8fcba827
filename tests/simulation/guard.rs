//! One life of the guard: the parts of the real one, on two runtimes whose time the run moves.
//!
//! The proxy has one and the ledger's writer another, as in production each has its threads. Both
//! are dropped when the power goes: every task stops where it waits.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::account::{PullSettings, Reading, Seen, Watcher, WatcherSettings};
use generect_guard::app::{StackParts, ledger_settings, server_settings, stack_settings};
use generect_guard::clock::Clock;
use generect_guard::config::{self, Config, ConfigErrors, Environment};
use generect_guard::ledger::Ledger;
use generect_guard::ledger::OpenReader;
use generect_guard::proxy::breaker_probe::BreakerProbe;
use generect_guard::proxy::job_poller::{JobPoller, JobPollerSettings};
use generect_guard::proxy::link::Link;
use generect_guard::proxy::server;
use generect_guard::proxy::stack::stack;
use generect_guard::proxy::upstream::{Connector, Upstream, UpstreamSettings};
use generect_guard::simulator::LIVE_TOKEN;
use http::{Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account;
use crate::beside::Beside;
use crate::disk::Disk;
use crate::ends::Listener;
use crate::net::Net;
use crate::no_tls::no_tls;
use crate::power::Power;
use crate::rules::Rules;
use crate::shape::Shape;
use crate::wire::Side;

/// What a guard is started from, again and again.
#[derive(Clone)]
pub struct Place {
    /// Where its settings are.
    pub file: PathBuf,
    pub net: Net,
    pub disk: Disk,
    pub clock: Clock,
    /// How the account's list is paged through.
    pub pull: PullSettings,
    /// See [`ReconcilerSettings`](generect_guard::reconciliation::ReconcilerSettings).
    pub charges_kept: usize,
    pub told: Told,
}

impl Place {
    /// The settings that stand there now.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        let environment = Environment::from_iter([("SIM_TOKEN", LIVE_TOKEN)]);
        config::load(Some(&self.file), &environment)
    }

    /// Writes other settings there.
    pub fn write(&self, shape: &Shape, rules: &Rules) {
        std::fs::write(&self.file, rules.toml(shape)).unwrap();
    }
}

/// A running guard.
pub struct Guard {
    pub power: Power,
    pub beside: Beside,
    proxy: Runtime,
    writer: Runtime,
}

/// A runtime whose time only the run moves.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// Lets a runtime live for so many ticks.
pub fn live(runtime: &Runtime, ticks: u64) {
    runtime.block_on(async { sleep(Duration::from_millis(ticks)).await });
}

impl Guard {
    /// Starts one, unless its disk does not let it.
    pub fn start(place: &Place) -> Option<Self> {
        let power = Power::on();
        // Those beside are made first: what they make is older than any moment of the proxy.
        let runtimes = [runtime(), runtime(), runtime()];
        let (proxy, writer) = (runtime(), runtime());
        let store = Box::new(place.disk.store(power.clone()));
        let config = place.config().unwrap_or_else(|errors| panic!("{errors}"));
        let opened = Ledger::open(store, ledger_settings(&config), place.clock.clone());
        let (ledger, loop_of_writer) = opened.ok()?;
        writer.spawn(loop_of_writer.run());
        let beside = {
            let _inside = proxy.enter();
            place.net.guard_runs(power.clone());
            spawn_proxy(place, &config, &ledger, runtimes)
        };
        Some(Self {
            power,
            beside,
            proxy,
            writer,
        })
    }

    /// The part of a tick that the proxy has, and those beside it.
    pub fn live(&self, ticks: u64) {
        live(&self.proxy, ticks);
        self.beside.live(ticks);
    }

    /// The writer's part of a tick.
    pub fn write(&self, ticks: u64) {
        live(&self.writer, ticks);
    }
}

fn spawn_proxy(place: &Place, config: &Config, ledger: &Ledger, runtimes: [Runtime; 3]) -> Beside {
    let Place {
        net, disk, clock, ..
    } = place;
    let account = account::client(net, clock);
    let near = config.floors.iter().map(|floor| floor.below).collect();
    let settings = WatcherSettings::new(config.account.poll_interval, near);
    let watcher = Watcher::new(account, clock.clone(), settings).spread_by(|| 500);
    let (draining, tasks) = (CancellationToken::new(), TaskTracker::new());
    let kept = disk.clone();
    let parts = StackParts {
        upstream: upstream(config, net),
        open: OpenReader::new(move || Ok(kept.reader())),
        ledger,
        balance: watcher.latest(),
        funds_gone: watcher.funds_gone(),
        clock,
        draining: &draining,
        tasks: &tasks,
    };
    let settings = stack_settings(config, parts).unwrap();
    let beside = Beside::start(
        place,
        config,
        ledger,
        &settings,
        (watcher.near(), watcher.latest()),
        runtimes,
    );
    let (books, told) = (ledger.clone(), Arc::clone(&place.told));
    tokio::spawn(watcher.run(draining.clone(), move |read: &Reading| {
        if read.seen == Seen::Read {
            told.lock().unwrap().has_reading();
        }
        books.observe(generect_guard::ledger::Reading {
            balance: read.balance,
            started_at: read.started_at,
        });
    }));
    let poller = JobPoller::new(JobPollerSettings {
        ledger: ledger.clone(),
        policy: Arc::clone(&settings.policy),
        token: settings.token.clone(),
        forward: Arc::clone(&settings.forward),
        interval: config.account.job_poll_interval,
    });
    tokio::spawn(poller.run(draining.clone()));
    let probe = BreakerProbe {
        policy: Arc::clone(&settings.policy),
        token: settings.token.clone(),
        forward: Arc::clone(&settings.forward),
    };
    tokio::spawn(probe.run(draining.clone()));
    tokio::spawn((settings.savings.clone()).keep_up(ledger.clone(), draining.clone()));
    tokio::spawn(server::serve(
        Listener(net.clone()),
        stack(&settings),
        server_settings(&config.server, false),
        draining,
    ));
    beside
}

fn upstream(config: &Config, net: &Net) -> Upstream {
    let (net, within) = (net.clone(), config.upstream.connect_timeout);
    let connect = move |_: Uri| {
        let net = net.clone();
        async move {
            let made = timeout(within, net.connect(Side::Upstream)).await;
            let end = made.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            let link = Link::Given(Box::new(TokioIo::new(end)), Version::HTTP_11);
            Ok::<_, generect_guard::proxy::body::BodyError>(link)
        }
    };
    let settings = UpstreamSettings {
        base_url: config.upstream.base_url.clone(),
        connect_timeout: within,
        pool_idle_timeout: config.upstream.pool_idle_timeout,
        idle_connections_max: config.upstream.idle_connections_max,
        proxy: None,
        tls: no_tls(),
    };
    Upstream::over(Connector::new(tower::service_fn(connect)), &settings).unwrap()
}

/// The upstream's end of every link to it.
pub async fn serve_upstream(
    net: Net,
    upstream: Arc<generect_guard::simulator::Unconnected>,
) -> Infallible {
    loop {
        let end = net.accept(Side::Upstream).await;
        let upstream = Arc::clone(&upstream);
        tokio::task::spawn_local(async move { upstream.serve(end).await });
    }
}

/// What is shared with the model.
pub type Told = Arc<Mutex<crate::shadow::Shadow>>;
