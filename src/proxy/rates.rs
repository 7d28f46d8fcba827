//! Rates: how often, never how much.
//!
//! A rate is a filter and a pace. All calls it covers share one pace, exactly as all calls a
//! budget covers share one limit; a rate for each key is written as a rate with that key.
//!
//! Paces go by the runtime's time, which no change of the machine's clock moves, and which stands still
//! where a test has stopped it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use governor::clock::{self, Clock as _};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::counted::counted;
use crate::credits::Credits;
use crate::identity::{Client, Priority};
use crate::ids::{OperationName, TeamId};
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

/// How long it is made, by the runtime's time.
#[derive(Clone, Copy, Debug)]
struct Age(Instant);

impl Age {
    fn new() -> Self {
        Self(Instant::now())
    }
}

impl clock::Clock for Age {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What a pace has counted: of all calls, and of each team's.
type Counted<K = NotKeyed, S = InMemoryState> = RateLimiter<K, S, Age, NoOpMiddleware<Duration>>;
type CountedByTeam = Counted<TeamId, DefaultKeyedStateStore<TeamId>>;

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

/// A floor that slows a priority instead of refusing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowRule {
    /// What people call it: its place in the settings.
    pub name: Arc<str>,
    /// Whom it slows.
    pub priority: Priority,
    /// Slows while the balance is below this.
    pub below: Credits,
    /// The pace of each team of that priority.
    pub pace: Pace,
    /// Whether a call that comes sooner is refused.
    pub mode: Mode,
}

impl SlowRule {
    /// Whether calls are counted by both alike, whatever they are called and become of them.
    fn counts_like(&self, other: &Self) -> bool {
        let key = |rule: &Self| (rule.priority, rule.below, rule.pace);
        key(self) == key(other)
    }
}

/// A slowing floor that had no room, and when it will.
#[derive(Debug)]
pub struct OverSlow {
    /// What people call the floor.
    pub name: Arc<str>,
    /// The balance under which it slows.
    pub below: Credits,
    /// Until the next call fits.
    pub wait: Duration,
}

/// All slowing floors, each with its state.
#[derive(Debug, Default)]
pub struct Slowing(Vec<Arc<SlowFloor>>);

#[derive(Debug)]
struct SlowFloor {
    rule: SlowRule,
    active: AtomicBool,
    teams: CountedByTeam,
}

/// A slowing floor ends this share above where it began (one twentieth), so that a balance that
/// hovers at it does not switch it on and off with each reading.
const HYSTERESIS_PARTS: i64 = 20;

impl Slowing {
    /// Floors that are not active until a balance says so.
    pub fn new(rules: impl IntoIterator<Item = SlowRule>) -> Self {
        Self::default().replaced(rules)
    }

    /// Other floors in the place of these. One that stays as it is goes on as it was.
    pub fn replaced(&self, rules: impl IntoIterator<Item = SlowRule>) -> Self {
        let mut before = self.0.iter().collect::<Vec<_>>();
        let with_state = |rule: SlowRule| {
            let same = before
                .iter()
                .position(|floor| floor.rule.counts_like(&rule));
            match same {
                Some(place) => Arc::clone(before.swap_remove(place)),
                None => Arc::new(SlowFloor {
                    teams: RateLimiter::dashmap_with_clock(rule.pace.allowance(), Age::new()),
                    active: AtomicBool::new(false),
                    rule,
                }),
            }
        };
        Self(rules.into_iter().map(with_state).collect())
    }

    /// Counts a billable call against the floors active for its priority at `balance`, or names the
    /// first that has no room and refuses. Otherwise names those without room that are in shadow.
    pub fn check(
        &self,
        client: &Client,
        balance: Option<Credits>,
    ) -> Result<Vec<OverSlow>, OverSlow> {
        let mut shadow = Vec::new();
        for floor in &self.0 {
            if floor.rule.priority != client.team.priority || !floor.is_active(balance) {
                continue;
            }
            if let Err(full) = floor.teams.check_key(&client.team.id) {
                let over = OverSlow {
                    name: Arc::clone(&floor.rule.name),
                    below: floor.rule.below,
                    wait: full.wait_time_from(floor.teams.clock().now()),
                };
                match floor.rule.mode {
                    Mode::Enforce => return Err(over),
                    Mode::Shadow => shadow.push(over),
                }
            }
        }
        Ok(shadow)
    }
}

impl SlowFloor {
    fn is_active(&self, balance: Option<Credits>) -> bool {
        let below = self.rule.below;
        let margin = Credits::from_micros(below.micros() / HYSTERESIS_PARTS);
        let was = self.active.load(Ordering::Relaxed);
        let is = match balance {
            Some(balance) if balance < below => true,
            Some(balance) if balance >= below.saturating_add(margin) => false,
            _ => was,
        };
        if is != was {
            self.active.store(is, Ordering::Relaxed);
        }
        is
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Team;

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

    #[test]
    fn a_slowing_floor_begins_below_its_mark_and_ends_clearly_above_it() {
        let slowing = Slowing::new([SlowRule {
            name: "floor.#1".into(),
            mode: Mode::Enforce,
            priority: Priority::Low,
            below: Credits::from_micros(100_000_000),
            pace: pace(1),
        }]);
        let team = client("growth", "a");
        let at =
            |credits: i64| slowing.check(&team, Some(Credits::from_micros(credits * 1_000_000)));
        assert!(at(100).is_ok() && at(100).is_ok(), "not slowed at the mark");
        assert!(at(99).is_ok(), "the first call below it fits the pace");
        assert!(at(99).is_err());
        assert!(at(102).is_err(), "still slowed a little above the mark");
        assert!(
            slowing.check(&team, None).is_err(),
            "an unread balance changes nothing"
        );
        assert!(at(105).is_ok() && at(105).is_ok());
    }
}
