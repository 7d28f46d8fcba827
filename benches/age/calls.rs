//! How many calls the ledger bears: a hold and its settlement, from 64 callers.

use std::path::Path;
use std::time::Instant;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{Evidence, HoldRequest, Ledger, Settings, SqliteStore};

use crate::history::{KEYS, OPERATIONS, TEAMS};
use crate::number;

const CALLERS: u64 = 64;

/// Alternating rounds on the ledgers in both folders.
pub(crate) fn compare(old: &Path, few: &Path) {
    let rounds = number("ROUNDS", 5);
    let (mut on_old, mut on_few) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        on_old.push(round(old));
        on_few.push(round(few));
    }
    println!("rounds, the old ledger: {on_old:.0?} lives/s");
    println!("rounds, the new ledger: {on_few:.0?} lives/s");
    let (old, few) = (median(on_old), median(on_few));
    println!(
        "calls: {old:.0} lives/s on the old ledger, {few:.0} on the new: {:.2}",
        old / few
    );
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Lives a second, from the first hold until everything is on disk.
fn round(folder: &Path) -> f64 {
    let lives = number("LIVES", 76_800);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&folder.join("ledger.db")).unwrap();
        let settings = Settings {
            budgets: crate::commands::budgets(),
            ..Settings::default()
        };
        let (ledger, writer) = Ledger::open(Box::new(store), settings, Clock::system()).unwrap();
        let thread = writer.spawn().unwrap();
        callers(&ledger, CALLERS * 20).await; // Pages come into memory.
        let started = Instant::now();
        callers(&ledger, lives).await;
        ledger.close().await.unwrap();
        let took = started.elapsed().as_secs_f64();
        thread.join().unwrap();
        f64::from(u32::try_from(lives).unwrap()) / took
    })
}

async fn callers(ledger: &Ledger, lives: u64) {
    let mut tasks = Vec::new();
    for caller in 0..CALLERS {
        let ledger = ledger.clone();
        tasks.push(tokio::spawn(async move {
            for number in 0..lives / CALLERS {
                let key = (caller * 7_919 + number * 31) % KEYS;
                let operation = OPERATIONS[usize::try_from((caller + number) % 7).unwrap()];
                let hold = ledger.hold(request(key, operation)).await.unwrap();
                let raw = "0.02".to_owned();
                hold.settle(Credits::from_micros(20_000), Evidence::Stated { raw });
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

fn request(key: u64, operation: &str) -> HoldRequest {
    HoldRequest {
        team: format!("team-{}", key % TEAMS).into(),
        key: format!("key-{key}").into(),
        operation: operation.into(),
        quote: Credits::from_micros(100_000),
        floor: None,
        shadow_floor: None,
        fingerprint: None,
    }
}
