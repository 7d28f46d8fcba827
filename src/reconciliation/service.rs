//! Reconciles for as long as the guard runs: at its interval, and when somebody asks.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::cross_check::CrossCheck;
use super::run::{Depth, Reconciler};
use super::summary::Summary;
use super::telemetry;
use crate::account::Reading;

/// Askers that may wait at one time.
const ASKERS_MAX: usize = 8;

/// Asks the running guard to reconcile at once.
#[derive(Clone, Debug)]
pub struct ReconcileNow(mpsc::Sender<oneshot::Sender<Result<Summary, String>>>);

impl ReconcileNow {
    /// Runs, and waits for what it did.
    ///
    /// # Errors
    /// Why it could not, in words.
    pub async fn run(&self) -> Result<Summary, String> {
        let (reply, answer) = oneshot::channel();
        let busy = "too many ask for it already, or the guard is shutting down";
        self.0.try_send(reply).map_err(|_| busy.to_owned())?;
        let gone = |_| "the guard shut down before it was done".to_owned();
        answer.await.map_err(gone)?
    }
}

/// See the module.
pub struct Service {
    reconciler: Reconciler,
    cross_check: CrossCheck,
    interval: Duration,
    readings: watch::Receiver<Option<Reading>>,
    asked: mpsc::Receiver<oneshot::Sender<Result<Summary, String>>>,
}

impl Service {
    /// A service that has not begun, and the way to ask it.
    pub fn new(
        reconciler: Reconciler,
        interval: Duration,
        readings: watch::Receiver<Option<Reading>>,
    ) -> (Self, ReconcileNow) {
        let (sender, asked) = mpsc::channel(ASKERS_MAX);
        let service = Self {
            cross_check: reconciler.cross_check(),
            reconciler,
            interval,
            readings,
            asked,
        };
        (service, ReconcileNow(sender))
    }

    /// Runs until `ended`. What is left unfinished then is done by the next start.
    pub async fn run(mut self, ended: CancellationToken) {
        if let Err(error) = self.reconciler.begin().await {
            tracing::warn!("reconciliation will try again: {error}");
        }
        let first = Instant::now() + self.interval;
        let mut ticks = tokio::time::interval_at(first, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut no_more_readings = false;
        loop {
            tokio::select! {
                // A reading takes no time, and whoever asks is not kept waiting by the interval.
                biased;
                () = ended.cancelled() => return,
                changed = self.readings.changed(), if !no_more_readings => {
                    no_more_readings = changed.is_err();
                    let reading = *self.readings.borrow_and_update();
                    if let Some(reading) = reading {
                        self.reconciler.observe(&reading);
                    }
                }
                Some(reply) = self.asked.recv() => {
                    let Some(run) = ended.run_until_cancelled(self.reconcile(Depth::Full)).await else {
                        return;
                    };
                    let _ = reply.send(run);
                    if ended.run_until_cancelled(self.cross_check()).await.is_none() {
                        return;
                    }
                }
                _ = ticks.tick() => {
                    if ended.run_until_cancelled(self.reconcile(Depth::Quick)).await.is_none() {
                        return;
                    }
                    if ended.run_until_cancelled(self.cross_check()).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    async fn cross_check(&mut self) {
        self.cross_check.run(&mut self.reconciler).await;
    }

    async fn reconcile(&mut self, depth: Depth) -> Result<Summary, String> {
        let run = self.reconciler.run(depth, &mut |_| {}).await;
        telemetry::ended(&run);
        run.map_err(|error| error.to_string())
    }
}
