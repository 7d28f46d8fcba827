//! `report`, `export`, `verify` and `backup`, beside a ledger that is open for writing.

use std::fs;

use generect_guard::ledger::{Decision, Resolution};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::books::{Books, CONFIG, credits, stated};
use crate::support::Folder;

#[tokio::test]
async fn a_report_tells_budgets_spend_and_open_calls() {
    let (books, live) = Books::filled().await;
    let report = serde_json::to_value(books.report()).unwrap();
    assert_eq!(
        report["budgets"][0],
        json!({
            "id": "growth-month", "team": "growth", "key": null, "operations": null,
            "window_start": "2025-11-30T22:00:00Z", "resets_at": "2025-12-31T22:00:00Z",
            "limit": "10", "granted": "0", "settled": "0.02", "held": "5.2", "in_doubt": "4",
            "mode": "enforce", "remaining": "4.78", "runs_out_at": null,
        })
    );
    assert_eq!(report["budgets"][1]["remaining"], "0.04");
    assert_eq!(
        report["budgets"][2]["operations"],
        json!(["email_find", "email_find_bulk"])
    );
    assert_eq!(report["budgets"][2]["window_start"], Value::Null);
    assert_eq!(report["account"], Value::Null);
    assert_eq!(
        report["spend"],
        json!([
            {"team": "growth", "key": "crm", "operation": "email_find", "calls": 1, "settled": "0.02"},
            {"team": "research", "key": "notebook", "operation": "search_database_leads", "calls": 1, "settled": "0.06"},
        ])
    );
    let holds = report["holds"].as_array().unwrap();
    let shown: Vec<_> = holds
        .iter()
        .map(|hold| {
            (
                hold["operation"].as_str().unwrap(),
                hold["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("search_realtime_leads", "in_doubt"),
            ("email_find_bulk", "job"),
            ("enrich_realtime_lead", "live"),
        ]
    );
    assert_eq!(holds[0]["why"], "cut after 310 s\u{1b}[2J");
    assert_eq!(holds[1]["why"], "job job-7");
    assert_eq!(holds[2]["why"], Value::Null);
    assert_eq!(holds[2]["id"], live.id().get());
    assert_eq!(holds[2]["began_at"], "2025-11-30T23:03:00Z");
    live.release("done");
    books.close().await;
}

#[tokio::test]
async fn a_report_in_text_fits_a_terminal_and_cannot_steer_it() {
    let (books, live) = Books::filled().await;
    let text = books.text();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    for words in [
        "growth-month",
        "from 2025-12-01 ",
        "frees 2025-12-01 23:",
        "last 24h",
        "4 in doubt",
        "▓▒▒▒▒▒▒▒▒▒░░░░░░░░",
        "growth (Growth marketing) ",
        "0.08 credits for 2 calls.",
        "in doubt: cut after 310 s",
        "job: job job-7",
        "1 in doubt, 4 credits: counted as spent",
    ] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    live.release("done");
    books.close().await;
}

#[tokio::test]
async fn a_report_on_an_empty_ledger_says_so() {
    let books = Books::open();
    let text = books.text();
    assert!(text.contains("Nothing was charged."), "{text}");
    assert!(text.ends_with("None.\n"), "{text}");
    books.close().await;
}

#[tokio::test]
async fn the_report_command_reads_beside_a_running_guard_and_without_the_token() {
    let (books, live) = Books::filled().await;
    let ran = books.run(&[
        "report",
        "--json",
        "--from",
        "2025-11-01",
        "--to",
        "2025-12-01",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["spend"].as_array().unwrap().len(), 2);
    assert_eq!(report["period"]["from"], "2025-11-01T00:00:00Z");
    // By now that month is long over, the total goes on, and open calls are told whenever they began.
    assert_eq!(report["budgets"][0]["settled"], "0");
    assert_eq!(report["budgets"][2]["settled"], "0.02");
    assert_eq!(report["holds"].as_array().unwrap().len(), 3);

    let text = books.run(&["report"]);
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.out.contains("Nothing was charged."), "{text:?}");
    live.release("done");
    books.close().await;
}

fn november(books: &Books, format: &str) -> String {
    let period = ["--from", "2025-11-01", "--to", "2025-12-01"];
    let ran = books.run(&[&["export", "--format", format], &period[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.err.contains("not over"), "{ran:?}");
    ran.out
}

#[tokio::test]
async fn an_export_is_one_entry_a_line_safe_for_spreadsheets() {
    let (books, live) = Books::filled().await;
    let csv = november(&books, "csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 11);
    let column = |row: usize, name: &str| {
        let at = header.iter().position(|found| found == name).unwrap();
        rows[row][at].to_owned()
    };
    assert_eq!(column(0, "recorded_at"), "2025-11-30T23:00:00.000000Z");
    assert_eq!(column(1, "kind"), "settled");
    assert_eq!(column(1, "amount"), "0.02");
    assert_eq!(
        (column(1, "evidence"), column(1, "note")),
        ("stated".into(), "2e-2".into())
    );
    assert_eq!(column(3, "note"), "'=3 x 0.02");
    assert_eq!(column(5, "note"), "answered 404, \"none\"");
    for (row, entry) in (1_i64..).zip(&rows) {
        assert_eq!(entry[0], row.to_string());
    }

    let jsonl = november(&books, "jsonl");
    let lines: Vec<Value> = jsonl
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[3]["note"], "=3 x 0.02");
    assert_eq!(lines[3]["amount"], "0.06");
    assert_eq!(lines[0]["note"], Value::Null);
    assert_eq!(lines[9]["job"], "job-7");
    live.release("done");
    books.close().await;
}

#[tokio::test]
async fn a_closed_months_export_never_changes() {
    let (books, live) = Books::filled().await;
    let before = november(&books, "csv");
    let doubt = books.report().holds[0].id.to_string().parse().unwrap();
    books.clock.set("2025-12-05T00:00:00Z".parse().unwrap());
    live.settle(credits("0.2"), stated("0.2"));
    let resolution = Resolution {
        decision: Decision::Settle(credits("3.2")),
        who: "ann".into(),
        reason: "seen in the bill".into(),
    };
    books.ledger.resolve(doubt, resolution).await.unwrap();
    assert_eq!(november(&books, "csv"), before);
    let december = books.run(&["export", "--from", "2025-12-01", "--to", "2026-01-01"]);
    assert_eq!(december.out.lines().count(), 3, "{december:?}");
    assert!(
        december.out.contains("ann: seen in the bill"),
        "{december:?}"
    );
    books.close().await;
}

#[tokio::test]
async fn an_export_into_a_file_never_writes_over_one() {
    let (books, live) = Books::filled().await;
    let arguments = [
        "export",
        "--from",
        "2025-11-01",
        "--to",
        "2025-12-01",
        "--output",
        "november.csv",
    ];
    let ran = books.run(&arguments);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert!(ran.err.contains("11 entries"), "{ran:?}");
    let path = books.folder.dir.path().join("november.csv");
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(written, november(&books, "csv"));
    let again = books.run(&arguments);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("november.csv"), "{again:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), written);

    let far: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let open = books.run(&["export", "--from", "2025-11-01", "--to", &far.to_string()]);
    assert!(open.err.contains("not over yet"), "{open:?}");
    live.release("done");
    books.close().await;
}

#[tokio::test]
async fn an_export_of_more_than_one_page_is_whole() {
    let books = Books::open();
    for _ in 0..1100 {
        let hold = books.hold("growth", "email_find", "0.001").await;
        hold.settle(credits("0.001"), stated("0.001"));
    }
    books
        .hold("growth", "email_find", "0.001")
        .await
        .release("the last");
    let rows = november(&books, "jsonl");
    assert_eq!(rows.lines().count(), 2202);
    books.close().await;
}

#[tokio::test]
async fn verify_says_that_everything_agrees_or_what_does_not() {
    let (books, live) = Books::filled().await;
    let ran = books.run(&["verify"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("11 entries, 6 holds (3 open)"), "{ran:?}");
    assert!(ran.out.contains("Everything agrees."), "{ran:?}");
    live.release("done");
    let folder = books.close().await;

    // Somebody makes a sum say less than its entries do.
    let connection = rusqlite::Connection::open(folder.dir.path().join("books.db")).unwrap();
    connection
        .execute("UPDATE sums SET settled = settled - 1", [])
        .unwrap();
    let ran = folder.run(&["verify"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("mismatch: "), "{ran:?}");
    assert!(ran.out.contains("`restore`"), "{ran:?}");
}

#[tokio::test]
async fn a_backup_is_a_whole_ledger_and_never_written_over_another_file() {
    let (books, live) = Books::filled().await;
    let ran = books.run(&["backup", "copy.db"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("copy.db: 11 entries"), "{ran:?}");
    let again = books.run(&["backup", "copy.db"]);
    assert_eq!(again.code, 1, "{again:?}");
    let why = "cannot be copied to copy.db: a file of that name exists already";
    assert!(again.err.contains(why), "{again:?}");
    assert_eq!(books.run(&["backup", "no/such/folder.db"]).code, 1);

    let config = CONFIG.replace("books.db", "copy.db");
    books.folder.file("copy.toml", &config);
    let verified = books
        .folder
        .run_bare(&["verify", "--config", "copy.toml"], &[]);
    assert_eq!(verified.code, 0, "{verified:?}");
    for ending in ["-wal", "-shm"] {
        let beside = books.folder.dir.path().join(format!("copy.db{ending}"));
        assert!(!beside.exists(), "it is one file, also when it was read");
    }
    live.release("done");
    books.close().await;
}

#[tokio::test]
async fn a_reader_that_stops_early_is_no_failure() {
    let (books, live) = Books::filled().await;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_generect-guard"))
        .args(["report", "--config", "guard.toml"])
        .current_dir(books.folder.dir.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stderr, b"");
    live.release("done");
    books.close().await;
}

#[test]
fn commands_that_read_never_make_a_ledger() {
    let folder = Folder::with(CONFIG);
    for arguments in [
        &["report"][..],
        &["verify"],
        &["backup", "copy.db"],
        &["export", "--from", "2025-11-01", "--to", "2025-12-01"],
    ] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains("books.db"), "{ran:?}");
    }
    let left: Vec<_> = fs::read_dir(folder.dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
