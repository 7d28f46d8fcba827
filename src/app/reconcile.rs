//! The reconciliation, put together: in a running guard, and alone for a command.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};

use super::{StartError, account, ledger_settings, tls};
use crate::account::{AccountClient, Nudge, PullSettings};
use crate::catalogue::{Catalogue, Prices};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::store::{HearMigrating, open_locked_heard};
use crate::ledger::{Ledger, OpenReader};
use crate::proxy::policy::Policy;
use crate::reconciliation::{
    CHARGES_KEPT, Depth, InForce, ReconcileError, Reconciler, ReconcilerSettings, Summary,
};

/// Why a command could not reconcile.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// The ledger or the account's client could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not run to its end.
    #[error(transparent)]
    Run(#[from] ReconcileError),
    /// The settings say that nothing is reconciled.
    #[error("reconciliation.source is \"none\": name the list to read, \"v1\" or \"legacy\"")]
    NoSource,
}

/// The reconciler of a running guard. `None` if the settings want none.
pub(super) fn reconciler(
    config: &Config,
    client: &AccountClient,
    ledger: &Ledger,
    policy: &Arc<ArcSwap<Policy>>,
    tier: Nudge,
    clock: &Clock,
) -> Option<Reconciler> {
    let policy = Arc::clone(policy);
    let in_force = move || {
        let policy = policy.load();
        (Arc::clone(&policy.catalogue), Arc::clone(&policy.prices))
    };
    let open = OpenReader::of_file(&config.ledger.path);
    let settings = reconciler_settings(
        config,
        open,
        Arc::new(in_force),
        Arc::new(move || tier.nudge()),
    )?;
    let (client, ledger) = (client.clone(), ledger.clone());
    Some(Reconciler::new(settings, client, ledger, clock.clone()))
}

/// What a reconciler is built from. `None` if the settings want none.
pub fn reconciler_settings(
    config: &Config,
    open_reader: OpenReader,
    in_force: InForce,
    prices_departed: Arc<dyn Fn() + Send + Sync>,
) -> Option<ReconcilerSettings> {
    let wanted = &config.reconciliation;
    let lasts = SignedDuration::try_from(config.upstream.response_timeout);
    Some(ReconcilerSettings {
        source: wanted.source?,
        tolerance: wanted.tolerance,
        rows_late: wanted.rows_late,
        overlap: wanted.overlap,
        call_lasts: lasts.unwrap_or(SignedDuration::MAX),
        factor: wanted.factor,
        balance_is: config.account.rule.balance_is,
        charges_kept: CHARGES_KEPT,
        pull: PullSettings::default(),
        open_reader,
        in_force,
        prices_departed,
    })
}

/// Reconciles once, without a guard: opens the ledger as it would, and closes it. `progress` is told
/// how far the account's list has been read, `hear` while the ledger is brought to a newer schema.
///
/// # Errors
/// See [`AloneError`]; what was kept until then is kept.
pub async fn reconcile_alone(
    config: &Config,
    clock: &Clock,
    hear: &HearMigrating,
    progress: &mut (dyn FnMut(Timestamp) + Send),
) -> Result<Summary, AloneError> {
    let tls = tls::client_config(config.upstream.ca_file.as_deref())?;
    let client = account::client(config, &tls, clock)?;
    let (catalogue, prices) = own_prices(config, &client).await;
    let in_force = move || (Arc::clone(&catalogue), Arc::clone(&prices));
    let open = OpenReader::of_file(&config.ledger.path);
    let settings = reconciler_settings(config, open, Arc::new(in_force), Arc::new(|| {}));
    let settings = settings.ok_or(AloneError::NoSource)?;
    let opened = open_locked_heard(&config.ledger.path, clock.now(), hear);
    let (_lock, store) = opened.map_err(StartError::from)?;
    let (ledger, writer) = Ledger::open(Box::new(store), ledger_settings(config), clock.clone())
        .map_err(StartError::from)?;
    let writer = writer.spawn().map_err(StartError::from)?;
    let mut reconciler = Reconciler::new(settings, client, ledger.clone(), clock.clone());
    let run = reconciler.run(Depth::Full, progress).await;
    if run.is_ok() {
        reconciler.cross_check().run(&mut reconciler).await;
    }
    let closed = ledger.close().await.map_err(StartError::from);
    let _ = tokio::task::spawn_blocking(move || writer.join()).await;
    let summary = run?;
    closed?;
    Ok(summary)
}

/// The account's own prices, or the configured ones where it does not say.
async fn own_prices(config: &Config, client: &AccountClient) -> (Arc<Catalogue>, Arc<Prices>) {
    let mut prices = config.prices.clone();
    match client.my_tier().await {
        Ok(Some(told)) => account::put_prices(&mut prices, &told),
        Ok(None) => {}
        Err(error) => tracing::warn!("the account's prices cannot be read: {error}"),
    }
    (Arc::clone(&config.catalogue), Arc::new(prices))
}
