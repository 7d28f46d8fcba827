//! Doubts and jobs that the account's own records decide, and charges that are corrected.

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{
    AccountRule, BalanceIs, Budget, Decision, Ending, Entry, EntryKind, Evidence, Filter, HoldId,
    HoldRequest, Ledger, Note, Reading, Resolution, ResolveError, Settings, WindowRule,
};
use jiff::{SignedDuration, Timestamp};

use crate::support::{
    NOON, Place, at, budget, micros, no, note, request, settle, stated, with_budgets,
};

fn evidence(row: &str) -> Note {
    Evidence::Transaction { id: row.into() }.into()
}

fn one_budget() -> Settings {
    with_budgets(vec![budget("all", 1_000, WindowRule::Total)])
}

/// Settled and held of the first budget.
async fn stands(ledger: &Ledger) -> (i64, i64) {
    let status = ledger.budgets().await.unwrap().remove(0);
    (status.settled.micros(), status.held.micros())
}

/// The entry that ended a hold, once it is on disk.
async fn ended(ledger: &Ledger, place: &Place, hold: HoldId) -> Entry {
    // Records are kept after everything that was queued before them.
    ledger.keep(vec![note("a test's", "step")]).await.unwrap();
    place.reader().ending_of(hold).unwrap().unwrap()
}

