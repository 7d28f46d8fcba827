//! Whether a budget is nearly used up, known without asking the writer.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::ledger::{CalendarUnit, Filter, Ledger, Origin, WindowRule};
use jiff::SignedDuration;

use crate::support::{NOON, Place, at, budget, calendar, request, settle, with_budgets};

fn beyond(ledger: &Ledger, team: &str) -> bool {
    let origin = Origin {
        team: team.into(),
        key: format!("{team}-key").into(),
        operation: "search_leads".into(),
    };
    ledger.is_used_beyond(80, &origin)
}

#[tokio::test]
async fn what_is_held_and_settled_counts_at_once_and_a_new_window_begins_with_nothing() {
    for place in Place::both() {
        let clock = Clock::manual(at(NOON));
        let settings = with_budgets(vec![budget("one", 100, calendar(CalendarUnit::Day))]);
        let ledger = place.open(settings.clone(), &clock);
        assert!(!beyond(&ledger, "growth"));
        settle(ledger.hold(request("growth", 80)).await.unwrap(), 80);
        let busy = ledger.hold(request("growth", 1)).await.unwrap();
        assert!(beyond(&ledger, "growth"), "held counts");
        assert!(beyond(&ledger, "sales"), "it covers everybody");
        busy.release("a test");
        ledger.budgets().await.unwrap();
        assert!(!beyond(&ledger, "growth"), "80 is not beyond 80");
        settle(ledger.hold(request("growth", 20)).await.unwrap(), 1);
        ledger.close().await.unwrap();
        let ledger = place.open(settings, &clock);
        assert!(beyond(&ledger, "growth"), "known again after a restart");
        clock.set(at("2026-03-11T00:00:00Z"));
        assert!(
            !beyond(&ledger, "growth"),
            "without anything having happened"
        );
        let first = ledger.hold(request("growth", 81)).await.unwrap();
        assert!(beyond(&ledger, "growth"));
        first.release("a test");
        ledger.close().await.unwrap();
    }
}

#[tokio::test]
async fn other_budgets_are_other_levels_and_only_those_that_cover_the_call_count() {
    let (place, clock) = (Place::memory(), Clock::manual(at(NOON)));
    let mut growth = budget("growth", 100, WindowRule::Total);
    growth.filter = Filter {
        team: Some("growth".into()),
        ..Filter::default()
    };
    let wide = budget("all", 1000, WindowRule::Total);
    let ledger = place.open(with_budgets(vec![wide.clone(), growth]), &clock);
    settle(ledger.hold(request("growth", 90)).await.unwrap(), 90);
    ledger.budgets().await.unwrap();
    assert!(beyond(&ledger, "growth") && !beyond(&ledger, "sales"));
    ledger.set_budgets(vec![wide]).await.unwrap();
    assert!(!beyond(&ledger, "growth"));
    let narrow = budget("all", 100, WindowRule::Total);
    ledger.set_budgets(vec![narrow]).await.unwrap();
    assert!(beyond(&ledger, "sales"), "it counts what was before it");
}

#[tokio::test]
async fn a_rolling_window_is_seen_to_empty_at_the_next_call() {
    let clock = Clock::manual(at(NOON));
    let hour = WindowRule::Rolling(SignedDuration::from_hours(1));
    let ledger = Place::memory().open(with_budgets(vec![budget("one", 100, hour)]), &clock);
    settle(ledger.hold(request("growth", 90)).await.unwrap(), 90);
    ledger.budgets().await.unwrap();
    assert!(beyond(&ledger, "growth"));
    clock.advance(SignedDuration::from_hours(2));
    let next = ledger.hold(request("growth", 1)).await.unwrap();
    assert!(!beyond(&ledger, "growth"));
    next.release("a test");
    tokio::time::timeout(Duration::from_secs(60), ledger.close())
        .await
        .unwrap()
        .unwrap();
}
