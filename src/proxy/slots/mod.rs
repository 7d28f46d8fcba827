//! Slots: the upstream's caps on calls in flight, shared fairly among teams.
//!
//! The upstream serves so many calls of a family of operations at a time, per token and address
//! (dossier section 1.2): behind one guard all teams share them. A call beyond the cap waits here
//! instead of being refused there.
//!
//! - [`queue`]: whose turn it is. [`cap`]: how many slots there are. [`turnover`]: how fast they are
//!   freed. All three are pure.
//! - [`room`]: the slots of one family, those who have one and those who wait.
//! - [`wait_for_slot`]: the layer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ahash::RandomState;
use arc_swap::ArcSwap;
use dashmap::DashMap;

use crate::catalogue;
use crate::identity::Priority;
use crate::ids::TeamId;

pub mod cap;
pub mod queue;
pub mod room;
pub mod turnover;
pub mod wait_for_slot;

pub use room::{Room, Slot, Standing, Waiting};

use room::Place;

/// What is set for the slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSettings {
    /// Calls that may wait at a time, over all families.
    pub queue_max: usize,
    /// How long a call may wait.
    pub wait_max: Duration,
    /// Calls in flight, by family. A family that is not here has the catalogue's cap.
    pub caps: BTreeMap<Arc<str>, u32>,
}

/// What a call would meet that came at this moment.
#[derive(Clone, Debug)]
pub struct Prospect {
    /// Whose slots these are.
    pub family: Arc<str>,
    /// How full it is.
    pub standing: Standing,
    /// What would become of the call here.
    pub would: Would,
}

/// What becomes of a call that needs a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Would {
    /// It has one at once.
    Pass,
    /// It waits for one.
    Wait,
    /// Too many wait already.
    BeRefused,
}

/// The rooms of all families.
#[derive(Debug)]
pub struct Slots {
    settings: ArcSwap<SlotSettings>,
    /// Bounded: families come from the catalogue.
    rooms: DashMap<Arc<str>, Arc<Room>, RandomState>,
    /// Calls that wait, over all rooms.
    waiting: Arc<AtomicUsize>,
}

impl Slots {
    /// Every slot free.
    pub fn new(settings: SlotSettings) -> Self {
        let slots = Self {
            settings: ArcSwap::from_pointee(settings),
            rooms: DashMap::default(),
            waiting: Arc::default(),
        };
        for (family, cap) in &slots.settings.load().caps {
            let room = Room::new(Arc::clone(family), *cap);
            slots.rooms.insert(Arc::clone(family), room);
        }
        slots
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<SlotSettings> {
        self.settings.load_full()
    }

    /// Puts other settings in force. Calls in flight and calls that wait stay; where there are more
    /// of the first than a new cap allows, none follows until enough of them have ended.
    pub fn set(&self, settings: SlotSettings) {
        let settings = Arc::new(settings);
        self.settings.store(Arc::clone(&settings));
        for (family, cap) in &settings.caps {
            if let Some(room) = self.rooms.get(family).map(|room| Arc::clone(&room)) {
                room.set_cap(*cap);
            }
        }
    }

    /// The room of a family.
    pub fn room(&self, family: &catalogue::Slots) -> Arc<Room> {
        if let Some(room) = self.rooms.get(&family.family) {
            return Arc::clone(&room);
        }
        let name = &family.family;
        let entry = self.rooms.entry(Arc::clone(name));
        let room = entry.or_insert_with(|| {
            let cap = self.settings.load().caps.get(name).copied();
            Room::new(Arc::clone(name), cap.unwrap_or(family.cap))
        });
        Arc::clone(&room)
    }

    /// What a call of this family would meet that came now.
    pub fn foresee(&self, family: &catalogue::Slots) -> Prospect {
        let standing = self.room(family).standing();
        let would = if standing.in_use < standing.cap && standing.waiting == 0 {
            Would::Pass
        } else if self.waiting.load(Ordering::Acquire) < self.settings.load().queue_max {
            Would::Wait
        } else {
            Would::BeRefused
        };
        Prospect {
            family: Arc::clone(&family.family),
            standing,
            would,
        }
    }

    /// Waits in `room`. `None` if as many wait, over all rooms, as the settings allow.
    pub fn wait(&self, room: &Arc<Room>, team: &TeamId, priority: Priority) -> Option<Waiting> {
        let place = Place::take(&self.waiting, self.settings.load().queue_max)?;
        Some(room.wait(team, priority, place))
    }
}
