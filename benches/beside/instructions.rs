//! Instructions the guard takes for a call, counted by valgrind, which do not depend on what else
//! the machine does: with few and many budgets, keys and entries.
//!
//! One call at a time: each hold is then a batch of its own, the dearest there is, and the count
//! does not depend on how many calls happened to share one. What the guard does unasked, by the
//! clock, is counted while nobody calls, and taken off; the look through the ledger after a start is over
//! before anything is counted. A refusal that is said again without
//! asking the ledger is so for a tenth of a second, fewer calls than at full speed.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{Evidence, HoldRequest, Ledger, Settings, SqliteStore};
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::children::Child;
use crate::support::load::Connection;
use crate::support::requests::{Requests, billable, exhausted, free, unknown};
use crate::support::settings::{MANY_BUDGETS, MANY_KEYS, NARROW, Shape, WIDE, settings};
use crate::support::{median, number};

/// Calls counted in one piece.
const PIECE: usize = 250;
/// The thread that reads the whole ledger once after a start. What it takes is not the calls'.
const LOOK: &str = "ledger-check";
/// How long nobody calls.
const IDLE: Duration = Duration::from_secs(10);
/// What many may take beyond few.
const WITHIN: f64 = 1.1;
/// Entries of the ledger that is small, and of the one that is not.
const FEW: i64 = 10_000;
const MANY: i64 = 1_000_000;

pub(crate) async fn show() {
    if !has_valgrind() {
        println!("*** NOT MEASURED: there is no valgrind. Debian: apt-get install -y valgrind");
        return;
    }
    let upstream = Child::upstream();
    let to = upstream.address;
    println!("instructions for one call, one call at a time\n");
    let own = || TempDir::new().unwrap();
    for (name, requests) in [
        ("free", free as fn() -> Requests),
        ("refused: budget exhausted", exhausted),
        ("refused: unknown key", unknown),
    ] {
        let few = count(to, own(), NARROW, &requests()).await;
        println!("{name:<32} {few:>9.0}, 4 budgets and 2 keys");
        let many = count(to, own(), WIDE, &requests()).await;
        say(name, "301 budgets and 1001 keys", few, many);
    }
    let name = "billable";
    let few = count(to, own(), NARROW, &billable(1)).await;
    println!("{name:<32} {few:>9.0}, 4 budgets and 2 keys");
    for (what, shape, callers) in [
        ("301 budgets and one caller", MANY_BUDGETS, 1),
        ("4 budgets and 1001 keys", MANY_KEYS, MANY_KEYS.keys),
        ("301 budgets and 1001 keys", WIDE, WIDE.keys),
    ] {
        let many = count(to, own(), shape, &billable(callers)).await;
        say(name, what, few, many);
    }
    let many = i64::try_from(number("ENTRIES", MANY.cast_unsigned())).unwrap();
    let few = count(to, filled(FEW).await, NARROW, &billable(1)).await;
    println!("{name:<32} {few:>9.0}, {FEW} entries in the ledger");
    let found = count(to, filled(many).await, NARROW, &billable(1)).await;
    say(name, &format!("{many} entries in the ledger"), few, found);
}

fn say(name: &str, what: &str, few: f64, many: f64) {
    let ratio = many / few;
    let verdict = if ratio <= WITHIN { "yes" } else { "NO" };
    println!("{name:<32} {many:>9.0}, {what}: {ratio:.3}, wanted <= {WITHIN}: {verdict}");
}

fn has_valgrind() -> bool {
    let run = Command::new("valgrind").arg("--version").output();
    run.is_ok_and(|run| run.status.success())
}

/// The instructions of a call to a guard with the ledger in `folder`: the middle of some pieces.
async fn count(upstream: SocketAddr, folder: TempDir, shape: Shape, requests: &Requests) -> f64 {
    let out = folder.path().join("callgrind.out");
    let out_option = format!("--callgrind-out-file={}", out.display());
    let later = "--instr-atstart=no";
    let under = ["valgrind", "--tool=callgrind", later, &out_option];
    let text = settings(upstream, folder.path(), shape, "info");
    let guard = Child::guard_under(&under, folder, &text).await;
    while guard.has_thread(LOOK) {
        sleep(Duration::from_millis(100)).await;
    }
    control(&guard, "--instr=on");
    let mut counter = Counter {
        guard,
        out,
        pieces: 0,
    };
    let mut connection = Connection::open(counter.guard.address).await;
    let mut texts = requests.texts.iter().cycle();
    // Every key once, so that all of them are known.
    let first = requests.texts.len().max(PIECE);
    for text in texts.by_ref().take(first) {
        connection.call(text, requests.status).await;
    }
    let idle = counter.during(sleep(IDLE)).await / IDLE.as_secs_f64();
    let mut pieces = Vec::new();
    for _ in 0..number("ROUNDS", 5) {
        let started = Instant::now();
        let calls = async {
            for text in texts.by_ref().take(PIECE) {
                connection.call(text, requests.status).await;
            }
        };
        let all = counter.during(calls).await;
        let unasked = idle * started.elapsed().as_secs_f64();
        pieces.push((all - unasked) / f64::from(u32::try_from(PIECE).unwrap()));
    }
    median(pieces)
}

/// A guard whose instructions are counted.
struct Counter {
    guard: Child,
    out: PathBuf,
    /// Written so far.
    pieces: u32,
}

impl Counter {
    /// All instructions while something is done.
    async fn during(&mut self, what: impl Future<Output = ()>) -> f64 {
        control(&self.guard, "--zero");
        what.await;
        control(&self.guard, "--dump");
        self.pieces += 1;
        collected(&self.out.with_extension(format!("out.{}", self.pieces)))
    }
}

/// Tells valgrind to begin anew, or to write down what it has counted.
fn control(guard: &Child, what: &str) {
    let id = guard.id().to_string();
    let told = Command::new("callgrind_control")
        .args([what, &id])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(told.unwrap().success(), "callgrind_control {what}");
}

/// All instructions in a file of callgrind.
fn collected(path: &Path) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let number: u32 = line.unwrap().trim().parse().unwrap();
    f64::from(number)
}

/// A folder with a ledger of so many entries, of the last hours.
async fn filled(entries: i64) -> TempDir {
    const TOGETHER: i64 = 1_000;
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("ledger.db")).unwrap();
    let clock = Clock::manual(Clock::system().now() - SignedDuration::from_hours(10));
    let (ledger, writer) =
        Ledger::open(Box::new(store), Settings::default(), clock.clone()).unwrap();
    let thread = writer.spawn().unwrap();
    // A call has two entries.
    for _ in 0..entries / 2 / TOGETHER {
        let holds = (0..TOGETHER).map(|_| ledger.hold(request()));
        for hold in futures_util::future::join_all(holds).await {
            let raw = "0.04".to_owned();
            let charge = Credits::from_micros(40_000);
            hold.unwrap().settle(charge, Evidence::Stated { raw });
        }
        clock.advance(SignedDuration::from_secs(60));
    }
    ledger.close().await.unwrap();
    thread.join().unwrap();
    folder
}

fn request() -> HoldRequest {
    HoldRequest {
        team: "team-0".into(),
        key: "key-0".into(),
        operation: "search_database_leads".into(),
        quote: Credits::from_micros(60_000),
        floor: None,
        shadow_floor: None,
        fingerprint: None,
    }
}
