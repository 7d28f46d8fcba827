//! Everything that runs beside the proxy for as long as the guard does.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::conditions::conditions;
use super::live::{Live, LoadConfig};
use super::{account, alerting, background, checking, forecast, keys, reconcile};
use crate::account::{AccountClient, Reading, TierPrices, TierWatcher, Watcher};
use crate::admin::{self, AdminState};
use crate::alerts::Alerts;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{ControlSocket, HearProgress, Names, Pausing, ReloadNow, Running};
use crate::ledger::Ledger;
use crate::metrics::{self, Exporter};
use crate::proxy::breaker_probe::BreakerProbe;
use crate::proxy::job_poller::{JobPoller, JobPollerSettings};
use crate::proxy::stack::StackSettings;
use crate::reconciliation::{ReconcileNow, Service};

/// How often the budgets' levels are written into the metrics.
const BUDGET_GAUGES_INTERVAL: Duration = Duration::from_secs(5);

/// What the parts beside the proxy are made from; everything that can fail has been tried.
pub(super) struct Beside<'a> {
    pub(super) config: &'a Config,
    /// How the settings are read again.
    pub(super) load: Option<LoadConfig>,
    pub(super) tls: rustls::ClientConfig,
    pub(super) clock: &'a Clock,
    pub(super) ledger: &'a Ledger,
    pub(super) stack: &'a StackSettings,
    pub(super) client: AccountClient,
    /// With connections of its own: those of a client belong to the thread that uses it.
    pub(super) reconciler_client: AccountClient,
    pub(super) watcher: Watcher,
    pub(super) alerts: Alerts,
    pub(super) admin_listener: TcpListener,
    pub(super) control: ControlSocket,
    pub(super) exporter: Exporter,
    /// Set when the guard takes no new calls.
    pub(super) draining: &'a CancellationToken,
    /// Set when the ledger is flushed.
    pub(super) ended: &'a CancellationToken,
}

impl Beside<'_> {
    /// Spawns them all. What asks the upstream or writes to the ledger ends with the draining. Gives
    /// the ways to ask for a reconciliation, and for the settings to be read again.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn spawn(
        self,
        tasks: &TaskTracker,
    ) -> io::Result<(Option<ReconcileNow>, ReloadNow)> {
        let ended = || self.ended.clone();
        let readings = self.watcher.latest();
        let conditions = conditions(
            self.config,
            self.clock,
            self.ledger,
            readings.clone(),
            self.draining,
        );
        let tier = account::tier_watcher(&self.client);
        // First, since it is all that can fail.
        let reconcile_now = self.spawn_reconciliation(tasks, &tier, readings.clone())?;
        let (reload_now, asked) = ReloadNow::new();
        let (next_alerts, next) = mpsc::channel(1);
        let live = self.live(tier.latest(), next_alerts);
        tasks.spawn(live.run(asked, self.draining.clone()));
        let running = self.running(&reload_now, reconcile_now.as_ref());
        let state = AdminState::new(conditions, self.exporter.clone());
        tasks.spawn(admin::serve(self.admin_listener, state, ended()));
        tasks.spawn(self.exporter.keep_up(ended()));
        tasks.spawn(show_budgets(self.ledger.clone(), ended()));
        let savings = self.stack.savings.clone();
        tasks.spawn(savings.keep_up(self.ledger.clone(), ended()));
        let policy = Arc::clone(&self.stack.policy);
        let ledger = self.ledger.clone();
        tasks.spawn(account::keep_prices(policy, ledger, tier.latest(), ended()));
        tasks.spawn(tier.run(ended()));
        let policy = Arc::clone(&self.stack.policy);
        tasks.spawn(keys::warn_of_ends(policy, self.clock.clone(), ended()));
        tasks.spawn(self.control.serve(running, ended()));
        tasks.spawn(clear_archived(self.ledger.clone(), ended()));
        checking::begin(
            self.config.ledger.path.clone(),
            self.ledger.clone(),
            ended(),
        )?;
        let reading = account::keep_reading(self.watcher, self.ledger.clone(), ended());
        tasks.spawn(reading);
        let poller = JobPoller::new(JobPollerSettings {
            ledger: self.ledger.clone(),
            policy: Arc::clone(&self.stack.policy),
            token: self.stack.token.clone(),
            forward: Arc::clone(&self.stack.forward),
            interval: self.config.account.job_poll_interval,
        });
        tasks.spawn(poller.run(self.draining.clone()));
        let probe = BreakerProbe {
            policy: Arc::clone(&self.stack.policy),
            token: self.stack.token.clone(),
            forward: Arc::clone(&self.stack.forward),
        };
        tasks.spawn(probe.run(self.draining.clone()));
        let forecast = forecast::Forecast {
            path: self.config.ledger.path.clone(),
            clock: self.clock.clone(),
            ledger: self.ledger.clone(),
            readings: readings.clone(),
        };
        tasks.spawn(forecast.run(self.draining.clone()));
        let watched = alerting::Watched::new(self.config, self.clock, self.ledger, readings);
        tasks.spawn(watched.run(self.alerts, next, self.draining.clone()));
        Ok((reconcile_now, reload_now))
    }

    /// The parts that commands are for.
    fn running(&self, reload: &ReloadNow, reconcile: Option<&ReconcileNow>) -> Running {
        Running {
            ledger: self.ledger.clone(),
            path: self.config.ledger.path.clone(),
            clock: self.clock.clone(),
            pausing: pausing(self.stack),
            reload: Some(reload.clone()),
            reconcile: reconcile.cloned(),
            hear: HearProgress::nobody(),
        }
    }

    /// Who takes over settings that are read again.
    fn live(
        &self,
        tier: watch::Receiver<Option<Arc<TierPrices>>>,
        alerts: mpsc::Sender<Alerts>,
    ) -> Live {
        Live {
            config: self.config.clone(),
            load: self.load.clone(),
            tls: self.tls.clone(),
            clock: self.clock.clone(),
            ledger: self.ledger.clone(),
            policy: Arc::clone(&self.stack.policy),
            slots: Arc::clone(&self.stack.slots),
            tier,
            near: self.watcher.near(),
            alerts,
        }
    }

    /// `None` if the settings want none.
    fn spawn_reconciliation(
        &self,
        tasks: &TaskTracker,
        tier: &TierWatcher,
        readings: watch::Receiver<Option<Reading>>,
    ) -> io::Result<Option<ReconcileNow>> {
        let Some(reconciler) = reconcile::reconciler(
            self.config,
            &self.reconciler_client,
            self.ledger,
            &self.stack.policy,
            tier.nudge(),
            self.clock,
        ) else {
            return Ok(None);
        };
        let interval = self.config.reconciliation.interval;
        let (service, now) = Service::new(reconciler, interval, readings);
        let work = service.run(self.draining.clone());
        tasks.spawn(background::spawn("reconciliation", work)?);
        Ok(Some(now))
    }
}

