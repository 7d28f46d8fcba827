//! Keys that end while a call of theirs waits: it is refused as it would be had it come then.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::control::Reply;
use generect_guard::identity::KeyDigest;
use generect_guard::simulator::Fault;
use jiff::SignedDuration;
use reqwest::Method;
use tokio::task::JoinHandle;

use crate::support::{Answered, Plan, UNTIL_TOLD, World, secret_of, send};

const SEARCH: &str = "/api/v1/search/database/companies/";
const COUNT: &str = "/api/v1/preview/leads/count/";

/// One slot a family, a team that has it, and the rest of a plan.
fn one_slot() -> Plan {
    Plan::one_team("10")
        .set("slots.caps", "search_companies = 1\npreview = 1")
        .set("slots", "wait_max = \"5m\"")
}

fn key(id: &str, secrets: &[&str], more: &str) -> String {
    let digests = secrets
        .iter()
        .map(|secret| KeyDigest::of(&secret_of(secret)).to_string());
    let digests: Vec<String> = digests.collect();
    format!("[[key]]\nid = \"{id}\"\nteam = \"growth\"\nsha256 = {digests:?}\n{more}")
}

fn start(world: &World, secret: &str, path: &str) -> JoinHandle<Answered> {
    let request = world.request(Method::POST, path, secret);
    let request = request.header("content-type", "application/json");
    let request = request.body(r#"{"limit_by":1,"industries":["matches:1"]}"#);
    tokio::spawn(async move { send(request).await.unwrap() })
}

async fn until(world: &World, line: &str) {
    for _ in 0..15_000 {
        if world.admin("/metrics").await.text.contains(line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{line} never was told");
}

/// What a call of `secret` is told that waits for a slot while `meanwhile` happens.
async fn waits(world: &World, secret: &str, path: &str, meanwhile: impl AsyncFnOnce()) -> Answered {
    let family = if path == SEARCH {
        "search_companies"
    } else {
        "preview"
    };
    let faults = world.simulator.faults();
    faults.next_on(1, path, Fault::SlowHeaders(UNTIL_TOLD));
    let before = sent(world, path);
    let running = start(world, "growth-crm", path);
    while sent(world, path) == before {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let waiting = start(world, secret, path);
    until(
        world,
        &format!("guard_slots_waiting{{family=\"{family}\"}} 1"),
    )
    .await;
    meanwhile().await;
    faults.answer_those_there();
    assert_eq!(running.await.unwrap().status, 200);
    waiting.await.unwrap()
}

fn sent(world: &World, path: &str) -> usize {
    let seen = world.simulator.truth().requests();
    seen.iter().filter(|seen| seen.path == path).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_while_its_call_waits_holds_and_sends_nothing() {
    let clock = Clock::manual("2026-11-20T12:00:00Z".parse().unwrap());
    let short = key("short", &["short"], "expires = \"2026-11-20T12:00:10Z\"");
    let plan = one_slot().toml(&short).clock(clock.clone());
    let world = plan.start().await;
    for (path, seconds) in [(COUNT, 5), (SEARCH, 5)] {
        let before = waits(&world, "short", path, async || ()).await;
        assert_eq!(before.status, 200, "{}", before.text);
        clock.advance(SignedDuration::from_secs(seconds - 1));
    }
    let told = waits(&world, "short", SEARCH, async || {
        clock.advance(SignedDuration::from_secs(2));
    });
    let told = told.await;
    assert_eq!((told.status, told.refusal()), (401, "unknown_key"));
    let words = "Key short has expired at 2026-11-20T12:00:10Z";
    assert!(told.text.contains(words), "{}", told.text);
    assert_eq!(sent(&world, SEARCH), 3);
    let entries = world.end_with_nothing_open().await;
    assert_eq!(entries.len(), 6, "three calls were held: {entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_goes_by_a_reload_while_its_call_waits_sends_nothing_free_or_not() {
    let plan = |keys: &[&str]| keys.iter().fold(one_slot(), |plan, key| plan.toml(key));
    let (old, new) = (
        key("renewed", &["old", "new"], ""),
        key("renewed", &["new"], ""),
    );
    let world = plan(&[&old]).start().await;
    for path in [SEARCH, COUNT] {
        let gone = waits(&world, "new", path, async || {
            let reply = world.reload(&plan(&[])).await;
            assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
        });
        let gone = gone.await;
        assert_eq!(
            (gone.status, gone.refusal()),
            (401, "unknown_key"),
            "{path}"
        );
        assert!(gone.text.contains("while the call waited"), "{}", gone.text);
        assert_eq!(sent(&world, path), 1, "{path}");
        let reply = world.reload(&plan(&[&old])).await;
        assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    }
    // Its successor stays, and with it whoever waits under that one.
    for (secret, status) in [("old", 401), ("new", 200)] {
        let told = waits(&world, secret, SEARCH, async || {
            let reply = world.reload(&plan(&[&new])).await;
            assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
        });
        let told = told.await;
        assert_eq!(told.status, status, "{secret}: {}", told.text);
        let reply = world.reload(&plan(&[&old])).await;
        assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    }
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_becomes_anothers_while_its_call_waits_is_told_to_come_again() {
    let plan = |id: &str| one_slot().toml(&key(id, &["moved"], ""));
    let world = plan("one").start().await;
    let told = waits(&world, "moved", SEARCH, async || {
        let reply = world.reload(&plan("two")).await;
        assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    });
    let told = told.await;
    assert_eq!((told.status, told.refusal()), (503, "rules_changed"));
    assert_eq!(start(&world, "moved", SEARCH).await.unwrap().status, 200);
    let entries = world.end_with_nothing_open().await;
    assert!(
        entries.iter().all(|entry| entry.key.as_str() != "one"),
        "{entries:?}"
    );
}
