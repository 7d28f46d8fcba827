//! Orders of events that are rare and still happen: twins in doubt, a clock that jumps there and
//! back, a writer that breaks down.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::ledger::store::{Reader, Store, StoreError, Tail};
use generect_guard::ledger::{Decision, Entry, HoldRequest, Reading, Resolution, Settings};
use jiff::SignedDuration;

use crate::support::{NOON, Place, at, marked, micros, no, request, settle, start, with_budgets};

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

/// A store whose writing breaks the writer's thread.
struct Breaking(Box<dyn Store>);

impl Store for Breaking {
    fn reader(&self) -> &dyn Reader {
        self.0.reader()
    }

    fn append(&mut self, _: &[Entry]) -> Result<(), StoreError> {
        panic!("a defect, on purpose")
    }

    fn reread(&mut self) -> Result<Tail, StoreError> {
        self.0.reread()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.0.probe()
    }
}

#[tokio::test]
async fn when_the_writer_breaks_down_nobody_waits_and_nobody_is_told_that_all_is_well() {
    let place = Place::memory();
    let store = Box::new(Breaking(place.store()));
    let ledger = start(store, Settings::default(), &Clock::manual(at(NOON)));
    let asked = async {
        let first = ledger.hold(request("growth", 1)).await.unwrap_err();
        let second = ledger.hold(request("growth", 1)).await.unwrap_err();
        assert!(ledger.budgets().await.is_err());
        assert!(ledger.close().await.is_err());
        (first, second)
    };
    let (first, second) = tokio::time::timeout(Duration::from_secs(20), asked)
        .await
        .unwrap();
    assert_eq!(no(&first), "closed");
    assert!(
        ["closed", "unavailable"].contains(&no(&second)),
        "{second:?}"
    );
    assert!(!ledger.writable(), "health goes by this");
}