/// Removes archived entries that a guard which died left over.
async fn clear_archived(ledger: Ledger, ended: CancellationToken) {
    let cleared = ended
        .run_until_cancelled(ledger.clear_archived(&mut |_| {}))
        .await;
    if let Some(Err(error)) = cleared {
        tracing::warn!(%error, "archived entries are still in the ledger's file, where they are ignored");
    }
}

/// Who stops the calls of teams and keys, by the names in force.
pub fn pausing(stack: &StackSettings) -> Pausing {
    let policy = Arc::clone(&stack.policy);
    let names = move || {
        let policy = policy.load();
        let mut keys = policy.directory.iter();
        let keys = keys.by_ref().map(|found| found.client.key.clone());
        let keys = keys.collect::<BTreeSet<_>>();
        let mut teams = policy.teams.keys().cloned().collect::<Vec<_>>();
        teams.sort();
        Names {
            teams,
            keys: keys.into_iter().collect(),
        }
    };
    Pausing::new(Arc::clone(&stack.pauses), names)
}

/// Keeps the budgets' levels in the metrics, until `ended`.
async fn show_budgets(ledger: Ledger, ended: CancellationToken) {
    let mut ticks = tokio::time::interval(BUDGET_GAUGES_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while ended.run_until_cancelled(ticks.tick()).await.is_some() {
        let Ok(budgets) = ledger.budgets().await else {
            return;
        };
        for budget in budgets {
            let show = |name: &'static str, amount| {
                let gauge = ::metrics::gauge!(name, metrics::BUDGET => budget.id.to_string());
                gauge.set(metrics::credits_as_f64(amount));
            };
            show(metrics::BUDGET_LIMIT, budget.limit_with_grants());
            show(metrics::BUDGET_SETTLED, budget.settled);
            show(metrics::BUDGET_HELD, budget.held);
            show(metrics::BUDGET_IN_DOUBT, budget.in_doubt);
        }
    }
}
