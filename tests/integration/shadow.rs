//! Limits in shadow: they count and mark, and refuse nobody.

use reqwest::Method;
use serde_json::json;

use crate::account_floors::next_reading;
use crate::support::{Answered, Plan, World, credits, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const ME: &str = "/api/v1/accounts/me/";

fn rows(count: u64) -> String {
    format!(r#"{{"job_titles":["matches:9999"],"limit_by":{count}}}"#)
}

fn marked(answer: &Answered) -> &str {
    assert_eq!(
        (answer.status, answer.refusal()),
        (200, ""),
        "{}",
        answer.text
    );
    answer.header("guard-shadow")
}

async fn counted(world: &World, limit: &str, reason: &str, times: u64) {
    let page = world.admin("/metrics").await.text;
    let line = format!(
        "guard_shadow_refusals_total{{limit=\"{limit}\",reason=\"{reason}\",team=\"growth\"}} {times}"
    );
    assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
}

fn on_trial() -> Plan {
    Plan::one_team("10").budget(
        "trial",
        "team = \"growth\"\nlimit = 0.1\nper = \"day\"\nmode = \"shadow\"",
    )
}

#[tokio::test]
async fn a_budget_on_trial_counts_like_any_other_and_marks_what_it_would_have_refused() {
    let world = on_trial().start().await;
    assert_eq!(marked(&world.post(SEARCH, &rows(4)).await), "");
    world
        .budget_when("trial", |trial| trial.settled == credits("0.08"))
        .await;
    let over = world.post(SEARCH, &rows(5)).await;
    assert_eq!(marked(&over), "trial");
    assert_eq!(
        over.header("guard-budget"),
        "growth-month",
        "the tightest that holds"
    );
    assert_eq!(over.header("guard-remaining"), "9.82");
    counted(&world, "trial", "budget_exhausted", 1).await;
    let trial = world
        .budget_when("trial", |trial| trial.settled == credits("0.18"))
        .await;
    assert_eq!(trial.headroom(), credits("-0.08"), "it goes on counting");

    let request = world.request(Method::POST, SEARCH, "growth-crm");
    let request = request.header("guard-dry-run", "true").body(rows(1));
    let page = send(request).await.unwrap().json();
    assert_eq!(page["verdict"], "admitted");
    assert_eq!(page["shadow"], json!(["trial"]));
    assert_eq!(page["budgets"][1]["mode"], "shadow");
    assert_eq!(page["budgets"][1]["verdict"], "budget_exhausted");

    let me = world.get(ME).await.json();
    assert_eq!(me["data"]["credits"]["budget"], "growth-month");
    counted(&world, "trial", "budget_exhausted", 1).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_limit_in_force_refuses_beside_one_on_trial() {
    let world = on_trial().start().await;
    let answer = world.post(SEARCH, &rows(501)).await;
    assert_eq!((answer.status, answer.refusal()), (402, "budget_exhausted"));
    assert_eq!(answer.header("guard-shadow"), "");
    let named = answer.json()["budgets"].clone();
    assert_eq!(named.as_array().map(Vec::len), Some(1), "{named}");
    assert_eq!(named[0]["id"], "growth-month");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_rate_on_trial_lets_every_call_pass() {
    let world = Plan::one_team("10")
        .toml("[[rate]]\nteam = \"growth\"\nper_second = 1000")
        .toml("[[rate]]\nkey = \"growth-crm\"\nper_second = 0.001\nburst = 2\nmode = \"shadow\"")
        .start()
        .await;
    let mut marks = Vec::new();
    for path in [SEARCH, COUNT, SEARCH, COUNT] {
        marks.push(marked(&world.post(path, &rows(1)).await).to_owned());
    }
    assert_eq!(marks, ["", "", "rate.#2", "rate.#2"]);
    let own = world.get(ME).await;
    assert_eq!(marked(&own), "rate.#2");
    counted(&world, "rate.#2", "rate_exceeded", 3).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn floors_on_trial_neither_refuse_nor_slow() {
    let world = Plan::one_team("1000")
        .simulator(|settings| settings.balance = credits("20"))
        .set("account", "poll_interval = \"1s\"")
        .toml("[[floor]]\nbelow = 1\npriority = \"normal\"\naction = \"refuse\"")
        .toml("[[floor]]\nbelow = 19\npriority = \"normal\"\naction = \"refuse\"\nmode = \"shadow\"")
        .toml(
            "[[floor]]\nbelow = 100\npriority = \"normal\"\naction = { slow_to = \"1/h\" }\nmode = \"shadow\"",
        )
        .start()
        .await;
    world.account_read().await;
    assert_eq!(marked(&world.post(SEARCH, &rows(1)).await), "");
    assert_eq!(marked(&world.post(SEARCH, &rows(1)).await), "floor.#3");
    assert_eq!(
        marked(&world.post(SEARCH, &rows(100)).await),
        "floor.#3, floor.#2"
    );
    counted(&world, "floor.#3", "account_slowed", 2).await;
    counted(&world, "floor.#2", "account_low", 1).await;
    next_reading(&world).await;
    let refused = world.post(SEARCH, &rows(900)).await;
    assert_eq!((refused.status, refused.refusal()), (402, "account_low"));
    assert!(
        refused.text.contains("floor for this priority 1,"),
        "{}",
        refused.text
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn what_a_limit_on_trial_would_have_refused_stands_in_the_log() {
    let plan = on_trial().set("log", "format = \"json\"");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = plan.simulator_settings();
    let simulator = generect_guard::simulator::Simulator::start(listener, settings).await;
    let home = plan.home(&simulator.base_url());
    let child = home.serve().await;
    let answer = child.post(SEARCH, &rows(6)).await;
    assert_eq!(marked(&answer), "trial");
    child.logs("trial would have refused this call").await;
    let lines = child.log();
    let of = |target: &str| {
        let wanted = format!("\"target\":\"{target}\"");
        let mut found = lines.lines().filter(|line| line.contains(&wanted));
        found.next().unwrap_or_default().to_owned()
    };
    let told = of("shadow");
    for part in [
        "\"limit.id\":\"trial\"",
        "\"refusal\":\"budget_exhausted\"",
        "\"team.id\":\"growth\"",
        "limit 0.1, settled 0, held 0",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    child.logs("\"target\":\"spend\"").await;
    assert!(
        child.log().contains("\"shadow\":\"trial\""),
        "{}",
        child.log()
    );
    child.end().await;
    let report = home.report();
    assert_eq!(report["budgets"][1]["mode"], "shadow");
}
