//! Floors that slow a priority instead of refusing it: below a balance each of its teams has a pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::state::keyed::DefaultKeyedStateStore;

use super::rates::{Age, Counted, Pace};
use crate::credits::Credits;
use crate::identity::{Client, Priority};
use crate::ids::TeamId;
use crate::ledger::Mode;

/// What a pace has counted of each team's calls.
type CountedByTeam = Counted<TeamId, DefaultKeyedStateStore<TeamId>>;

/// One slowing floor as it was configured.
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
pub struct Slowing(Vec<(SlowRule, Arc<Slowed>)>);

/// Whether a floor slows at the moment, and what its pace has counted of each team.
#[derive(Debug)]
struct Slowed {
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

    /// Other floors in the place of these. One that stays as it is goes on as it was, also for calls that
    /// still go by these.
    pub fn replaced(&self, rules: impl IntoIterator<Item = SlowRule>) -> Self {
        let mut before = self.0.iter().collect::<Vec<_>>();
        let with_state = |rule: SlowRule| {
            let same = before
                .iter()
                .position(|(other, _)| other.counts_like(&rule));
            let slowed = match same {
                Some(place) => Arc::clone(&before.swap_remove(place).1),
                None => Arc::new(Slowed {
                    teams: RateLimiter::dashmap_with_clock(rule.pace.allowance(), Age::new()),
                    active: AtomicBool::new(false),
                }),
            };
            (rule, slowed)
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
        for (rule, slowed) in &self.0 {
            if rule.priority != client.team.priority || !slowed.is_active(rule.below, balance) {
                continue;
            }
            if let Err(full) = slowed.teams.check_key(&client.team.id) {
                let over = OverSlow {
                    name: Arc::clone(&rule.name),
                    below: rule.below,
                    wait: full.wait_time_from(slowed.teams.clock().now()),
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

impl Slowed {
    fn is_active(&self, below: Credits, balance: Option<Credits>) -> bool {
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
    use std::num::NonZeroU32;

    use super::*;
    use crate::identity::Team;

    fn growth() -> Client {
        Client {
            team: Arc::new(Team {
                id: "growth".into(),
                priority: Priority::Low,
                unlimited: false,
            }),
            key: "a".into(),
            account: false,
            operations: None,
        }
    }

    /// A call a minute, below a hundred credits.
    fn rule(name: &str, mode: Mode) -> SlowRule {
        SlowRule {
            name: name.into(),
            mode,
            priority: Priority::Low,
            below: Credits::from_micros(100_000_000),
            pace: Pace {
                period: Duration::from_secs(60),
                burst: NonZeroU32::MIN,
            },
        }
    }

    #[test]
    fn a_slowing_floor_begins_below_its_mark_and_ends_clearly_above_it() {
        let slowing = Slowing::new([rule("floor.#1", Mode::Enforce)]);
        let team = growth();
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

    #[test]
    fn a_floor_on_trial_refuses_from_the_moment_it_is_in_force() {
        let (team, low) = (growth(), Some(Credits::ZERO));
        let trial = Slowing::new([rule("floor.#2", Mode::Shadow)]);
        assert!(trial.check(&team, low).is_ok_and(|over| over.is_empty()));
        assert!(trial.check(&team, low).is_ok_and(|over| over.len() == 1));
        let in_force = trial.replaced([rule("floor.#1", Mode::Enforce)]);
        let over = in_force.check(&team, low).unwrap_err();
        assert_eq!(
            &*over.name, "floor.#1",
            "its count went on, by its name now"
        );
    }
}
