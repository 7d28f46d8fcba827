//! One run: everything there is, moved tick by tick, with everything that can go wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{Decision, Grant, HoldId, Resolution};
use generect_guard::simulator::settings::JobPace;
use generect_guard::simulator::{
    Fault, LIVE_TOKEN, MetaFault, Nonsense, SimulatorSettings, Unconnected,
};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::clients::Actor;
use crate::disk::{Disk, Health};
use crate::guard::{Guard, Place, Told, runtime, serve_upstream};
use crate::shadow::{Shadow, Stands};
use crate::shape::Shape;
use crate::trace::Trace;
use crate::wire::{Net, Side};

/// After the last call: the longest exchange, and some polls of the jobs.
const REST: u64 = 9_000;
/// How old a doubt is before a person decides it, in ticks: later nothing is charged any more.
const DECIDED_AFTER: u64 = 9_000;

/// See the module.
struct World {
    shape: Shape,
    random: StdRng,
    tick: u64,
    clock: Clock,
    net: Net,
    place: Place,
    shadow: Told,
    upstream: Arc<Unconnected>,
    charges: usize,
    outside: Runtime,
    local: LocalSet,
    guard: Option<Guard>,
    starts_at: u64,
    writes_from: u64,
    disk_well_at: u64,
    upstream_back_at: u64,
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
}

