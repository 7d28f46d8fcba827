//! What the published SDK makes of the guard's refusals: it stops where it must not repeat, and
//! repeats where that helps.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::Fault;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::sdk_session::Sdk;
use crate::support::{Plan, UNTIL_TOLD, World, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";

fn rows(count: u64) -> serde_json::Value {
    json!({"job_titles": ["matches:3"], "limit_by": count})
}

fn searches(world: &World) -> usize {
    let seen = world.simulator.truth().requests();
    seen.iter().filter(|seen| seen.path == SEARCH).count()
}

/// What the SDK's methods return for a team that sees its own books.
#[tokio::test(flavor = "multi_thread")]
async fn a_teams_own_books_are_shown_to_the_sdk_in_the_accounts_place() {
    let world = Plan::one_team("200").start().await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    sdk.call("enrich.database_company", json!({"domain": "example.com"}))
        .await
        .returned();
    world
        .budget_when("growth-month", |budget| budget.settled == credits("0.02"))
        .await;
    let me = sdk.call("accounts.me", json!({})).await;
    assert_eq!(me.returned()["data"]["credits"]["balance"], json!(199.98));
    let usage = sdk.call("accounts.usage", json!({"period": "month"})).await;
    let usage = &usage.returned()["data"];
    assert_eq!(usage["total_credits"], json!(0.02));
    assert_eq!(usage["breakdown"]["enrich_database"], json!(0.02));
    let rows = sdk.call("accounts.transactions", json!({"limit": 1})).await;
    let rows = &rows.returned()["data"]["transactions"];
    assert_eq!(rows[0]["type"], "enrich_database_company", "{rows}");
    assert_eq!(rows[0]["credits"], json!(-0.02), "{rows}");
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_shown_to_keys_that_may_see_it_and_webhooks_to_none() {
    let plan = Plan::one_team_with("200", "account_view = \"account\"");
    let plan = plan.key("finance", "growth", "account = true");
    let world = plan.start().await;
    let narrow = Sdk::start(world.address(), "growth-crm").await;
    let wide = Sdk::start(world.address(), "finance").await;
    narrow
        .call("enrich.database_company", json!({"domain": "example.com"}))
        .await
        .returned();
    world
        .budget_when("growth-month", |budget| budget.settled == credits("0.02"))
        .await;
    for (method, kwargs) in [
        ("accounts.me", json!({})),
        ("accounts.usage", json!({"period": "month"})),
        ("accounts.transactions", json!({"limit": 1})),
    ] {
        let refused = narrow.call(method, kwargs.clone()).await;
        assert_eq!(refused.raised(), "ForbiddenError", "{refused:?}");
        assert!(refused.detail().contains("account = true"), "{refused:?}");
        assert_eq!(refused.body()["code"], "operation_not_allowed");
        assert_eq!(refused.wire(), ["403"], "not repeated");
        wide.call(method, kwargs).await.returned();
    }
    let me = wide.call("accounts.me", json!({})).await;
    assert_eq!(me.returned()["data"]["credits"]["balance"], json!(999.98));
    let rows = wide
        .call("accounts.transactions", json!({"limit": 1}))
        .await;
    let rows = &rows.returned()["data"]["transactions"];
    assert_eq!(
        rows.as_array().map(Vec::len),
        Some(1),
        "the query is passed on: {rows}"
    );

    let before = world.simulator.truth().requests().len();
    for (method, args) in [
        ("webhooks.list", json!([])),
        ("webhooks.create", json!([])),
        ("webhooks.get", json!(["7"])),
        ("webhooks.update", json!(["7"])),
        ("webhooks.delete", json!(["7"])),
        ("webhooks.test", json!(["7"])),
    ] {
        let refused = wide.call_with(method, args, json!({})).await;
        assert_eq!(refused.raised(), "ForbiddenError", "{method} {refused:?}");
        assert!(
            refused.detail().contains("is not passed on by the guard"),
            "{refused:?}"
        );
        assert_eq!(refused.wire(), ["403"], "not repeated");
    }
    let after = world.simulator.truth().requests();
    assert!(
        after[before..]
            .iter()
            .all(|seen| crate::support::is_own_question(&seen.path))
    );
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_is_an_insufficient_balance_and_not_repeated() {
    let world = Plan::one_team("1").start().await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    let came = sdk.call("search.database_leads", rows(100)).await;
    assert_eq!(came.raised(), "InsufficientBalanceError", "{came:?}");
    assert_eq!(came.body()["code"], "budget_exhausted");
    assert_eq!(came.body()["budgets"][0]["id"], "growth-month");
    assert_eq!(came.wire(), ["402"], "one request, and no more");
    assert_eq!(searches(&world), 0);
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_account_is_an_insufficient_balance_and_not_repeated() {
    let world = Plan::one_team("100")
        .toml("[[floor]]\nbelow = 999\npriority = \"normal\"\naction = \"refuse\"\n")
        .toml("[[floor]]\nbelow = 999\npriority = \"low\"\naction = \"refuse\"\n")
        .start()
        .await;
    world.account_read().await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    let came = sdk.call("search.database_leads", rows(100)).await;
    assert_eq!(came.raised(), "InsufficientBalanceError", "{came:?}");
    assert_eq!(came.body()["code"], "account_low");
    assert_eq!(came.wire(), ["402"], "one request, and no more");
    sdk.call("search.database_leads", rows(50)).await.returned();
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_is_used_up_is_waited_for() {
    let world = Plan::one_team("100")
        .toml("[[rate]]\nteam = \"growth\"\nper_second = 1\nburst = 1")
        .start()
        .await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    sdk.call("search.database_leads", rows(5)).await.returned();
    let second = sdk.call("search.database_leads", rows(5)).await;
    second.returned();
    assert_eq!(second.wire(), ["429", "200"]);
    assert_eq!(searches(&world), 2);
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn room_that_other_calls_hold_is_waited_for() {
    let world = Plan::one_team("1")
        .simulator(|settings| settings.latency = UNTIL_TOLD)
        .start()
        .await;
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    let body = rows(40).to_string();
    let first = world.post(SEARCH, &body);
    let second = async {
        world
            .budget_when("growth-month", |budget| budget.held == credits("0.8"))
            .await;
        sdk.call("search.database_leads", rows(30)).await
    };
    let refused_once = async {
        world.refused_for("budget_busy").await;
        world.simulator.faults().hurry();
    };
    let (first, second, ()) = tokio::join!(first, second, refused_once);
    assert_eq!(first.status, 200, "{}", first.text);
    second.returned();
    let wire = second.wire();
    let (last, before) = wire.split_last().unwrap();
    assert_eq!(last, "200");
    // Once, unless the first takes its time to be settled.
    let refused = before.iter().all(|came| came == "429");
    assert!(refused && !before.is_empty(), "{wire:?}");
    world.end_with_nothing_open().await;
}

/// A 402 would be an `InsufficientBalanceError`, after which clients stop altogether.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_above_what_its_client_allows_is_a_mistake_of_its_own_and_not_repeated() {
    let world = Plan::one_team("100").start().await;
    let allowed = json!({"headers": {"guard-max-charge": "0.5"}});
    let sdk = Sdk::start_with(world.address(), "growth-crm", allowed).await;
    let refused = sdk.call("search.database_leads", rows(26)).await;
    assert_eq!(refused.raised(), "BadRequestError", "{refused:?}");
    assert!(
        refused.detail().contains("About 25 of the 26"),
        "{refused:?}"
    );
    assert_eq!(refused.wire(), ["400"]);
    let within = sdk.call("search.database_leads", rows(25)).await;
    within.returned();
    assert_eq!(searches(&world), 1);
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_comes_back_through_the_sdk_as_it_is() {
    let world = Plan::one_team("1").start().await;
    let dry = json!({"headers": {"guard-dry-run": "true"}});
    let sdk = Sdk::start_with(world.address(), "growth-crm", dry).await;
    let fits = sdk.call("search.database_leads", rows(25)).await;
    assert_eq!(fits.returned()["verdict"], "admitted");
    assert_eq!(fits.returned()["quote"], "0.5");
    assert_eq!(
        fits.amount_charged(),
        "",
        "nothing that looks like a charge"
    );
    let refused = sdk.call("search.database_leads", rows(51)).await;
    assert_eq!(refused.returned()["refusal"]["code"], "budget_exhausted");
    assert_eq!(searches(&world), 0);
    world.end_with_nothing_open().await;
}

/// The SDK repeats after any 504, up to three times; the guard sends none of these.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_the_charge_is_charged_once_and_not_four_times() {
    let world = Plan::one_team("100").start().await;
    let faults = world.simulator.faults();
    faults.next_on(4, SEARCH, Fault::CutAfterCharge);
    let sdk = Sdk::start(world.address(), "growth-crm").await;
    let came = sdk.call("search.database_leads", rows(5)).await;
    assert_eq!(came.raised(), "ServerError", "{came:?}");
    assert_eq!(came.wire(), ["504", "504", "504", "504"]);
    assert_eq!(came.body()["code"], "call_in_doubt", "the last of them");
    assert_eq!(searches(&world), 1, "sent once");
    let truth = world.simulator.truth();
    assert_eq!(truth.charges().len(), 1);
    let budget = world.budget("growth-month").await;
    assert_eq!(budget.settled, Credits::ZERO);
    assert_eq!(budget.in_doubt, credits("0.1"), "and all of it is kept");
    assert!(truth.total_charged() <= budget.in_doubt);
    world.end().await;
}

/// Nothing was sent, so the repeat may be, and is.
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_was_away_for_a_moment_is_tried_again() {
    use generect_guard::simulator::Listening;
    let world = Plan::one_team("100").start().await;
    let faults = world.simulator.faults();
    faults.listen(Listening::Refusing).await;
    faults.close_connections();
    let slowly = json!({"backoff_base": 0.3});
    let sdk = Sdk::start_with(world.address(), "growth-crm", slowly).await;
    let call = sdk.call("search.database_leads", rows(5));
    let come_back = async {
        world.refused_for("upstream_unreachable").await;
        faults.listen(Listening::Normal).await;
    };
    let (came, ()) = tokio::join!(call, come_back);
    came.returned();
    assert_eq!(came.wire().first().map(String::as_str), Some("502"));
    assert_eq!(world.simulator.truth().charges().len(), 1);
    world.end_with_nothing_open().await;
}

/// A relay whose other end can be moved: what stands before a guard that is replaced by another.
async fn movable_relay(target: Arc<Mutex<SocketAddr>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let target = *target.lock().unwrap();
            // With nobody there the client's connection is dropped.
            if let Ok(mut guard) = TcpStream::connect(target).await {
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut guard).await });
            }
        }
    });
    address
}