#[tokio::test]
async fn a_row_settles_a_doubt_and_its_absence_releases_one() {
    for place in Place::both() {
        let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
        let mut doubts = Vec::new();
        for _ in 0..2 {
            let hold = ledger.hold(request("growth", 100)).await.unwrap();
            doubts.push(hold.id());
            hold.doubt("the line was cut");
        }
        let settled = ledger
            .decide(
                doubts[0],
                Decision::Settle(micros(40)),
                evidence("v1:row-1"),
            )
            .await
            .unwrap();
        assert_eq!(
            (settled.kind, settled.amount),
            (EntryKind::Settled, micros(40))
        );
        let why = settled.evidence.as_ref().unwrap().to_string();
        assert_eq!(why, "transaction v1:row-1");
        let absent = Note::reason("no row of the account can be its");
        let released = ledger
            .decide(doubts[1], Decision::Release, absent)
            .await
            .unwrap();
        assert_eq!(released.kind, EntryKind::Released);
        assert_eq!(stands(&ledger).await, (40, 0));
        let reader = place.reader();
        assert_eq!(reader.ending_of(doubts[0]).unwrap(), Some(settled));
        let again = ledger
            .decide(
                doubts[0],
                Decision::Settle(micros(40)),
                evidence("v1:row-1"),
            )
            .await;
        assert!(
            matches!(again, Err(ResolveError::AlreadyEnded { .. })),
            "{again:?}"
        );
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_live_call_is_not_decided_by_anybody_else() {
    let place = Place::memory();
    let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
    let live = ledger.hold(request("growth", 100)).await.unwrap();
    let decided = ledger
        .decide(live.id(), Decision::Release, Note::reason("absent"))
        .await;
    assert!(
        matches!(decided, Err(ResolveError::StillLive(_))),
        "{decided:?}"
    );
    settle(live, 3);
    assert_eq!(stands(&ledger).await, (3, 0));
}

#[tokio::test]
async fn a_job_that_a_row_ends_is_over_and_a_poll_that_came_first_wins() {
    let place = Place::file();
    let settings = Settings {
        live_holds_max: 2,
        ..one_budget()
    };
    let ledger = place.open(settings.clone(), &Clock::manual(at(NOON)));
    let mut holds = Vec::new();
    for job in ["job-1", "job-2"] {
        let hold = ledger.hold(request("growth", 100)).await.unwrap();
        holds.push(hold.id());
        hold.bind_job(job.into()).await.unwrap();
    }
    let settled = || Ending::Settled {
        charge: micros(7),
        evidence: stated(7),
    };
    let decision = Decision::Settle(micros(30));
    let entry = ledger.decide(holds[0], decision, evidence("v1:a")).await;
    assert_eq!(entry.unwrap().amount, micros(30));
    assert!(!ledger.job(&"job-1".into()).unwrap().open);
    assert!(
        !ledger.end_job(&"job-1".into(), settled()),
        "a later poll has nothing to say"
    );
    assert!(ledger.end_job(&"job-2".into(), settled()));
    let late = ledger.decide(holds[1], decision, evidence("v1:b")).await;
    assert!(
        matches!(
            late,
            Err(ResolveError::AlreadyEnded {
                how: EntryKind::Settled,
                ..
            })
        ),
        "{late:?}"
    );
    assert_eq!(stands(&ledger).await, (37, 0));
    // Both places are free again.
    let more = ledger.hold(request("growth", 1)).await.unwrap();
    ledger
        .hold(request("growth", 1))
        .await
        .unwrap()
        .release("a test");
    more.release("a test");
    ledger.close().await.unwrap();
    let again = place.open(settings, &Clock::manual(at(NOON)));
    assert!(!again.job(&"job-1".into()).unwrap().open);
    assert_eq!(stands(&again).await, (37, 0));
    again.close().await.unwrap();
    place.assert_sound();
}

#[tokio::test]
async fn open_calls_tell_who_waits_since_when_and_which_budgets_it_moves() {
    let place = Place::file();
    let team_budget = Budget {
        filter: Filter {
            team: Some("growth".into()),
            ..Filter::default()
        },
        ..budget("growth", 500, WindowRule::Total)
    };
    let settings = with_budgets(vec![budget("all", 1_000, WindowRule::Total), team_budget]);
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(settings.clone(), &clock);
    let minute = SignedDuration::from_mins(1);
    let live = ledger.hold(request("sales", 5)).await.unwrap();
    clock.advance(minute);
    let doubt = ledger.hold(request("growth", 6)).await.unwrap();
    let job = ledger.hold(request("growth", 7)).await.unwrap();
    settle(ledger.hold(request("growth", 8)).await.unwrap(), 8);
    clock.advance(minute);
    job.bind_job("job-1".into()).await.unwrap();
    doubt.doubt("the line was cut");
    ledger.keep(vec![note("a", "step")]).await.unwrap();
    let calls = ledger.open_calls().await.unwrap();
    let noon = at(NOON);
    let told = calls
        .iter()
        .map(|call| {
            let since = |at: Option<Timestamp>| at.map(|at| (at - noon).get_seconds());
            let budgets = call.budgets.iter().map(|id| id.as_str());
            (
                call.quote.micros(),
                call.origin.team.as_str(),
                (call.began_at - noon).get_seconds(),
                since(call.bound_at),
                since(call.doubted_at),
                budgets.collect::<Vec<_>>().join("+"),
            )
        })
        .collect::<Vec<_>>();
    let all = |text: &str| text.to_owned();
    assert_eq!(
        told,
        [
            (5, "sales", 0, None, None, all("all")),
            (6, "growth", 60, None, Some(120), all("all+growth")),
            (7, "growth", 60, Some(120), None, all("all+growth")),
        ]
    );
    assert_eq!(calls[2].job, Some("job-1".into()));
    assert_eq!(calls[0].hold, live.id());
    drop(live);
    ledger.close().await.unwrap();
    // The next process knows the same, and that the live one's caller has died.
    let again = place.open(settings, &clock);
    let after = again.open_calls().await.unwrap();
    assert!(after[0].doubted_at.is_some());
    assert_eq!(after[1..], calls[1..]);
}

#[tokio::test]
async fn a_correction_moves_the_charge_of_the_call_and_never_below_nothing() {
    for place in Place::both() {
        let clock = Clock::manual(at(NOON));
        let ledger = place.open(one_budget(), &clock);
        let hold = ledger.hold(request("growth", 100)).await.unwrap();
        let id = hold.id();
        settle(hold, 60);
        let settled = ended(&ledger, &place, id).await;
        clock.advance(SignedDuration::from_hours(30));
        let correct = async |difference, row| {
            let difference = micros(difference);
            ledger
                .correct(settled.clone(), difference, evidence(row))
                .await
        };
        let less = correct(-20, "v1:a").await.unwrap();
        assert_eq!(
            (less.kind, less.hold, less.began_at, less.recorded_at),
            (EntryKind::Corrected, id, settled.began_at, clock.now())
        );
        assert_eq!(stands(&ledger).await, (40, 0));
        let more = correct(5, "v1:b").await.unwrap();
        assert_eq!(stands(&ledger).await, (45, 0));
        let below = correct(-46, "v1:c").await.unwrap_err();
        assert!(
            matches!(below, ResolveError::NotACharge(total) if total == micros(-1)),
            "{below:?}"
        );
        correct(-45, "v1:d").await.unwrap();
        let seq = more.seq;
        let twice = correct(5, "v1:b").await.unwrap_err();
        assert!(
            matches!(twice, ResolveError::AlreadyCorrected { seq: same, .. } if same == seq),
            "{twice:?}"
        );
        assert_eq!(stands(&ledger).await, (0, 0));
        let corrections = place.reader().corrections_of(id).unwrap();
        assert_eq!(corrections.len(), 3);
        ledger.close().await.unwrap();
        let spend = place.reader().spend(Timestamp::MIN, Timestamp::MAX);
        let spend = spend.unwrap();
        assert_eq!((spend[0].calls, spend[0].settled), (1, micros(0)));
        let again = place.open(one_budget(), &clock);
        assert_eq!(stands(&again).await, (0, 0));
        again.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_row_that_comes_after_its_hold_was_released_is_booked_on_it() {
    let place = Place::file();
    let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
    let hold = ledger.hold(request("growth", 100)).await.unwrap();
    let id = hold.id();
    hold.doubt("the line was cut");
    let released = ledger.decide(id, Decision::Release, Note::reason("absent"));
    let released = released.await.unwrap();
    let less = ledger
        .correct(released.clone(), micros(-1), evidence("v1:a"))
        .await;
    assert!(matches!(less, Err(ResolveError::NotACharge(_))), "{less:?}");
    ledger
        .correct(released, micros(30), evidence("v1:a"))
        .await
        .unwrap();
    assert_eq!(stands(&ledger).await, (30, 0));
    ledger.close().await.unwrap();
    place.assert_sound();
}

#[tokio::test]
async fn only_the_entry_that_ended_a_hold_can_be_corrected() {
    let place = Place::file();
    let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
    let hold = ledger.hold(request("growth", 100)).await.unwrap();
    let id = hold.id();
    settle(hold, 60);
    let settled = ended(&ledger, &place, id).await;
    let held = place.reader().entries(0, 1).unwrap().remove(0);
    let lies: [&dyn Fn(&mut Entry); 4] = [
        &|entry| entry.amount = micros(90),
        &|entry| entry.team = "sales".into(),
        &|entry| entry.seq = 99,
        &|entry| entry.seq = 0,
    ];
    let mut wrong = vec![held];
    for lie in lies {
        let mut entry = settled.clone();
        lie(&mut entry);
        wrong.push(entry);
    }
    for entry in wrong {
        let told = ledger
            .correct(entry.clone(), micros(1), evidence("v1:a"))
            .await;
        assert!(
            matches!(told, Err(ResolveError::NotEnded(_))),
            "{entry:?}: {told:?}"
        );
    }
    for nonsense in [i64::MAX, i64::MIN] {
        let told = ledger
            .correct(settled.clone(), micros(nonsense), evidence("v1:a"))
            .await;
        assert!(matches!(told, Err(ResolveError::NotACharge(_))), "{told:?}");
    }
    assert_eq!(stands(&ledger).await, (60, 0));
}

#[tokio::test]
async fn corrections_of_one_moment_see_one_another() {
    let place = Place::file();
    let settings = one_budget();
    let clock = Clock::manual(at(NOON));
    let (ledger, writer) = Ledger::open(place.store(), settings, clock).unwrap();
    let story = async {
        let hold = ledger.hold(request("growth", 100)).await.unwrap();
        let id = hold.id();
        settle(hold, 60);
        let settled = ended(&ledger, &place, id).await;
        // Asked together, so that one batch has them all.
        let correct =
            |difference, row| ledger.correct(settled.clone(), micros(difference), evidence(row));
        let (one, other, twin) = tokio::join!(
            correct(-40, "v1:a"),
            correct(-40, "v1:b"),
            correct(-40, "v1:a")
        );
        assert_eq!(one.unwrap().amount, micros(-40));
        assert!(matches!(other, Err(ResolveError::NotACharge(_))));
        assert!(matches!(twin, Err(ResolveError::AlreadyCorrected { .. })));
        assert_eq!(stands(&ledger).await, (20, 0));
        ledger.close().await.unwrap();
    };
    tokio::join!(writer.run(), story);
    place.assert_sound();
}

#[tokio::test]
async fn what_is_given_back_can_be_spent_at_once() {
    let place = Place::memory();
    let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
    let hold = ledger.hold(request("growth", 1_000)).await.unwrap();
    let id = hold.id();
    settle(hold, 1_000);
    let refused = ledger.hold(request("growth", 1)).await.unwrap_err();
    assert_eq!(no(&refused), "exhausted");
    let settled = ended(&ledger, &place, id).await;
    ledger
        .correct(settled, micros(-10), evidence("v1:a"))
        .await
        .unwrap();
    // Although the clock stands still, and a no is good for a tenth of a second.
    ledger
        .hold(request("growth", 1))
        .await
        .unwrap()
        .release("a test");
}

#[tokio::test]
async fn what_is_given_back_to_a_budget_is_not_in_the_account() {
    let clock = Clock::manual(at(NOON));
    let settings = Settings {
        account: AccountRule {
            balance_is: BalanceIs::Net,
            ..AccountRule::default()
        },
        ..one_budget()
    };
    let place = Place::file();
    let ledger = place.open(settings.clone(), &clock);
    let hold = ledger.hold(request("growth", 100)).await.unwrap();
    let id = hold.id();
    settle(hold, 100);
    let settled = ended(&ledger, &place, id).await;
    clock.advance(SignedDuration::from_hours(1));
    let read = |ledger: &Ledger| {
        ledger.observe(Reading {
            balance: micros(50),
            started_at: clock.now(),
        });
    };
    read(&ledger);
    ledger
        .correct(settled, micros(-100), evidence("v1:a"))
        .await
        .unwrap();
    let floored = || HoldRequest {
        floor: Some(Credits::ZERO),
        ..request("growth", 51)
    };
    let refused = ledger.hold(floored()).await.unwrap_err();
    assert_eq!(no(&refused), "account", "the balance is 50, and no more");
    ledger.close().await.unwrap();
    let again = place.open(settings, &clock);
    read(&again);
    let refused = again.hold(floored()).await.unwrap_err();
    assert_eq!(no(&refused), "account", "nor after a restart");
}

/// Who looks for what became of a call asks for the open ones first: one that is not among them has its
/// end in the file.
#[tokio::test]
async fn a_call_that_is_open_no_more_has_ended_in_the_store() {
    let place = Place::file();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(Vec::new()), &clock);
    for call in 0..200 {
        let hold = ledger.hold(request("growth", 100)).await.unwrap();
        settle(hold, 100);
        if ledger.open_calls().await.unwrap().is_empty() {
            let entries = place.reader().entries(2 * call, 2).unwrap();
            assert_eq!(entries.len(), 2, "call {call}");
        }
    }
    ledger.close().await.unwrap();
}

/// What a late row may belong to is looked up by moment and by what the release rests on.
#[tokio::test]
async fn releases_are_found_by_their_moment_and_by_what_they_rest_on() {
    for place in Place::both() {
        let clock = Clock::manual(at(NOON));
        let ledger = place.open(one_budget(), &clock);
        let mut holds = Vec::new();
        for reason in ["no row: at all", "it was never sent", "no row"] {
            clock.advance(SignedDuration::from_secs(60));
            let hold = ledger.hold(request("growth", 1)).await.unwrap();
            holds.push(hold.id());
            hold.doubt("the line was cut");
            let note = Note::reason(reason);
            let decided = ledger.decide(holds[holds.len() - 1], Decision::Release, note);
            decided.await.unwrap();
        }
        let hold = ledger.hold(request("growth", 1)).await.unwrap();
        holds.push(hold.id());
        hold.doubt("the line was cut");
        let resolution = Resolution {
            decision: Decision::Release,
            who: "ann".into(),
            reason: "no".into(),
        };
        ledger.resolve(holds[3], resolution).await.unwrap();
        let found = |from| {
            let found = place.reader().released_on(from, "no row").unwrap();
            found.iter().map(|entry| entry.hold).collect::<Vec<_>>()
        };
        let first = at(NOON).checked_add(SignedDuration::from_secs(60)).unwrap();
        assert_eq!(found(Timestamp::MIN), [holds[0], holds[2], holds[3]]);
        assert_eq!(found(first), [holds[0], holds[2], holds[3]]);
        let later = first.checked_add(SignedDuration::from_secs(1)).unwrap();
        assert_eq!(found(later), [holds[2], holds[3]]);
        ledger.close().await.unwrap();
    }
}
