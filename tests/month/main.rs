//! A month of a whole guard before a simulated Generect, with everything that goes wrong in one: at
//! its end every credit that left the account is on a team or in a finding.
//!
//! The clock is moved by hand and everything else follows from a seed. The guard is whole and called
//! through real sockets, since half of what can go wrong lies in what it makes of an answer. Only
//! its reconciler is the test's own, over the same ledger: the running one waits real seconds
//! between pages and tries, of which a month has thousands.
//!
//! A seed that fails prints the command that repeats it. `tests/run-months` tries more of them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, in the functions it calls too, and says what repeats it"
)]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod books;
mod calls;
mod month;
mod reconciling;
mod shape;
mod too_late;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use shape::Shape;

/// How many seeds the ordinary run has time for: some twenty seconds on two cores.
const SEEDS: u64 = 4;
const SEEDS_AT_ONCE: usize = 2;

#[test]
fn a_month_ends_with_every_credit_on_a_team_or_in_a_finding() {
    let (first, count) = wanted();
    let (next, failed) = (AtomicU64::new(first), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..SEEDS_AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + count {
                        return;
                    }
                    if !passes(seed) {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(failed.load(Ordering::SeqCst), 0, "see above");
}

/// The first seed and how many, as `tests/run-months` says.
fn wanted() -> (u64, u64) {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse().unwrap());
    let first = number("MONTH_SEED");
    let count = number("MONTHS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    (first.unwrap_or(0), count)
}

fn passes(seed: u64) -> bool {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(month::run(Shape::of(seed)));
    };
    let passed = catch_unwind(AssertUnwindSafe(run)).is_ok();
    if !passed {
        eprintln!(
            "the month of seed {seed} went wrong; to repeat it:\n  tests/run-months 1 {seed}\n{:#?}",
            Shape::of(seed)
        );
    }
    passed
}
