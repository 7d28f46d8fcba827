//! What must hold for every order of events: the books agree with a naive model, whatever happens, and
//! also after every restart.

use std::collections::BTreeSet;

use generect_guard::clock::Clock;
use generect_guard::ledger::{
    Budget, BudgetStatus, CalendarUnit, Decision, Filter, Hold, HoldError, Ledger, Note, WindowRule,
};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::naive::{Call, Model};
use crate::support::{
    NOON, Place, at, budget, calendar, micros, note, request, settle, with_budgets,
};

fn budgets() -> Vec<Budget> {
    let for_team = |team: &str, budget: Budget| Budget {
        filter: Filter {
            team: Some(team.into()),
            ..Filter::default()
        },
        ..budget
    };
    let rolling = |minutes| WindowRule::Rolling(SignedDuration::from_mins(minutes));
    let kyiv = WindowRule::Calendar {
        unit: CalendarUnit::Day,
        zone: TimeZone::get("Europe/Kyiv").unwrap(),
    };
    let crooked = WindowRule::Calendar {
        unit: CalendarUnit::Day,
        zone: TimeZone::fixed(jiff::tz::Offset::from_seconds(-2_670).unwrap()),
    };
    let mut some = budget("some", 500, calendar(CalendarUnit::Week));
    some.filter.operations = Some(BTreeSet::from(["search_leads".into()]));
    vec![
        for_team("growth", budget("growth-day", 300, kyiv)),
        for_team("sales", budget("sales-hour", 60, rolling(60))),
        for_team("growth", budget("growth-24h", 250, rolling(24 * 60))),
        budget("three-days", 700, rolling(3 * 24 * 60)),
        budget("crooked", 400, crooked),
        budget("all", 4_000, WindowRule::Total),
        some,
    ]
}

