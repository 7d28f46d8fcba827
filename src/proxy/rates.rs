//! Rates: how often, never how much.
//!
//! A rate is a filter and a pace. All calls it covers share one pace, exactly as all calls a
//! budget covers share one limit; a rate for each key is written as a rate with that key.
//!
//! Paces go by the runtime's time, which no change of the machine's clock moves, and which stands still
//! where a test has stopped it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{self, Clock as _};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::counted::counted;
use crate::identity::Client;
use crate::ids::OperationName;
use crate::ledger::{Filter, Mode};

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time that makes room for one call.
    pub period: Duration,
    /// Calls that may come at once after a pause.
    pub burst: NonZeroU32,
}

impl Pace {
    pub(super) fn allowance(self) -> Quota {
        let period = self.period.max(Duration::from_nanos(1));
        Quota::with_period(period)
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(self.burst)
    }
}

/// The time since it was made, by the runtime.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age(Instant);

impl Age {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl clock::Clock for Age {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What a pace has counted.
pub(super) type Counted<K = NotKeyed, S = InMemoryState> =
    RateLimiter<K, S, Age, NoOpMiddleware<Duration>>;

/// One rate as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateRule {
    /// What people call it: its place in the settings.
    pub name: Arc<str>,
    /// Which calls share it.
    pub filter: Filter,
    /// How often.
    pub pace: Pace,
    /// Whether a call that comes sooner is refused.
    pub mode: Mode,
}

/// All rates, each with its state.
#[derive(Debug, Default)]
pub struct Rates(Vec<(RateRule, Arc<Counted>)>);

/// A rate that had no room, and when it will.
#[derive(Debug)]
pub struct OverRate {
    /// What people call the rate.
    pub name: Arc<str>,
    /// The rate, in words.
    pub rate: String,
    /// Until the next call fits.
    pub wait: Duration,
}

impl Rates {
    /// Rates with their full burst available.
    pub fn new(rules: impl IntoIterator<Item = RateRule>) -> Self {
        Self::default().replaced(rules)
    }

    /// Other rates in the place of these. One that stays as it is keeps what it has counted, also for
    /// calls that still go by these.
    pub fn replaced(&self, rules: impl IntoIterator<Item = RateRule>) -> Self {
        let mut before = self.0.iter().collect::<Vec<_>>();
        let with_state = |rule: RateRule| {
            let same = before
                .iter()
                .position(|(other, _)| other.counts_like(&rule));
            let limiter = match same {
                Some(place) => Arc::clone(&before.swap_remove(place).1),
                None => {
                    let allowance = rule.pace.allowance();
                    Arc::new(RateLimiter::direct_with_clock(allowance, Age::new()))
                }
            };
            (rule, limiter)
        };
        Self(rules.into_iter().map(with_state).collect())
    }

    /// Counts one call in every rate that covers it, or names the first that is full and refuses.
    /// Otherwise names those that are full and in shadow.
    pub fn check(
        &self,
        client: &Client,
        operation: &OperationName,
    ) -> Result<Vec<OverRate>, OverRate> {
        let mut shadow = Vec::new();
        for (rule, limiter) in &self.0 {
            if !rule.filter.covers(&client.team.id, &client.key, operation) {
                continue;
            }
            if let Err(full) = limiter.check() {
                let over = OverRate {
                    name: Arc::clone(&rule.name),
                    rate: rule.words(),
                    wait: full.wait_time_from(limiter.clock().now()),
                };
                match rule.mode {
                    Mode::Enforce => return Err(over),
                    Mode::Shadow => shadow.push(over),
                }
            }
        }
        Ok(shadow)
    }
}

impl RateRule {
    /// Whether calls are counted by both alike, whatever they are called and become of them.
    fn counts_like(&self, other: &Self) -> bool {
        self.filter == other.filter && self.pace == other.pace
    }

    fn words(&self) -> String {
        let mut words = format!(
            "of one call per {:?} (burst {})",
            self.pace.period, self.pace.burst
        );
        if let Some(team) = &self.filter.team {
            words += &format!(" for team {team}");
        }
        if let Some(key) = &self.filter.key {
            words += &format!(" for key {key}");
        }
        if let Some(operations) = &self.filter.operations {
            let operations = counted(operations.len(), "operation", "operations");
            words += &format!(" for {operations}");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Priority, Team};

    fn client(team: &str, key: &str) -> Client {
        Client {
            team: Arc::new(Team {
                id: team.into(),
                priority: Priority::Low,
                unlimited: false,
            }),
            key: key.into(),
            account: false,
            operations: None,
        }
    }

    fn pace(burst: u32) -> Pace {
        Pace {
            period: Duration::from_secs(60),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn a_rate_of_one_team_leaves_the_others_alone() {
        let rates = Rates::new([RateRule {
            name: "rate.#1".into(),
            mode: Mode::Enforce,
            filter: Filter {
                team: Some("growth".into()),
                ..Filter::default()
            },
            pace: pace(2),
        }]);
        let search = "search_database_leads".into();
        assert!(rates.check(&client("growth", "a"), &search).is_ok());
        assert!(rates.check(&client("growth", "b"), &search).is_ok());
        let full = rates.check(&client("growth", "c"), &search).unwrap_err();
        assert!(full.wait > Duration::from_secs(50) && full.wait <= Duration::from_secs(60));
        assert!(rates.check(&client("sales", "a"), &search).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_makes_room_by_the_runtimes_time() {
        let rates = Rates::new([RateRule {
            name: "rate.#1".into(),
            mode: Mode::Enforce,
            filter: Filter::default(),
            pace: pace(2),
        }]);
        let (growth, search) = (client("growth", "a"), "search_database_leads".into());
        let passes = || rates.check(&growth, &search).is_ok();
        assert_eq!([passes(), passes(), passes()], [true, true, false]);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(!passes());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([passes(), passes()], [true, false]);
    }

    #[test]
    fn a_rate_that_stays_keeps_its_count_and_one_that_is_changed_begins_anew() {
        let rule = |place: &str, burst| RateRule {
            name: place.into(),
            mode: Mode::Enforce,
            filter: Filter::default(),
            pace: pace(burst),
        };
        let first = Rates::new([rule("rate.#1", 2), rule("rate.#2", 2)]);
        let search = "search_database_leads".into();
        let growth = client("growth", "a");
        assert!(first.check(&growth, &search).is_ok());
        let second = first.replaced([rule("rate.#1", 5), rule("rate.#7", 2)]);
        assert!(second.check(&growth, &search).is_ok());
        assert!(
            second.check(&growth, &search).is_err(),
            "the second call is counted"
        );
        assert!(
            first.check(&growth, &search).is_err(),
            "by those who still go by the first"
        );
        let third = second.replaced([rule("rate.#1", 5), rule("rate.#2", 1)]);
        assert!(third.check(&growth, &search).is_ok());
    }
}