/// Runs the whole of a seed.
///
/// # Errors
/// Every promise that was broken.
pub fn run(seed: u64) -> Result<Ran, Vec<String>> {
    let shape = Shape::of(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(shape, &folder);
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
        let net = Net::new(of_net, shape.latency, shape.room, told);
        let disk = Disk::new(of_disk, Arc::clone(&shadow));
        let upstream = Unconnected::new(SimulatorSettings {
            balance: Credits::from_micros(shape.balance),
            latency: Duration::from_millis(shape.latency.1 * 2),
            job_pace: JobPace::Polls(2),
            hit_percent: 80,
            seed: shape.seed,
            clock: clock.clone(),
            ..SimulatorSettings::default()
        });
        let upstream = Arc::new(upstream);
        let (outside, local) = (runtime(), LocalSet::new());
        local.spawn_local(serve_upstream(net.clone(), Arc::clone(&upstream)));
        net.upstream_listens(true);
        let place = Place {
            config: shape.config(folder),
            net: net.clone(),
            disk,
            clock: clock.clone(),
        };
        Self {
            shape,
            random: own,
            tick: 0,
            clock,
            net,
            place,
            shadow,
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

    /// What the upstream does wrong from here on.
    fn spoil(&mut self) {
        let spoilt = self.shape.spoilt;
        if spoilt == 0 {
            return;
        }
        let faults = self.upstream.faults();
        let mut menu = menu();
        if self.shape.overruns {
            menu.push(Fault::Overrun(Credits::from_micros(110_000)));
        }
        for _ in 0..5 {
            let fault = menu.choose(&mut self.random).unwrap();
            faults.sometimes(spoilt / 5 + 1, fault.clone());
        }
        let nonsense = [Nonsense::Html, Nonsense::Unauthorised, Nonsense::Null];
        let nonsense = nonsense.choose(&mut self.random).unwrap();
        if self.random.random_bool(0.3) {
            faults.next_on(3, "/accounts/me/", Fault::Account(*nonsense));
        }
    }

    fn happens(&mut self, every: u64) -> bool {
        every > 0 && self.random.random_range(0..every) == 0
    }

    /// Whatever goes wrong at this tick.
    fn misfortunes(&mut self) {
        if self.happens(self.shape.crash_every)
            && let Some(guard) = &self.guard
        {
            guard.power.goes_after(self.random.random_range(0..30));
        }
        if self.happens(self.shape.part_every) {
            let side = *[Side::Clients, Side::Upstream]
                .choose(&mut self.random)
                .unwrap();
            let until = self.tick + self.random.random_range(20..3_500);
            self.net.part(side, until);
        }
        if self.happens(self.shape.part_every) {
            self.net.upstream_listens(false);
            self.upstream_back_at = self.tick + self.random.random_range(10..1_500);
        }
        if self.happens(self.shape.cut_every) {
            let side = *[Side::Clients, Side::Upstream]
                .choose(&mut self.random)
                .unwrap();
            self.net.hurt_one(side, self.random.random_bool(0.4));
        }
        if self.happens(self.shape.disk_every) {
            self.disk_is_ill();
        }
        if self.happens(self.shape.jump_every) {
            self.clock_jumps();
        }
        if self.happens(self.shape.people_every) {
            self.somebody_decides();
        }
    }

    fn disk_is_ill(&mut self) {
        if self.random.random_bool(0.3) {
            // Slow, not broken: the writer stands still.
            self.writes_from = self.tick + self.random.random_range(5..900);
            return;
        }
        self.disk_well_at = self.tick + self.random.random_range(20..1_500);
        self.place.disk.set(Health {
            failing: *[30, 60, 100].choose(&mut self.random).unwrap(),
            blind: self.random.random_bool(0.3),
        });
    }

    fn clock_jumps(&mut self) {
        let seconds = *[1, 4, 30, 90, 3_600, 90_000]
            .choose(&mut self.random)
            .unwrap();
        let back = self.random.random_bool(0.4);
        let seconds = if back {
            -i64::min(seconds, 7_200)
        } else {
            seconds
        };
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// A person gives room, takes it back, or decides an old doubt by what truly happened.
    fn somebody_decides(&mut self) {
        let Some(guard) = &self.guard else { return };
        let ledger = guard.ledger.clone();
        if self.random.random_bool(0.3) {
            let limit = self.shape.limits.choose(&mut self.random).unwrap();
            let micros = *[500_000, 2_000_000, -300_000]
                .choose(&mut self.random)
                .unwrap();
            let grant = Grant {
                budget: limit.id.as_str().into(),
                amount: Credits::from_micros(micros),
                who: "sim".into(),
                reason: "a run".into(),
            };
            return guard.spawn(async move {
                let _ = ledger.grant(grant).await;
            });
        }
        if let Some((hold, charge)) = self.old_doubt() {
            let decision = match charge {
                0 => Decision::Release,
                micros => Decision::Settle(Credits::from_micros(micros)),
            };
            let resolution = Resolution {
                decision,
                who: "sim".into(),
                reason: "a run".into(),
            };
            guard.spawn(async move {
                let _ = ledger
                    .resolve(hold.to_string().parse::<HoldId>().unwrap(), resolution)
                    .await;
            });
        }
    }

    /// A hold that is long in doubt, alone of its call, and what was truly charged for it.
    fn old_doubt(&self) -> Option<(i64, i64)> {
        let shadow = self.shadow.lock().unwrap();
        let old = self.tick.saturating_sub(DECIDED_AFTER);
        shadow.holds.iter().find_map(|(number, held)| {
            let known = &shadow.calls[&held.print];
            let doubted = matches!(held.stands, Stands::InDoubt(_)) && held.job.is_none();
            let alone = known.holds.len() == 1;
            let is_job = known.operation.ends_with("_bulk");
            (doubted && alone && !is_job && held.at < old).then_some((*number, known.charged))
        })
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
    fn step(&mut self) -> Result<(), Vec<String>> {
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
                self.shadow.lock().unwrap().life += 1;
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
        shadow.ends();
        if !shadow.broken.is_empty() {
            return Err(std::mem::take(&mut shadow.broken));
        }
        let is_settled = |stands| matches!(stands, Stands::Settled(_));
        let holds = shadow.holds.values();
        Ok(Ran {
            outcomes: std::mem::take(&mut shadow.outcomes),
            trace: shadow.trace,
            attempts: shadow.attempts.len(),
            holds: shadow.holds.len(),
            settled: holds.filter(|held| is_settled(held.stands)).count(),
            lives: shadow.life,
        })
    }
}

/// How the upstream can spoil a call without charging more than it may.
fn menu() -> Vec<Fault> {
    let failure = |status, charged, says_charge| Fault::Failure {
        status,
        charged,
        says_charge,
    };
    vec![
        Fault::SlowHeaders(Duration::from_millis(900)),
        Fault::SlowHeaders(Duration::from_secs(6)),
        Fault::SlowBody {
            pause: Duration::from_millis(40),
            chunk_bytes: 200,
        },
        Fault::CutBeforeCharge,
        Fault::CutAfterCharge,
        Fault::CutMidBody,
        failure(500, true, false),
        failure(502, false, false),
        failure(502, true, true),
        Fault::Redirect {
            status: 302,
            charged: true,
        },
        Fault::Throttled {
            retry_after_s: Some(1),
        },
        Fault::FundsGone,
        Fault::NeverAnswers { charged: true },
        Fault::NeverAnswers { charged: false },
        Fault::Html {
            status: 200,
            charged: true,
        },
        Fault::Meta(MetaFault::Missing),
        Fault::Meta(MetaFault::Null),
        Fault::Meta(MetaFault::Exponent),
        Fault::Meta(MetaFault::BinaryNoise),
        Fault::Meta(MetaFault::InRowsOnly),
        Fault::TruncatedJson,
        Fault::LengthTooLong,
        Fault::Huge { bytes: 40_000 },
        Fault::LeaksToken,
    ]
}
