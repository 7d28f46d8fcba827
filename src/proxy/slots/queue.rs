//! Whose turn it is: a queue that is fair among teams.
//!
//! Within a priority each waiting team has one turn in rotation, however many calls of it wait;
//! within a team the call that came first goes first. A team that begins to wait goes to the end of
//! the rotation, so its first call waits for at most one call of each other team of its priority.
//!
//! A higher priority goes first, but not always: while calls of a lower one wait, one of every
//! [`TURNS`] turns goes to them. With all three waiting, of 16 turns 12 are high, 3 normal, 1 low.
//!
//! Pure: no clock, no lock, no task. A turn, and leaving, take time that grows with the logarithm of
//! the teams and calls that wait.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;

use crate::identity::Priority;
use crate::ids::TeamId;

/// Of so many turns one goes to the next lower priority in which somebody waits.
pub const TURNS: u32 = 4;

/// Calls that wait, each with what it takes to wake it.
#[derive(Debug)]
pub struct FairQueue<T> {
    /// By priority, lowest first.
    classes: [Class<T>; Priority::ALL.len()],
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
    /// Turns in a row that went to higher priorities while somebody waited here.
    passed_over: u32,
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
                passed_over: 0,
            }),
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
        let class = self.class_in_turn()?;
        let call = self.classes[class].pop(number)?;
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

    /// The highest priority in which somebody waits, or the next lower one if it was passed over
    /// often enough; and so on downwards.
    fn class_in_turn(&mut self) -> Option<usize> {
        let mut chosen = None;
        let classes = self.classes.iter_mut().enumerate().rev();
        for (index, class) in classes.filter(|(_, class)| !class.teams.is_empty()) {
            if chosen.is_some() {
                class.passed_over += 1;
                if class.passed_over < TURNS {
                    break;
                }
                class.passed_over = 0;
            }
            chosen = Some(index);
        }
        chosen
    }
}

impl<T> Class<T> {
    /// The first call of the team whose turn it is; the team goes to the end, with `turn`.
    fn pop(&mut self, turn: u64) -> Option<T> {
        let (_, team) = self.turns.pop_first()?;
        let line = self.teams.get_mut(&team)?;
        let (_, call) = line.calls.pop_first()?;
        if line.calls.is_empty() {
            self.forget(&team);
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
            self.forget(&ticket.team);
        }
        Some(call)
    }

    fn forget(&mut self, team: &TeamId) {
        self.teams.remove(team);
        if self.teams.is_empty() {
            self.passed_over = 0;
        }
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
    fn one_of_four_turns_goes_to_the_next_lower_priority() {
        let mut queue = FairQueue::default();
        for _ in 0..40 {
            let _ = queue.push(&"h".into(), Priority::High, "h");
            let _ = queue.push(&"n".into(), Priority::Normal, "n");
            let _ = queue.push(&"l".into(), Priority::Low, "l");
        }
        let first: String = (0..16).filter_map(|_| queue.pop()).collect();
        assert_eq!(first, "hhhnhhhnhhhnhhhl");
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
