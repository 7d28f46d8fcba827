//! What can be changed while the guard runs: its settings, read again by the code of a start.
//!
//! All or nothing. Everything that can fail is tried first; then the budgets are put in force, which
//! is the last thing that can fail, and then all else at once. In this order a new key never calls
//! before its budget is there, and a key whose budget has gone is refused (`rules_changed`) until the
//! new rules know it no more: the ledger decides nothing without a budget for who needs one. A call
//! keeps the rules it met at its start; the ledger decides by the budgets of the moment.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::differences::differences;
use super::{account, alerting, policy};
use crate::account::{Near, TierPrices};
use crate::alerts::Alerts;
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors};
use crate::control::{self, Asker, Reload};
use crate::ledger::{ChangeKind, Ledger};
use crate::proxy::policy::Policy;
use crate::proxy::slots::Slots;
use crate::reconciliation::record_of_prices;

/// Reads the settings: the same file and environment as at the start. Called where blocking does no
/// harm.
pub type LoadConfig = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// The parts that a reload changes, and the settings in force.
pub struct Live {
    /// The settings in force.
    pub config: Config,
    /// `None`: this guard was not started from a file.
    pub load: Option<LoadConfig>,
    /// What alerts are sent by.
    pub tls: rustls::ClientConfig,
    /// What changes are dated by.
    pub clock: Clock,
    /// The books, which count by budgets.
    pub ledger: Ledger,
    /// What new calls go by.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Whose caps are settings.
    pub slots: Arc<Slots>,
    /// The account's own prices, which stay over those of any file.
    pub tier: watch::Receiver<Option<Arc<TierPrices>>>,
    /// The floors near which the account is asked faster.
    pub near: Near,
    /// Who takes over other alerts.
    pub alerts: mpsc::Sender<Alerts>,
}

/// Settings that were read, and everything made from them that could have failed.
struct Ready {
    config: Config,
    policy: Policy,
    alerts: Option<Alerts>,
}

impl Live {
    /// Answers, one at a time, until `ended`.
    pub async fn run(mut self, mut asked: mpsc::Receiver<Reload>, ended: CancellationToken) {
        while let Some(Some(Reload { asker, reply })) =
            ended.run_until_cancelled(asked.recv()).await
        {
            let done = self.reload(asker).await;
            // Nobody minds if the asker has left.
            drop(reply.send(done));
        }
    }

    async fn reload(&mut self, asker: Asker) -> Result<String, String> {
        let who = asker.who.clone();
        match self.take_over(asker).await {
            Ok(what) => {
                tracing::info!(who, "the settings were read again: {what}");
                Ok(what)
            }
            Err(why) => {
                tracing::warn!(
                    who,
                    "the settings were read again and are not in force: {why}"
                );
                Err(why)
            }
        }
    }

    async fn take_over(&mut self, asker: Asker) -> Result<String, String> {
        let Ready {
            config,
            policy,
            alerts,
        } = self.read().await?;
        let different = differences(&self.config, &config);
        let budgets = self.ledger.set_budgets(config.budgets.clone()).await;
        budgets.map_err(|error| format!("the budgets cannot be counted: {error}"))?;
        // From here on nothing fails.
        self.policy.rcu(|before| {
            let mut prices = config.prices.clone();
            if let Some(told) = &*self.tier.borrow() {
                account::put_prices(&mut prices, told);
            }
            Policy {
                prices: Arc::new(prices),
                // Their counts are those of the moment, whoever is asking at it.
                rates: Arc::new(before.rates.replaced(policy::rate_rules(&config))),
                slowing: Arc::new(before.slowing.replaced(policy::slow_rules(&config))),
                ..policy.clone()
            }
        });
        self.slots.set(policy::slots(&config));
        self.near.replace(account::near(&config));
        if let Some(alerts) = alerts {
            let _ = self.alerts.send(alerts).await; // They have ended: so does the guard.
        }
        self.config = config;
        Ok(self.tell(different, asker).await)
    }

    /// Reads the settings and makes everything from them that can fail.
    async fn read(&self) -> Result<Ready, String> {
        let Some(load) = self.load.clone() else {
            return Err("this guard was not started from a configuration file".into());
        };
        let read = spawn_blocking(move || load()).await;
        let read = read.map_err(|error| format!("the reading broke down: {error}"))?;
        let config = read.map_err(|errors| errors.to_string())?;
        let fixed = self.config.needs_restart(&config);
        if !fixed.is_empty() {
            return Err(format!(
                "only a restart puts these in force: {}; restart the guard, or set them back",
                fixed.join(", ")
            ));
        }
        let policy = policy::build(&config).map_err(|error| error.to_string())?;
        let alerts = (config.alerts != self.config.alerts)
            .then(|| alerting::alerts(&config, &self.tls, &self.clock))
            .transpose()
            .map_err(|error| error.to_string())?;
        Ok(Ready {
            config,
            policy,
            alerts,
        })
    }

    /// Writes down what was changed. What cannot be written is in force all the same.
    async fn tell(&self, different: String, asker: Asker) -> String {
        for warning in &self.config.warnings {
            tracing::warn!("{warning}");
        }
        if different.is_empty() {
            return "nothing is different".into();
        }
        let prices = record_of_prices(&self.policy.load().prices);
        if let Err(error) = self.ledger.keep(vec![prices]).await {
            tracing::warn!("reports will not know the new prices: {error}");
        }
        let change = asker.change(ChangeKind::Reloaded, "settings".into(), different.clone());
        different + &control::keep(&self.ledger, change).await
    }
}
