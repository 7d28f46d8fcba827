//! Looks, tells, remembers: the task that runs beside everything else.
//!
//! What was told and what a webhook has not taken yet is kept as one text, saved after the log line
//! and before the message leaves. So a restart tells nothing twice, loses no message, and sends one
//! twice only if it ends the guard between the receiver's yes and the next save; its id is the same.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::alert::{Alert, Snapshot};
use super::announce::{announce, expect};
use super::delivery::{Patience, deliver, drop_event};
use super::event::Event;
use super::rules::{State, judge};
use super::webhook::{Receiver, WebhookError};
use crate::clock::Clock;

/// Messages that may wait for one receiver. More than a few hundred budgets crossing a share at one
/// time is not read by anybody.
const WAITING_MAX: usize = 256;
/// What receivers took is saved this long after the first of them, together.
const GATHER: Duration = Duration::from_secs(1);

/// What alerts run with.
pub struct AlertsSettings {
    /// What to tell.
    pub alerts: Vec<Alert>,
    /// The time between two looks.
    pub interval: Duration,
    /// How long and how often a message is tried.
    pub patience: Patience,
    /// Trust roots and crypto provider.
    pub tls: rustls::ClientConfig,
    /// The proxy for those webhooks that ask for it, `http://host:port`.
    pub egress_proxy: Option<String>,
}

impl AlertsSettings {
    /// A look every ten seconds, patience as usual.
    pub fn new(
        alerts: Vec<Alert>,
        tls: rustls::ClientConfig,
        egress_proxy: Option<String>,
    ) -> Self {
        Self {
            alerts,
            interval: Duration::from_secs(10),
            patience: Patience::default(),
            tls,
            egress_proxy,
        }
    }
}

/// Why alerts cannot run.
#[derive(Debug, thiserror::Error)]
#[error("alert {alert}: {why}")]
pub struct AlertsError {
    /// Which one.
    pub alert: Arc<str>,
    /// What is wrong with it.
    pub why: WebhookError,
}

/// Alerts that are ready to run. Nothing was sent or looked at yet.
pub struct Alerts {
    alerts: Vec<Alert>,
    interval: Duration,
    patience: Patience,
    clock: Clock,
    receivers: Vec<(Arc<str>, Receiver)>,
}

impl Alerts {
    /// Prepares everything that can fail.
    ///
    /// # Errors
    ///
    /// A webhook that cannot be used. It is named by its alert, never by its address.
    pub fn new(settings: AlertsSettings, clock: Clock) -> Result<Self, AlertsError> {
        let mut receivers = Vec::new();
        for alert in &settings.alerts {
            let Some(webhook) = &alert.webhook else {
                continue;
            };
            let proxy = settings.egress_proxy.as_deref();
            let timeout = settings.patience.timeout;
            let receiver = Receiver::new(webhook, &settings.tls, proxy, timeout, clock.clone());
            let receiver = receiver.map_err(|why| AlertsError {
                alert: Arc::clone(&alert.id),
                why,
            })?;
            receivers.push((Arc::clone(&alert.id), receiver));
        }
        Ok(Self {
            alerts: settings.alerts,
            interval: settings.interval,
            patience: settings.patience,
            clock,
            receivers,
        })
    }
}

/// Runs alerts until `shutdown`. What was told by then is saved before it ends, so that whoever runs
/// them next, perhaps at once, tells it no second time.
///
/// `snapshot` is asked for how things stand at the moment it is given (which says what today is);
/// `None` means that nobody can tell, and nothing is told. `load` gives the text that `save` was
/// given last, in this process or an earlier one. Where it fails, the guard may tell again what it
/// has told: better than silence. Where `save` fails, it is given the text again at the next look.
/// Where nothing is configured, none of them is called.
pub async fn run<S, L, K, E>(
    alerts: Alerts,
    snapshot: impl Fn(Timestamp) -> S + Send + Sync,
    load: impl FnOnce() -> L + Send,
    save: impl Fn(String) -> K + Send + Sync,
    shutdown: CancellationToken,
) where
    S: Future<Output = Option<Snapshot>> + Send,
    L: Future<Output = Result<Option<String>, E>> + Send,
    K: Future<Output = Result<(), E>> + Send,
    E: Display + Send,
{
    if alerts.alerts.is_empty() {
        return;
    }
    let Some(kept) = shutdown.run_until_cancelled(load()).await else {
        return;
    };
    let (mut runner, mut taken) = Runner::start(alerts, read_kept(kept));
    runner.work(&mut taken, snapshot, &save, &shutdown).await;
    while let Ok(id) = taken.try_recv() {
        runner.was_taken(&id);
    }
    runner.save(&save).await;
}

/// What outlives the process.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// What was told.
    told: State,
    /// What webhooks have not taken yet, oldest first.
    waiting: Vec<Event>,
}

fn read_kept(loaded: Result<Option<String>, impl Display>) -> Kept {
    let wrong = |error: &dyn Display| {
        tracing::warn!("what alerts have told cannot be read, some may be told again: {error}");
        Kept::default()
    };
    match loaded {
        Ok(None) => Kept::default(),
        Ok(Some(text)) => serde_json::from_str(&text).unwrap_or_else(|error| wrong(&error)),
        Err(error) => wrong(&error),
    }
}

