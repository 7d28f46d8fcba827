//! What alerts look at, gathered from the parts that know it.

use std::path::{Path, PathBuf};
use std::pin::pin;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::account::Reading;
use crate::alerts::{self, Alerts, AlertsSettings, Snapshot};
use crate::clock::Clock;
use crate::config::Config;
use crate::credits::Credits;
use crate::ledger::{
    FindingKind, Ledger, LedgerError, OpenError, Pace, Record, StoreError, open_reader, runs_out_at,
};

/// The note that what was told is kept under.
const STATE: &str = "alerts.state";

/// Everything that is looked at.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    path: PathBuf,
    clock: Clock,
    ledger: Ledger,
    readings: watch::Receiver<Option<Reading>>,
    started_at: Timestamp,
}

/// The alerts of the settings, ready to run.
pub(super) fn alerts(
    config: &Config,
    tls: &rustls::ClientConfig,
    clock: &Clock,
) -> Result<Alerts, StartError> {
    let proxy = config.upstream.proxy.as_ref();
    let proxy = proxy.map(|proxy| proxy.expose().to_owned());
    let settings = AlertsSettings::new(config.alerts.clone(), tls.clone(), proxy);
    Ok(Alerts::new(settings, clock.clone())?)
}

/// Why nobody can tell how things stand, or what was told.
#[derive(Debug, thiserror::Error)]
enum WatchedError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the reading of the ledger broke down: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// What the ledger's file says of one day.
struct Today {
    unattributed: Credits,
    drift: Credits,
    /// What left the account in the last 24 hours.
    spent: Credits,
}

impl Watched {
    pub(super) fn new(
        config: &Config,
        clock: &Clock,
        ledger: &Ledger,
        readings: watch::Receiver<Option<Reading>>,
    ) -> Self {
        Self {
            path: config.ledger.path.clone(),
            clock: clock.clone(),
            ledger: ledger.clone(),
            readings,
            started_at: clock.now(),
        }
    }

    /// Looks and tells until `ended`, by other alerts as soon as there are some in `next`. What was
    /// told and what waits for a webhook goes on, as it does over a restart.
    pub(super) async fn run(
        self,
        mut alerts: Alerts,
        mut next: mpsc::Receiver<Alerts>,
        ended: CancellationToken,
    ) {
        while !ended.is_cancelled() {
            let until = ended.child_token();
            let mut telling = pin!(self.clone().tell(alerts, until.clone()));
            let other = tokio::select! {
                Some(other) = next.recv() => {
                    // It saves what it told before the next reads that.
                    until.cancel();
                    telling.await;
                    Some(other)
                }
                () = &mut telling => ended.run_until_cancelled(next.recv()).await.flatten(),
            };
            match other {
                Some(other) => alerts = other,
                None => return,
            }
        }
    }

    async fn tell(self, alerts: Alerts, ended: CancellationToken) {
        let look = |now| self.look(now);
        let load = || self.load();
        let save = |text| self.save(text);
        alerts::run(alerts, look, load, save, ended).await;
    }

    async fn look(&self, now: Timestamp) -> Option<Snapshot> {
        match self.snapshot(now).await {
            Ok(snapshot) => Some(snapshot),
            Err(error) => {
                tracing::warn!("nobody can tell how things stand, and no alert is told: {error}");
                None
            }
        }
    }

    async fn snapshot(&self, now: Timestamp) -> Result<Snapshot, WatchedError> {
        let path = self.path.clone();
        let today = spawn_blocking(move || read_today(&path, now)).await??;
        let calls = self.ledger.open_calls().await?;
        let reading = *self.readings.borrow();
        let balance = reading.map(|reading| (reading.balance, reading.started_at));
        Ok(Snapshot {
            budgets: self.ledger.budgets().await?,
            balance,
            runs_out_at: balance.and_then(|(left, _)| runs_out_at(left, today.spent, now)),
            unattributed_today: today.unattributed,
            drift_today: today.drift,
            oldest_doubt: calls.iter().filter_map(|call| call.doubted_at).min(),
            reading_age: reading.map_or_else(
                || self.clock.now().duration_since(self.started_at),
                |reading| reading.age(now),
            ),
        })
    }

    async fn load(&self) -> Result<Option<String>, WatchedError> {
        let path = self.path.clone();
        let read = move || Ok::<_, WatchedError>(open_reader(&path)?.note(STATE)?);
        spawn_blocking(read).await?
    }

    async fn save(&self, text: String) -> Result<(), WatchedError> {
        let note = Record::Note {
            name: STATE.to_owned(),
            value: Some(text),
        };
        Ok(self.ledger.keep(vec![note]).await?)
    }
}

fn read_today(path: &Path, now: Timestamp) -> Result<Today, WatchedError> {
    let reader = open_reader(path)?;
    let day = now.to_zoned(TimeZone::UTC).start_of_day();
    let from = day.map_or(now, |day| day.timestamp());
    let mut today = Today {
        unattributed: Credits::ZERO,
        drift: Credits::ZERO,
        spent: Pace::read(&*reader, now)?.of_account(),
    };
    for sum in reader.found(from, Timestamp::MAX)? {
        let drift = sum.open_drift.magnitude();
        if sum.kind == FindingKind::TheirsOnly {
            today.unattributed = drift;
        } else {
            today.drift = today.drift.saturating_add(drift);
        }
    }
    Ok(today)
}
