//! One receiver's queue: each message until it is taken or given up.
//!
//! Every alert with a webhook has a queue and a task of its own, so a receiver that hangs keeps
//! nobody waiting but the messages behind.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::mpsc;

use super::event::Event;
use super::webhook::{PostError, Receiver};
use crate::clock::Clock;
use crate::metrics::{self, delivery};

/// How long and how often a message is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How many attempts a message gets.
    pub attempts: u32,
    /// The pause after the first failed attempt; each further one is four times as long.
    pub first_pause: Duration,
    /// An event that was seen longer ago than this is no longer news.
    pub age_max: SignedDuration,
}

impl Default for Patience {
    /// 10 seconds an attempt, five attempts, pauses of 5, 20, 80 and 320 seconds: some seven
    /// minutes, in which a receiver can be restarted. A message that outlived a restart of the
    /// guard is sent within a day.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            attempts: 5,
            first_pause: Duration::from_secs(5),
            age_max: SignedDuration::from_hours(24),
        }
    }
}

/// The jitter picks one of this many points.
const JITTER_STEPS: u32 = 1000;

impl Patience {
    /// The pause after `failed` attempts. `chance` (any number) picks a point between half of it
    /// and all of it.
    fn pause(&self, failed: u32, chance: u32) -> Duration {
        let factor = 4_u32.saturating_pow(failed.saturating_sub(1));
        let half = self.first_pause.saturating_mul(factor) / 2;
        half + half / JITTER_STEPS * (chance % (JITTER_STEPS + 1))
    }
}

/// Delivers what comes, in order, until the queue is closed. Says of each event by its id that it
/// is dealt with, one way or the other.
pub(super) async fn deliver(
    receiver: Receiver,
    patience: Patience,
    clock: Clock,
    mut queue: mpsc::Receiver<Event>,
    done: mpsc::Sender<Arc<str>>,
) {
    while let Some(event) = queue.recv().await {
        let age = clock.now().duration_since(event.at);
        if age > patience.age_max {
            give_up(&event, "it is too old to be news");
        } else {
            attempt(&receiver, patience, &event).await;
        }
        if done.send(event.id).await.is_err() {
            return;
        }
    }
}

async fn attempt(receiver: &Receiver, patience: Patience, event: &Event) {
    for failed in 1.. {
        let Err(error) = receiver.post(event).await else {
            count(&event.alert, delivery::DELIVERED);
            return;
        };
        if failed >= patience.attempts || !error.may_pass() {
            give_up(event, &error.to_string());
            return;
        }
        has_failed(event, failed, error);
        tokio::time::sleep(patience.pause(failed, rand::random())).await;
    }
}

fn has_failed(event: &Event, failed: u32, error: PostError) {
    tracing::info!(
        alert.id = %event.alert,
        alert.event = %event.id,
        alert.attempt = failed,
        "an alert's webhook did not take a message and gets it again: {error}"
    );
    count(&event.alert, delivery::FAILED);
}

fn give_up(event: &Event, why: &str) {
    tracing::warn!(
        alert.id = %event.alert,
        alert.event = %event.id,
        "a message to an alert's webhook is given up: {why}"
    );
    count(&event.alert, delivery::GIVEN_UP);
}

/// There was no place for an event in its receiver's queue.
pub(super) fn drop_event(event: &Event) {
    tracing::warn!(
        alert.id = %event.alert,
        alert.event = %event.id,
        "a message to an alert's webhook is dropped: too many wait for it"
    );
    count(&event.alert, delivery::DROPPED);
}

fn count(alert: &str, what: &'static str) {
    ::metrics::counter!(
        metrics::ALERT_DELIVERIES,
        metrics::ALERT => alert.to_owned(),
        metrics::DELIVERY => what
    )
    .increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_fourfold_and_are_never_shorter_than_half() {
        let patience = Patience::default();
        let seconds = |failed, chance| patience.pause(failed, chance).as_secs();
        let longest: Vec<u64> = (1..5).map(|failed| seconds(failed, JITTER_STEPS)).collect();
        assert_eq!(longest, [5, 20, 80, 320]);
        for chance in [0, 1, 500, JITTER_STEPS + 1, u32::MAX] {
            let pause = patience.pause(2, chance);
            assert!(pause >= Duration::from_secs(10) && pause <= Duration::from_secs(20));
        }
        // Nothing that could be set makes it panic.
        let patience = Patience {
            first_pause: Duration::MAX,
            ..patience
        };
        assert!(patience.pause(u32::MAX, u32::MAX) > Duration::ZERO);
    }
}
