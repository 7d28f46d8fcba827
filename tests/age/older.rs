//! The first start on a ledger of the first schema: people and systemd are told, and a guard that is killed, or
//! told to stop, while it brings the ledger to its own schema harms nothing.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use generect_guard::simulator::Simulator;
use rusqlite::{Connection, params};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpListener, UnixDatagram};
use tokio::task::block_in_place;

use crate::support::child::{Child, Home};
use crate::support::{Plan, verify};

const FIRST: &str = include_str!("../../src/ledger/store/migrations/0001.sql");
const SEARCH: &str = "/api/v1/search/database/leads/";
/// Calls that took 0.02 each, one a minute: enough for the steps to take longer than a pause below.
const CALLS: i64 = 150_000;
const MINUTE: i64 = 60_000_000;

const ENTRIES: &str = "
    WITH RECURSIVE entry (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM entry WHERE seq < 2 * ?1)
    INSERT INTO entries (seq, kind, hold, began_at, recorded_at, team, \"key\", operation, amount, evidence, detail)
    SELECT seq, CASE seq % 2 WHEN 1 THEN 1 ELSE 3 END, seq - 1 + seq % 2, began, began + 1000000 * (1 - seq % 2), 1, 2, 3,
           CASE seq % 2 WHEN 1 THEN 200000 ELSE 20000 END, CASE seq % 2 WHEN 1 THEN NULL ELSE 2 END,
           CASE seq % 2 WHEN 1 THEN NULL ELSE '0.02' END
    FROM (SELECT seq, ?2 + (seq - 1) / 2 * ?3 AS began FROM entry)";

const SUMS: &str = "
    INSERT INTO sums
    SELECT began_at / 900000000 AS began, recorded_at / 900000000 AS recorded, team, \"key\", operation,
           count(*), sum(amount)
    FROM entries WHERE kind = 3 GROUP BY began, recorded, team, \"key\", operation";

fn write_history(home: &Home) {
    let file = Connection::open(home.ledger()).unwrap();
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
        .unwrap();
    file.execute_batch(FIRST).unwrap();
    for (number, name) in [
        (1, "growth"),
        (2, "growth-crm"),
        (3, "search_database_leads"),
    ] {
        file.execute("INSERT INTO names VALUES (?1, ?2)", params![number, name])
            .unwrap();
    }
    let now = generect_guard::clock::Clock::system().now();
    let begin = now.as_microsecond() - (CALLS + 1) * MINUTE;
    file.execute(ENTRIES, [CALLS, begin, MINUTE]).unwrap();
    file.execute(SUMS, []).unwrap();
    let mark = "UPDATE facts SET value = ?1 WHERE name = 'mark'";
    file.execute(mark, [2 * CALLS]).unwrap();
    file.pragma_update(None, "application_id", 0x6747_4C64)
        .unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
}

async fn old_home() -> (Simulator, Home) {
    let plan = Plan::one_team("1000000");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    block_in_place(|| write_history(&home));
    (simulator, home)
}

/// Starts a guard, and kills it so long after it said that it brings the ledger to its schema; what it
/// said. `None`: it said nothing of the kind before it listened.
fn killed_after(home: &Home, pause: Duration) -> Option<String> {
    let mut command = home.command(&["serve"]);
    let mut guard = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(guard.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let telling = ["is being brought", "the guard is listening"];
    let said = lines.find(|line| telling.iter().any(|told| line.contains(told)));
    std::thread::sleep(pause);
    guard.kill().unwrap();
    guard.wait().unwrap();
    said.filter(|line| line.contains(telling[0]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_is_killed_while_it_brings_a_ledger_to_its_schema_harms_nothing() {
    let (_simulator, home) = old_home().await;
    block_in_place(|| {
        // Each begins where the one before was killed.
        for pause in [0, 3, 10, 25, 50, 100, 150] {
            let said = killed_after(&home, Duration::from_millis(pause));
            println!("killed after {pause} ms: {said:?}");
            if said.is_none() {
                break;
            }
        }
    });
    let guard = home.serve().await;
    let called = guard
        .post(SEARCH, r#"{"limit_by":3,"job_titles":["matches:3"]}"#)
        .await;
    assert_eq!(called.status, 200, "{}", called.text);
    guard.end().await;
    verify(&home.ledger());
    let report = block_in_place(|| home.output_of(&["verify"]));
    let entries = format!("{} entries", 2 * CALLS + 2);
    assert!(report.contains(&entries), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_is_told_to_stop_while_it_brings_a_ledger_to_its_schema_stops_at_once() {
    let (_simulator, home) = old_home().await;
    // As long as this is open, no step can begin.
    let other = Connection::open(home.ledger()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut command = home.command(&["serve"]);
    let mut guard = command.stdout(Stdio::piped()).spawn().unwrap();
    block_in_place(|| {
        let lines = BufReader::new(guard.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        assert!(lines.any(|line| line.contains("is being brought")));
        kill_process(Pid::from_child(&guard), Signal::TERM).unwrap();
        let last = lines.last().unwrap();
        assert!(last.contains("told to stop before"), "{last}");
        assert_eq!(guard.wait().unwrap().code(), Some(0));
    });
    drop(other);
    home.serve().await.end().await;
    verify(&home.ledger());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_systemd_are_told_that_a_ledger_is_brought_to_a_newer_schema() {
    let (_simulator, home) = old_home().await;
    let path = home.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let mut command = home.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &path);
    let guard = Child::start(command).await;
    let mut bytes = [0; 4096];
    let length = systemd.recv(&mut bytes).await.unwrap();
    let first = String::from_utf8(bytes[..length].to_vec()).unwrap();
    assert!(
        first.contains("EXTEND_TIMEOUT_USEC=300000000")
            && first.contains("STATUS=the ledger is being brought from schema 1 to 5"),
        "{first}"
    );
    guard.logs("the guard is listening").await;
    let log = guard.log();
    let place = |text: &str| {
        let found = log.find(text);
        found.unwrap_or_else(|| panic!("{text} is not in {log}"))
    };
    let begun = place("is being brought from schema 1 to 5");
    let done = place("was brought from schema 1 to 5");
    assert!(begun < done && done < place("the guard is listening"));
    guard.end().await;
    verify(&home.ledger());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_opens_an_old_ledger_without_a_guard_tells_what_takes_so_long() {
    let (_simulator, home) = old_home().await;
    let done = block_in_place(|| home.run(&["pause", "--team", "growth", "--reason", "a loop"]));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    assert!(said.contains("was brought from schema 1 to 5"), "{said}");
    verify(&home.ledger());
}
