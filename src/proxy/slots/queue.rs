//! Whose turn it is: a queue that is fair among teams.
//!
//! Within a priority each waiting team has one turn in rotation, however many calls of it wait;
//! within a team the call that came first goes first. A team that begins to wait goes to the end of
//! the rotation, so its first call waits for at most one call of each other team of its priority.
//!
//! A higher priority has more turns, but not all: while calls of all three wait, of 21 turns 16 are
//! high, 4 normal and 1 low ([`SHARES`]); where one of them does not wait, the others share its turns
//! as they share their own. So even a low call waits for at most 22 turns of other priorities.
//!
//! Pure: no clock, no lock, no task. A turn, and leaving, take time that grows with the logarithm of
//! the teams and calls that wait.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;

use crate::identity::Priority;
use crate::ids::TeamId;

/// How many turns each priority has beside the others, lowest first.
pub const SHARES: [u64; Priority::ALL.len()] = [1, 4, 16];

/// Calls that wait, each with what it takes to wake it.
#[derive(Debug)]
pub struct FairQueue<T> {
    /// By priority, lowest first.
    classes: [Class<T>; Priority::ALL.len()],
    /// How far the shares have been used up: what the class served last had used of its own.
    used: u64,
    /// Numbers turns and calls alike: the lower one came first.
    numbers: u64,
    waiting: usize,
}

/// Where a call stands in the queue, so that it can leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    team: TeamId,
    priority: Priority,
    number: u64,
}

/// The teams of one priority.
#[derive(Debug)]
struct Class<T> {
    teams: HashMap<TeamId, Line<T>, RandomState>,
    /// The rotation: who is next stands first.
    turns: BTreeMap<u64, TeamId>,
    /// What it has used of its share: each turn adds the more, the smaller the share. The class that
    /// has used least is next. Who did not wait has no turns saved up.
    used: u64,
}

/// The calls of one team. Never empty.
#[derive(Debug)]
struct Line<T> {
    turn: u64,
    calls: BTreeMap<u64, T>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            classes: Priority::ALL.map(|_| Class {
                teams: HashMap::default(),
                turns: BTreeMap::new(),
                used: 0,
            }),
            used: 0,
            numbers: 0,
            waiting: 0,
        }
    }
}

impl<T> FairQueue<T> {
    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// A call begins to wait.
    pub fn push(&mut self, team: &TeamId, priority: Priority, call: T) -> Ticket {
        let number = self.number();
        let class = &mut self.classes[priority as usize];
        if class.teams.is_empty() {
            class.used = class.used.max(self.used);
        }
        match class.teams.get_mut(team) {
            Some(line) => {
                line.calls.insert(number, call);
            }
            None => {
                let line = Line {
                    turn: number,
                    calls: BTreeMap::from([(number, call)]),
                };
                class.turns.insert(number, team.clone());
                class.teams.insert(team.clone(), line);
            }
        }
        self.waiting += 1;
        Ticket {
            team: team.clone(),
            priority,
            number,
        }
    }

    /// The call whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let number = self.number();
        let classes = SHARES.iter().zip(&mut self.classes);
        let waiting = classes.filter(|(_, class)| !class.teams.is_empty());
        // Of several that have used as little, the highest.
        let (share, class) = waiting.rev().min_by_key(|(_, class)| class.used)?;
        self.used = class.used;
        class.used += SHARES[SHARES.len() - 1] / share;
        let call = class.pop(number)?;
        self.waiting -= 1;
        Some(call)
    }

    /// A call leaves before its turn. `None` if it has had it.
    pub fn remove(&mut self, ticket: &Ticket) -> Option<T> {
        let call = self.classes[ticket.priority as usize].remove(ticket)?;
        self.waiting -= 1;
        Some(call)
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

impl<T> Class<T> {
    /// The first call of the team whose turn it is; the team goes to the end, with `turn`.
    fn pop(&mut self, turn: u64) -> Option<T> {
        let (_, team) = self.turns.pop_first()?;
        let line = self.teams.get_mut(&team)?;
        let (_, call) = line.calls.pop_first()?;
        if line.calls.is_empty() {
            self.teams.remove(&team);
        } else {
            line.turn = turn;
            self.turns.insert(turn, team);
        }
        Some(call)
    }

    fn remove(&mut self, ticket: &Ticket) -> Option<T> {
        let line = self.teams.get_mut(&ticket.team)?;
        let call = line.calls.remove(&ticket.number)?;
        if line.calls.is_empty() {
            self.turns.remove(&line.turn);
            self.teams.remove(&ticket.team);
        }
        Some(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn teams_take_turns_and_within_a_team_the_first_goes_first() {
        let mut queue = FairQueue::default();
        for call in ["a1", "a2", "a3", "b1", "c1", "b2"] {
            let _ = queue.push(&call[..1].into(), Priority::Normal, call);
        }
        assert_eq!(order(&mut queue), ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[test]
    fn turns_are_shared_among_the_priorities_that_wait() {
        let mut queue = FairQueue::default();
        for _ in 0..100 {
            let _ = queue.push(&"h".into(), Priority::High, 'h');
            let _ = queue.push(&"n".into(), Priority::Normal, 'n');
            let _ = queue.push(&"l".into(), Priority::Low, 'l');
        }
        let first: String = (0..21).filter_map(|_| queue.pop()).collect();
        assert_eq!(first, "hnlhhhhnhhhhnhhhhnhhh", "16 high, 4 normal, 1 low");
        for _ in 0..84 {
            let _ = queue.pop();
        }
        let rest: String = std::iter::from_fn(|| queue.pop()).collect();
        let without_high = rest.trim_start_matches(|call| call != 'l').len();
        assert!(rest.ends_with("lllll") && without_high > 5, "{rest}");
    }

    #[test]
    fn a_call_that_leaves_is_not_served_and_takes_no_turn() {
        let mut queue = FairQueue::default();
        let gone = queue.push(&"a".into(), Priority::Low, "a1");
        let _ = queue.push(&"b".into(), Priority::Low, "b1");
        let served = queue.push(&"a".into(), Priority::Low, "a2");
        assert_eq!(queue.remove(&gone), Some("a1"));
        assert_eq!(queue.remove(&gone), None, "it leaves once");
        assert_eq!(queue.len(), 2);
        assert_eq!(order(&mut queue), ["a2", "b1"]);
        assert_eq!(queue.remove(&served), None, "it has had its turn");
        assert!(queue.is_empty() && queue.classes[0].turns.is_empty());
    }
}
