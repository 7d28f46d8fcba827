//! Asks for the account's prices again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::AccountClient;
use super::error::AccountError;
use super::pace::jittered;
use super::tier::TierPrices;
use super::watcher::Nudge;
use crate::metrics;

/// Prices change a few times a year; the vendor's own tools keep them as long.
const INTERVAL: Duration = Duration::from_secs(600);
/// The first repeat after an error; each further one waits twice as long, up to the interval.
const RETRY: Duration = Duration::from_secs(15);

/// How often the prices are asked for.
#[derive(Clone, Copy, Debug)]
pub struct TierWatcherSettings {
    /// The ordinary time between two questions. One that is asked for out of turn comes at the
    /// earliest a hundredth of it after the one before.
    pub interval: Duration,
    /// The wait after the first error.
    pub retry: Duration,
}

impl Default for TierWatcherSettings {
    fn default() -> Self {
        Self {
            interval: INTERVAL,
            retry: RETRY,
        }
    }
}

impl TierWatcherSettings {
    /// The pause after so many errors in a row, [`jittered`] by `chance`.
    fn pause(&self, errors: u32, chance: u32) -> Duration {
        if errors == 0 {
            return self.interval;
        }
        let doubled = 2_u32.saturating_pow(errors - 1);
        let pause = self.retry.saturating_mul(doubled).min(self.interval);
        jittered(pause, chance)
    }
}

/// Reads the account's prices for as long as the guard runs.
#[derive(Debug)]
pub struct TierWatcher {
    client: AccountClient,
    settings: TierWatcherSettings,
    nudged: Arc<Notify>,
    latest: watch::Sender<Option<Arc<TierPrices>>>,
    errors: u32,
    /// What the last question came to, so that a change is said once.
    said: Said,
}

/// What was last said about the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Prices,
    Absent,
    Unreadable(&'static str),
}

impl TierWatcher {
    /// A watcher that has asked nothing yet.
    pub fn new(client: AccountClient, settings: TierWatcherSettings) -> Self {
        Self {
            client,
            settings,
            nudged: Arc::new(Notify::new()),
            latest: watch::Sender::new(None),
            errors: 0,
            said: Said::Nothing,
        }
    }

    /// The account's prices, `None` until the account has said some. They change only when what is
    /// said does; where something unreadable is said, or nothing any more, the old price stays.
    pub fn latest(&self) -> watch::Receiver<Option<Arc<TierPrices>>> {
        self.latest.subscribe()
    }

    /// A handle by which others ask out of turn: after a charge that does not fit its price, say.
    pub fn nudge(&self) -> Nudge {
        Nudge::of(&self.nudged)
    }

    /// Reads at once, then every interval, until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // Shown from the start, so that the first time is a rise.
        ::metrics::counter!(metrics::TIER_CHANGES).increment(0);
        loop {
            let asked_at = Instant::now();
            let Some(answer) = shutdown.run_until_cancelled(self.client.my_tier()).await else {
                return;
            };
            match answer {
                Ok(Some(read)) => self.has_read(read),
                Ok(None) => self.is_absent(),
                Err(error) => self.has_failed(&error),
            }
            let turn = Instant::now() + self.settings.pause(self.errors, rand::random());
            let earliest = asked_at + self.settings.interval / 100;
            let nudged = async {
                self.nudged.notified().await;
                tokio::time::sleep_until(earliest).await;
            };
            let wait = async {
                tokio::select! {
                    () = tokio::time::sleep_until(turn) => {}
                    () = nudged => {}
                }
            };
            if shutdown.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    fn has_read(&mut self, read: TierPrices) {
        self.errors = 0;
        self.say(Said::Prices);
        let before = self.latest.borrow().clone();
        let now = match &before {
            Some(before) => read.over(before),
            None => read,
        };
        if before.as_deref() == Some(&now) {
            return;
        }
        for (price, fault) in &now.faults {
            let known = before
                .as_ref()
                .is_some_and(|before| before.faults.get(price) == Some(fault));
            if !known {
                ::metrics::counter!(metrics::TIER_ERRORS, metrics::REASON => fault.as_str())
                    .increment(1);
                tracing::warn!(
                    tier.price = %price,
                    tier.error = fault.as_str(),
                    tier.kept = now.prices.get(price).map(tracing::field::display),
                    "the account's page of prices says nothing that is a price here"
                );
            }
        }
        let changed = changed(before.as_deref(), &now);
        if !changed.is_empty() {
            ::metrics::counter!(metrics::TIER_CHANGES).increment(1);
            tracing::info!(
                tier.name = now.tier.as_deref(),
                tier.changed = changed,
                "the account's prices have changed"
            );
        }
        self.latest.send_replace(Some(Arc::new(now)));
    }

    fn is_absent(&mut self) {
        self.errors = 0;
        if self.say(Said::Absent) {
            tracing::info!(
                "the account has no page of prices of its own: those known before, or else the catalogue's, hold"
            );
        }
    }

    fn has_failed(&mut self, error: &AccountError) {
        let reason = error.reason();
        self.errors = self.errors.saturating_add(1);
        ::metrics::counter!(metrics::TIER_ERRORS, metrics::REASON => reason).increment(1);
        if self.say(Said::Unreadable(reason)) {
            tracing::warn!(
                tier.error = reason,
                "the account's prices cannot be read, those known before hold: {error}"
            );
        }
    }

    /// Whether it is news.
    fn say(&mut self, what: Said) -> bool {
        std::mem::replace(&mut self.said, what) != what
    }
}

/// The prices that are others than before, as `name old → new`.
fn changed(before: Option<&TierPrices>, now: &TierPrices) -> String {
    let old = |name: &str| before.and_then(|before| before.prices.get(name).copied());
    let mut changes = Vec::new();
    for (name, price) in &now.prices {
        match old(name) {
            Some(before) if before == *price => {}
            Some(before) => changes.push(format!("{name} {before} → {price}")),
            None => changes.push(format!("{name} {price}")),
        }
    }
    changes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::pace::JITTER_STEPS;
    use crate::credits::Credits;

    #[test]
    fn errors_slow_the_questions_down_to_the_ordinary_interval() {
        let settings = TierWatcherSettings::default();
        let longest = |errors| settings.pause(errors, JITTER_STEPS).as_secs();
        let pauses: Vec<u64> = (0..10).map(longest).collect();
        assert_eq!(pauses, [600, 15, 30, 60, 120, 240, 480, 600, 600, 600]);
        for errors in 1..40 {
            assert!(settings.pause(errors, 0) >= settings.pause(errors, JITTER_STEPS) / 2);
        }
    }

    #[test]
    fn a_change_is_told_with_what_was_before() {
        let tier = |prices: &[(&str, i64)]| TierPrices {
            prices: prices
                .iter()
                .map(|(name, micros)| ((*name).into(), Credits::from_micros(*micros)))
                .collect(),
            ..TierPrices::default()
        };
        let now = tier(&[("a", 10_000), ("b", 20_000), ("c", 5)]);
        assert_eq!(changed(None, &now), "a 0.01, b 0.02, c 0.000005");
        let before = tier(&[("a", 20_000), ("b", 20_000)]);
        assert_eq!(changed(Some(&before), &now), "a 0.02 → 0.01, c 0.000005");
        assert_eq!(changed(Some(&now), &now), "");
    }
}
