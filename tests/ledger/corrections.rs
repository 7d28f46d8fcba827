//! Charges that the account's own records correct, after the hold has ended.

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{
    AccountRule, BalanceIs, Decision, Entry, EntryKind, HoldId, HoldRequest, Ledger, Note, Reading,
    ResolveError, Settings,
};
use jiff::{SignedDuration, Timestamp};

use crate::support::{
    NOON, Place, at, evidence, micros, no, note, one_budget, request, settle, stands,
};

/// The entry that ended a hold, once it is on disk.
async fn ended(ledger: &Ledger, place: &Place, hold: HoldId) -> Entry {
    // Records are kept after everything that was queued before them.
    ledger.keep(vec![note("a test's", "step")]).await.unwrap();
    place.reader().ending_of(hold).unwrap().unwrap()
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
