//! The whole system under simulated time, network, disk and power, one seed a run.
//!
//! The guard is the real one from the first byte of a request to the last entry of its ledger: the
//! stack, the rules, the writer, the watcher of the account, the pollers, the reconciler, and who
//! takes commands. Simulated are the links ([`wire`]), the disk ([`disk`]), its power ([`power`]), the
//! clock, the clients ([`clients`]), and who gives commands ([`people`]): grants, decisions, pauses,
//! other settings. The upstream is the simulator, served over such links. Clients, calls, commands,
//! reconciliation and writer have a runtime each, whose time moves by a millisecond at a time on one
//! thread, so that a seed always does the same. A model of its own ([`shadow`]) is told what others
//! can see, and holds it against the promises at every step; at the end, when days have gone by,
//! against the account's own list and books ([`matched`]).
//!
//! Not simulated: TLS.
//!
//! A seed that fails prints the command that repeats it. `tests/run-simulation` tries more of them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, in the functions it calls too, and says what repeats it"
)]

mod account;
#[path = "../support/asked.rs"]
mod asked;
mod beside;
mod calls;
mod clients;
mod disk;
mod ends;
mod explains;
mod fits;
mod gates;
mod guard;
mod known;
mod list;
mod logs;
mod matched;
mod misfortunes;
mod net;
#[path = "../support/no_tls.rs"]
mod no_tls;
mod people;
mod power;
mod quiet;
mod rates;
mod rules;
mod seen;
mod shadow;
mod shape;
mod strangers;
mod trace;
mod truth;
mod wire;
mod world;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use generect_guard::reconciliation::CHARGES_KEPT;
use shape::Shape;
use world::Ran;

/// How many seeds the ordinary run has time for: about a minute on two cores.
const SEEDS: u64 = 40;
const SEEDS_AT_ONCE: usize = 2;

#[test]
fn every_promise_is_kept_whatever_happens() {
    let (first, count) = wanted();
    let (next, failed) = (AtomicU64::new(first), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= first + count {
                return;
            }
            if run(seed).is_none() {
                failed.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..SEEDS_AT_ONCE {
            scope.spawn(work);
        }
    });
    assert_eq!(failed.load(Ordering::SeqCst), 0, "see above");
}

#[test]
fn a_seed_does_the_same_twice() {
    let (seed, _) = wanted();
    let (one, other) = (run(seed).unwrap(), run(seed).unwrap());
    assert_eq!(one, other);
}

#[test]
fn charges_that_are_set_aside_come_to_the_same() {
    let (seed, _) = wanted();
    let kept = |charges_kept| {
        let shape = Shape {
            charges_kept,
            ..Shape::of(seed)
        };
        world::run(shape).unwrap()
    };
    assert_eq!(kept(0), kept(CHARGES_KEPT));
}

/// The first seed and how many, as `tests/run-simulation` says.
fn wanted() -> (u64, u64) {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse().unwrap());
    let first = number("SIMULATION_SEED");
    let count = number("SIMULATIONS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    (first.unwrap_or(0), count)
}

/// `None`: a promise was broken, and it was said how.
fn run(seed: u64) -> Option<Ran> {
    let ran = catch_unwind(|| world::run(Shape::of(seed)));
    let broken = match ran {
        Ok(Ok(ran)) => {
            if std::env::var_os("SIMULATION_TELLS").is_some() {
                eprintln!("seed {seed}: {ran:?}");
            }
            return Some(ran);
        }
        Ok(Err(broken)) => broken,
        Err(_) => vec!["it broke down, as was said above".to_owned()],
    };
    eprintln!(
        "the run of seed {seed} broke a promise; to repeat it:\n  tests/run-simulation 1 {seed}\n{}\n{:?}",
        broken.join("\n"),
        Shape::of(seed)
    );
    None
}
