//! How much the ledger bears: full call lives (a hold, then its settlement; both on disk at the end)
//! from 64 callers, on one hot budget and on 300 budgets with 1000 keys, and the time to open a
//! ledger of a million entries. Prints medians of alternating rounds.

#![expect(clippy::float_arithmetic, reason = "speeds, not money")]
#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the real time"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{
    Budget, CalendarUnit, Evidence, Filter, HoldRequest, Ledger, Mode, Settings, SqliteStore,
    WindowRule,
};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tempfile::TempDir;

const CALLERS: usize = 64;
const ROUNDS: usize = 5;
const LIVES: usize = 76_800;

/// Who calls: one team with one key, or a thousand keys of a hundred teams.
#[derive(Clone, Copy)]
struct Shape {
    keys: usize,
    teams: usize,
}

const HOT: Shape = Shape { keys: 1, teams: 1 };
const WIDE: Shape = Shape {
    keys: 1_000,
    teams: 100,
};

fn per(id: String, team: Option<String>, unit: WindowRule) -> Budget {
    Budget {
        id: id.into(),
        filter: Filter {
            team: team.map(Into::into),
            ..Filter::default()
        },
        window: unit,
        limit: Credits::from_micros(1_000_000_000_000_000),
        mode: Mode::Enforce,
    }
}

/// One budget, or three for each team: a day, a month, and the last 24 hours.
fn budgets(shape: Shape) -> Vec<Budget> {
    let calendar = |unit| WindowRule::Calendar {
        unit,
        zone: TimeZone::UTC,
    };
    if shape.teams == 1 {
        return vec![per("all".into(), None, calendar(CalendarUnit::Month))];
    }
    let windows = [
        calendar(CalendarUnit::Day),
        calendar(CalendarUnit::Month),
        WindowRule::Rolling(SignedDuration::from_hours(24)),
    ];
    (0..shape.teams)
        .flat_map(|team| {
            windows.iter().enumerate().map(move |(number, window)| {
                let id = format!("team-{team}-{number}");
                per(id, Some(format!("team-{team}")), window.clone())
            })
        })
        .collect()
}

fn settings(shape: Shape) -> Settings {
    Settings {
        budgets: budgets(shape),
        ..Settings::default()
    }
}

fn requests(shape: Shape) -> Arc<Vec<HoldRequest>> {
    let request = |key: usize| HoldRequest {
        team: format!("team-{}", key % shape.teams).into(),
        key: format!("key-{key}").into(),
        operation: "search_realtime_leads".into(),
        quote: Credits::from_micros(100_000),
        floor: None,
        shadow_floor: None,
        fingerprint: None,
    };
    Arc::new((0..shape.keys).map(request).collect())
}

async fn live(ledger: &Ledger, request: HoldRequest) {
    let hold = ledger.hold(request).await.unwrap();
    let raw = "0.02".to_owned();
    hold.settle(Credits::from_micros(20_000), Evidence::Stated { raw });
}

async fn callers(ledger: &Ledger, shape: Shape, lives: usize) {
    let requests = requests(shape);
    let mut tasks = Vec::new();
    for caller in 0..CALLERS {
        let (ledger, requests) = (ledger.clone(), Arc::clone(&requests));
        tasks.push(tokio::spawn(async move {
            for number in 0..lives / CALLERS {
                let key = (caller * 7_919 + number * 31) % requests.len();
                live(&ledger, requests[key].clone()).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// Lives a second, from the first hold until everything is on disk.
fn round(shape: Shape, lives: usize) -> f64 {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&folder.path().join("ledger.db")).unwrap();
        let (ledger, writer) =
            Ledger::open(Box::new(store), settings(shape), Clock::system()).unwrap();
        let thread = writer.spawn().unwrap();
        callers(&ledger, shape, CALLERS * 20).await; // The file grows its first pages.
        let started = Instant::now();
        callers(&ledger, shape, lives).await;
        ledger.close().await.unwrap();
        let took = started.elapsed().as_secs_f64();
        thread.join().unwrap();
        f64::from(u32::try_from(lives).unwrap()) / took
    })
}

/// A ledger of a million entries recorded over some hours, all of them in open windows.
fn fill(path: &Path) {
    let clock = Clock::manual("2026-03-10T04:00:00Z".parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(path).unwrap();
        let (ledger, writer) =
            Ledger::open(Box::new(store), settings(WIDE), clock.clone()).unwrap();
        let thread = writer.spawn().unwrap();
        for _ in 0..500 {
            callers(&ledger, WIDE, 1_024).await;
            clock.advance(SignedDuration::from_secs(60));
        }
        ledger.close().await.unwrap();
        thread.join().unwrap();
    });
}

fn reopen(path: &Path) -> Duration {
    let started = Instant::now();
    let store = SqliteStore::open(path).unwrap();
    let clock = Clock::manual("2026-03-10T12:30:00Z".parse().unwrap());
    let (ledger, writer) = Ledger::open(Box::new(store), settings(WIDE), clock).unwrap();
    let took = started.elapsed();
    drop((ledger, writer));
    took
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let lives = std::env::var("LIVES").map_or(LIVES, |text| text.parse().unwrap());
    let (mut hot, mut wide) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hot.push(round(HOT, lives));
        wide.push(round(WIDE, lives));
    }
    println!("rounds, one hot budget:         {hot:.0?} lives/s");
    println!("rounds, 300 budgets, 1000 keys: {wide:.0?} lives/s");
    let (hot, wide) = (median(hot), median(wide));
    println!("one hot budget:         {hot:.0} lives/s (median of {ROUNDS})");
    println!("300 budgets, 1000 keys: {wide:.0} lives/s (median of {ROUNDS})");
    let ratio = wide / hot;
    println!("ratio: {ratio:.2}");
    if std::env::var_os("NO_REOPEN").is_none() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        fill(&path);
        let times = (0..ROUNDS).map(|_| reopen(&path).as_secs_f64()).collect();
        println!("opening 1 000 000 entries: {:.3} s (median)", median(times));
    }
}
