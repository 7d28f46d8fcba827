//! What makes a guard ready, for whoever asks on the admin listener (`/readyz`).

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::account::Reading;
use crate::admin::{Conditions, ReadingState};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::{AccountRule, Ledger, WhenStale};

/// Each is looked at anew whenever somebody asks.
pub(super) fn conditions(
    config: &Config,
    clock: &Clock,
    ledger: &Ledger,
    latest: watch::Receiver<Option<Reading>>,
    draining: &CancellationToken,
) -> Conditions {
    let (clock, draining) = (clock.clone(), draining.clone());
    let (written, ledger) = (ledger.clone(), ledger.clone());
    let rule: AccountRule = config.account.rule.clone();
    Conditions {
        ledger_writable: Box::new(move || written.writable()),
        ledger_sound: Box::new(move || ledger.damage().is_none()),
        reading: Box::new(move || {
            let age = latest
                .borrow()
                .as_ref()
                .map(|reading| reading.age(clock.now()));
            match age {
                Some(age) if age <= rule.stale_after => ReadingState::Fresh { age },
                age => ReadingState::Stale {
                    age,
                    allowed: rule.when_stale == WhenStale::Allow,
                },
            }
        }),
        draining: Box::new(move || draining.is_cancelled()),
    }
}
