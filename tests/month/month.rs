//! A month, step by step.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use generect_guard::catalogue::{Catalogue, Prices};
use generect_guard::clock::Clock;
use generect_guard::ledger::{Decision, Resolution};
use generect_guard::reconciliation::Reconciler;
use generect_guard::simulator::Fault;
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::account::{Read, Told};
use crate::books;
use crate::calls::{Call, hangs, misfortune};
use crate::shape::{self, Shape};
use crate::support::asked::fingerprint;
use crate::support::{Answered, World};

const DAYS: i64 = 30;

/// Everything that a month is about.
pub struct Month {
    pub shape: Shape,
    pub random: StdRng,
    pub clock: Clock,
    /// `None` only while one guard is replaced by another.
    pub world: Option<World>,
    pub reconciler: Option<Reconciler>,
    pub prices: Arc<ArcSwap<Prices>>,
    calls: u64,
    jobs: Vec<(usize, String)>,
    pub read: Read,
    pub told: Told,
}

/// A call on its way.
type Sent = tokio::task::JoinHandle<Result<Answered, reqwest::Error>>;

/// Runs a month and looks at what it leaves.
pub async fn run(shape: Shape) {
    let mut month = begin(shape).await;
    let end = month.clock.now() + SignedDuration::from_hours(24 * DAYS);
    while month.clock.now() < end {
        month.step().await;
    }
    month.finish().await;
}

/// A guard and a reconciler at the first moment of a month.
pub async fn begin(shape: Shape) -> Month {
    let clock = Clock::manual("2026-05-01T00:00:00Z".parse().unwrap());
    // The disk is not what a month is about.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let plan = shape.plan().clock(clock.clone()).ledger_in(folder.unwrap());
    let world = plan.start().await;
    let catalogue = Catalogue::built_in().unwrap();
    let mut month = Month {
        random: StdRng::seed_from_u64(!shape.seed),
        shape,
        clock: clock.clone(),
        world: Some(world),
        reconciler: None,
        prices: Arc::new(ArcSwap::from_pointee(catalogue.prices().clone())),
        calls: 0,
        jobs: Vec::new(),
        read: Read::default(),
        told: Told::default(),
    };
    month.read_account();
    let mut reconciler = month.reconciler();
    reconciler.begin().await.unwrap();
    month.reconciler = Some(reconciler);
    month
}

impl Month {
    pub fn world(&self) -> &World {
        self.world.as_ref().unwrap()
    }

    pub(super) fn dice(&mut self, sides: u32) -> u32 {
        self.random.random_range(0..sides)
    }

    async fn step(&mut self) {
        let seconds = match self.dice(10) {
            0..=3 => self.random.random_range(0..30),
            4..=7 => self.random.random_range(30..3_600),
            _ => self.random.random_range(3_600..6 * 3_600),
        };
        self.clock.advance(SignedDuration::from_secs(seconds));
        match self.dice(100) {
            0..=54 => self.call().await,
            55..=64 => self.burst().await,
            65..=71 if self.shape.others => self.others(),
            72..=79 => self.jobs().await,
            80..=81 => self.restart().await,
            82..=83 => self.crash().await,
            84 => self.change_tier().await,
            85..=86 => self.outage().await,
            87 if self.shape.people => self.decide().await,
            88..=89 => self.interrupted().await,
            90..=91 => self.in_flight().await,
            92 if self.dice(4) == 0 => self.long_outage().await,
            _ => self.auto_top_up(),
        }
        if self.dice(100) < self.shape.reconciled {
            self.reconcile().await;
        }
    }

    /// One call, now and then with a misfortune.
    async fn call(&mut self) {
        let team = self.any_team();
        let (call, overruns) = self.prepare(team, true);
        self.look_before_calling();
        let answer = self
            .world()
            .post_as(&shape::key_id(team), call.path, &call.body)
            .await;
        self.took_a_job(team, &call, &answer);
        self.all_written().await;
        if answer.status == 200 && answer.refusal().is_empty() && !overruns {
            self.keeps_floor(shape::priority(team));
        }
    }

    /// One call, while nothing is known of the account but what was.
    pub(super) async fn call_as_it_is(&mut self) {
        let team = self.any_team();
        let (call, _) = self.prepare(team, false);
        let key = shape::key_id(team);
        self.world().post_as(&key, call.path, &call.body).await;
        self.all_written().await;
    }

    /// Sends a call and waits until it has arrived, or ended before that.
    pub(super) async fn send_off(&self, team: usize, call: &Call) -> Sent {
        let world = self.world();
        let arrived = world.simulator.truth().request_count();
        let key = shape::key_id(team);
        let request = world.request(reqwest::Method::POST, call.path, &key);
        let request = request.header("content-type", "application/json");
        let sent = tokio::spawn(crate::support::send(request.body(call.body.clone())));
        while world.simulator.truth().request_count() == arrived && !sent.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        sent
    }

    /// Several at one moment, with the answers of some lost: doubts that are hard to tell apart.
    async fn burst(&mut self) {
        self.look_before_calling();
        let count = self.random.random_range(2..7);
        let same = self.random.random_bool(0.5).then(|| self.any_team());
        for _ in 0..count {
            let team = same.unwrap_or_else(|| self.any_team());
            let (call, _) = self.prepare(team, false);
            if self.random.random_bool(0.5) {
                let fault = if self.random.random_bool(0.6) {
                    Fault::CutAfterCharge
                } else {
                    Fault::CutBeforeCharge
                };
                self.world().simulator.faults().next_on(1, call.path, fault);
            }
            let key = shape::key_id(team);
            let answer = self.world().post_as(&key, call.path, &call.body).await;
            self.took_a_job(team, &call, &answer);
            self.world().simulator.faults().clear();
        }
        self.all_written().await;
    }

