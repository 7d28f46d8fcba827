//! What people change while the guard runs: grants, pauses, keys that end. In force at once, kept
//! over restarts, told to whoever asks later.

use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::control::{Command, Reply};
use generect_guard::identity::{KeyDigest, Whose};
use generect_guard::ledger::{KeptChange, open_reader};
use generect_guard::simulator::{Fault, Simulator};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::block_in_place;

use crate::support::child::Home;
use crate::support::{Plan, UNTIL_TOLD, World, secret_of};

const SEARCH: &str = "/api/v1/search/database/leads/";

/// Asks for `rows` rows, each of which takes 0.02.
fn search(rows: u32) -> String {
    format!(r#"{{"limit_by":{rows},"job_titles":["matches:{rows}"]}}"#)
}

async fn done(world: &World, command: Command) -> String {
    match world.ask(command, "the campaign is on").await {
        Reply::Done(what) => what,
        other => panic!("{other:?}"),
    }
}

async fn refused(world: &World, command: Command) -> String {
    match world.ask(command, "the campaign is on").await {
        Reply::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

fn team(id: &str) -> Whose {
    Whose::Team(id.into())
}

fn json(home: &Home, arguments: &[&str]) -> Value {
    let text = block_in_place(|| home.output_of(arguments));
    serde_json::from_str(&text).unwrap()
}

fn run(home: &Home, arguments: &[&str]) -> (bool, String) {
    let output = block_in_place(|| home.run(arguments));
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn grant_by_the_binary_beside_a_guard_and_without_one() {
    let plan = Plan::one_team("0.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    let grant = |amount, reason| {
        let budget = ["grant", "--budget", "growth-month"];
        run(
            &home,
            &[&budget[..], &["--amount", amount, "--reason", reason]].concat(),
        )
    };
    let (_, told) = grant("1", "too early");
    assert!(told.contains("there is no ledger at"), "{told}");
    let guard = home.serve().await;
    assert_eq!(guard.post(SEARCH, &search(5)).await.status, 200);
    let full = guard.post(SEARCH, &search(4)).await;
    assert_eq!(full.refusal(), "budget_exhausted");
    let (well, told) = grant("0.06", "a campaign");
    assert!(well, "{told}");
    assert!(
        told.contains("0.06 on top of its limit of 0.1 until"),
        "{told}"
    );
    assert_eq!(guard.post(SEARCH, &search(3)).await.status, 200);
    let full = guard.post(SEARCH, &search(4)).await;
    assert_eq!(full.json()["budgets"][0]["granted"], "0.06");
    for (amount, reason, says) in [
        ("-0.07", "x", "cannot be taken back"),
        ("-1", "x", "1 credit cannot be taken back"),
        ("0", "x", "0 credits cannot be granted"),
        ("1", " ", "a reason is needed"),
    ] {
        let (well, told) = grant(amount, reason);
        assert!(
            !well && told.contains("not granted") && told.contains(says),
            "{told}"
        );
    }
    guard.end().await;
    let (well, told) = grant("0.04", "nobody is there");
    assert!(well, "{told}");
    let (well, told) = run(
        &home,
        &["grant", "--budget", "nix", "--amount", "1", "--reason", "x"],
    );
    assert!(
        !well && told.contains("no budget nix; there are: growth-month"),
        "{told}"
    );
    let guard = home.serve().await;
    assert_eq!(
        guard.post(SEARCH, &search(2)).await.status,
        200,
        "both grants stand"
    );
    guard.end().await;
    let report = json(&home, &["report", "--json"]);
    assert_eq!(report["budgets"][0]["granted"], "0.1");
    assert_both_grants_are_told(&home);
    simulator.stop().await;
}

fn assert_both_grants_are_told(home: &Home) {
    let changes = json(home, &["report", "--changes", "--json"]);
    let changes = changes["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{changes:?}");
    for (change, (reason, peer)) in changes.iter().zip([
        ("a campaign", "(uid "),
        ("nobody is there", ", no guard running)"),
    ]) {
        assert_eq!(change["what"], "granted");
        assert_eq!(change["about"], "budget growth-month");
        assert_eq!(change["reason"], reason);
        assert!(change["who"].as_str().unwrap().contains(peer), "{change}");
    }
    let text = block_in_place(|| home.output_of(&["report", "--changes"]));
    assert!(text.contains("because: a campaign"), "{text}");
}

fn two_teams() -> Plan {
    Plan::one_team("10")
        .team("sales", "")
        .key("sales-crm", "sales", "")
        .key("growth-forms", "growth", "")
        .budget("all", "limit = 10\nper = \"total\"")
}

fn pause(whose: &Whose) -> Command {
    Command::Pause {
        whose: whose.clone(),
    }
}

fn resume(whose: &Whose) -> Command {
    Command::Resume {
        whose: whose.clone(),
    }
}

async fn status(world: &World, key: &str) -> u16 {
    world.post_as(key, SEARCH, &search(2)).await.status
}

#[tokio::test]
async fn a_paused_team_is_refused_at_once_and_told_who_when_and_why() {
    let world = two_teams().start().await;
    let growth = team("growth");
    let slow = Fault::SlowHeaders(UNTIL_TOLD);
    world.simulator.faults().next_on(1, SEARCH, slow);
    let body = search(3);
    let running = world.post(SEARCH, &body);
    let pausing = async {
        let requests = || world.simulator.truth().requests();
        while !requests().iter().any(|one| one.path == SEARCH) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = done(&world, pause(&growth)).await;
        world.simulator.faults().hurry();
        told
    };
    let (running, told) = tokio::join!(running, pausing);
    assert!(told.contains("team growth is paused"), "{told}");
    assert_eq!(running.status, 200, "a running call goes on");
    for key in ["growth-crm", "growth-forms"] {
        let refused = world.post_as(key, SEARCH, &search(1)).await;
        assert_eq!((refused.status, refused.refusal()), (403, "paused"));
        let detail = refused.json()["detail"].to_string();
        for words in [
            "team growth",
            "by ann (uid ",
            "campaign is on",
            "resume --team growth --reason",
        ] {
            assert!(detail.contains(words), "{words}: {detail}");
        }
        let free = world.get_as(key, "/api/v1/accounts/me/").await;
        assert_eq!(free.refusal(), "paused");
    }
    assert_eq!(status(&world, "sales-crm").await, 200);
    let twice = refused(&world, pause(&growth)).await;
    assert!(twice.contains("has been paused since"), "{twice}");
    let nobody = refused(&world, pause(&team("growht"))).await;
    let known = "there is no team growht; each team there is: growth, sales";
    assert_eq!(nobody, known);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_pause_outlives_the_guard_until_somebody_lets_them_go_on() {
    let world = two_teams().start().await;
    let (growth, crm) = (team("growth"), Whose::Key("sales-crm".into()));
    done(&world, pause(&growth)).await;
    done(&world, pause(&crm)).await;
    let world = world.restarted(two_teams()).await;
    for key in ["growth-crm", "sales-crm"] {
        assert_eq!(status(&world, key).await, 403, "{key}");
    }
    done(&world, resume(&growth)).await;
    assert_eq!(status(&world, "growth-crm").await, 200);
    assert_eq!(status(&world, "sales-crm").await, 403);
    done(&world, resume(&crm)).await;
    assert_eq!(status(&world, "sales-crm").await, 200);
    let not = refused(&world, resume(&growth)).await;
    assert_eq!(not, "team growth is not paused");
    let reader = open_reader(&world.ledger_path()).unwrap();
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    let changes = reader.changes(from, to, 0, 100).unwrap();
    let words = |kept: &KeptChange| format!("{} {}", kept.change.what.as_str(), kept.change.about);
    let told: Vec<_> = changes.iter().map(words).collect();
    assert_eq!(
        told,
        [
            "paused team growth",
            "paused key sales-crm",
            "resumed team growth",
            "resumed key sales-crm"
        ]
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_key_ends_at_its_moment_and_two_secrets_are_known_while_it_is_renewed() {
    let clock = Clock::manual("2026-11-20T12:00:00Z".parse().unwrap());
    let digests = ["old", "new"].map(|id| KeyDigest::of(&secret_of(id)).to_string());
    let world = Plan::one_team("10")
        .toml(&format!(
            "[[key]]\nid = \"renewed\"\nteam = \"growth\"\nsha256 = {digests:?}\nexpires = \"2026-11-20T14:00:00+01:00\""
        ))
        .clock(clock.clone())
        .start()
        .await;
    for secret in ["old", "new"] {
        let answer = world.post_as(secret, SEARCH, &search(1)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    clock.advance(SignedDuration::from_secs(3_599));
    assert_eq!(world.post_as("new", SEARCH, &search(2)).await.status, 200);
    clock.advance(SignedDuration::from_secs(1));
    for secret in ["old", "new"] {
        let refused = world.post_as(secret, SEARCH, &search(1)).await;
        assert_eq!((refused.status, refused.refusal()), (401, "unknown_key"));
        let detail = refused.json()["detail"].to_string();
        assert!(
            detail.contains("Key renewed has expired at 2026-11-20T13:00:00Z"),
            "{detail}"
        );
    }
    assert_eq!(
        world.post(SEARCH, &search(1)).await.status,
        200,
        "the other key lives"
    );
    let entries = world.end_with_nothing_open().await;
    let keys = entries
        .iter()
        .filter(|entry| entry.key.as_str() == "renewed");
    assert_eq!(keys.count(), 6, "three calls held and settled, by one key");
}
