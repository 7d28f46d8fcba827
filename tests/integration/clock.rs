//! A clock that jumps: time may stand still in the books, but it never goes back.

use generect_guard::clock::Clock;
use jiff::SignedDuration;

use crate::support::{Plan, World};

const SEARCH: &str = "/api/v1/search/database/leads/";

/// One call for ten rows: 0.2 credits, which is the whole budget of a day. Its status and refusal.
async fn spend(world: &World, number: u64) -> (u16, String) {
    let body = format!(r#"{{"limit_by":10,"job_titles":["{number}"]}}"#);
    let answer = world.post(SEARCH, &body).await;
    if answer.status == 200 {
        let spent = generect_guard::credits::Credits::ZERO;
        let done = |budget: &generect_guard::ledger::BudgetStatus| {
            budget.settled > spent && budget.held == spent
        };
        world.budget_when("day", done).await;
    }
    (answer.status, answer.refusal().to_owned())
}

fn plan(clock: &Clock) -> Plan {
    Plan::default()
        .team("growth", "")
        .key("growth-crm", "growth", "")
        .budget("day", "team = \"growth\"\nlimit = \"0.2\"\nper = \"day\"")
        .clock(clock.clone())
}

#[tokio::test]
async fn a_clock_that_jumps_back_never_reopens_a_window() {
    let exhausted = (402, "budget_exhausted".to_owned());
    let spent = (200, String::new());
    let clock = Clock::manual("2026-03-10T12:00:00Z".parse().unwrap());
    let world = plan(&clock).start().await;
    let days = |count: i64| SignedDuration::from_hours(24 * count);

    assert_eq!(spend(&world, 1).await, spent);
    assert_eq!(spend(&world, 2).await, exhausted);
    clock.advance(days(1));
    assert_eq!(spend(&world, 3).await, spent);
    // Back into the first day, and into days nobody has spent anything in.
    for back in [1, 30, 400] {
        clock.advance(-days(back));
        assert_eq!(spend(&world, 4).await, exhausted, "{back} days back");
        clock.advance(days(back));
    }
    clock.advance(-days(30));
    let folder = world.end().await;

    // A restart with the clock still behind the last entry changes nothing.
    let world = plan(&clock).ledger_in(folder).start().await;
    assert_eq!(spend(&world, 5).await, exhausted);
    clock.advance(days(30));
    assert_eq!(spend(&world, 6).await, exhausted);
    clock.advance(days(1));
    assert_eq!(spend(&world, 7).await, spent);
    let times: Vec<_> = world.end_with_nothing_open().await;
    let times: Vec<_> = times.iter().map(|entry| entry.recorded_at).collect();
    assert!(times.is_sorted(), "{times:?}");
}
