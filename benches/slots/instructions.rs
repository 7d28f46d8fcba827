//! The same in instructions, which do not depend on what else the machine does. Needs valgrind and
//! `cargo install gungraun-runner`.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]
#![expect(missing_docs, reason = "the macros make items that nobody reads")]

mod work;

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};

use work::{Crowd, Free};

/// Many, so that what the first one does alone does not count.
const TIMES: usize = 1_000;

fn warm() -> Free {
    let free = Free::new();
    assert!(free.call(), "the call passes");
    free
}

#[library_benchmark]
#[bench::thousand(setup = warm)]
fn rates_and_a_free_slot(free: Free) -> Free {
    for _ in 0..TIMES {
        black_box(free.call());
    }
    free
}

#[library_benchmark]
#[bench::thousand(setup = Crowd::new)]
fn a_turn_of_a_full_queue(mut crowd: Crowd) -> Crowd {
    for _ in 0..TIMES {
        black_box(crowd.turn());
    }
    crowd
}

library_benchmark_group!(
    name = slots,
    benchmarks = [rates_and_a_free_slot, a_turn_of_a_full_queue]
);
main!(library_benchmark_groups = slots);
