//! Asks for the balance again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::account::client::AccountClient;
use crate::account::error::AccountError;
use crate::account::me::BalanceSource;
use crate::account::pace::{Near, Pace, WatcherSettings};
use crate::account::reading::{Reading, Seen};
use crate::clock::Clock;
use crate::credits::Credits;
use crate::metrics;

/// How often the age of the last reading is told to the metrics.
const AGE_INTERVAL: Duration = Duration::from_secs(1);

/// Asks out of turn: for a reading after a charge that surprised, say.
#[derive(Clone, Debug)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    pub(super) fn of(nudged: &Arc<Notify>) -> Self {
        Self(Arc::clone(nudged))
    }

    /// Asks. Never waits; any number of calls before the next question count as one.
    pub fn nudge(&self) {
        self.0.notify_one();
    }
}

/// Tells the watcher that the upstream refused a call for want of funds.
#[derive(Clone, Debug)]
pub struct FundsGone(Arc<Marks>);

/// How often the funds were gone. Counted, not timed: the clock may be set back.
#[derive(Debug, Default)]
struct Marks {
    count: AtomicU64,
    happened: Notify,
}

impl FundsGone {
    /// From now on the account counts as empty, until a reading that is begun after this says
    /// otherwise; one is asked for at once. Never waits.
    pub fn mark_empty(&self) {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        self.0.happened.notify_one();
    }
}

/// Reads the account's balance for as long as the guard runs.
#[derive(Debug)]
pub struct Watcher<A = AccountClient> {
    client: Arc<A>,
    clock: Clock,
    pace: Pace,
    /// What spreads the questions after an error.
    chance: fn() -> u32,
    nudged: Arc<Notify>,
    marks: Arc<Marks>,
    /// How many of the marks have been taken in.
    heard: u64,
    latest: watch::Sender<Option<Reading>>,
    unreadable: Option<Unreadable>,
}

/// Since when, and why, the account cannot be read.
#[derive(Debug)]
struct Unreadable {
    since: Timestamp,
    reason: &'static str,
}

impl<A: BalanceSource> Watcher<A> {
    /// A watcher that has asked nothing yet.
    pub fn new(client: A, clock: Clock, settings: WatcherSettings) -> Self {
        Self {
            client: Arc::new(client),
            clock,
            pace: Pace::new(settings),
            chance: rand::random,
            nudged: Arc::new(Notify::new()),
            marks: Arc::default(),
            heard: 0,
            latest: watch::Sender::new(None),
            unreadable: None,
        }
    }

    /// Spreads its questions after an error by `chance`, for whoever must foresee them.
    pub fn spread_by(mut self, chance: fn() -> u32) -> Self {
        self.chance = chance;
        self
    }

    /// The last balance read, `None` until there is one. Its age is for the reader to judge.
    pub fn latest(&self) -> watch::Receiver<Option<Reading>> {
        self.latest.subscribe()
    }

    /// The floors near which it reads faster, to be changed.
    pub fn near(&self) -> Near {
        self.pace.floors()
    }

    /// A handle by which others ask for a reading out of turn.
    pub fn nudge(&self) -> Nudge {
        Nudge::of(&self.nudged)
    }

    /// A handle by which others say that the upstream refused a call for want of funds. The
    /// account then counts as empty as soon as this watcher runs: see [`FundsGone::mark_empty`].
    pub fn funds_gone(&self) -> FundsGone {
        FundsGone(Arc::clone(&self.marks))
    }

    /// Reads at once, then at its pace, until `shutdown`. Each reading is given to `on_reading`
    /// before it is published, so that whoever sees it may rely on the callback having run.
    pub async fn run(mut self, shutdown: CancellationToken, on_reading: impl Fn(&Reading)) {
        // Shown from the start, so that the first time is a rise.
        ::metrics::counter!(metrics::ACCOUNT_EMPTIED).increment(0);
        loop {
            let turn = self.turn(&on_reading);
            if shutdown.run_until_cancelled(turn).await.is_none() {
                return;
            }
        }
    }

