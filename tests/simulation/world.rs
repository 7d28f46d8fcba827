//! One run: everything there is, moved tick by tick, with everything that can go wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::simulator::settings::JobPace;
use generect_guard::simulator::{LIVE_TOKEN, SimulatorSettings, Unconnected};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::clients::Actor;
use crate::disk::{Disk, Health};
use crate::guard::{Guard, Place, Told, runtime, serve_upstream};
use crate::logs::Logs;
use crate::net::Net;
use crate::rules::Rules;
use crate::shadow::{Shadow, Stands};
use crate::shape::Shape;
use crate::trace::Trace;

/// After the last call: the longest exchange, and some polls of the jobs.
const REST: u64 = 9_000;
/// See the module.
pub(crate) struct World {
    pub(crate) shape: Shape,
    /// What stands in the settings.
    pub(crate) rules: Rules,
    pub(crate) random: StdRng,
    pub(crate) tick: u64,
    pub(crate) clock: Clock,
    pub(crate) net: Net,
    pub(crate) place: Place,
    pub(crate) shadow: Told,
    pub(crate) logs: Logs,
    pub(crate) upstream: Arc<Unconnected>,
    pub(crate) charges: usize,
    pub(crate) outside: Runtime,
    pub(crate) local: LocalSet,
    pub(crate) guard: Option<Guard>,
    pub(crate) starts_at: u64,
    pub(crate) writes_from: u64,
    pub(crate) disk_well_at: u64,
    pub(crate) upstream_back_at: u64,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub outcomes: BTreeMap<String, usize>,
    pub trace: Trace,
    pub attempts: usize,
    pub holds: usize,
    pub settled: usize,
    pub lives: u32,
    /// So many calls were ended by rows of the account's, and by their absence.
    pub reconciled: (usize, usize),
    /// How many findings of each kind are open at the end.
    pub findings: BTreeMap<&'static str, usize>,
}

/// Runs the whole of it.
///
/// # Errors
/// Every promise that was broken.
pub fn run(shape: Shape) -> Result<Ran, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(shape, &folder);
    let _logs = world.logs.watch();
    world.spoil();
    let (rough, calm) = (world.shape.rough, world.shape.calm);
    let actors: Vec<_> = (0..world.shape.actors)
        .map(|number| {
            let number = u64::try_from(number).unwrap();
            let (net, shadow) = (world.net.clone(), Arc::clone(&world.shadow));
            let actor = Actor::new(number, &world.shape, net, shadow);
            world.local.spawn_local(actor.run())
        })
        .collect();
    while world.tick < rough {
        world.misfortunes();
        world.step()?;
    }
    world.all_is_well();
    while world.tick < rough + calm {
        world.step()?;
    }
    // They all leave at once.
    for actor in actors {
        actor.abort();
    }
    while world.tick < rough + calm + REST {
        world.step()?;
    }
    world.shadow.lock().unwrap().ends();
    world.rests()?;
    world.ends()
}

impl World {
    fn new(shape: Shape, folder: &tempfile::TempDir) -> Self {
        let mut random = StdRng::seed_from_u64(shape.seed ^ 0x5eed);
        let mut fork = || StdRng::seed_from_u64(random.random());
        let (of_net, of_disk, own) = (fork(), fork(), fork());
        // Midnight is a minute away.
        let clock = Clock::manual("2026-03-10T23:59:50Z".parse().unwrap());
        let shadow = Arc::new(Mutex::new(Shadow::new(&shape, LIVE_TOKEN)));
        let told = Arc::clone(&shadow);
        let logs = Logs::new(shadow.lock().unwrap().secrets.clone());
        let net = Net::new(of_net, shape.latency, shape.room, told);
        let disk = Disk::new(of_disk, Arc::clone(&shadow));
        let upstream = Unconnected::new(shape.list.of(SimulatorSettings {
            balance: Credits::from_micros(shape.balance),
            latency: Duration::from_millis(shape.latency.1 * 2),
            job_pace: JobPace::Polls(2),
            hit_percent: 80,
            seed: shape.seed,
            clock: clock.clone(),
            ..SimulatorSettings::default()
        }));
        let upstream = Arc::new(upstream);
        let (outside, local) = (runtime(), LocalSet::new());
        local.spawn_local(serve_upstream(net.clone(), Arc::clone(&upstream)));
        net.upstream_listens(true);
        let place = Place {
            file: folder.path().join("guard.toml"),
            net: net.clone(),
            disk,
            clock: clock.clone(),
            pull: shape.list.pull(),
            charges_kept: shape.charges_kept,
            told: Arc::clone(&shadow),
        };
        let rules = shape.rules.clone();
        place.write(&shape, &rules);
        Self {
            shape,
            rules,
            random: own,
            tick: 0,
            clock,
            net,
            place,
            shadow,
            logs,
            upstream,
            charges: 0,
            outside,
            local,
            guard: None,
            starts_at: 0,
            writes_from: 0,
            disk_well_at: 0,
            upstream_back_at: 0,
        }
    }