struct Walk {
    seed: u64,
    random: StdRng,
    place: Place,
    clock: Clock,
    /// The time of decision: never goes back, though the clock does.
    now: Timestamp,
    ledger: Ledger,
    model: Model,
    live: Vec<(usize, Hold)>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let clock = Clock::manual(at(NOON));
        let place = if seed.is_multiple_of(2) {
            Place::memory()
        } else {
            Place::file()
        };
        Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            ledger: place.open(with_budgets(budgets()), &clock),
            place,
            now: clock.now(),
            clock,
            model: Model::default(),
            live: Vec::new(),
        }
    }

    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..45 => self.hold().await,
            45..70 => self.end(),
            70..78 => self.look_again().await,
            78..95 => {
                let minutes = self.random.random_range(-20..400);
                self.clock.advance(SignedDuration::from_mins(minutes));
            }
            95..98 => self.change_budgets().await,
            _ => self.restart().await,
        }
        self.compare().await;
    }

    fn move_time(&mut self) {
        self.now = self.now.max(self.clock.now());
    }

    async fn hold(&mut self) {
        self.move_time();
        let team = ["growth", "sales"][self.random.random_range(0..2)];
        let quote = self.random.random_range(1..=40);
        let fits = budgets()
            .iter()
            .all(|budget| self.model.fits(budget, team, quote, self.now));
        match self.ledger.hold(request(team, quote)).await {
            Ok(hold) => {
                assert!(fits, "should not fit, SEED={}", self.seed);
                assert_eq!(hold.began_at(), self.now);
                let call = Call {
                    hold: hold.id(),
                    team,
                    began_at: self.now,
                    held: quote,
                    settled: 0,
                    in_doubt: false,
                };
                self.live.push((self.model.calls.len(), hold));
                self.model.calls.push(call);
            }
            Err(HoldError::Short(short)) => {
                assert!(!fits, "should fit, SEED={}", self.seed);
                for one in &short.budgets {
                    let status = &one.status;
                    let left = status.limit.micros() - status.settled.micros();
                    assert_eq!(one.exhausted, quote > left);
                    assert!(status.headroom().micros() < quote);
                }
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn end(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let which = self.random.random_range(0..self.live.len());
        let (index, hold) = self.live.swap_remove(which);
        let call = &mut self.model.calls[index];
        match self.random.random_range(0..10) {
            0..6 => {
                call.settled = self.random.random_range(0..=call.held + 3);
                call.held = 0;
                settle(hold, call.settled);
            }
            6..8 => {
                call.held = 0;
                hold.release("a test");
            }
            8 => {
                call.in_doubt = true;
                hold.doubt("a test");
            }
            _ => {
                call.in_doubt = true;
                drop(hold);
            }
        }
    }

    /// What reconciliation does: decides a doubt, or corrects a charge.
    async fn look_again(&mut self) {
        let live: BTreeSet<_> = self.live.iter().map(|(index, _)| *index).collect();
        let index = self.random.random_range(0..self.model.calls.len().max(1));
        let Some(call) = self.model.calls.get_mut(index) else {
            return;
        };
        if live.contains(&index) {
            return;
        }
        // What was queued before is on disk after it.
        self.ledger.keep(vec![note("step", "a")]).await.unwrap();
        if call.in_doubt {
            let charge = self.random.random_range(0..=call.held);
            let decision = if charge == 0 {
                Decision::Release
            } else {
                Decision::Settle(micros(charge))
            };
            let why = Note::reason("a test");
            self.ledger.decide(call.hold, decision, why).await.unwrap();
            (call.settled, call.held, call.in_doubt) = (charge, 0, false);
            return;
        }
        let ended = self.place.reader().ending_of(call.hold).unwrap().unwrap();
        let difference = self.random.random_range(-20..20);
        let why = Note::reason(format!("look {}", self.random.random::<u64>()));
        let told = self.ledger.correct(ended, micros(difference), why).await;
        assert_eq!(
            told.is_ok(),
            call.settled + difference >= 0,
            "{told:?} SEED={}",
            self.seed
        );
        if told.is_ok() {
            call.settled += difference;
        }
    }

    async fn change_budgets(&mut self) {
        let mut changed = budgets();
        changed.truncate(3);
        self.ledger.set_budgets(changed).await.unwrap();
        self.ledger.set_budgets(budgets()).await.unwrap();
    }

    async fn restart(&mut self) {
        let before = self.ledger.budgets().await.unwrap();
        self.ledger.close().await.unwrap();
        let reader = self.place.reader();
        let beside = reader
            .budget_statuses(&budgets(), self.clock.now())
            .unwrap();
        // A status from the store is one as of its last entry at least; the live one may be later.
        if self.clock.now() >= self.now {
            assert_eq!(beside, before, "read beside, SEED={}", self.seed);
        }
        for (index, hold) in self.live.drain(..) {
            self.model.calls[index].in_doubt = true;
            drop(hold); // Nobody hears of it any more.
        }
        // A new process has no memory of a clock that was ahead; only the entries do.
        let last = reader
            .tail()
            .unwrap()
            .recorded_at
            .unwrap_or(self.clock.now());
        self.now = last.max(self.clock.now());
        self.ledger = self.place.open(with_budgets(budgets()), &self.clock);
    }

    async fn compare(&mut self) {
        self.move_time();
        let statuses = self.ledger.budgets().await.unwrap();
        for (budget, status) in budgets().iter().zip(&statuses) {
            let found = [status.settled, status.held, status.in_doubt].map(|one| one.micros());
            let should = self.model.stands(budget, self.now);
            assert_eq!(
                found, should,
                "{} at {}, SEED={}",
                budget.id, self.now, self.seed
            );
        }
    }
}

#[tokio::test]
async fn the_books_agree_with_a_naive_model_at_every_step_and_after_every_restart() {
    let only = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    for seed in only.map_or(0..30, |seed: u64| seed..seed + 1) {
        println!("SEED={seed}");
        let mut walk = Walk::new(seed);
        for _ in 0..120 {
            walk.step().await;
        }
        walk.ledger.close().await.unwrap();
        walk.place.assert_sound();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_are_the_same_however_the_calls_were_batched() {
    let mut outcomes: Vec<Vec<BudgetStatus>> = Vec::new();
    for together in [1, 7, 200] {
        let place = Place::file();
        let clock = Clock::manual(at(NOON));
        let ledger = place.open(
            with_budgets(vec![budget("all", 10_000, WindowRule::Total)]),
            &clock,
        );
        for group in (0..200).collect::<Vec<i64>>().chunks(together) {
            let mut tasks = Vec::new();
            for number in group.iter().copied() {
                let ledger = ledger.clone();
                tasks.push(tokio::spawn(async move {
                    let hold = ledger.hold(request("growth", 20)).await.unwrap();
                    match number % 4 {
                        0 => hold.release("a test"),
                        1 => hold.doubt("a test"),
                        _ => settle(hold, number % 17),
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        }
        let live = ledger.budgets().await.unwrap();
        ledger.close().await.unwrap();
        let beside = place
            .reader()
            .budget_statuses(&[budget("all", 10_000, WindowRule::Total)], clock.now());
        assert_eq!(beside.unwrap(), live);
        assert_eq!(live[0].in_doubt, micros(50 * 20));
        outcomes.push(live);
        place.assert_sound();
    }
    assert!(outcomes.windows(2).all(|two| two[0] == two[1]));
}
