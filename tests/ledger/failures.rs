//! A disk that says no: before a commit lands, after it has landed, for a while, and at random.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::ledger::{
    CalendarUnit, Ending, EntryKind, Grant, Hold, HoldError, Ledger, Settings, WindowRule,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::failing::{Fault, Faults, failing, failing_store, until_writable};
use crate::support::{
    NOON, Place, assert_sound, at, budget, calendar, micros, no, one_budget, request, settle,
    start, stated, with_budgets,
};

#[tokio::test]
async fn a_failed_commit_drops_the_new_hold_and_keeps_the_ending() {
    for blind in [false, true] {
        for place in Place::both() {
            let (ledger, faults) = failing(&place, one_budget());
            let old = ledger.hold(request("growth", 100)).await.unwrap();
            faults.set(Fault::BeforeLanding, blind);
            settle(old, 40);
            let refused = ledger.hold(request("growth", 7)).await.unwrap_err();
            assert_eq!(no(&refused), "unavailable");
            assert!(!ledger.writable());
            let at_once = ledger.hold(request("growth", 7)).await.unwrap_err();
            assert_eq!(no(&at_once), "unavailable");
            faults.set(Fault::None, false);
            until_writable(&ledger).await;
            let status = ledger.budgets().await.unwrap().remove(0);
            assert_eq!((status.settled, status.held), (micros(40), micros(0)));
            ledger.close().await.unwrap();
            assert_eq!(place.reader().tail().unwrap().seq, 2);
            place.assert_sound();
        }
    }
}

