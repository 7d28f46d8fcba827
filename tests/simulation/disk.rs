//! The disk: a store in memory that fails before a commit lands, after it has landed, or for a while,
//! and that outlives the guard. What was not synced when the power went is lost with it.

use std::sync::{Arc, Mutex, MutexGuard};

use generect_guard::ledger::store::{Reader, Store, StoreError, Tail};
use generect_guard::ledger::{Entry, MemoryStore, Record};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::power::Power;
use crate::shadow::Shadow;

/// How the disk is at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    /// How many in a hundred commits fail.
    pub failing: u32,
    /// Whether nothing can be read back either.
    pub blind: bool,
}

struct State {
    health: Health,
    random: StdRng,
}

/// Survives the guard.
#[derive(Clone)]
pub struct Disk {
    pub kept: MemoryStore,
    state: Arc<Mutex<State>>,
    shadow: Arc<Mutex<Shadow>>,
}

impl Disk {
    pub fn new(random: StdRng, shadow: Arc<Mutex<Shadow>>) -> Self {
        let health = Health::default();
        Self {
            kept: MemoryStore::new(),
            state: Arc::new(Mutex::new(State { health, random })),
            shadow,
        }
    }

    pub fn set(&self, health: Health) {
        self.state().health = health;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The disk as a guard with this power has it.
    pub fn store(&self, power: Power) -> SimStore {
        SimStore {
            disk: self.clone(),
            power,
        }
    }
}

/// See the module.
pub struct SimStore {
    disk: Disk,
    power: Power,
}

fn failed<T>(why: &str) -> Result<T, StoreError> {
    Err(StoreError::Failed(why.into()))
}

impl SimStore {
    /// One transaction, with everything that can happen to it.
    fn commit(
        &mut self,
        write: impl FnOnce(&mut Disk) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.power.works() {
            return failed("the power is gone");
        }
        let (fails, landed) = {
            let state = &mut *self.disk.state();
            let fails = state.random.random_range(0..100) < state.health.failing;
            (fails, state.random.random_bool(0.5))
        };
        if fails && !landed {
            return failed("disk full");
        }
        write(&mut self.disk)?;
        if fails {
            return failed("the sync failed");
        }
        if !self.power.works() {
            return failed("the power is gone");
        }
        Ok(())
    }
}

impl Store for SimStore {
    fn reader(&self) -> &dyn Reader {
        self.disk.kept.reader()
    }

    fn append(&mut self, batch: &[Entry]) -> Result<(), StoreError> {
        self.commit(|disk| {
            disk.kept.append(batch)?;
            disk.shadow.lock().unwrap().written(batch);
            Ok(())
        })
    }

    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.commit(|disk| {
            disk.kept.keep(records)?;
            disk.shadow.lock().unwrap().keeps(records);
            Ok(())
        })
    }

    fn reread(&mut self) -> Result<Tail, StoreError> {
        let blind = self.disk.state().health.blind;
        if blind || !self.power.is_on() {
            return failed("nothing can be read");
        }
        self.disk.kept.reread()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.commit(|disk| disk.kept.probe())
    }
}

/// What another process sees of it.
impl Disk {
    pub fn reader(&self) -> Box<dyn Reader> {
        Box::new(self.kept.clone())
    }

    /// The same for who reads while the guard lives.
    pub fn read(&self) -> Result<Box<dyn Reader>, StoreError> {
        if self.state().health.blind {
            return failed("nothing can be read");
        }
        Ok(self.reader())
    }
}
