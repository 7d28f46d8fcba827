//! The upstream's caps on calls in flight: calls beyond them wait here, fairly, and hold nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use generect_guard::simulator::{Fault, Scope};
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::traffic::set_up;
use crate::support::{Answered, Plan, UNTIL_TOLD, World, client, secret_of, send};

const SEARCH: &str = "/api/v1/search/database/companies/";
const COUNT: &str = "/api/v1/preview/leads/count/";

/// Three teams of three priorities that share the account, and one budget each.
fn three_teams() -> Plan {
    let mut plan = Plan::default();
    for priority in ["low", "normal", "high"] {
        let budget = format!("team = \"{priority}\"\nlimit = 900\nper = \"month\"");
        plan = plan
            .team(priority, &format!("priority = \"{priority}\""))
            .key(&format!("key-{priority}"), priority, "")
            .budget(&format!("{priority}-month"), &budget);
    }
    plan.simulator(|settings| settings.parallel_caps = true)
}

/// One slot for company searches.
fn one_slot(plan: Plan) -> Plan {
    plan.set("slots.caps", "search_companies = 1")
}

/// Calls wait for as long as it takes.
fn patient(plan: Plan) -> Plan {
    plan.set("slots", "wait_max = \"5m\"")
}

fn ask(number: usize) -> String {
    format!(r#"{{"limit_by":1,"industries":["{number}"]}}"#)
}

/// A figure of the admin page.
async fn figure(world: &World, name: &str, family: &str) -> String {
    let page = world.admin("/metrics").await.text;
    let line = format!("{name}{{family=\"{family}\"}} ");
    let figure = page.lines().find_map(|shown| shown.strip_prefix(&line));
    figure.unwrap_or("absent").to_owned()
}

async fn until(world: &World, name: &str, figure_wanted: &str) {
    for _ in 0..6_000 {
        if figure(world, name, "search_companies").await == figure_wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{name} never was {figure_wanted}");
}

/// Starts calls of a key.
fn start(world: &World, key: &'static str, numbers: std::ops::Range<usize>) -> JoinSet<Answered> {
    let mut calls = JoinSet::new();
    for number in numbers {
        let request = world.request(Method::POST, SEARCH, key);
        let request = request.header("content-type", "application/json");
        let request = request.body(ask(number));
        calls.spawn(async move { send(request).await.unwrap() });
    }
    calls
}

/// Keeps the one slot taken by a call that the upstream answers when it is told to hurry.
async fn taken(world: &World) -> JoinSet<Answered> {
    taken_for(world, UNTIL_TOLD).await
}

/// The same by a call that the upstream answers after `pause`.
async fn taken_for(world: &World, pause: Duration) -> JoinSet<Answered> {
    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::SlowHeaders(pause));
    let calls = start(world, "growth-crm", 0..1);
    until(world, "guard_slots_in_use", "1").await;
    while world
        .simulator
        .truth()
        .requests()
        .iter()
        .all(|seen| seen.path != SEARCH)
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_never_sees_more_calls_at_once_than_its_cap() {
    let plan = three_teams().simulator(|settings| settings.latency = UNTIL_TOLD);
    let world = patient(plan)
        .toml("[upstream.breaker]\nfailures = 10000")
        .start()
        .await;
    let faults = world.simulator.faults();
    faults.sometimes(30, Fault::CutBeforeCharge);
    faults.sometimes(30, Fault::CutAfterCharge);
    faults.sometimes(30, Fault::CutMidBody);
    faults.sometimes(
        30,
        Fault::Failure {
            status: 500,
            charged: false,
            says_charge: true,
        },
    );
    let mut calls = JoinSet::new();
    for number in 0..500 {
        let key = ["key-low", "key-normal", "key-high"][number % 3];
        let request = client()
            .post(world.url(SEARCH))
            .header("authorization", format!("Token {}", secret_of(key)))
            .header("content-type", "application/json")
            .body(ask(number));
        // One in ten goes away while it waits, or later.
        let patience = if number % 10 == 0 {
            number as u64 / 2
        } else {
            300_000
        };
        calls.spawn(async move {
            let patience = Duration::from_millis(patience);
            tokio::time::timeout(patience, send(request))
                .await
                .ok()?
                .ok()
        });
    }
    let truth = world.simulator.truth();
    // However slow the machine is, there is a moment at which all that fit are there.
    let most = || truth.in_flight_max(Scope::SearchCompanies);
    while most() < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let quicker = Duration::from_millis(40);
    world
        .simulator
        .change(|settings| settings.latency = quicker);
    faults.answer_those_there();
    let answers: Vec<Answered> = calls.join_all().await.into_iter().flatten().collect();
    let statuses: BTreeSet<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(answers.len() >= 440, "{} answers", answers.len());
    assert!(!statuses.contains(&429), "{statuses:?}");
    assert_eq!(most(), 20, "at once; the cap is 20");
    until(&world, "guard_slots_in_use", "0").await;
    assert_eq!(
        figure(&world, "guard_slots_waiting", "search_companies").await,
        "0"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_with_hundreds_of_waiting_calls_takes_one_turn_from_another() {
    let plan = Plan::one_team("900")
        .team("sales", "")
        .key("sales-crm", "sales", "");
    let plan = plan.budget(
        "sales-month",
        "team = \"sales\"\nlimit = 90\nper = \"month\"",
    );
    let world = patient(one_slot(plan)).start().await;
    let first = taken(&world).await;
    let loud = start(&world, "growth-crm", 1..200);
    until(&world, "guard_slots_waiting", "199").await;
    let lone = start(&world, "sales-crm", 1000..1001);
    until(&world, "guard_slots_waiting", "200").await;
    world.simulator.faults().hurry();
    for answer in first
        .join_all()
        .await
        .into_iter()
        .chain(loud.join_all().await)
        .chain(lone.join_all().await)
    {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let seen = world.simulator.truth().requests();
    let searches = seen.iter().filter(|seen| seen.path == SEARCH);
    let lone = searches
        .clone()
        .position(|seen| seen.body.ends_with(b"\"1000\"]}"));
    assert_eq!(searches.count(), 201);
    assert!(lone.unwrap() <= 2, "it was number {lone:?}");
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_it_waits_has_made_no_call() {
    let world = patient(one_slot(Plan::one_team("900"))).start().await;
    let first = taken(&world).await;
    let request = world.request(Method::POST, SEARCH, "growth-crm");
    let request = request
        .header("content-type", "application/json")
        .body(ask(7));
    let leaving = tokio::spawn(request.send());
    until(&world, "guard_slots_waiting", "1").await;
    assert_eq!(world.budget("growth-month").await.held.to_string(), "0.02");
    leaving.abort();
    until(&world, "guard_slots_waiting", "0").await;
    world.simulator.faults().hurry();
    assert_eq!(first.join_all().await[0].status, 200);
    until(&world, "guard_slots_in_use", "0").await;
    let seen = world.simulator.truth().requests();
    assert_eq!(seen.iter().filter(|seen| seen.path == SEARCH).count(), 1);
    let entries = world.end_with_nothing_open().await;
    assert_eq!(entries.len(), 2, "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_wait_is_told_why_and_when_to_come_again() {
    for (setting, limits, before) in [
        ("queue_max", "queue_max = 1\nwait_max = \"5m\"", 1),
        ("wait_max", "wait_max = \"1s\"", 0),
    ] {
        let plan = one_slot(Plan::one_team("900"));
        let world = plan.set("slots", limits).start().await;
        let first = taken(&world).await;
        let waiting = start(&world, "growth-crm", 1..1 + before);
        until(&world, "guard_slots_waiting", &before.to_string()).await;
        let answer = world.post(SEARCH, &ask(2)).await;
        assert_eq!((answer.status, answer.refusal()), (429, "slots_full"));
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        let setting = format!("slots.{setting}");
        for words in [
            &setting,
            "search_companies",
            "serves 1 such call",
            "waiting",
        ] {
            assert!(answer.text.contains(words), "{words}: {}", answer.text);
        }
        drop(waiting);
        until(&world, "guard_slots_waiting", "0").await;
        world.simulator.faults().hurry();
        assert_eq!(first.join_all().await[0].status, 200);
        let entries = world.end_with_nothing_open().await;
        assert_eq!(
            entries.len(),
            2,
            "a call that waited held nothing: {entries:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_are_refused_when_the_guard_drains() {
    let world = patient(one_slot(Plan::one_team("900"))).start().await;
    // Longer than it takes until those that wait are told.
    let first = taken_for(&world, Duration::from_secs(3)).await;
    let waiting = start(&world, "growth-crm", 1..9);
    until(&world, "guard_slots_waiting", "8").await;
    let ending = tokio::spawn(world.end_with_nothing_open());
    for answer in waiting.join_all().await {
        assert_eq!(
            (answer.status, answer.refusal()),
            (503, "draining"),
            "{}",
            answer.text
        );
    }
    assert_eq!(first.join_all().await[0].status, 200);
    let entries = ending.await.unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_its_budget_has_just_refused_does_not_wait() {
    let world = patient(one_slot(Plan::one_team("0.03"))).start().await;
    let first = taken(&world).await;
    // Another kind of call, which needs no such slot, uses up the budget.
    let other = "/api/v1/email/validate/";
    let answer = world
        .post(other, r#"{"emails":["a@example.com","b@example.com"]}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let waiting = start(&world, "growth-crm", 1..2);
    until(&world, "guard_slots_waiting", "1").await;
    world.simulator.faults().hurry();
    assert_eq!(first.join_all().await[0].status, 200);
    let refused = waiting.join_all().await.remove(0);
    assert_eq!(refused.refusal(), "budget_exhausted", "{}", refused.text);
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_that_the_upstream_tells_lowers_ours() {
    let plan = three_teams().simulator(|settings| {
        settings.rate_limit_headers = true;
        settings.latency = Duration::from_millis(5);
    });
    // As somebody would write whose caps the vendor has raised, before they are.
    let plan = plan.set("slots.caps", "search_companies = 40");
    let world = patient(plan).start().await;
    assert_eq!(
        figure(&world, "guard_slots_cap", "search_companies").await,
        "40"
    );
    assert_eq!(world.post_as("key-low", SEARCH, &ask(0)).await.status, 200);
    assert_eq!(
        figure(&world, "guard_slots_cap", "search_companies").await,
        "20"
    );
    for answer in start(&world, "key-low", 1..120).join_all().await {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let most = world
        .simulator
        .truth()
        .in_flight_max(Scope::SearchCompanies);
    assert!(most <= 20, "{most} at once; the upstream told 20");
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_taken_until_the_last_byte_of_the_answer() {
    let plan = Plan::one_team("900").set("slots.caps", "search_companies = 1\npreview = 1");
    // Much less than the answers take.
    let plan = plan.set("slots", "wait_max = \"200ms\"");
    let world = plan.start().await;
    for (path, family, chunk_bytes) in [(SEARCH, "search_companies", 64), (COUNT, "preview", 8)] {
        let slow = Fault::SlowBody {
            pause: Duration::from_millis(400),
            chunk_bytes,
        };
        world.simulator.faults().next_on(1, path, slow);
        let request = world.request(Method::POST, path, "growth-crm");
        let request = request
            .header("content-type", "application/json")
            .body(ask(0));
        let first = tokio::spawn(send(request));
        while figure(&world, "guard_slots_in_use", family).await != "1" {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let full = world.post(path, &ask(1)).await;
        assert_eq!(full.refusal(), "slots_full", "{path}: {}", full.text);
        first.abort(); // A charged call goes on; a free one ends with its client.
        while figure(&world, "guard_slots_in_use", family).await != "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_of_the_upstream_is_passed_on_with_a_time_to_come_again() {
    let world = Plan::one_team("900").start().await;
    let faults = world.simulator.faults();
    for path in [SEARCH, COUNT] {
        let throttled = Fault::Throttled {
            retry_after_s: None,
        };
        faults.next_on(1, path, throttled);
        let answer = world.post(path, &ask(1)).await;
        assert_eq!((answer.status, answer.refusal()), (429, ""), "{path}");
        assert_eq!(answer.header("retry-after"), "1", "{path}");
    }
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spend_line_tells_how_long_a_call_waited_if_it_did() {
    // The second call waits until the first has ended, or in vain.
    for (wait_max, outcomes) in [
        ("60s", [("settled", false), ("settled", true)]),
        ("200ms", [("refused", true), ("settled", false)]),
    ] {
        let plan = one_slot(Plan::one_team("900"));
        let plan = plan.set("slots", &format!("wait_max = \"{wait_max}\""));
        let (simulator, home) = set_up(&plan).await;
        let child = home.serve().await;
        let faults = simulator.faults();
        faults.next_on(1, SEARCH, Fault::SlowHeaders(UNTIL_TOLD));
        let call = |number| {
            let request = child.request(Method::POST, SEARCH, "growth-crm");
            let request = request.header("content-type", "application/json");
            tokio::spawn(send(request.body(ask(number))))
        };
        let truth = simulator.truth();
        let calls = [call(0), {
            let arrived = || truth.requests().iter().any(|seen| seen.path == SEARCH);
            child.until("the first", || arrived().then_some(())).await;
            call(1)
        }];
        if outcomes[0].0 == "settled" {
            let waiting = "guard_slots_waiting{family=\"search_companies\"} 1";
            while !child.admin("/metrics").await.text.contains(waiting) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } else {
            child.logs("\"target\":\"spend\"").await;
        }
        faults.hurry();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let both = || (child.log().matches("\"target\":\"spend\"").count() == 2).then_some(());
        child.until("two spend lines", both).await;
        let log = child.log();
        child.end().await;
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let spend = lines.filter(|line| line["target"] == "spend");
        let mut told: Vec<(String, bool)> = spend
            .map(|line| (line["outcome"].to_string(), line["slot.wait_us"].is_u64()))
            .collect();
        // Of two calls of which one follows at once on the other, either may be told of first.
        told.sort();
        let expected = outcomes.map(|(word, waited)| (format!("\"{word}\""), waited));
        assert_eq!(told, expected, "{log}");
    }
}
