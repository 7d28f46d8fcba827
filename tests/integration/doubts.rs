//! Calls whose outcome is unknown: not repeated, ended by a person; and the pause that keeps an
//! outage from making more of them.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{Decision, EntryKind, HoldId, Resolution, ResolveError};
use generect_guard::simulator::{Fault, Listening};
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::support::{Answered, Plan, UNTIL_TOLD, World, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";
const REALTIME: &str = "/api/v1/search/realtime/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const BODY: &str = r#"{"job_titles":["matches:3"],"limit_by":5}"#;

fn plan() -> Plan {
    Plan::one_team("200").key("growth-night", "growth", "")
}

fn searches(world: &World) -> usize {
    let seen = world.simulator.truth().requests();
    seen.iter()
        .filter(|seen| seen.path.contains("/search/"))
        .count()
}

fn reason(answer: &Answered) -> (u16, &str) {
    (answer.status, answer.refusal())
}

/// Makes one call of 0.1 whose answer is cut after the charge, and gives back its hold.
async fn doubt(world: &World) -> HoldId {
    let before = world.budget("growth-month").await.in_doubt;
    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::CutAfterCharge);
    let answer = world.post(SEARCH, BODY).await;
    assert_eq!(reason(&answer), (504, "upstream_silent"), "{}", answer.text);
    let after = before.checked_add(credits("0.1")).unwrap();
    world
        .budget_when("growth-month", |budget| budget.in_doubt == after)
        .await;
    let entries = world.entries();
    let held = entries.iter().rfind(|entry| entry.kind == EntryKind::Held);
    held.unwrap().hold
}

fn decide(decision: Decision) -> Resolution {
    Resolution {
        decision,
        who: "ops".into(),
        reason: "looked it up".into(),
    }
}

#[tokio::test]
async fn the_repeat_of_a_call_in_doubt_is_not_sent_and_every_other_call_is() {
    let clock = Clock::manual("2026-10-06T10:00:00Z".parse().unwrap());
    let world = plan().clock(clock.clone()).start().await;
    let hold = doubt(&world).await;
    assert_eq!(searches(&world), 1);
    for _ in 0..3 {
        let repeat = world.post(SEARCH, BODY).await;
        assert_eq!(reason(&repeat), (504, "call_in_doubt"), "{}", repeat.text);
        let detail = repeat.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("hold {hold}")), "{detail}");
        assert!(detail.contains("2026-10-06T10:00:00Z"), "{detail}");
    }
    // The same path in another spelling is the same operation.
    let spelled = world.post("/api/v1//search/database/leads", BODY).await;
    assert_eq!(reason(&spelled), (504, "call_in_doubt"));
    assert_eq!(searches(&world), 1);
    let other_body = r#"{"job_titles":["matches:3"],"limit_by":6}"#;
    assert_eq!(world.post(SEARCH, other_body).await.status, 200);
    assert_eq!(world.post(REALTIME, BODY).await.status, 200);
    assert_eq!(
        world.post_as("growth-night", SEARCH, BODY).await.status,
        200
    );
    assert_eq!(searches(&world), 4);
    clock.advance(SignedDuration::from_secs(599));
    assert_eq!(world.post(SEARCH, BODY).await.refusal(), "call_in_doubt");
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(
        world.post(SEARCH, BODY).await.status,
        200,
        "after the repeat window"
    );
    let budget = world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    assert_eq!(budget.in_doubt, credits("0.1"), "the doubt itself stays");
    world.end().await;
}

#[tokio::test]
async fn a_repeat_is_known_again_after_a_restart() {
    let world = plan().start().await;
    doubt(&world).await;
    let world = world.restarted(plan()).await;
    assert_eq!(
        reason(&world.post(SEARCH, BODY).await),
        (504, "call_in_doubt")
    );
    assert_eq!(searches(&world), 1);
    world.end().await;
}