struct Runner {
    alerts: Vec<Alert>,
    interval: Duration,
    clock: Clock,
    kept: Kept,
    /// Whether `kept` has something that was not saved.
    unsaved: bool,
    /// Whether the last attempt to save it failed.
    unsavable: bool,
    queues: BTreeMap<Arc<str>, mpsc::Sender<Event>>,
    _deliveries: Vec<AbortOnDropHandle<()>>,
}

impl Runner {
    /// Starts the deliveries, those that were waiting first. Also gives the channel that says which
    /// events are dealt with.
    fn start(alerts: Alerts, kept: Kept) -> (Self, mpsc::Receiver<Arc<str>>) {
        let (done, taken) = mpsc::channel(WAITING_MAX);
        let mut queues = BTreeMap::new();
        let mut deliveries = Vec::new();
        for (alert, receiver) in alerts.receivers {
            let (sender, queue) = mpsc::channel(WAITING_MAX);
            let (patience, clock) = (alerts.patience, alerts.clock.clone());
            let task = tokio::spawn(deliver(receiver, patience, clock, queue, done.clone()));
            deliveries.push(AbortOnDropHandle::new(task));
            queues.insert(alert, sender);
        }
        alerts.alerts.iter().for_each(expect);
        let mut runner = Self {
            alerts: alerts.alerts,
            interval: alerts.interval,
            clock: alerts.clock,
            kept: Kept {
                told: kept.told,
                waiting: Vec::new(),
            },
            unsaved: false,
            unsavable: false,
            queues,
            _deliveries: deliveries,
        };
        let waiting = runner.admit(kept.waiting);
        runner.queue(waiting);
        (runner, taken)
    }

    async fn work<S, K, E>(
        &mut self,
        taken: &mut mpsc::Receiver<Arc<str>>,
        snapshot: impl Fn(Timestamp) -> S,
        save: &impl Fn(String) -> K,
        shutdown: &CancellationToken,
    ) where
        S: Future<Output = Option<Snapshot>>,
        K: Future<Output = Result<(), E>>,
        E: Display,
    {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut save_at: Option<Instant> = None;
        loop {
            let due = save_at.unwrap_or_else(Instant::now);
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {
                    let now = self.clock.now();
                    let seen = shutdown.run_until_cancelled(snapshot(now)).await;
                    let events = match seen.flatten() {
                        Some(seen) => self.look(&seen, now),
                        None => Vec::new(),
                    };
                    self.save(save).await;
                    save_at = None;
                    self.queue(events);
                }
                Some(id) = taken.recv() => {
                    self.was_taken(&id);
                    save_at.get_or_insert_with(|| Instant::now() + GATHER);
                }
                () = tokio::time::sleep_until(due), if save_at.is_some() => {
                    save_at = None;
                    self.save(save).await;
                }
            }
        }
    }

    /// A receiver has an event, or will never have it.
    fn was_taken(&mut self, id: &Arc<str>) {
        self.kept.waiting.retain(|event| event.id != *id);
        self.unsaved = true;
    }

    /// Tells what is to be told, and gives what is to be sent once that is saved.
    fn look(&mut self, seen: &Snapshot, now: Timestamp) -> Vec<Event> {
        let (events, told) = judge(&self.alerts, seen, &self.kept.told, now);
        self.unsaved |= told != self.kept.told;
        self.kept.told = told;
        events.iter().for_each(announce);
        self.admit(events)
    }

    /// Keeps those events that have a receiver and find a place before it.
    fn admit(&mut self, events: Vec<Event>) -> Vec<Event> {
        let mut admitted = Vec::new();
        for event in events {
            if !self.queues.contains_key(&event.alert) {
                continue;
            }
            let waiting = &mut self.kept.waiting;
            let before = waiting.iter().filter(|other| other.alert == event.alert);
            if before.count() < WAITING_MAX {
                waiting.push(event.clone());
                admitted.push(event);
            } else {
                drop_event(&event);
            }
        }
        admitted
    }

    fn queue(&self, events: Vec<Event>) {
        for event in events {
            let Some(queue) = self.queues.get(&event.alert) else {
                continue;
            };
            // As many places as events are ever admitted.
            if let Err(refused) = queue.try_send(event) {
                drop_event(&refused.into_inner());
            }
        }
    }

    async fn save<K, E>(&mut self, save: impl Fn(String) -> K)
    where
        K: Future<Output = Result<(), E>>,
        E: Display,
    {
        if !self.unsaved {
            return;
        }
        let failed = match serde_json::to_string(&self.kept) {
            Ok(text) => save(text).await.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        match failed {
            None => self.unsaved = false,
            Some(error) if !self.unsavable => {
                tracing::warn!("what alerts have told cannot be saved: {error}");
            }
            Some(_) => {}
        }
        self.unsavable = self.unsaved;
    }
}