/// Finance has exported the month by then, and its export must stay what it is. The grant was for the window
/// it was decided in, and makes no room in the next.
#[tokio::test]
async fn what_a_failing_disk_keeps_over_the_end_of_a_month_is_not_recorded_in_the_month_that_is_over()
 {
    let [november, december] = ["2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"].map(at);
    let month = with_budgets(vec![budget("month", 1_000, calendar(CalendarUnit::Month))]);
    for place in Place::both() {
        let clock = Clock::manual(at("2026-11-30T23:59:50Z"));
        let (store, faults) = failing_store(&place);
        let ledger = start(store, month.clone(), &clock);
        let [one, other] = [100, 200].map(|quote| ledger.hold(request("growth", quote)));
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        faults.set(Fault::BeforeLanding, false);
        let more = Grant {
            budget: "month".into(),
            amount: micros(50),
            who: "ann".into(),
            reason: "the campaign is on".into(),
        };
        let asking = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.grant(more).await }
        });
        settle(one, 40);
        while ledger.writable() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        settle(other, 70);
        clock.set(at("2026-12-01T00:20:00Z"));
        let exported = || {
            let reader = place.reader();
            reader.entries_recorded(november, december, 0, 100).unwrap()
        };
        let before = exported();
        faults.set(Fault::None, false);
        until_writable(&ledger).await;
        let granted = asking.await.unwrap().unwrap();
        let live = ledger.budgets().await.unwrap();
        let sums = (live[0].granted, live[0].settled, live[0].held);
        assert_eq!(sums, (micros(0), micros(0), micros(0)), "another window");
        ledger.close().await.unwrap();
        assert_eq!(exported(), before);
        let later = place
            .reader()
            .entries_recorded(december, at("2027-01-01T00:00:00Z"), 0, 9);
        let later = later.unwrap();
        assert_eq!(later.len(), 3);
        assert!(later.contains(&granted.entry));
        let again = place.open(month.clone(), &clock);
        assert_eq!(again.budgets().await.unwrap(), live);
        again.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_commit_that_landed_is_taken_for_what_it_is() {
    for place in Place::both() {
        let (ledger, faults) = failing(&place, one_budget());
        faults.set(Fault::AfterLanding, false);
        let hold = ledger.hold(request("growth", 100)).await.unwrap();
        assert!(ledger.writable(), "the store was read again and has it");
        faults.set(Fault::None, false);
        settle(hold, 1);
        ledger.close().await.unwrap();
        assert_eq!(place.reader().tail().unwrap().seq, 2);
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_commit_that_landed_unseen_is_neither_repeated_nor_left_held() {
    for place in Place::both() {
        let (ledger, faults) = failing(&place, one_budget());
        let old = ledger.hold(request("growth", 100)).await.unwrap();
        faults.set(Fault::AfterLanding, true);
        settle(old, 40);
        let refused = ledger.hold(request("growth", 7)).await.unwrap_err();
        assert_eq!(no(&refused), "unavailable");
        faults.set(Fault::None, false);
        until_writable(&ledger).await;
        let status = ledger.budgets().await.unwrap().remove(0);
        assert_eq!((status.settled, status.held), (micros(40), micros(0)));
        ledger.close().await.unwrap();
        let kinds = place.reader().entries(0, 10).unwrap();
        let kinds = kinds.iter().map(|entry| entry.kind).collect::<Vec<_>>();
        use EntryKind::{Held, Released, Settled};
        // The ending may have ridden in a batch of its own, before the hold that was refused.
        assert!(
            kinds == [Held, Settled, Held, Released] || kinds == [Held, Settled],
            "{kinds:?}"
        );
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_job_that_could_not_be_bound_is_in_doubt_and_still_known() {
    let place = Place::file();
    let (ledger, faults) = failing(&place, one_budget());
    let hold = ledger.hold(request("growth", 100)).await.unwrap();
    faults.set(Fault::BeforeLanding, false);
    hold.bind_job("job-1".into()).await.unwrap_err();
    let job = ledger.job(&"job-1".into()).unwrap();
    assert!(job.open);
    faults.set(Fault::None, false);
    until_writable(&ledger).await;
    assert_eq!(ledger.budgets().await.unwrap()[0].in_doubt, micros(100));
    ledger.end_job(
        &"job-1".into(),
        Ending::Settled {
            charge: micros(55),
            evidence: stated(55),
        },
    );
    let status = ledger.budgets().await.unwrap().remove(0);
    assert_eq!((status.settled, status.held), (micros(55), micros(0)));
    ledger.close().await.unwrap();
    place.assert_sound();
}

#[tokio::test]
async fn a_close_while_the_disk_says_no_says_so_and_the_next_start_finds_the_doubt() {
    let place = Place::file();
    let (ledger, faults) = failing(&place, one_budget());
    let hold = ledger.hold(request("growth", 100)).await.unwrap();
    faults.set(Fault::BeforeLanding, false);
    settle(hold, 40);
    ledger.close().await.unwrap_err();
    drop(ledger);
    let again = place.open(one_budget(), &Clock::manual(at(NOON)));
    let status = again.budgets().await.unwrap().remove(0);
    assert_eq!((status.settled, status.in_doubt), (micros(0), micros(100)));
    again.close().await.unwrap();
    place.assert_sound();
}

/// A hold, once there is a place for it: endings are queued and not awaited.
async fn hold_when_free(ledger: &Ledger) -> Hold {
    for _ in 0..3_000 {
        match ledger.hold(request("growth", 1)).await {
            Ok(hold) => return hold,
            Err(refused) => assert_eq!(no(&refused), "overloaded"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a place that stays taken");
}

#[tokio::test]
async fn callers_and_calls_beyond_the_bounds_are_refused_at_once() {
    let place = Place::memory();
    let settings = Settings {
        live_holds_max: 2,
        ..one_budget()
    };
    let ledger = place.open(settings, &Clock::manual(at(NOON)));
    let first = ledger.hold(request("growth", 1)).await.unwrap();
    let second = ledger.hold(request("growth", 1)).await.unwrap();
    let refused = ledger.hold(request("growth", 1)).await.unwrap_err();
    assert_eq!(no(&refused), "overloaded");
    first.bind_job("job-1".into()).await.unwrap();
    let refused = ledger.hold(request("growth", 1)).await.unwrap_err();
    assert_eq!(no(&refused), "overloaded", "a job keeps its place");
    settle(second, 1);
    let third = hold_when_free(&ledger).await;
    third.doubt("the line was cut");
    ledger.end_job(
        &"job-1".into(),
        Ending::Released {
            why: "failed".into(),
        },
    );
    let _fourth = hold_when_free(&ledger).await;
    let _fifth = hold_when_free(&ledger).await;
    ledger.close().await.unwrap();
}

/// Many callers on a disk that fails at random: in the end the store tells of each hold that was
/// given exactly what its caller did with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_disk_does_no_ending_is_lost_or_written_twice() {
    let seeds = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    for seed in seeds.map_or(0..6, |seed: u64| seed..seed + 1) {
        println!("SEED={seed}");
        let place = if seed.is_multiple_of(2) {
            Place::memory()
        } else {
            Place::file()
        };
        let (ledger, faults) = failing(
            &place,
            with_budgets(vec![budget("all", 1_000_000, WindowRule::Total)]),
        );
        let breaker = tokio::spawn(break_at_random(faults.clone(), seed));
        let mut callers = Vec::new();
        for caller in 0..16 {
            callers.push(tokio::spawn(call(ledger.clone(), seed * 100 + caller)));
        }
        let mut expected = 0;
        let mut holds = Vec::new();
        for caller in callers {
            let (settled, mut given) = caller.await.unwrap();
            expected += settled;
            holds.append(&mut given);
        }
        breaker.abort();
        let _ = breaker.await;
        faults.set(Fault::None, false);
        until_writable(&ledger).await;
        ledger.close().await.unwrap();
        let entries = place.reader().entries(0, usize::MAX).unwrap();
        let settled: i64 = entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Settled)
            .map(|entry| entry.amount.micros())
            .sum();
        assert_eq!(settled, expected, "SEED={seed}");
        assert!(
            place.reader().open_holds().unwrap().is_empty(),
            "SEED={seed}"
        );
        holds.sort_unstable();
        let before = holds.len();
        holds.dedup();
        assert_eq!(holds.len(), before, "a number was given twice, SEED={seed}");
        assert_sound(&*place.reader());
    }
}

async fn call(ledger: Ledger, seed: u64) -> (i64, Vec<i64>) {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut settled, mut holds) = (0, Vec::new());
    for _ in 0..40 {
        match ledger.hold(request("growth", 10)).await {
            Ok(hold) => {
                holds.push(hold.id().get());
                if random.random_bool(0.8) {
                    let charge = random.random_range(1..=12);
                    settled += charge;
                    settle(hold, charge);
                } else {
                    hold.release("a test");
                }
            }
            Err(HoldError::Unavailable(_)) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(other) => panic!("{other}"),
        }
        if random.random_bool(0.2) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    (settled, holds)
}

async fn break_at_random(faults: Faults, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed ^ 0xFA17);
    loop {
        let fault = match random.random_range(0..3) {
            0 => Fault::BeforeLanding,
            1 => Fault::AfterLanding,
            _ => Fault::None,
        };
        faults.set(fault, random.random_bool(0.5));
        tokio::time::sleep(Duration::from_millis(random.random_range(1..15))).await;
        faults.set(Fault::None, false);
        tokio::time::sleep(Duration::from_millis(random.random_range(1..60))).await;
    }
}