#[tokio::test]
async fn a_person_ends_a_doubt_once() {
    for (decision, settled) in [
        (Decision::Settle(credits("0.06")), credits("0.06")),
        (Decision::Release, Credits::ZERO),
    ] {
        let world = plan().start().await;
        let hold = doubt(&world).await;
        let entry = world
            .ledger()
            .resolve(hold, decide(decision))
            .await
            .unwrap();
        assert_eq!(entry.hold, hold);
        let budget = world.budget("growth-month").await;
        assert_eq!((budget.settled, budget.held), (settled, Credits::ZERO));
        for again in [Decision::Release, Decision::Settle(credits("1"))] {
            let refused = world.ledger().resolve(hold, decide(again)).await;
            assert!(
                matches!(refused, Err(ResolveError::AlreadyEnded { how, .. }) if how == entry.kind),
                "{refused:?}"
            );
        }
        assert_eq!(world.budget("growth-month").await.settled, settled);
        // What has ended is no repeat: the call may be made again.
        assert_eq!(world.post(SEARCH, BODY).await.status, 200);
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn only_what_is_in_doubt_can_be_resolved() {
    let plan = plan().simulator(|settings| settings.latency = UNTIL_TOLD);
    let world = plan.start().await;
    let unknown = world
        .ledger()
        .resolve("77".parse().unwrap(), decide(Decision::Release));
    assert!(matches!(unknown.await, Err(ResolveError::NoSuchHold(_))));
    let call = world.post(SEARCH, BODY);
    let resolve = async {
        // Budgets count a hold a moment before it is on disk.
        while searches(&world) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let hold = world.entries()[0].hold;
        let refused = world
            .ledger()
            .resolve(hold, decide(Decision::Release))
            .await;
        assert!(
            matches!(refused, Err(ResolveError::StillLive(_))),
            "{refused:?}"
        );
        world.simulator.faults().hurry();
    };
    let (answer, ()) = tokio::join!(call, resolve);
    assert_eq!(answer.status, 200);
    world
        .budget_when("growth-month", |budget| budget.settled == credits("0.06"))
        .await;
    world.end_with_nothing_open().await;
}

fn body(call: usize) -> String {
    format!(r#"{{"job_titles":["cto {call}"],"limit_by":5}}"#)
}

/// A world whose upstream has failed three times, and is given this pause.
async fn failing(pause: &str) -> World {
    let world = plan()
        .set(
            "upstream",
            &format!("breaker = {{ failures = 3, within = \"60s\", pause = \"{pause}\" }}"),
        )
        .start()
        .await;
    let failing = Fault::Failure {
        status: 500,
        charged: true,
        says_charge: false,
    };
    world.simulator.faults().on(SEARCH, failing);
    for call in 0..3 {
        assert_eq!(reason(&world.post(SEARCH, &body(call)).await), (500, ""));
    }
    world
}

#[tokio::test]
async fn an_upstream_that_keeps_failing_is_given_a_pause_and_budgets_no_more_doubts() {
    let world = failing("60s").await;
    for call in 3..8 {
        let answer = world.post(SEARCH, &body(call)).await;
        assert_eq!(
            reason(&answer),
            (503, "upstream_failing"),
            "{}",
            answer.text
        );
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    let open = world.metric("guard_breaker_open", &[]).await;
    assert_eq!(open, "1");
    let budget = world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    assert_eq!(budget.in_doubt, credits("0.3"), "three holds and no more");
    assert_eq!(searches(&world), 3);
    let realtime = world.post(REALTIME, &body(3)).await;
    assert_eq!(
        realtime.refusal(),
        "upstream_failing",
        "one upstream, one pause"
    );
    world.simulator.faults().clear();
    assert_eq!(
        world.post(COUNT, &body(3)).await.status,
        200,
        "free calls go on"
    );
    world.end().await;
}

#[tokio::test]
async fn an_upstream_that_is_well_again_has_its_calls_after_the_pause_and_not_before() {
    let began = Instant::now();
    let world = failing("1s").await;
    world.simulator.faults().clear();
    for call in 3.. {
        let answer = world.post(SEARCH, &body(call)).await;
        if answer.status == 200 {
            break;
        }
        let refused = (answer.refusal(), answer.header("retry-after"));
        assert_eq!(refused, ("upstream_failing", "1"));
        assert!(call < 2_000, "a door that stays closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.metric("guard_breaker_open", &[]).await, "0");
    world.end().await;
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_given_a_pause_too() {
    let world = plan()
        .set("upstream", "breaker = { failures = 2, pause = \"30s\" }")
        .start()
        .await;
    world.simulator.faults().listen(Listening::Refusing).await;
    world.simulator.faults().close_connections();
    for call in 0..2 {
        let answer = world.post(SEARCH, &body(call)).await;
        assert_eq!(reason(&answer), (502, "upstream_unreachable"));
    }
    let answer = world.post(SEARCH, &body(2)).await;
    assert_eq!(reason(&answer), (503, "upstream_failing"));
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    world.end_with_nothing_open().await;
}