    /// One question, and the wait for the next turn.
    async fn turn(&mut self, on_reading: &impl Fn(&Reading)) {
        self.hear(on_reading);
        let heard = self.heard;
        let asked_at = Instant::now();
        let answer = self.ask(on_reading).await;
        self.hear(on_reading);
        let earliest = asked_at + self.pace.nudge_gap();
        let turn = match answer {
            // The funds went while the question was under way: it may have been answered before.
            Ok(reading) if heard != self.heard => {
                self.is_readable(reading.balance);
                self.pace.emptied();
                earliest
            }
            Ok(reading) => {
                self.has_read(reading, on_reading);
                Instant::now() + self.pace.pause((self.chance)())
            }
            Err(error) => {
                self.has_failed(&error);
                Instant::now() + self.pace.pause((self.chance)())
            }
        };
        self.wait(turn, earliest, on_reading).await;
    }

    /// Asks, and hears meanwhile that the funds are gone.
    async fn ask(&mut self, on_reading: &impl Fn(&Reading)) -> Result<Reading, AccountError> {
        let (client, marks) = (Arc::clone(&self.client), Arc::clone(&self.marks));
        let mut question = std::pin::pin!(client.balance());
        loop {
            tokio::select! {
                biased;
                answer = &mut question => return answer,
                () = marks.happened.notified() => self.hear(on_reading),
            }
        }
    }

    /// Waits for its turn, or for a nudge (but not before `earliest`), telling the age meanwhile.
    async fn wait(&mut self, mut turn: Instant, earliest: Instant, on_reading: &impl Fn(&Reading)) {
        let (marks, nudged) = (Arc::clone(&self.marks), Arc::clone(&self.nudged));
        let mut ticks = tokio::time::interval(AGE_INTERVAL);
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(turn) => return,
                () = marks.happened.notified() => {
                    self.hear(on_reading);
                    turn = turn.min(earliest);
                }
                () = nudged.notified() => turn = turn.min(earliest),
                _ = ticks.tick() => self.tell_age(),
            }
        }
    }

    /// Hears what has been said since about the funds.
    fn hear(&mut self, on_reading: &impl Fn(&Reading)) {
        let count = self.marks.count.load(Ordering::SeqCst);
        if count != self.heard {
            self.heard = count;
            self.empty(on_reading);
        }
    }

    fn tell_age(&self) {
        let latest = *self.latest.borrow();
        if let Some(reading) = latest {
            let age = reading.age(self.clock.now()).as_secs_f64();
            ::metrics::gauge!(metrics::ACCOUNT_READING_AGE).set(age);
        }
    }

    /// The upstream said that the funds are gone: once is enough until it is read again.
    fn empty(&mut self, on_reading: &impl Fn(&Reading)) {
        self.pace.emptied();
        let latest = *self.latest.borrow();
        if latest.is_some_and(|reading| reading.seen == Seen::Refused) {
            return;
        }
        let now = self.clock.now();
        let read = latest.map_or(Credits::ZERO, |reading| reading.balance);
        let emptied = Reading {
            balance: read.min(Credits::ZERO),
            started_at: now,
            finished_at: now,
            seen: Seen::Refused,
        };
        on_reading(&emptied);
        ::metrics::counter!(metrics::ACCOUNT_EMPTIED).increment(1);
        tracing::warn!(
            account.balance = latest.map(|reading| tracing::field::display(reading.balance)),
            "the upstream refused a call for want of funds: the account counts as empty until it is read again"
        );
        self.latest.send_replace(Some(emptied));
    }

    fn has_read(&mut self, reading: Reading, on_reading: &impl Fn(&Reading)) {
        self.is_readable(reading.balance);
        on_reading(&reading);
        let before = self.latest.send_replace(Some(reading));
        if before.is_some_and(|before| before.seen == Seen::Refused) {
            tracing::info!(
                account.balance = %reading.balance,
                "the account has been read again and no longer counts as empty for a refused call"
            );
        }
    }

    fn is_readable(&mut self, balance: Credits) {
        self.pace.read(balance);
        ::metrics::gauge!(metrics::ACCOUNT_BALANCE).set(metrics::credits_as_f64(balance));
        if let Some(was) = self.unreadable.take() {
            tracing::info!(
                account.balance = %balance,
                account.unreadable_since = %was.since,
                "the account's balance is readable again"
            );
        }
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
