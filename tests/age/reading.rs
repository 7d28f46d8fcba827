//! A command that reads a large ledger where nothing can be written, as in a container without a folder for
//! temporary files.

use generect_guard::ledger::{SqliteStore, Store as _};
use generect_guard::simulator::Simulator;
use rusqlite::Connection;
use tokio::net::TcpListener;
use tokio::task::block_in_place;

use crate::support::Plan;

/// Charges of 60 keys in each quarter hour of 20 days from the second of January 2026 on: to add them up by
/// key they are sorted, and that is more than the database keeps in its cache.
const SUMS: &str = "
    INSERT INTO names (id, name) VALUES (1, 'growth'), (2, 'search_database_leads');
    WITH RECURSIVE key (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM key WHERE n < 159)
    INSERT INTO names (id, name) SELECT n, 'key-' || n FROM key;
    WITH RECURSIVE quarter (n) AS (SELECT 1767312000 / 900 UNION ALL SELECT n + 1 FROM quarter
                                   WHERE n < 1767312000 / 900 + 20 * 96 - 1)
    INSERT INTO sums SELECT quarter.n, quarter.n, 1, names.id, 2, 1, 20000
    FROM quarter, names WHERE names.id >= 100;";

#[tokio::test(flavor = "multi_thread")]
async fn a_report_needs_no_temporary_file() {
    let plan = Plan::one_team("100");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    let store = SqliteStore::open(&home.ledger()).unwrap();
    let file = Connection::open(home.ledger()).unwrap();
    file.execute_batch(SUMS).unwrap();
    // Whoever writes has made the index of the log, so that a reader need not.
    assert_eq!(store.reader().tail().unwrap().seq, 0);
    let period = [
        "report",
        "--json",
        "--from",
        "2026-01-02",
        "--to",
        "2026-01-22",
    ];
    let mut command = home.command_in_shell(r#"ulimit -f 0; exec "$@""#, &period);
    let done = block_in_place(|| command.output().unwrap());
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {said}", done.status);
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let spend = report["spend"].as_array().unwrap();
    assert_eq!(spend.len(), 60, "{spend:?}");
    assert!(
        spend.iter().all(|line| line["settled"] == "38.4"),
        "{spend:?}"
    );
}
