//! What rates and slots add to a call that need not wait, and a turn of a full queue.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]

mod work;

use criterion::{Criterion, criterion_group, criterion_main};

use work::{Crowd, Free};

fn slots(criterion: &mut Criterion) {
    let free = Free::new();
    assert!(free.call(), "the call passes");
    criterion.bench_function("rates, and a slot taken and freed", |bencher| {
        bencher.iter(|| free.call());
    });
    let mut crowd = Crowd::new();
    criterion.bench_function("a turn among 10 000 calls of 100 teams", |bencher| {
        bencher.iter(|| crowd.turn());
    });
}

criterion_group!(benches, slots);
criterion_main!(benches);
