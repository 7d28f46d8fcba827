//! Grants: more room for a budget in one window, on disk before anybody is told.

use generect_guard::clock::Clock;
use generect_guard::ledger::{
    BudgetStatus, CalendarUnit, EntryKind, Grant, GrantError, Granted, Ledger, Settings, WindowRule,
};
use jiff::SignedDuration;

use crate::failing::{Fault, failing_store};
use crate::support::{
    NOON, Place, at, budget, calendar, micros, no, request, stated, with_budgets,
};

fn days(limit: i64) -> Settings {
    with_budgets(vec![budget("day", limit, calendar(CalendarUnit::Day))])
}

async fn grant(ledger: &Ledger, budget: &str, amount: i64) -> Result<Granted, GrantError> {
    let grant = Grant {
        budget: budget.into(),
        amount: micros(amount),
        who: "ann (uid 1000)".into(),
        reason: "the campaign is on".into(),
    };
    ledger.grant(grant).await
}

async fn status(ledger: &Ledger, id: &str) -> BudgetStatus {
    let all = ledger.budgets().await.unwrap();
    all.into_iter().find(|one| one.id.as_str() == id).unwrap()
}

#[tokio::test]
async fn a_grant_makes_room_at_once_and_for_the_window_it_was_recorded_in_alone() {
    for place in Place::both() {
        let clock = Clock::manual(at(NOON));
        let ledger = place.open(days(100), &clock);
        let first = ledger.hold(request("growth", 100)).await.unwrap();
        first.settle(micros(100), stated(100));
        let refused = ledger.hold(request("growth", 50)).await.unwrap_err();
        assert_eq!(no(&refused), "exhausted");
        let granted = grant(&ledger, "day", 60).await.unwrap();
        assert_eq!(granted.status.granted, micros(60));
        assert_eq!(granted.status.headroom(), micros(60));
        // The same question as before: what was said a moment ago counts no more.
        let second = ledger.hold(request("growth", 50)).await.unwrap();
        let full = ledger.hold(request("growth", 20)).await.unwrap_err();
        assert_eq!(no(&full), "busy");
        second.release("it was no call");
        clock.advance(SignedDuration::from_hours(24));
        let tomorrow = status(&ledger, "day").await;
        assert_eq!(
            (tomorrow.granted, tomorrow.headroom()),
            (micros(0), micros(100))
        );
        ledger.close().await.unwrap();
        let entries = place.reader().entries(0, 100).unwrap();
        let entry = entries
            .iter()
            .find(|entry| entry.kind == EntryKind::Granted);
        let entry = entry.unwrap();
        assert_eq!(entry, &granted.entry);
        assert_eq!(entry.hold.get(), entry.seq);
        assert_eq!(entry.budget, Some("day".into()));
        let why = entry.evidence.as_ref().unwrap().to_string();
        assert_eq!(why, "operator ann (uid 1000): the campaign is on");
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_grant_can_be_taken_back_and_never_more_than_was_granted() {
    for place in Place::both() {
        let clock = Clock::manual(at(NOON));
        let ledger = place.open(days(100), &clock);
        grant(&ledger, "day", 60).await.unwrap();
        let error = grant(&ledger, "day", -61).await.unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("0.000061 credits cannot be taken back"),
            "{said}"
        );
        assert!(said.contains("it was granted 0.00006"), "{said}");
        let left = grant(&ledger, "day", -60).await.unwrap();
        assert_eq!(left.status.granted, micros(0));
        for wrong in [0, i64::MAX] {
            let error = grant(&ledger, "day", wrong).await.unwrap_err();
            assert!(matches!(error, GrantError::NotAnAmount(_)), "{error}");
        }
        let error = grant(&ledger, "week", 1).await.unwrap_err().to_string();
        assert_eq!(error, "there is no budget week; there are: day");
        ledger.close().await.unwrap();
        let reader = place.reader();
        assert_eq!(
            reader.tail().unwrap().seq,
            2,
            "what was refused is not written"
        );
        place.assert_sound();
    }
}

/// A grant taken back must not be felt when the grant has left a rolling window and its taking back
/// has not; and a restart at any moment must find the same.
#[tokio::test]
async fn in_a_rolling_window_what_is_taken_back_leaves_with_what_was_given() {
    let rolling = || {
        let window = WindowRule::Rolling(SignedDuration::from_hours(10));
        with_budgets(vec![budget("rolling", 100, window)])
    };
    let place = Place::memory();
    let clock = Clock::manual(at(NOON));
    let mut ledger = place.open(rolling(), &clock);
    let mut granted = Vec::new();
    for (hours, amount) in [
        (0, 10),
        (2, 5),
        (2, -8),
        (2, 1),
        (3, -2),
        (1, 4),
        (3, 0),
        (5, 0),
    ] {
        clock.advance(SignedDuration::from_hours(hours));
        if amount != 0 {
            grant(&ledger, "rolling", amount).await.unwrap();
        }
        let live = status(&ledger, "rolling").await;
        ledger.close().await.unwrap();
        ledger = place.open(rolling(), &clock);
        assert_eq!(
            status(&ledger, "rolling").await,
            live,
            "after {hours} h, {amount}"
        );
        granted.push(live.granted.micros());
    }
    // After 13 hours the first grant has left, and what was taken back of it with it.
    assert_eq!(granted, [10, 15, 7, 8, 6, 10, 4, 4]);
}

/// Yesterday's grant ended with yesterday: a budget that counts by the month from now on must not find it in its
/// month. Nor does it matter that the settings are set back later on the same day.
#[tokio::test]
async fn a_grant_ends_with_its_window_although_the_budget_is_given_a_longer_one() {
    for place in Place::both() {
        let clock = Clock::manual(at(NOON));
        let mut ledger = place.open(days(100), &clock);
        grant(&ledger, "day", 60).await.unwrap();
        clock.advance(SignedDuration::from_hours(24));
        grant(&ledger, "day", 7).await.unwrap();
        let month = vec![budget("day", 100, calendar(CalendarUnit::Month))];
        for window in [calendar(CalendarUnit::Month), WindowRule::Total] {
            let longer = vec![budget("day", 100, window)];
            ledger.set_budgets(longer.clone()).await.unwrap();
            assert_eq!(status(&ledger, "day").await.granted, micros(0));
            ledger.close().await.unwrap();
            ledger = place.open(with_budgets(longer), &clock);
            assert_eq!(status(&ledger, "day").await.granted, micros(0));
        }
        ledger.set_budgets(month).await.unwrap();
        let monthly = grant(&ledger, "day", 5).await.unwrap();
        assert_eq!(monthly.status.granted, micros(5));
        let day = vec![budget("day", 200, calendar(CalendarUnit::Day))];
        ledger.set_budgets(day).await.unwrap();
        assert_eq!(status(&ledger, "day").await.granted, micros(7));
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

/// The hold of the same batch is dropped, so the grant moves up by a number; or all of it is on disk
/// although the store said no.
#[tokio::test]
async fn a_grant_that_the_disk_refuses_is_written_once_when_it_can_be() {
    for (fault, blind) in [(Fault::BeforeLanding, false), (Fault::AfterLanding, true)] {
        let place = Place::memory();
        let clock = Clock::manual(at(NOON));
        let (store, faults) = failing_store(&place);
        let (ledger, writer) = Ledger::open(store, days(100), clock).unwrap();
        faults.set(fault, blind);
        let (asks, gives) = (ledger.clone(), ledger.clone());
        let hold = tokio::spawn(async move { asks.hold(request("growth", 40)).await });
        tokio::task::yield_now().await;
        let waiting = tokio::spawn(async move { grant(&gives, "day", 60).await });
        tokio::task::yield_now().await;
        let writer = writer.spawn().unwrap();
        assert_eq!(no(&hold.await.unwrap().unwrap_err()), "unavailable");
        assert!(!waiting.is_finished());
        faults.set(Fault::None, false);
        let granted = waiting.await.unwrap().unwrap();
        assert_eq!(status(&ledger, "day").await.granted, micros(60));
        ledger.close().await.unwrap();
        writer.join().unwrap();
        let entries = place.reader().entries(0, 100).unwrap();
        let grants = entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Granted);
        let grants = grants.collect::<Vec<_>>();
        assert_eq!(grants, [&granted.entry], "{fault:?}");
        assert_eq!(granted.entry.hold.get(), granted.entry.seq);
        place.assert_sound();
    }
}
