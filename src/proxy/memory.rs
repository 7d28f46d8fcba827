//! The memory that bodies and answers may take, of all calls together, and each team's part of it.
//!
//! Room is taken as bytes arrive: what is only announced takes none. A team may have as much as it
//! leaves free for the others: one team alone half of all, two that both want everything a third
//! each. So whatever other teams do, there is some left, and no setting has to say how much. What
//! one call can need is never too much for a team, as long as it is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::RandomState;
use dashmap::DashMap;

use crate::ids::TeamId;

/// See the module.
#[derive(Debug)]
pub struct Memory {
    /// All there is, in bytes.
    bytes_max: usize,
    /// What one call can need, in bytes.
    one_call: usize,
    /// Taken by all teams, in bytes.
    taken: AtomicUsize,
    /// Taken by each. Bounded: teams come from the settings.
    teams: DashMap<TeamId, Arc<AtomicUsize>, RandomState>,
}

/// There is no room for so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// All of it is taken.
    #[error("bodies in memory (server.kept_bytes_max)")]
    Full,
    /// The team has as much as it leaves free for the others.
    #[error(
        "your team's bodies in memory, which may take no more than they leave free for other teams (server.kept_bytes_max)"
    )]
    Share,
}

/// What one body takes. It is free again when this is dropped.
#[derive(Debug)]
pub struct Room {
    memory: Arc<Memory>,
    team: Arc<AtomicUsize>,
    bytes: usize,
}

impl Memory {
    /// Room for `bytes_max` bytes; one call can need `one_call` of them.
    pub fn new(bytes_max: usize, one_call: usize) -> Self {
        Self {
            bytes_max,
            one_call,
            taken: AtomicUsize::new(0),
            teams: DashMap::default(),
        }
    }

    /// Room of a team's that has no bytes yet.
    pub fn of(self: &Arc<Self>, team: &TeamId) -> Room {
        let known = self.teams.get(team).map(|taken| Arc::clone(&taken));
        let team =
            known.unwrap_or_else(|| Arc::clone(&self.teams.entry(team.clone()).or_default()));
        Room {
            memory: Arc::clone(self),
            team,
            bytes: 0,
        }
    }

    /// Taken by all calls at this moment, in bytes.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Room {
    /// Takes room for so many more bytes.
    ///
    /// # Errors
    /// [`NoRoom`]; what was taken before stays.
    pub fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let memory = &self.memory;
        let all = memory.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let own = self.team.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let no = match memory.bytes_max.checked_sub(all) {
            None => NoRoom::Full,
            Some(free) if own > free && own > memory.one_call => NoRoom::Share,
            Some(_) => {
                self.bytes += bytes;
                return Ok(());
            }
        };
        self.give_back(bytes);
        Err(no)
    }

    fn give_back(&self, bytes: usize) {
        self.memory.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.team.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(memory: &Arc<Memory>, team: &str, step: usize) -> (Vec<Room>, NoRoom) {
        let mut rooms = Vec::new();
        loop {
            let mut room = memory.of(&team.into());
            match room.grow(step) {
                Ok(()) => rooms.push(room),
                Err(no) => return (rooms, no),
            }
        }
    }

    #[test]
    fn each_team_leaves_as_much_free_as_it_takes() {
        let memory = Arc::new(Memory::new(1200, 10));
        let (first, no) = fill(&memory, "a", 10);
        assert_eq!((first.len() * 10, no), (600, NoRoom::Share));
        let (second, _) = fill(&memory, "b", 10);
        assert_eq!(second.len() * 10, 300);
        let (third, _) = fill(&memory, "c", 10);
        assert_eq!(third.len() * 10, 150);
        drop(first);
        assert_eq!(memory.taken(), 450);
        drop((second, third));
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn one_call_always_fits_where_there_is_room_for_it_at_all() {
        let memory = Arc::new(Memory::new(100, 100));
        let mut room = memory.of(&"a".into());
        assert_eq!((room.grow(60), room.grow(40)), (Ok(()), Ok(())));
        assert_eq!(memory.of(&"b".into()).grow(1), Err(NoRoom::Full));
        drop(room);
        assert_eq!(memory.of(&"b".into()).grow(100), Ok(()));
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let memory = Arc::new(Memory::new(100, 0));
        let mut room = memory.of(&"a".into());
        assert_eq!(room.grow(50), Ok(()));
        assert_eq!(
            (room.grow(51), room.grow(1)),
            (Err(NoRoom::Full), Err(NoRoom::Share))
        );
        assert_eq!(memory.taken(), 50);
    }
}