    pub(super) fn prepare(&mut self, team: usize, may_fail: bool) -> (Call, bool) {
        self.calls += 1;
        let call = Call::any(self.calls, &mut self.random);
        let (payer, key) = (shape::team_id(team), shape::key_id(team));
        let print = fingerprint(&payer, &key, call.operation, call.body.as_bytes());
        self.told.calls.insert(call.body.clone(), print);
        let mut overruns = false;
        if may_fail && self.dice(100) < self.shape.faults {
            let fault;
            (fault, overruns) = misfortune(&mut self.random);
            self.world().simulator.faults().next_on(1, call.path, fault);
        }
        (call, overruns)
    }

    /// Remembers the job of an answer, unless it came without it.
    pub(super) fn took_a_job(&mut self, team: usize, call: &Call, answer: &Answered) {
        let body = serde_json::from_str::<serde_json::Value>(&answer.text).unwrap_or_default();
        if let (202, Some(id)) = (answer.status, body["meta"]["job_id"].as_str()) {
            self.jobs.push((team, call.place_of_job(id)));
        }
    }

    pub(super) fn any_team(&mut self) -> usize {
        self.random.random_range(0..self.shape.teams)
    }

    /// Jobs get on, and some are asked for.
    async fn jobs(&mut self) {
        match self.dice(6) {
            0..=2 => {
                self.world().simulator.complete_jobs();
            }
            3 => {
                self.world().simulator.fail_jobs();
            }
            _ => self.world().simulator.advance_jobs(),
        }
        let (asked, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.jobs)
            .into_iter()
            .partition(|_| self.random.random_bool(0.6));
        self.jobs = left;
        for (team, path) in asked {
            let answer = self.world().get_as(&shape::key_id(team), &path).await;
            let is_over = !answer.text.contains("pending") && !answer.text.contains("processing");
            if !is_over && answer.status == 200 {
                self.jobs.push((team, path));
            }
        }
        self.all_written().await;
    }

    pub(super) async fn restart(&mut self) {
        self.reconciler = None;
        let plan = self.shape.plan().clock(self.clock.clone());
        let world = self.world.take().unwrap().restarted(plan).await;
        self.world = Some(world);
        self.prices_are_known().await;
    }

    /// The guard dies while a call hangs, and perhaps while it reconciles.
    async fn crash(&mut self) {
        self.reconciler = None;
        self.look_before_calling();
        let team = self.any_team();
        let (call, _) = self.prepare(team, false);
        let fault = hangs(&mut self.random);
        self.world().simulator.faults().next_on(1, call.path, fault);
        let hanging = self.send_off(team, &call).await;
        if self.random.random_bool(0.5) {
            self.interrupted().await;
        }
        let world = self.world.take().unwrap();
        let plan = self.shape.plan().clock(self.clock.clone());
        let world = world.crashed(plan).await;
        // Whatever it got: the books that lived on know nothing of it.
        let _ = hanging.await;
        world.simulator.faults().clear();
        self.world = Some(world);
        self.prices_are_known().await;
        self.all_written().await;
    }

    /// A person ends a doubt, rightly or wrongly.
    async fn decide(&mut self) {
        let calls = self.world().ledger().open_calls().await.unwrap();
        let doubts: Vec<_> = calls
            .iter()
            .filter(|call| call.doubted_at.is_some())
            .collect();
        let Some(doubt) = doubts.choose(&mut self.random) else {
            return;
        };
        let decision = if self.random.random_bool(0.5) {
            Decision::Release
        } else {
            Decision::Settle(doubt.quote)
        };
        let resolution = Resolution {
            decision,
            who: "somebody".into(),
            reason: "a guess".into(),
        };
        let ledger = self.world().ledger();
        ledger.resolve(doubt.hold, resolution).await.unwrap();
    }

    /// Endings are queued and not awaited by anybody: before the clock moves they must be written.
    pub(super) async fn all_written(&self) {
        for _ in 0..30_000 {
            let calls = self.world().ledger().open_calls().await.unwrap();
            if calls
                .iter()
                .all(|call| call.doubted_at.is_some() || call.job.is_some())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("a call never ended");
    }

    /// Everything comes to its end: jobs, late rows, and the day after which nothing is in doubt.
    async fn finish(mut self) {
        self.world().simulator.faults().clear();
        if self.random.random_bool(0.5) {
            self.world().simulator.complete_jobs();
        }
        // What the last but one corrects is a match at the last.
        for hours in [1, 25, 1, 25, 1] {
            self.clock.advance(SignedDuration::from_hours(hours));
            // Time alone ends jobs there, at the next look.
            let _ = self.world().simulator.balance();
            self.reconcile().await;
        }
        self.reconciler = None;
        let Self {
            world, told, shape, ..
        } = self;
        let world = world.unwrap();
        let truth = world.simulator.truth();
        let folder = world.end().await;
        books::check(&shape, &folder.path().join("ledger.db"), &truth, &told);
    }
}
