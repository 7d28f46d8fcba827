//! Rounds that alternate between the guards, and their medians.

use std::fs;
use std::path::Path;
use std::time::Duration;

use generect_guard::clock::Clock;
use jiff::SignedDuration;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::children::{Child, role};
use crate::history::History;
use crate::load::{Until, drive};
use crate::settings::NARROW;
use crate::{LOAD_CORE, number, requests};

/// Before each measurement, so that connections and pools stand.
const WARM_UP: Duration = Duration::from_millis(200);
/// The name that threads of reconciliation begin with.
const ITS_THREADS: &str = "reconcil";
/// The writer's time for one piece of records.
const PIECES: &str = "guard_ledger_keep_seconds";
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

struct Case {
    name: &'static str,
    guard: Child,
    rounds: Vec<Round>,
}

struct Round {
    rate: f64,
    half: f64,
    most: f64,
    longest: f64,
    /// The share of the core that reconciliation had, beside the writer's work for it.
    share: f64,
}

pub(crate) async fn compare() {
    let calls = i64::try_from(number("CALLS", 1_000_000)).unwrap();
    let history = History {
        begin: Clock::system().now() - MONTH - SignedDuration::from_hours(3),
        step: MONTH / i32::try_from(calls).unwrap(),
        together: 1,
        calls,
    };
    let upstream = role(
        LOAD_CORE,
        &[
            "upstream",
            &history.begin.to_string(),
            &history.step.to_string(),
            &calls.to_string(),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let (bare, read) = (folder.path().join("bare.db"), folder.path().join("read.db"));
    history.write(&bare, false);
    history.write(&read, true);
    let start = async |name, ledger: &Path, more: &str| {
        let own = TempDir::new().unwrap();
        fs::copy(ledger, own.path().join("ledger.db")).unwrap();
        let more = format!("[reconciliation]\n{more}\n");
        let guard = Child::guard_in(own, upstream.address, NARROW, "info", &more).await;
        let rounds = Vec::new();
        Case {
            name,
            guard,
            rounds,
        }
    };
    let at_once = "interval = \"1s\"";
    let mut cases = vec![start("without", &bare, "source = \"none\"").await];
    let keeping = start("keeping what was found", &read, at_once).await;
    while matches(&keeping) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    keeping.signal(Signal::STOP);
    cases.push(start("reading the list", &bare, at_once).await);
    tokio::time::sleep(Duration::from_secs(3)).await;
    cases.extend([start("matching", &read, at_once).await, keeping]);
    for case in &cases {
        case.signal(Signal::STOP);
    }
    let span = Duration::from_secs(number("ROUND_SECONDS", 3));
    let rounds = number("ROUNDS", 7);
    for _ in 0..rounds {
        for case in &mut cases {
            case.signal(Signal::CONT);
            let round = round(&case.guard, span).await;
            case.signal(Signal::STOP);
            case.rounds.push(round);
        }
    }
    println!("{calls} calls and rows; medians of {rounds} rounds of {span:?}");
    print(&cases).await;
}

impl Case {
    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.guard.id().cast_signed()).unwrap();
        kill_process(id, signal).unwrap();
    }

    fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    }
}

/// How many rows have been matched.
fn matches(case: &Case) -> i64 {
    let path = case.guard.folder.as_ref().unwrap().path().join("ledger.db");
    let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT count(*) FROM matches";
    file.query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn round(guard: &Child, span: Duration) -> Round {
    let requests = requests::billable(1);
    drive(guard.address, &requests, Until::Time(WARM_UP)).await;
    let before = guard.processor_time_of(ITS_THREADS);
    let seen = drive(guard.address, &requests, Until::Time(span)).await;
    let share = guard.processor_time_of(ITS_THREADS).saturating_sub(before);
    Round {
        rate: seen.calls() / seen.took.as_secs_f64(),
        half: seen.latency(500),
        most: seen.latency(990),
        longest: seen.latency(1_000),
        share: share.as_secs_f64() / seen.took.as_secs_f64(),
    }
}

async fn print(cases: &[Case]) {
    println!(
        "{:<24} {:>8} {:>8} {:>8} {:>8} {:>10} {:>6} {:>9}",
        "case", "calls/s", "of it", "p50 us", "p99 us", "longest us", "share", "matches"
    );
    let alone = cases[0].median(|round| round.rate);
    for case in cases {
        let rate = case.median(|round| round.rate);
        let rounds = case.rounds.iter();
        println!(
            "{:<24} {rate:>8.0} {:>8.2} {:>8.0} {:>8.0} {:>10.0} {:>5.1}% {:>9}",
            case.name,
            rate / alone,
            case.median(|round| round.half),
            case.median(|round| round.most),
            rounds.map(|round| round.longest).fold(0.0, f64::max),
            case.median(|round| round.share) * 100.0,
            matches(case),
        );
    }
    println!("\nthe writer's time for one piece of records, how many up to so many seconds:");
    for case in &cases[1..] {
        case.signal(Signal::CONT);
        let pieces = pieces(&case.guard).await;
        println!("{}: {pieces}", case.name);
    }
}

/// The histogram of pieces, as the metrics page has it.
async fn pieces(guard: &Child) -> String {
    let mut stream = TcpStream::connect(guard.admin.unwrap()).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix(PIECES));
    lines.collect::<Vec<_>>().join(" ")
}