/// What is under way is finished, what comes meanwhile is told to come again (503) or finds a closed
/// door; nothing of that was sent, so the SDK's repeats are harmless.
#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_is_replaced_under_load_is_not_noticed_and_charges_nothing_twice() {
    const CALLS: usize = 60;
    let plan = || {
        let plan = Plan::one_team("100");
        plan.simulator(|settings| settings.latency = Duration::from_millis(15))
    };
    let world = plan().start().await;
    let target = Arc::new(Mutex::new(world.address()));
    let through = movable_relay(Arc::clone(&target)).await;
    let done = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for client in 0..3 {
        let done = Arc::clone(&done);
        clients.spawn(async move {
            let patient = json!({"backoff_base": 0.5});
            let sdk = Sdk::start_with(through, "growth-crm", patient).await;
            for call in 0..CALLS / 3 {
                let body = json!({"job_titles": [format!("{client} {call}")], "limit_by": 1});
                sdk.call("search.database_leads", body).await.returned();
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    while done.load(Ordering::SeqCst) < CALLS / 3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let world = world.restarted(plan()).await;
    *target.lock().unwrap() = world.address();
    clients.join_all().await;
    let truth = world.simulator.truth();
    assert_eq!(truth.charges().len(), CALLS);
    world
        .budget_when("growth-month", |budget| {
            budget.held == Credits::ZERO && budget.settled == truth.total_charged()
        })
        .await;
    world.end_with_nothing_open().await;
}
