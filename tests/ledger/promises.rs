//! The promises of the ledger, each by its name.

use generect_guard::clock::Clock;
use generect_guard::ledger::{
    CalendarUnit, Decision, Ending, EntryKind, HoldError, LedgerError, Resolution, ResolveError,
    WindowRule,
};
use jiff::SignedDuration;

use crate::support::{
    NOON, Place, at, budget, calendar, marked, micros, no, request, settle, stated, with_budgets,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hard_cap_holds_for_any_number_of_callers() {
    for place in Place::both() {
        for (callers, fit) in [(2, 1), (50, 7), (2_000, 100)] {
            let clock = Clock::manual(at(NOON));
            let ledger = place.open(
                with_budgets(vec![budget("all", fit * 10, WindowRule::Total)]),
                &clock,
            );
            let before = ledger.budgets().await.unwrap()[0].settled.micros();
            let room = fit - before / 10;
            let mut tasks = Vec::new();
            for _ in 0..callers {
                let ledger = ledger.clone();
                tasks.push(tokio::spawn(async move {
                    match ledger.hold(request("growth", 10)).await {
                        Ok(hold) => Some(hold),
                        Err(HoldError::Short(short)) => {
                            let status = &short.budgets[0].status;
                            assert!(status.settled.saturating_add(status.held) <= status.limit);
                            None
                        }
                        Err(other) => panic!("{other}"),
                    }
                }));
            }
            let mut held = 0;
            for task in tasks {
                if let Some(hold) = task.await.unwrap() {
                    held += 1;
                    settle(hold, 10);
                }
            }
            assert_eq!(held, room, "{callers} callers on a budget for {fit}");
            let status = ledger.budgets().await.unwrap().remove(0);
            assert_eq!(status.headroom(), micros(0));
            ledger.close().await.unwrap();
            place.assert_sound();
        }
    }
}

#[tokio::test]
async fn held_before_sent_a_second_reader_sees_the_entry_when_hold_returns() {
    let place = Place::file();
    let ledger = place.open(with_budgets(Vec::new()), &Clock::manual(at(NOON)));
    let reader = place.reader();
    for number in 1..=20 {
        let hold = ledger.hold(request("growth", number)).await.unwrap();
        let entry = reader.entries(hold.id().get() - 1, 1).unwrap().remove(0);
        assert_eq!(entry.kind, EntryKind::Held);
        assert_eq!(entry.hold, hold.id());
        assert_eq!(entry.amount, micros(number));
        hold.release("a test");
    }
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn nothing_lost_what_was_held_at_a_kill_is_in_doubt_after_it() {
    let place = Place::file();
    let clock = Clock::manual(at(NOON));
    let settings = || with_budgets(vec![budget("all", 100, calendar(CalendarUnit::Day))]);
    let ledger = place.open(settings(), &clock);
    let hold = ledger.hold(marked("growth", 60, 7)).await.unwrap();
    let id = hold.id();
    let job = ledger.hold(request("growth", 10)).await.unwrap();
    job.bind_job("job-1".into()).await.unwrap();
    std::mem::forget(hold); // As a killed process would: without any ending.
    let copy = Place::file();
    for name in ["ledger.db", "ledger.db-wal"] {
        let from = place.path().with_file_name(name);
        std::fs::copy(from, copy.path().with_file_name(name)).unwrap();
    }

    clock.advance(SignedDuration::from_mins(1));
    let again = copy.open(settings(), &clock);
    let status = again.budgets().await.unwrap().remove(0);
    assert_eq!(status.held, micros(70));
    assert_eq!(
        status.in_doubt,
        micros(60),
        "the job's hold is not in doubt"
    );
    let refused = again.hold(request("growth", 31)).await.unwrap_err();
    assert_eq!(no(&refused), "busy");
    let repeat = again.hold(marked("growth", 1, 7)).await.unwrap_err();
    assert_eq!(
        repeat,
        HoldError::InDoubt {
            hold: id,
            doubted_at: clock.now()
        },
        "a repeat is recognised across the restart"
    );
    assert!(again.job(&"job-1".into()).unwrap().open);
    again.close().await.unwrap();
    copy.assert_sound();
}

#[tokio::test]
async fn counted_once_a_job_is_settled_once_however_often_it_is_seen() {
    for place in Place::both() {
        let clock = Clock::manual(at(NOON));
        let ledger = place.open(
            with_budgets(vec![budget("all", 100, WindowRule::Total)]),
            &clock,
        );
        let hold = ledger.hold(request("growth", 50)).await.unwrap();
        let id = hold.id();
        hold.bind_job("job-1".into()).await.unwrap();
        let ending = || Ending::Settled {
            charge: micros(30),
            evidence: stated(30),
        };
        for _ in 0..10 {
            ledger.end_job(&"job-1".into(), ending());
        }
        let other = ledger.hold(request("growth", 1)).await.unwrap();
        for _ in 0..10 {
            ledger.end_job(&"job-1".into(), ending());
        }
        other.release("a test");
        let status = ledger.budgets().await.unwrap().remove(0);
        assert_eq!(status.settled, micros(30));
        let job = ledger.job(&"job-1".into()).unwrap();
        assert_eq!((job.hold, job.open), (id, false));
        ledger.close().await.unwrap();
        let again = place.open(
            with_budgets(vec![budget("all", 100, WindowRule::Total)]),
            &clock,
        );
        again.end_job(&"job-1".into(), ending());
        assert_eq!(again.budgets().await.unwrap()[0].settled, micros(30));
        again.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test]
async fn counted_once_a_job_named_twice_by_the_upstream_belongs_to_its_first_hold() {
    let place = Place::memory();
    let ledger = place.open(with_budgets(Vec::new()), &Clock::manual(at(NOON)));
    let first = ledger.hold(request("growth", 5)).await.unwrap();
    let holder = first.id();
    first.bind_job("job-1".into()).await.unwrap();
    let second = ledger.hold(request("growth", 5)).await.unwrap();
    let error = second.bind_job("job-1".into()).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::JobTaken { hold, .. } if hold == holder),
        "{error}"
    );
    ledger.close().await.unwrap();
    let open = place.reader().open_holds().unwrap();
    assert_eq!(open.len(), 2);
    assert!(open[0].doubted_at.is_none() && open[1].doubted_at.is_some());
}

#[tokio::test]
async fn unknown_is_not_zero_a_hold_dropped_or_charged_nonsense_is_in_doubt() {
    for place in Place::both() {
        let ledger = place.open(
            with_budgets(vec![budget("all", 1_000, WindowRule::Total)]),
            &Clock::manual(at(NOON)),
        );
        drop(ledger.hold(request("growth", 10)).await.unwrap());
        settle(ledger.hold(request("growth", 20)).await.unwrap(), -5);
        settle(ledger.hold(request("growth", 40)).await.unwrap(), i64::MAX);
        let status = ledger.budgets().await.unwrap().remove(0);
        assert_eq!((status.settled, status.held), (micros(0), micros(70)));
        assert_eq!(status.in_doubt, micros(70));
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test]
async fn an_overrun_is_recorded_in_full_and_refuses_what_follows() {
    let place = Place::file();
    let ledger = place.open(
        with_budgets(vec![budget("all", 100, WindowRule::Total)]),
        &Clock::manual(at(NOON)),
    );
    settle(ledger.hold(request("growth", 10)).await.unwrap(), 150);
    let status = ledger.budgets().await.unwrap().remove(0);
    assert_eq!(status.headroom(), micros(-50));
    let refused = ledger.hold(request("growth", 0)).await.unwrap_err();
    assert_eq!(no(&refused), "exhausted");
    ledger.close().await.unwrap();
    place.assert_sound();
}

#[tokio::test]
async fn a_person_ends_a_hold_in_doubt_once() {
    let place = Place::file();
    let ledger = place.open(
        with_budgets(vec![budget("all", 100, WindowRule::Total)]),
        &Clock::manual(at(NOON)),
    );
    let resolution = |decision| Resolution {
        decision,
        who: "ann".into(),
        reason: "seen in the bill".into(),
    };
    let live = ledger.hold(request("growth", 10)).await.unwrap();
    let id = live.id();
    let error = ledger.resolve(id, resolution(Decision::Release)).await;
    assert!(
        matches!(error, Err(ResolveError::StillLive(_))),
        "{error:?}"
    );
    live.doubt("the line was cut");
    let error = ledger
        .resolve(id, resolution(Decision::Settle(micros(-1))))
        .await;
    assert!(
        matches!(error, Err(ResolveError::NotACharge(_))),
        "{error:?}"
    );
    let entry = ledger
        .resolve(id, resolution(Decision::Settle(micros(7))))
        .await
        .unwrap();
    assert_eq!(
        place.reader().entries(entry.seq - 1, 1).unwrap(),
        std::slice::from_ref(&entry)
    );
    assert_eq!(
        entry.evidence.unwrap().to_string(),
        "operator ann: seen in the bill"
    );
    let error = ledger
        .resolve(id, resolution(Decision::Release))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("hold {id} has already been settled")
    );
    for nobody in [0, 2, 3, -1, 99] {
        let nobody = nobody.to_string().parse().unwrap();
        let error = ledger.resolve(nobody, resolution(Decision::Release)).await;
        assert!(
            matches!(error, Err(ResolveError::NoSuchHold(_))),
            "{error:?}"
        );
    }
    ledger.close().await.unwrap();
    place.assert_sound();
}

#[tokio::test]
async fn after_the_close_everything_queued_is_on_disk_and_holds_are_refused() {
    let place = Place::file();
    let ledger = place.open(with_budgets(Vec::new()), &Clock::manual(at(NOON)));
    for _ in 0..100 {
        settle(ledger.hold(request("growth", 1)).await.unwrap(), 1);
    }
    ledger.close().await.unwrap();
    assert_eq!(place.reader().tail().unwrap().seq, 200);
    assert!(place.reader().open_holds().unwrap().is_empty());
    let refused = ledger.hold(request("growth", 1)).await.unwrap_err();
    assert_eq!(no(&refused), "closed");
    assert!(matches!(ledger.close().await, Err(LedgerError::Closed)));
}

#[tokio::test]
async fn a_caller_that_left_before_its_hold_was_made_holds_nothing() {
    let place = Place::memory();
    let settings = with_budgets(vec![budget("all", 100, WindowRule::Total)]);
    let clock = Clock::manual(at(NOON));
    let (ledger, writer) =
        generect_guard::ledger::Ledger::open(place.store(), settings, clock).unwrap();
    {
        let hold = ledger.hold(request("growth", 60));
        let soon = tokio::time::timeout(std::time::Duration::from_millis(1), hold).await;
        assert!(soon.is_err(), "no writer runs yet");
    }
    writer.spawn().unwrap();
    ledger
        .hold(request("growth", 40))
        .await
        .unwrap()
        .release("a test");
    ledger
        .hold(request("growth", 100))
        .await
        .unwrap()
        .release("a test");
    ledger.close().await.unwrap();
    assert!(place.reader().open_holds().unwrap().is_empty());
}
