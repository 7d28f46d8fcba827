//! The commands about the account's truth, by the real binary, beside a guard and without one.

use generect_guard::simulator::{Fault, Simulator};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::block_in_place;

use crate::reconcile::SEARCH;
use crate::support::child::{Child, Home};
use crate::support::{Plan, verify};

fn plan() -> Plan {
    Plan::one_team("100")
        .set("upstream", "response_timeout = \"1s\"")
        .set("reconciliation", "interval = \"1h\"")
        .set("reconciliation", "tolerance = \"1s\"")
}

async fn simulator(plan: &Plan) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(listener, plan.simulator_settings()).await
}

fn output(home: &Home, arguments: &[&str]) -> String {
    block_in_place(|| home.output_of(arguments))
}

fn json(home: &Home, arguments: &[&str]) -> Value {
    serde_json::from_str(&output(home, arguments)).unwrap()
}

/// A search for `rows`, settled or cut; its end is on disk when this returns.
async fn search(guard: &Child, home: &Home, rows: usize, status: u16) {
    let ended = |text: &str| home.report()["holds"].to_string().contains(text);
    let body = format!(r#"{{"limit_by":{rows},"job_titles":["matches:{rows}"]}}"#);
    assert_eq!(guard.post(SEARCH, &body).await.status, status);
    let state = if status == 200 { "live" } else { "in_doubt" };
    guard
        .until(state, || {
            let is_there = block_in_place(|| ended(state));
            (is_there == (status != 200)).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_and_its_reports_beside_a_guard_and_without_one() {
    let plan = plan();
    let simulator = simulator(&plan).await;
    let home = plan.home(&simulator.base_url());
    let guard = home.serve().await;
    let unread = output(&home, &["report", "--in-doubt"]);
    assert!(unread.contains("Nothing is in doubt"), "{unread}");
    search(&guard, &home, 3, 200).await;
    simulator
        .faults()
        .next_on(1, SEARCH, Fault::CutBeforeCharge);
    search(&guard, &home, 5, 504).await;
    simulator.spend_elsewhere("search_database_leads", "1.5".parse().unwrap());
    let told = output(&home, &["reconcile"]);
    for words in ["2 rows read", "1 undecided", "theirs_only", "1.5"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let doubts = output(&home, &["report", "--in-doubt"]);
    for words in [
        "search_database_leads of team growth",
        "at most 0.1 credits",
        "not decided because: the account has not been read to the end of its time",
        "you can decide: generect-guard resolve",
    ] {
        assert!(doubts.contains(words), "{words}: {doubts}");
    }
    let doubts = json(&home, &["report", "--in-doubt", "--json"]);
    assert_eq!(doubts["doubts"][0]["most"], "0.1");
    assert!(doubts["doubts"][0]["waits_for"].is_string(), "{doubts}");
    let beside = json(&home, &["report", "--findings", "--json"]);
    assert_eq!(beside["findings"][0]["kind"], "theirs_only");
    assert_eq!(beside["findings"][0]["drift"], "1.5");
    assert_eq!(beside["kinds"][0]["open"], 1);
    let table = output(&home, &["report", "--findings"]);
    assert!(table.contains("somebody used the account"), "{table}");
    guard.end().await;

    simulator.spend_elsewhere("search_database_leads", "0.7".parse().unwrap());
    let told = output(&home, &["reconcile"]);
    assert!(told.contains("1 row read"), "{told}");
    let alone = json(&home, &["report", "--findings", "--json"]);
    assert_eq!(alone["findings"].as_array().unwrap().len(), 2);
    assert_eq!(alone["kinds"][0]["drift"], "2.2");
    let again = output(&home, &["reconcile"]);
    assert!(again.contains("0 rows read"), "{again}");
    assert!(again.contains("nothing new disagrees"), "{again}");
    let verified = output(&home, &["verify"]);
    assert!(!verified.is_empty());
    verify(&home.ledger());

    // What a command has found is known to the next guard.
    let guard = home.serve().await;
    let told = output(&home, &["reconcile"]);
    assert!(told.contains("nothing new disagrees"), "{told}");
    guard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_reconcile_says_why_and_fails() {
    let plan = plan();
    let simulator = simulator(&plan).await;
    let home = plan.home(&simulator.base_url());
    let refused = |home: &Home, why: &str| {
        let output = block_in_place(|| home.run(&["reconcile"]));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(why), "{errors}");
    };
    refused(&home, "there is no ledger at");
    let guard = home.serve().await;
    let failure = Fault::Failure {
        status: 500,
        charged: false,
        says_charge: false,
    };
    simulator.faults().on("/accounts/transactions/", failure);
    refused(&home, "transactions cannot be read");
    guard.end().await;
    refused(&home, "transactions cannot be read");
    simulator.faults().clear();
    let told = output(&home, &["reconcile"]);
    assert!(told.contains("0 rows read"), "{told}");

    let none = crate::support::Plan::one_team("100").set("reconciliation", "source = \"none\"");
    let none = none.home(&simulator.base_url());
    let guard = none.serve().await;
    refused(&none, "reconciliation.source is \"none\"");
    guard.end().await;
    refused(&none, "reconciliation.source is \"none\"");
}

/// Beside a guard and without one: the same form, and how far it is goes elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn reconcile_tells_in_json_what_it_did_and_what_is_open() {
    let plan = plan();
    let simulator = simulator(&plan).await;
    let home = plan.home(&simulator.base_url());
    let guard = home.serve().await;
    search(&guard, &home, 3, 200).await;
    simulator.spend_elsewhere("search_database_leads", "1.5".parse().unwrap());
    let beside = json(&home, &["reconcile", "--json"]);
    guard.end().await;
    simulator.spend_elsewhere("search_database_leads", "0.7".parse().unwrap());
    let alone = block_in_place(|| home.run(&["reconcile", "--json"]));
    let aside = String::from_utf8(alone.stderr).unwrap();
    assert!(aside.contains("list is read up to"), "{aside}");
    let alone: Value = serde_json::from_slice(&alone.stdout).unwrap();
    for (told, rows, drift, open) in [(&beside, 2, "1.5", "1.5"), (&alone, 1, "0.7", "2.2")] {
        assert_eq!(told["run"]["rows"], rows, "{told}");
        let found = &told["run"]["findings"][0];
        assert_eq!(found["kind"], "theirs_only", "{told}");
        assert_eq!(found["count"], 1, "{told}");
        assert_eq!(found["drift"], drift, "{told}");
        assert_eq!(told["open"]["kinds"][0]["drift"], open, "{told}");
    }
    assert_eq!(alone["open"]["findings"].as_array().unwrap().len(), 2);
    let help = output(&home, &["reconcile", "--help"]);
    assert!(help.contains("--json"), "{help}");
}
