//! What rates and slots add to a call that need not wait, and a turn of a full queue: in time, and
//! in instructions, which do not depend on what else the machine does (`valgrind` counts them,
//! where there is one).

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]

mod work;

use std::hint::black_box;
use std::process::Command;

use criterion::Criterion;

use work::{Crowd, Free};

/// Told to a run under valgrind: what to do, and how often.
const COUNTED: &str = "SLOTS_BENCH_COUNTED";

fn main() {
    if let Ok(counted) = std::env::var(COUNTED) {
        let (what, times) = counted.split_once(' ').unwrap();
        return repeat(what, times.parse().unwrap());
    }
    let mut criterion = Criterion::default().configure_from_args();
    let free = Free::new();
    assert!(free.call(), "the call passes");
    criterion.bench_function("rates, and a slot taken and freed", |bencher| {
        bencher.iter(|| free.call());
    });
    let mut crowd = Crowd::new();
    criterion.bench_function("a turn among 10 000 calls of 100 teams", |bencher| {
        bencher.iter(|| crowd.turn());
    });
    criterion.final_summary();
    for what in ["free", "turn"] {
        match (instructions(what, 1_000), instructions(what, 11_000)) {
            (Some(few), Some(many)) => {
                println!("{what}: {} instructions", (many - few) / 10_000);
            }
            _ => println!("{what}: instructions not counted, there is no valgrind"),
        }
    }
}

fn repeat(what: &str, times: usize) {
    match what {
        "free" => {
            let free = Free::new();
            for _ in 0..times {
                black_box(free.call());
            }
        }
        _ => {
            let mut crowd = Crowd::new();
            for _ in 0..times {
                black_box(crowd.turn());
            }
        }
    }
}

/// All instructions of a run that does something so many times.
fn instructions(what: &str, times: usize) -> Option<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .env(COUNTED, format!("{what} {times}"))
        .output()
        .ok()?;
    let said = String::from_utf8(run.stderr).ok()?;
    let (_, collected) = said.split_once("Collected :")?;
    collected.split_whitespace().next()?.parse().ok()
}
