//! Doubts and jobs that the account's own records decide.

use generect_guard::clock::Clock;
use generect_guard::ledger::{
    Budget, Decision, Ending, EntryKind, Filter, Note, Resolution, ResolveError, Settings,
    WindowRule,
};
use jiff::{SignedDuration, Timestamp};

use crate::support::{
    NOON, Place, at, budget, evidence, micros, note, one_budget, request, settle, stands, stated,
    with_budgets,
};

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
