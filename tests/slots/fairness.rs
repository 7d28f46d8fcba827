//! What the queue promises, in simulated time and for many seeds.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::identity::Priority;
use generect_guard::ids::TeamId;
use generect_guard::proxy::slots::queue::{FairQueue, SHARES, Ticket};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A call that waits, and what it has seen.
struct Waiting {
    team: usize,
    ticket: Ticket,
    /// Calls of its own team before it when it came.
    ahead: u64,
    /// Turns other teams of its priority had since it came.
    passed_by: BTreeMap<usize, u64>,
}

/// Teams, and a queue in which their calls wait.
struct World {
    seed: u64,
    random: StdRng,
    teams: Vec<(TeamId, Priority)>,
    queue: FairQueue<u64>,
    waiting: BTreeMap<u64, Waiting>,
    calls: u64,
    /// Turns in a row that went elsewhere while the priority waited.
    elsewhere: BTreeMap<Priority, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let teams = (0..random.random_range(1..12)).map(|number| {
            let priority = Priority::ALL[random.random_range(0..3)];
            (TeamId::from(format!("team-{number}")), priority)
        });
        Self {
            seed,
            teams: teams.collect(),
            random,
            queue: FairQueue::default(),
            waiting: BTreeMap::new(),
            calls: 0,
            elsewhere: BTreeMap::new(),
        }
    }

    fn comes(&mut self, team: usize) {
        let (id, priority) = self.teams[team].clone();
        let ahead = self.waiting.values().filter(|call| call.team == team);
        let ahead = u64::try_from(ahead.count()).unwrap();
        let ticket = self.queue.push(&id, priority, self.calls);
        let waiting = Waiting {
            team,
            ticket,
            ahead,
            passed_by: BTreeMap::new(),
        };
        self.waiting.insert(self.calls, waiting);
        self.calls += 1;
    }

    fn leaves(&mut self) {
        let place = self.random.random_range(0..self.waiting.len().max(1));
        let Some((&call, waiting)) = self.waiting.iter().nth(place) else {
            return;
        };
        let left = self.queue.remove(&waiting.ticket);
        assert_eq!(left, Some(call), "seed {}", self.seed);
        assert_eq!(self.queue.remove(&waiting.ticket), None);
        self.waiting.remove(&call);
    }

    fn serves(&mut self) {
        let seed = self.seed;
        let Some(call) = self.queue.pop() else {
            assert!(self.waiting.is_empty(), "seed {seed}: nobody was served");
            return;
        };
        let served = self.waiting.remove(&call).unwrap();
        let team = served.team;
        let priority = self.teams[team].1;
        let first = self.waiting.iter().find(|(_, other)| other.team == team);
        assert!(
            first.is_none_or(|(later, _)| *later > call),
            "seed {seed}: call {call} overtook one of its team"
        );
        for turns in served.passed_by.values() {
            assert!(
                *turns <= served.ahead + 1,
                "seed {seed}: a team had {turns} turns before a call with {} ahead of it",
                served.ahead
            );
        }
        for other in self.waiting.values_mut() {
            if other.team != team && self.teams[other.team].1 == priority {
                *other.passed_by.entry(team).or_default() += 1;
            }
        }
        self.note_turn(priority);
    }

    /// No priority waits for more turns than the documented rule gives to the others.
    fn note_turn(&mut self, served: Priority) {
        let waiting = self.waiting.values().map(|call| self.teams[call.team].1);
        let waiting: BTreeSet<Priority> = waiting.collect();
        self.elsewhere
            .retain(|priority, _| waiting.contains(priority) && *priority != served);
        for priority in waiting.into_iter().filter(|priority| *priority != served) {
            let turns = self.elsewhere.entry(priority).or_default();
            *turns += 1;
            let most = turns_of_others(priority);
            assert!(
                *turns <= most,
                "seed {}: {priority} waited for {turns} turns of others",
                self.seed
            );
        }
    }
}

/// The most turns in a row that others can have: their shares of one turn here, and one each.
fn turns_of_others(priority: Priority) -> u64 {
    let others = Priority::ALL.iter().zip(SHARES);
    let others = others.filter(|(other, _)| **other != priority);
    let own = SHARES[priority as usize];
    others.map(|(_, share)| share / own + 1).sum()
}

#[test]
fn no_call_waits_for_more_than_one_turn_of_each_other_team_of_its_priority() {
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..1_000 {
            match world.random.random_range(0..10) {
                0..5 => {
                    // Some teams have far more to ask than others.
                    let loud = world.random.random_range(0..4) > 0;
                    let teams = if loud { 1 } else { world.teams.len() };
                    let team = world.random.random_range(0..teams);
                    world.comes(team);
                }
                5 => world.leaves(),
                _ => world.serves(),
            }
            assert_eq!(world.queue.len(), world.waiting.len(), "seed {seed}");
        }
        while !world.waiting.is_empty() {
            world.serves();
        }
        assert!(world.queue.pop().is_none() && world.queue.is_empty());
    }
}

#[test]
fn five_hundred_waiting_calls_of_one_team_take_one_turn_from_another() {
    let mut queue = FairQueue::default();
    for _ in 0..500 {
        let _ = queue.push(&"loud".into(), Priority::Normal, "loud");
    }
    for team in ["a", "b", "c"] {
        let _ = queue.push(&team.into(), Priority::Normal, team);
    }
    let first: Vec<_> = (0..4).filter_map(|_| queue.pop()).collect();
    assert_eq!(first, ["loud", "a", "b", "c"]);
    let _ = queue.push(&"a".into(), Priority::Normal, "a again");
    let next: Vec<_> = (0..3).filter_map(|_| queue.pop()).collect();
    assert_eq!(next, ["loud", "a again", "loud"]);
}