    /// From here on nothing goes wrong.
    fn all_is_well(&mut self) {
        self.upstream.faults().clear();
        self.net.heal();
        self.place.disk.set(Health::default());
        self.disk_well_at = 0;
        self.writes_from = 0;
        self.starts_at = self.starts_at.min(self.tick);
        if let Some(guard) = &self.guard {
            guard.power.goes_after(i64::MAX);
        }
    }

    /// One tick.
    pub(crate) fn step(&mut self) -> Result<(), Vec<String>> {
        self.tick += 1;
        self.clock.advance(SignedDuration::from_millis(1));
        {
            let shadow = &mut *self.shadow.lock().unwrap();
            shadow.now = self.tick;
            shadow.clock = shadow.clock.max(self.clock.now().as_microsecond());
        }
        if self.upstream_back_at == self.tick {
            self.net.upstream_listens(true);
        }
        if self.disk_well_at == self.tick {
            self.place.disk.set(Health::default());
        }
        self.net.deliver(self.tick);
        let tick = async { sleep(Duration::from_millis(1)).await };
        self.local.block_on(&self.outside, tick);
        self.guard_lives();
        self.look()
    }

    fn guard_lives(&mut self) {
        match &self.guard {
            None if self.tick >= self.starts_at => {
                self.shadow.lock().unwrap().starts(&self.rules);
                self.guard = Guard::start(&self.place);
                self.starts_at = self.tick + 20;
            }
            None => {}
            Some(guard) => {
                guard.live(1);
                if self.tick >= self.writes_from {
                    guard.write(1);
                }
            }
        }
        if self
            .guard
            .as_ref()
            .is_some_and(|guard| !guard.power.is_on())
        {
            self.net.guard_died();
            self.guard = None;
            self.starts_at = self.tick + self.random.random_range(1..600);
        }
    }

    /// Holds everything that is known now against the promises.
    fn look(&mut self) -> Result<(), Vec<String>> {
        let truth = self.upstream.truth();
        let charges = truth.charges_after(self.charges);
        let shadow = &mut *self.shadow.lock().unwrap();
        self.charges += charges.len();
        for charge in charges {
            let label = truth.label_of(charge.request).unwrap_or_default();
            shadow.charged(&label, charge.amount.micros(), charge.set_aside.micros());
        }
        if shadow.has_news() {
            shadow.looks_at_records(&truth.rows());
        }
        for line in self.logs.found() {
            shadow.breaks("7 the token stays here", &line);
        }
        shadow.agrees();
        match shadow.broken.is_empty() {
            true => Ok(()),
            false => Err(std::mem::take(&mut shadow.broken)),
        }
    }

    /// What must be true when everything has come to its end.
    fn ends(mut self) -> Result<Ran, Vec<String>> {
        self.guard = None;
        let report = self.place.disk.reader().verify(&mut |_, _| {}).unwrap();
        let shadow = &mut *self.shadow.lock().unwrap();
        if !report.is_sound() {
            shadow.breaks("the books are sound", &format!("{report:#?}"));
        }
        if !self.upstream.truth().adds_up() {
            shadow.breaks("the simulator", "its own books do not add up");
        }
        shadow.is_reconciled(&self.upstream.truth().rows());
        if !shadow.broken.is_empty() {
            return Err(std::mem::take(&mut shadow.broken));
        }
        let is_settled = |stands| matches!(stands, Stands::Settled(_));
        let holds = shadow.holds.values();
        Ok(Ran {
            outcomes: std::mem::take(&mut shadow.outcomes),
            reconciled: shadow.kept.ended,
            findings: shadow.kept.findings(),
            trace: shadow.trace,
            attempts: shadow.attempts.len(),
            holds: shadow.holds.len(),
            settled: holds.filter(|held| is_settled(held.stands)).count(),
            lives: shadow.life,
        })
    }
}
