//! How long the account lasts: told to the metrics, and its last reading kept for reports.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::account;
use crate::clock::Clock;
use crate::ledger::{Ledger, Pace, Reading, StoreError, open_reader, runs_out_at};
use crate::metrics;

/// The least time between two readings that are kept, however often the account is read.
const INTERVAL: Duration = Duration::from_mins(1);

/// What a forecast is made from.
pub(super) struct Forecast {
    pub(super) path: PathBuf,
    pub(super) clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) readings: watch::Receiver<Option<account::Reading>>,
}

impl Forecast {
    /// Looks once a minute, first as soon as there is a reading, until `ended`.
    pub(super) async fn run(mut self, ended: CancellationToken) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = None;
        loop {
            let tick = async {
                ticks.tick().await;
                self.readings.wait_for(Option::is_some).await.is_ok()
            };
            if ended.run_until_cancelled(tick).await != Some(true) {
                return;
            }
            let latest = *self.readings.borrow_and_update();
            let Some(reading) = latest else { continue };
            let reading = Reading {
                balance: reading.balance,
                started_at: reading.started_at,
            };
            if kept != Some(reading) {
                // What cannot be written now is tried in a minute.
                let written = self.ledger.keep(vec![reading.record()]).await;
                kept = written.is_ok().then_some(reading);
            }
            self.tell(reading).await;
        }
    }

    async fn tell(&self, reading: Reading) {
        let (path, now) = (self.path.clone(), self.clock.now());
        let read = move || {
            let reader =
                open_reader(&path).map_err(|error| StoreError::Failed(error.to_string()))?;
            Pace::read(&*reader, now)
        };
        match spawn_blocking(read).await {
            Ok(Ok(pace)) => show(runs_out_at(reading.balance, pace.of_account(), now), now),
            Ok(Err(error)) => tracing::warn!("nobody can tell how long the account lasts: {error}"),
            // The runtime is shutting down.
            Err(_) => {}
        }
    }
}

fn show(runs_out_at: Option<Timestamp>, now: Timestamp) {
    let left = runs_out_at.map(|at| at.duration_since(now).as_secs_f64());
    ::metrics::gauge!(metrics::ACCOUNT_RUNS_OUT).set(left.unwrap_or(f64::INFINITY));
}
