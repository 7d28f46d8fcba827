//! Settings that are read again while calls are made: all of them or none, and the calls never notice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::control::{Command, Reply};
use generect_guard::credits::Credits;
use generect_guard::identity::Whose;
use generect_guard::ledger::{Entry, EntryKind};
use generect_guard::simulator::Simulator;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Signal, kill_process};
use tokio::net::TcpListener;
use tokio::task::{JoinSet, block_in_place};

use crate::support::{Plan, World, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";

fn search(rows: u32) -> String {
    format!(r#"{{"limit_by":{rows},"job_titles":["matches:{rows}"]}}"#)
}

async fn reloaded(world: &World, plan: &Plan) -> String {
    match world.reload(plan).await {
        Reply::Done(what) => what,
        other => panic!("{other:?}"),
    }
}

async fn not_reloaded(world: &World, plan: &Plan) -> String {
    match world.reload(plan).await {
        Reply::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_team_calls_at_once_and_one_that_is_gone_no_more() {
    let world = Plan::one_team("1").start().await;
    assert_eq!(
        world.post_as("sales-crm", SEARCH, &search(1)).await.status,
        401
    );
    let plan = Plan::default()
        .team("sales", "")
        .key("sales-crm", "sales", "")
        .budget("sales-day", "team = \"sales\"\nlimit = 0.04\nper = \"day\"");
    let told = reloaded(&world, &plan).await;
    assert_eq!(
        told,
        "teams: -growth, +sales; keys: -growth-crm, +sales-crm; \
         budgets: -growth-month, +sales-day (limit 0.04)"
    );
    assert_eq!(
        world.post(SEARCH, &search(1)).await.refusal(),
        "unknown_key"
    );
    assert_eq!(
        world.post_as("sales-crm", SEARCH, &search(2)).await.status,
        200
    );
    let full = world.post_as("sales-crm", SEARCH, &search(1)).await;
    assert_eq!(
        full.refusal(),
        "budget_exhausted",
        "capped from its first call"
    );
    assert_eq!(reloaded(&world, &plan).await, "nothing is different");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_budget_narrowed_below_its_spend_explains_the_next_refusal() {
    let world = Plan::one_team("1").start().await;
    assert_eq!(world.post(SEARCH, &search(10)).await.status, 200);
    let told = reloaded(&world, &Plan::one_team("0.15")).await;
    assert_eq!(told, "budgets: growth-month (limit 1 → 0.15)");
    let refused = world.post(SEARCH, &search(1)).await;
    assert_eq!(
        (refused.status, refused.refusal()),
        (402, "budget_exhausted")
    );
    let detail = refused.json()["detail"].to_string();
    for words in [
        "growth-month: limit 0.15, settled 0.2",
        "0 would fit",
        "resets at",
    ] {
        assert!(detail.contains(words), "{words}: {detail}");
    }
    reloaded(&world, &Plan::one_team("0.5")).await;
    assert_eq!(world.post(SEARCH, &search(1)).await.status, 200);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_every_mistake_is_told() {
    let world = Plan::one_team("1").start().await;
    let wrong = Plan::one_team("0.01")
        .team("sales", "priority = \"urgent\"")
        .key("free-rider", "sales", "");
    let why = not_reloaded(&world, &wrong).await;
    for words in ["team.sales.priority", "free-rider"] {
        assert!(why.contains(words), "{words}: {why}");
    }
    let fixed = Plan::one_team("0.01")
        .set("ledger", "repeat_window = \"1m\"")
        .set("account", "lag = \"3s\"")
        .set("upstream", "connect_timeout = \"9s\"")
        .set("server", "connections_max = 77");
    let why = not_reloaded(&world, &fixed).await;
    let named = "upstream.connect_timeout, ledger.repeat_window, account.lag";
    assert!(why.contains("only a restart"), "{why}");
    for setting in named.split(", ").chain(["server.connections_max"]) {
        assert!(why.contains(setting), "{setting}: {why}");
    }
    std::fs::remove_file(world.config_path()).unwrap();
    let Reply::Refused(why) = world.ask(Command::Reload {}, "").await else {
        panic!("there is no file");
    };
    assert!(why.contains("cannot be read"), "{why}");
    assert_eq!(
        world.post(SEARCH, &search(10)).await.status,
        200,
        "the old limit stands"
    );
    let reader = generect_guard::ledger::open_reader(&world.ledger_path()).unwrap();
    let (from, to) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    assert_eq!(reader.changes(from, to, 0, 10).unwrap(), []);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_rate_that_stays_keeps_its_count_and_a_new_one_counts_from_now() {
    let rate = |per_second: &str, burst: u32| {
        Plan::one_team("10").toml(&format!(
            "[[rate]]\nteam = \"growth\"\nper_second = {per_second}\nburst = {burst}"
        ))
    };
    let world = rate("0.001", 2).start().await;
    assert_eq!(world.post(SEARCH, &search(1)).await.status, 200);
    reloaded(&world, &rate("0.001", 2).team("sales", "")).await;
    assert_eq!(world.post(SEARCH, &search(2)).await.status, 200);
    assert_eq!(
        world.post(SEARCH, &search(3)).await.refusal(),
        "rate_exceeded"
    );
    assert_eq!(
        reloaded(&world, &rate("0.001", 3)).await,
        "teams: -sales; rates"
    );
    assert_eq!(world.post(SEARCH, &search(3)).await.status, 200);
    reloaded(&world, &Plan::one_team("10")).await;
    for rows in 4..8 {
        assert_eq!(world.post(SEARCH, &search(rows)).await.status, 200);
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn the_accounts_own_prices_stay_over_those_of_a_new_file() {
    let plan = || Plan::one_team("10");
    let world = plan()
        .simulator(|settings| settings.prices.database = credits("0.016"))
        .start()
        .await;
    let quote = async |rows: u32| {
        let body = format!(r#"{{"limit_by":{rows},"job_titles":["matches:0"]}}"#);
        credits(world.post(SEARCH, &body).await.header("guard-quote"))
    };
    while quote(10).await != credits("0.16") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let legacy = plan().set("catalogue", "legacy_amounts = \"money\"");
    assert_eq!(reloaded(&world, &legacy).await, "prices");
    assert_eq!(quote(10).await, credits("0.16"));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn alerts_that_are_added_look_at_once_and_those_that_are_gone_no_more() {
    let world = Plan::one_team("1").start().await;
    let metrics = async || world.admin("/metrics").await.text;
    while !metrics().await.contains("guard_account_balance_credits ") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let with = |id: &str| {
        Plan::one_team("1").toml(&format!(
            "[[alert]]\nid = \"{id}\"\nbalance_below = 9000000"
        ))
    };
    for (id, told) in [("low", "alerts: +low"), ("lower", "alerts: -low, +lower")] {
        assert_eq!(reloaded(&world, &with(id)).await, told);
        let counted = format!("guard_alerts_total{{alert=\"{id}\",kind=\"balance_below\"}} 1");
        for _ in 0..3_000 {
            if metrics().await.contains(&counted) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let seen = metrics().await;
        let lines = seen
            .lines()
            .filter(|line| line.contains("guard_alerts_total"));
        let lines = lines.collect::<Vec<_>>();
        assert!(seen.contains(&counted), "{counted}: {lines:?}");
    }
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_settings_again_and_a_wrong_file_is_told_in_the_log() {
    let plan = Plan::one_team("0.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    let guard = home.serve().await;
    let put = |plan: &Plan| {
        let text = plan.config_text(&simulator.base_url(), &home.ledger());
        std::fs::write(home.path().join("guard.toml"), text).unwrap();
        kill_process(guard.pid(), Signal::HUP).unwrap();
    };
    put(&Plan::one_team("\"much\""));
    guard.logs("are not in force").await;
    assert_eq!(guard.post(SEARCH, &search(5)).await.status, 200);
    put(&Plan::one_team("0.2"));
    guard.logs("growth-month (limit 0.1 → 0.2)").await;
    assert_eq!(guard.post(SEARCH, &search(4)).await.status, 200);
    std::fs::write(
        home.path().join("guard.toml"),
        Plan::one_team("0.3").config_text(&simulator.base_url(), &home.ledger()),
    )
    .unwrap();
    block_in_place(|| home.run_well(&["reload"], &["--reason", "more"]));
    let changes = block_in_place(|| home.output_of(&["report", "--changes"]));
    for words in ["SIGHUP", "0.2 → 0.3", "because: more"] {
        assert!(changes.contains(words), "{words}: {changes}");
    }
    guard.end().await;
    let output = block_in_place(|| home.run(&["reload"]));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("no guard is running on this ledger"),
        "{told}"
    );
    simulator.stop().await;
}

/// What all calls have met so far.
#[derive(Clone, Default)]
struct Met(Arc<Mutex<BTreeMap<String, u64>>>);

impl Met {
    fn count(&self, said: &str) -> u64 {
        self.0.lock().unwrap().get(said).copied().unwrap_or(0)
    }

    /// Waits until one more call was told this.
    async fn again(&self, said: &str) {
        let before = self.count(said);
        for _ in 0..3_000 {
            if self.count(said) > before {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no call was told {said} again: {:?}", self.0);
    }
}

/// Calls of one key until it is told to stop; nothing but these answers may come.
async fn call(world: Arc<World>, key: &'static str, seed: u64, stop: Arc<AtomicBool>, met: Met) {
    let mut random = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let answer = world
            .post_as(key, SEARCH, &search(random.random_range(1..6)))
            .await;
        let said = match answer.status {
            200 => "paid".to_owned(),
            _ => answer.refusal().to_owned(),
        };
        let expected = match key {
            // Its key comes and goes.
            "guest" => [
                "paid",
                "budget_exhausted",
                "budget_busy",
                "unknown_key",
                "rules_changed",
            ],
            _ => [
                "paid",
                "budget_exhausted",
                "budget_busy",
                "paused",
                "paused",
            ],
        };
        assert!(
            expected.contains(&said.as_str()),
            "{key}: {} {}",
            answer.status,
            answer.text
        );
        *met.0.lock().unwrap().entry(said).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..4))).await;
    }
}

/// Two settings that take turns: another key and budget, another limit of `steady`, another rate.
fn turn(turn: u32) -> Plan {
    let plan = Plan::default()
        .team("growth", "")
        .key("growth-crm", "growth", "")
        .key("growth-forms", "growth", "")
        .budget("cap", "limit = 2\nper = \"total\"")
        .toml(&format!("[[rate]]\nper_second = {}", 100_000 + turn));
    match turn % 2 {
        0 => plan.budget("steady", "team = \"growth\"\nlimit = 100\nper = \"day\""),
        _ => plan
            .budget(
                "steady",
                "team = \"growth\"\nlimit = 90\nper = { rolling = \"24h\" }",
            )
            .team("guests", "")
            .key("guest", "guests", "")
            .budget("guests", "team = \"guests\"\nlimit = 50\nper = \"total\""),
    }
}

/// Follows the entries: at no moment may more be held and settled than the limit and the grants.
fn assert_capped(entries: &[Entry], limit: Credits) -> (u64, Credits) {
    let (mut used, mut room) = (Credits::ZERO, limit);
    let mut held = BTreeMap::new();
    let (mut grants, mut settled) = (0, Credits::ZERO);
    for entry in entries {
        match entry.kind {
            EntryKind::Held => {
                held.insert(entry.hold, entry.amount);
                used = used.checked_add(entry.amount).unwrap();
                assert!(used <= room, "entry {}: {used} of {room}", entry.seq);
            }
            EntryKind::Settled => {
                let quote = held.remove(&entry.hold).unwrap();
                used = used
                    .saturating_sub(quote)
                    .checked_add(entry.amount)
                    .unwrap();
                settled = settled.checked_add(entry.amount).unwrap();
            }
            EntryKind::Granted => {
                grants += 1;
                room = room.checked_add(entry.amount).unwrap();
            }
            other => panic!("{other} in a run without faults"),
        }
    }
    assert!(held.is_empty(), "{held:?}");
    (grants, settled)
}

/// The proof: callers without a pause, while budgets are granted, teams paused and settings swapped.
/// No call is lost or left held, and no moment has more than the cap allows.
#[tokio::test(flavor = "multi_thread")]
async fn grants_pauses_and_reloads_under_load_lose_no_call_and_keep_the_hard_cap() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(7);
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = Arc::new(turn(0).start().await);
    let stop = Arc::new(AtomicBool::new(false));
    let (mut callers, met) = (JoinSet::new(), Met::default());
    for number in 0..9 {
        let key = ["growth-crm", "growth-forms", "guest"][number % 3];
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        callers.spawn(call(world, key, seed + number as u64, stop, met.clone()));
    }
    for round in 1..=24 {
        match random.random_range(0..3) {
            0 => {
                let key = Whose::Key("growth-forms".into());
                let pause = Command::Pause { whose: key.clone() };
                assert!(matches!(world.ask(pause, "x").await, Reply::Done(_)));
                met.again("paused").await;
                let resume = Command::Resume { whose: key };
                assert!(matches!(world.ask(resume, "x").await, Reply::Done(_)));
            }
            _ => {
                let grant = Command::Grant {
                    budget: "cap".into(),
                    amount: credits("0.5"),
                };
                assert!(matches!(world.ask(grant, "x").await, Reply::Done(_)));
            }
        }
        reloaded(&world, &turn(round)).await;
        if round % 2 == 0 {
            // The guest has no key under these settings.
            met.again("unknown_key").await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    while met.count("paid") <= 50 {
        met.again("paid").await;
    }
    stop.store(true, Ordering::Relaxed);
    callers.join_all().await;
    println!("{:?}", met.0);
    let charged = world.simulator.truth().total_charged();
    let world = Arc::into_inner(world).unwrap();
    let entries = world.end_with_nothing_open().await;
    let (grants, settled) = assert_capped(&entries, credits("2"));
    assert!(grants > 0);
    assert_eq!(settled, charged);
    let paid = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Settled);
    assert_eq!(
        paid.count() as u64,
        met.count("paid"),
        "each answered call is settled once"
    );
}
