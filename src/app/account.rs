//! The upstream account, and who is told what is read of it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::account::{
    self, AccountClient, AccountClientSettings, TierPrices, TierWatcher, TierWatcherSettings,
    Watcher, WatcherSettings,
};
use crate::catalogue::{PriceError, Prices};
use crate::clock::Clock;
use crate::config::Config;
use crate::credits::Credits;
use crate::ledger::{Ledger, Reading};
use crate::proxy::policy::Policy;
use crate::reconciliation::record_of_prices;

/// The shortest time that a question about the account is given.
const TIMEOUT_MIN: Duration = Duration::from_secs(10);

/// The client of the account's own pages.
pub(super) fn client(
    config: &Config,
    tls: &rustls::ClientConfig,
    clock: &Clock,
) -> Result<AccountClient, StartError> {
    let proxy = config.upstream.proxy.as_ref();
    let settings = AccountClientSettings {
        base_url: config.upstream.base_url.to_string(),
        connect_timeout: config.upstream.connect_timeout,
        timeout: config.account.poll_interval.max(TIMEOUT_MIN),
        egress_proxy: proxy.map(|proxy| proxy.expose().to_owned()),
        tls: tls.clone(),
    };
    AccountClient::new(settings, config.upstream.token.expose(), clock.clone())
        .map_err(|error| StartError::Upstream(error.to_string()))
}

/// Who asks for the balance. Faster near a floor.
pub(super) fn watcher(config: &Config, client: &AccountClient, clock: &Clock) -> Watcher {
    let settings = WatcherSettings::new(config.account.poll_interval, near(config));
    Watcher::new(client.clone(), clock.clone(), settings)
}

/// The floors near which it is asked faster.
pub(super) fn near(config: &Config) -> Vec<Credits> {
    config.floors.iter().map(|floor| floor.below).collect()
}

/// Who asks for the account's own prices.
pub(super) fn tier_watcher(client: &AccountClient) -> TierWatcher {
    TierWatcher::new(client.clone(), TierWatcherSettings::default())
}

/// Tells the ledger each reading, until `ended`.
pub(super) async fn keep_reading(watcher: Watcher, ledger: Ledger, ended: CancellationToken) {
    let tell = move |read: &account::Reading| {
        ledger.observe(Reading {
            balance: read.balance,
            started_at: read.started_at,
        });
    };
    watcher.run(ended, tell).await;
}

/// Puts the account's own prices into the next quote, and keeps them for reports, until `ended`.
pub(super) async fn keep_prices(
    policy: Arc<ArcSwap<Policy>>,
    ledger: Ledger,
    mut tier: watch::Receiver<Option<Arc<TierPrices>>>,
    ended: CancellationToken,
) {
    while let Some(Ok(())) = ended.run_until_cancelled(tier.changed()).await {
        let told = tier.borrow_and_update().clone();
        if let Some(told) = told {
            policy.rcu(|policy| priced(policy, &told));
            let record = record_of_prices(&policy.load().prices);
            if let Err(error) = ledger.keep(vec![record]).await {
                tracing::warn!("reports will not know the account's own prices: {error}");
            }
        }
    }
}

/// The policy with the account's prices in the place of the catalogue's.
fn priced(policy: &Policy, told: &TierPrices) -> Policy {
    let mut prices = (*policy.prices).clone();
    put_prices(&mut prices, told);
    Policy {
        prices: Arc::new(prices),
        ..policy.clone()
    }
}

/// Puts the account's prices in the place of those known so far. A name that nothing here is priced
/// by is another service's.
pub(super) fn put_prices(prices: &mut Prices, told: &TierPrices) {
    for (name, price) in &told.prices {
        match prices.set(name, *price) {
            Ok(()) => {}
            Err(PriceError::Unknown(name)) => {
                tracing::debug!(price = name, "a price of the account that nothing has");
            }
            // The watcher lets none through.
            Err(error @ PriceError::Negative(_)) => tracing::warn!("{error}"),
        }
    }
}
