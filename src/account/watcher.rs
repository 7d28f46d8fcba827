//! Asks for the balance again and again.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::account::client::AccountClient;
use crate::account::error::AccountError;
use crate::account::pace::{Pace, WatcherSettings};
use crate::account::reading::Reading;
use crate::clock::Clock;
use crate::metrics;

/// How often the age of the last reading is told to the metrics.
const AGE_INTERVAL: Duration = Duration::from_secs(1);

/// Asks for a reading out of turn: after the upstream said that funds are short, say.
#[derive(Clone, Debug)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Asks. Never waits; any number of calls before the next question count as one.
    pub fn nudge(&self) {
        self.0.notify_one();
    }
}

/// Reads the account's balance for as long as the guard runs.
#[derive(Debug)]
pub struct Watcher {
    client: AccountClient,
    clock: Clock,
    pace: Pace,
    nudged: Arc<Notify>,
    latest: watch::Sender<Option<Reading>>,
    unreadable: Option<Unreadable>,
}

/// Since when, and why, the account cannot be read.
#[derive(Debug)]
struct Unreadable {
    since: Timestamp,
    reason: &'static str,
}

impl Watcher {
    /// A watcher that has asked nothing yet.
    pub fn new(client: AccountClient, clock: Clock, settings: WatcherSettings) -> Self {
        Self {
            client,
            clock,
            pace: Pace::new(settings),
            nudged: Arc::new(Notify::new()),
            latest: watch::Sender::new(None),
            unreadable: None,
        }
    }

    /// The last balance read, `None` until there is one. Its age is for the reader to judge.
    pub fn latest(&self) -> watch::Receiver<Option<Reading>> {
        self.latest.subscribe()
    }

    /// A handle by which others ask for a reading out of turn.
    pub fn nudge(&self) -> Nudge {
        Nudge(Arc::clone(&self.nudged))
    }

    /// Reads at once, then at its pace, until `shutdown`. Each reading is given to `on_reading`
    /// before it is published, so that whoever sees it may rely on the callback having run.
    pub async fn run(mut self, shutdown: CancellationToken, on_reading: impl Fn(&Reading)) {
        loop {
            let asked_at = Instant::now();
            let Some(answer) = shutdown.run_until_cancelled(self.client.me()).await else {
                return;
            };
            match answer {
                Ok(balance) => {
                    on_reading(&balance);
                    self.has_read(balance);
                }
                Err(error) => self.has_failed(&error),
            }
            let turn = Instant::now() + self.pace.pause(rand::random());
            let earliest = asked_at + self.pace.nudge_gap();
            if shutdown
                .run_until_cancelled(self.wait(turn, earliest))
                .await
                .is_none()
            {
                return;
            }
        }
    }

    /// Waits for its turn, or for a nudge (but not before `earliest`), telling the age meanwhile.
    async fn wait(&self, turn: Instant, earliest: Instant) {
        let nudged = async {
            self.nudged.notified().await;
            tokio::time::sleep_until(earliest).await;
        };
        tokio::select! {
            () = tokio::time::sleep_until(turn) => {}
            () = nudged => {}
            () = self.tell_age() => {}
        }
    }

    async fn tell_age(&self) {
        let mut ticks = tokio::time::interval(AGE_INTERVAL);
        loop {
            ticks.tick().await;
            let latest = *self.latest.borrow();
            if let Some(balance) = latest {
                let age = balance.age(self.clock.now()).as_secs_f64();
                ::metrics::gauge!(metrics::ACCOUNT_READING_AGE).set(age);
            }
        }
    }

    fn has_read(&mut self, balance: Reading) {
        self.pace.read(balance.balance);
        ::metrics::gauge!(metrics::ACCOUNT_BALANCE).set(metrics::credits_as_f64(balance.balance));
        if let Some(was) = self.unreadable.take() {
            tracing::info!(
                account.balance = %balance.balance,
                account.unreadable_since = %was.since,
                "the account's balance is readable again"
            );
        }
        self.latest.send_replace(Some(balance));
    }

    /// Says a change once: first that the balance cannot be read, and whenever it turns out that
    /// the token is refused, which no patience heals.
    fn has_failed(&mut self, error: &AccountError) {
        let reason = error.reason();
        self.pace.failed();
        ::metrics::counter!(metrics::ACCOUNT_ERRORS, metrics::REASON => reason).increment(1);
        let before = self.unreadable.take();
        let was = before.as_ref().map(|unreadable| unreadable.reason);
        let since = before.map_or_else(|| self.clock.now(), |unreadable| unreadable.since);
        if *error == AccountError::TokenRefused && was != Some(reason) {
            tracing::error!(
                account.error = reason,
                account.unreadable_since = %since,
                "the upstream refuses the account's token: no balance can be read and no call will succeed until the token is replaced"
            );
        } else if was.is_none() {
            tracing::warn!(
                account.error = reason,
                account.unreadable_since = %since,
                "the account's balance cannot be read: {error}"
            );
        } else {
            tracing::debug!(
                account.error = reason,
                "the account's balance still cannot be read: {error}"
            );
        }
        self.unreadable = Some(Unreadable { since, reason });
    }
}
