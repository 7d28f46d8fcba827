//! Orders of events that are rare and still happen: twins in doubt, a clock that jumps there and
//! back, a writer that breaks down.

use std::sync::mpsc::channel;
use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::ids::JobId;
use generect_guard::ledger::store::{Reader, Store, StoreError, Tail};
use generect_guard::ledger::{
    AccountRule, BalanceIs, Decision, Ending, Entry, EntryKind, HoldRequest, Reading, Record,
    Resolution, Settings, WindowRule,
};
use jiff::SignedDuration;

use crate::support::{
    NOON, Place, at, budget, marked, micros, no, request, settle, start, stated, with_budgets,
};

#[tokio::test]
async fn of_two_twins_in_doubt_each_alone_stands_in_the_way_of_a_third() {
    for ended_first in [0, 1] {
        let place = Place::memory();
        let ledger = place.open(Settings::default(), &Clock::manual(at(NOON)));
        let mut twins = Vec::new();
        for _ in 0..2 {
            twins.push(ledger.hold(marked("growth", 5, 7)).await.unwrap());
        }
        let ids: Vec<_> = twins.iter().map(|hold| hold.id()).collect();
        for twin in twins {
            twin.doubt("no answer");
        }
        let resolve = |hold| {
            let resolution = Resolution {
                decision: Decision::Release,
                who: "ann".into(),
                reason: "seen in the bill".into(),
            };
            ledger.resolve(hold, resolution)
        };
        resolve(ids[ended_first]).await.unwrap();
        let refused = ledger.hold(marked("growth", 5, 7)).await.unwrap_err();
        assert_eq!(
            no(&refused),
            "in doubt",
            "the other twin may still be charged"
        );
        resolve(ids[1 - ended_first]).await.unwrap();
        ledger
            .hold(marked("growth", 5, 7))
            .await
            .unwrap()
            .release("no");
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_reading_from_a_clock_that_was_set_back_hides_no_charge() {
    let place = Place::memory();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(Vec::new()), &clock);
    let floored = |quote| HoldRequest {
        floor: Some(micros(0)),
        ..request("growth", quote)
    };
    // The clock is an hour ahead while the account is read, and right again before anybody calls.
    ledger.observe(Reading {
        balance: micros(100),
        started_at: at(NOON) + SignedDuration::from_hours(1),
    });
    if let Ok(hold) = ledger.hold(floored(60)).await {
        settle(hold, 60);
    }
    let refused = ledger.hold(floored(60)).await.unwrap_err();
    assert_eq!(no(&refused), "account", "120 of 100");
    // And the next reading counts again.
    clock.advance(SignedDuration::from_secs(30));
    ledger.observe(Reading {
        balance: micros(100),
        started_at: clock.now(),
    });
    ledger.hold(floored(30)).await.unwrap().release("no");
    ledger.close().await.unwrap();
}

/// A store where something happens before each writing.
struct Before {
    store: Box<dyn Store>,
    happens: Box<dyn FnMut() + Send>,
}

impl Store for Before {
    fn reader(&self) -> &dyn Reader {
        self.store.reader()
    }

    fn append(&mut self, batch: &[Entry]) -> Result<(), StoreError> {
        (self.happens)();
        self.store.append(batch)
    }

    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.store.keep(records)
    }

    fn reread(&mut self) -> Result<Tail, StoreError> {
        self.store.reread()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.store.probe()
    }
}

#[tokio::test]
async fn when_the_writer_breaks_down_nobody_waits_and_nobody_is_told_that_all_is_well() {
    let place = Place::memory();
    let store = Box::new(Before {
        store: place.store(),
        happens: Box::new(|| panic!("a defect, on purpose")),
    });
    let ledger = start(store, Settings::default(), &Clock::manual(at(NOON)));
    let asked = async {
        let first = ledger.hold(request("growth", 1)).await.unwrap_err();
        let second = ledger.hold(request("growth", 1)).await.unwrap_err();
        assert!(ledger.budgets().await.is_err());
        assert!(ledger.close().await.is_err());
        (first, second)
    };
    let (first, second) = tokio::time::timeout(Duration::from_secs(60), asked)
        .await
        .unwrap();
    assert_eq!(no(&first), "closed");
    assert!(
        ["closed", "unavailable"].contains(&no(&second)),
        "{second:?}"
    );
    assert!(!ledger.writable(), "health goes by this");
}

