//! `archive`, beside a running guard and without one: what finance reads stays the same to the byte.

use generect_guard::credits::Credits;
use generect_guard::ledger::{Entry, EntryKind, Note, NoteKind, SqliteStore, Store};
use generect_guard::simulator::Simulator;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use tokio::net::TcpListener;
use tokio::task::block_in_place;

use crate::support::child::Home;
use crate::support::{Plan, verify};

const SEARCH: &str = "/api/v1/search/database/leads/";

/// The beginning of the month so many months ago, and how the command line calls it.
fn month(ago: i64) -> (Timestamp, String) {
    let now = generect_guard::clock::Clock::system().now();
    let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let first = first.checked_sub(ago.months()).unwrap();
    let start = first.to_zoned(TimeZone::UTC).unwrap().timestamp();
    (start, first.strftime("%Y-%m").to_string())
}

/// Calls of the last five months, one every seven hours, that took 0.02 each.
fn write_history(home: &Home) {
    let mut store = SqliteStore::open(&home.ledger()).unwrap();
    let mut entries = Vec::new();
    let mut at = month(5).0;
    let end = generect_guard::clock::Clock::system().now() - SignedDuration::from_hours(1);
    while at < end {
        let seq = i64::try_from(entries.len()).unwrap() + 1;
        let held = Entry {
            seq,
            kind: EntryKind::Held,
            hold: seq.to_string().parse().unwrap(),
            began_at: at,
            recorded_at: at,
            team: "growth".into(),
            key: "growth-crm".into(),
            operation: "search_database_leads".into(),
            amount: Credits::from_micros(200_000),
            job: None,
            budget: None,
            fingerprint: None,
            evidence: None,
        };
        entries.push(held.clone());
        entries.push(Entry {
            seq: seq + 1,
            kind: EntryKind::Settled,
            recorded_at: at + SignedDuration::from_secs(1),
            amount: Credits::from_micros(20_000),
            evidence: Some(Note {
                kind: NoteKind::Stated,
                text: "0.02".into(),
            }),
            ..held
        });
        at += SignedDuration::from_hours(7);
    }
    store.append(&entries).unwrap();
}

fn output(home: &Home, arguments: &[&str]) -> String {
    block_in_place(|| home.output_of(arguments))
}

/// What a command that must fail says.
fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = block_in_place(|| home.run(arguments));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    errors
}

fn months_exported(home: &Home, more: &[&str]) -> Vec<String> {
    let export = |ago: i64| {
        let (from, to) = (month(ago).0.to_string(), month(ago - 1).0.to_string());
        output(
            home,
            &[&["export", "--from", &from, "--to", &to], more].concat(),
        )
    };
    [5, 4, 3, 2].map(export).to_vec()
}

fn totals(home: &Home) -> String {
    let (from, to) = (month(5).0.to_string(), month(0).0.to_string());
    let report = output(home, &["report", "--json", "--from", &from, "--to", &to]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let budgets = report["budgets"].as_array().unwrap().iter();
    let stands = budgets.map(|budget| format!("{} {}", budget["id"], budget["settled"]));
    format!("{:?}\n{}", stands.collect::<Vec<_>>(), report["spend"])
}

/// What is altered is the archive, and so it is that which is to be replaced.
fn an_altered_one_is_told_of(home: &Home, archive: &str) {
    let file = rusqlite::Connection::open(archive).unwrap();
    file.execute("UPDATE sums SET settled = settled + 1", [])
        .unwrap();
    let altered = block_in_place(|| home.run(&["verify", "--archive", archive]));
    let altered = String::from_utf8(altered.stdout).unwrap();
    assert!(
        altered.contains("is not what it was when it was made")
            && altered.contains("If it is an archive that differs"),
        "{altered}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_months_are_exported_to_the_same_bytes_beside_a_guard_and_without_one() {
    let plan = Plan::one_team("100").budget("all-time", "limit = 10000\nper = \"total\"");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    write_history(&home);
    let (exported, told) = (months_exported(&home, &[]), totals(&home));
    assert!(exported.iter().all(|text| text.lines().count() > 150));
    let [first, second] = ["first.db", "second.db"].map(|name| home.path().join(name));
    let [first, second] = [&first, &second].map(|path| path.to_str().unwrap());

    // Without a guard.
    let early = month(3).1;
    output(
        &home,
        &[
            "archive",
            "--before",
            &early,
            "--to",
            first,
            "--reason",
            "the year is closed",
        ],
    );
    assert_eq!(
        (months_exported(&home, &[]), totals(&home)),
        (exported.clone(), told.clone())
    );

    // Beside one that is called meanwhile.
    let guard = home.serve().await;
    let late = month(2).1;
    output(&home, &["archive", "--before", &late, "--to", second]);
    let called = guard
        .post(SEARCH, r#"{"limit_by":3,"job_titles":["matches:3"]}"#)
        .await;
    assert_eq!(called.status, 200, "{}", called.text);
    assert_eq!(months_exported(&home, &[]), exported);
    let again = refused(&home, &["archive", "--before", &late, "--to", second]);
    assert!(again.contains("left to archive"), "{again}");
    guard.end().await;

    let verified = output(&home, &["verify"]);
    assert!(
        verified.contains("2 archives; left out: 0 entries"),
        "{verified}"
    );
    verify(&home.ledger());
    let changes = output(&home, &["report", "--changes"]);
    assert!(
        changes.contains("archived") && changes.contains("the year is closed"),
        "{changes}"
    );

    // One that was moved is asked for.
    let moved = home.path().join("elsewhere.db");
    std::fs::rename(first, &moved).unwrap();
    let lost = refused(&home, &["verify"]);
    assert!(
        lost.contains("first.db: say where with --archive FILE"),
        "{lost}"
    );
    let moved = moved.to_str().unwrap();
    assert_eq!(months_exported(&home, &["--archive", moved]), exported);
    output(&home, &["verify", "--archive", moved]);
    let without = output(&home, &["verify", "--without-archives"]);
    assert!(!without.contains("left out: 0 entries"), "{without}");
    an_altered_one_is_told_of(&home, moved);
}