#[tokio::test]
async fn while_time_stands_still_fresh_readings_are_fresh_and_charges_still_count() {
    let floored = |quote| HoldRequest {
        floor: Some(micros(0)),
        ..request("growth", quote)
    };
    let ahead = SignedDuration::from_hours(24);
    for (reads_ahead, restarts) in [(false, false), (true, false), (false, true)] {
        let case = format!("reads ahead: {reads_ahead}, restarts: {restarts}");
        let place = Place::memory();
        let clock = Clock::manual(at(NOON));
        let mut ledger = place.open(with_budgets(Vec::new()), &clock);
        // The clock jumps a day ahead, a call is made, and it is set right again.
        clock.advance(ahead);
        if reads_ahead {
            ledger.observe(Reading {
                balance: micros(100),
                started_at: clock.now(),
            });
        }
        settle(ledger.hold(request("growth", 10)).await.unwrap(), 10);
        ledger.budgets().await.unwrap();
        clock.advance(-ahead);
        if restarts {
            ledger.close().await.unwrap();
            ledger = place.open(with_budgets(Vec::new()), &clock);
        }
        ledger.budgets().await.unwrap();
        clock.advance(SignedDuration::from_secs(60));
        ledger.observe(Reading {
            balance: micros(200),
            started_at: clock.now(),
        });
        let hold = ledger.hold(floored(120)).await;
        settle(hold.unwrap_or_else(|error| panic!("{case}: {error}")), 120);
        let refused = ledger.hold(floored(120)).await.unwrap_err();
        assert_eq!(no(&refused), "account", "{case}: 240 of 200");
        // Without a reading for too long it is stale, whatever the ledger's own time.
        clock.advance(SignedDuration::from_mins(6));
        let refused = ledger.hold(floored(1)).await.unwrap_err();
        assert!(
            refused.to_string().contains("last read at"),
            "{case}: {refused}"
        );
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test]
async fn every_way_a_hold_can_end_gives_its_place_back() {
    let places = 3;
    let place = Place::memory();
    let settings = Settings {
        live_holds_max: places,
        ..with_budgets(vec![budget("all", 1_000, WindowRule::Total)])
    };
    let ledger = place.open(settings, &Clock::manual(at(NOON)));
    let resolve = |hold| {
        let resolution = Resolution {
            decision: Decision::Release,
            who: "ann".into(),
            reason: "seen in the bill".into(),
        };
        ledger.resolve(hold, resolution)
    };
    for round in 0..2 * places {
        let job = |name: &str| JobId::from(format!("{name}-{round}"));
        // A place is free again when its ending is written, which an answered question shows.
        let hold = async || {
            ledger.budgets().await.unwrap();
            ledger.hold(request("growth", 1)).await.unwrap()
        };
        settle(hold().await, 1);
        hold().await.release("no");
        drop(hold().await);
        ledger.budgets().await.unwrap();
        ledger.hold(request("growth", 2_000)).await.unwrap_err();
        drop(tokio::time::timeout(Duration::ZERO, ledger.hold(request("growth", 1))).await);
        for name in ["settled", "doubted", "doubted first"] {
            hold().await.bind_job(job(name)).await.unwrap();
            if name != "settled" {
                let why = "no charge".into();
                ledger.end_job(&job(name), Ending::Doubted { why });
            }
            if name != "doubted" {
                let (charge, evidence) = (micros(1), stated(1));
                ledger.end_job(&job(name), Ending::Settled { charge, evidence });
            }
        }
        let twice = hold().await;
        let resolved = twice.id();
        twice.bind_job(job("doubted")).await.unwrap_err();
        resolve(resolved).await.unwrap();
        let hold = hold().await;
        let resolved = hold.id();
        hold.bind_job(job("resolved")).await.unwrap();
        resolve(resolved).await.unwrap();
    }
    ledger.budgets().await.unwrap();
    let mut all = Vec::new();
    for _ in 0..places {
        all.push(ledger.hold(request("growth", 1)).await.unwrap());
    }
    let one_more = ledger.hold(request("growth", 1)).await.unwrap_err();
    assert_eq!(no(&one_more), "overloaded");
    drop(all);
    ledger.close().await.unwrap();
    place.assert_sound();
}

#[tokio::test]
async fn a_job_accepted_late_is_not_in_a_net_balance_read_before() {
    for restarts in [false, true] {
        let settings = || Settings {
            account: AccountRule {
                balance_is: BalanceIs::Net,
                ..AccountRule::default()
            },
            ..with_budgets(Vec::new())
        };
        let floored = HoldRequest {
            floor: Some(micros(0)),
            ..request("growth", 60)
        };
        let place = Place::file();
        let clock = Clock::manual(at(NOON));
        let mut ledger = place.open(settings(), &clock);
        // The submission takes longer than the lag to be answered; the account is read meanwhile.
        let submit = ledger.hold(request("growth", 60)).await.unwrap();
        clock.advance(SignedDuration::from_secs(15));
        let reading = Reading {
            balance: micros(100),
            started_at: clock.now(),
        };
        clock.advance(SignedDuration::from_secs(5));
        submit.bind_job(JobId::from("j-1")).await.unwrap();
        if restarts {
            ledger.close().await.unwrap();
            ledger = place.open(settings(), &clock);
        }
        ledger.observe(reading);
        let refused = ledger.hold(floored.clone()).await.unwrap_err();
        assert_eq!(no(&refused), "account", "120 of 100");
        clock.advance(SignedDuration::from_secs(30));
        ledger.observe(Reading {
            balance: micros(100),
            started_at: clock.now(),
        });
        ledger.hold(floored).await.unwrap().release("no");
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

/// Callers hear by a task of their own runtime. One that leaves as the ledger is closed has sent nothing, also
/// where that task comes to it late: the next start finds no call under way.
#[tokio::test]
async fn a_caller_that_leaves_while_the_ledger_closes_leaves_no_doubt() {
    for place in Place::both() {
        let ledger = place.open(Settings::default(), &Clock::manual(at(NOON)));
        tokio::select! {
            biased;
            held = ledger.hold(request("growth", 500)) => panic!("{held:?} was heard without the runtime"),
            () = std::future::ready(()) => {}
        }
        // The only thread of the callers' runtime is busy for longer than the writer needs.
        let busy = async { std::thread::sleep(Duration::from_millis(100)) };
        let (closed, ()) = tokio::join!(ledger.close(), busy);
        closed.unwrap();
        let entries = place.reader().entries(0, 10).unwrap();
        let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [EntryKind::Held, EntryKind::Released]);
    }
}

/// A disk may take seconds for one sync. Who is refused has nothing on it, and hears so at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_does_not_wait_for_the_disk_that_a_yes_waits_for() {
    let place = Place::memory();
    let (begun, begins) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let store = Box::new(Before {
        store: place.store(),
        happens: Box::new(move || {
            let _ = begun.send(());
            let _ = may_go_on.recv();
        }),
    });
    let settings = with_budgets(vec![budget("all", 10, WindowRule::Total)]);
    let ledger = start(store, settings, &Clock::manual(at(NOON)));
    let first = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.hold(request("growth", 4)).await }
    });
    begins.recv().unwrap();
    // Both wait until the first is written, so that one turn decides both.
    let refused = async {
        let refused = ledger.hold(request("growth", 7));
        let heard = tokio::time::timeout(Duration::from_secs(60), refused).await;
        go_on.send(()).unwrap();
        heard.expect("it is heard while the other is not on disk")
    };
    let both_ask = async { go_on.send(()).unwrap() };
    let second = ledger.hold(request("growth", 6));
    let (second, refused, ()) = tokio::join!(second, refused, both_ask);
    assert_eq!(no(&refused.unwrap_err()), "busy");
    drop(go_on);
    settle(first.await.unwrap().unwrap(), 4);
    settle(second.unwrap(), 6);
    ledger.close().await.unwrap();
}
