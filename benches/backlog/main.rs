//! What a month's backlog of reconciliation does to calls: a million calls and a million rows.
//!
//! Guards with the same ledger stand side by side, with the core and the load of the bench
//! `beside`: one reconciles nothing, one reads the list (as fast as it ever does), one has
//! read it and holds it against the books, one keeps what it found. Only the one that is measured
//! runs; the others are stopped meanwhile. Rounds alternate, figures are medians over the rounds.
//!
//! `cargo bench --bench backlog` compares; `-- steady` shows what each run takes under a hundred calls a
//! second. `CALLS`, `ROUNDS` and `ROUND_SECONDS` change the measure; `GUARD` names another build to measure.

#![expect(clippy::float_arithmetic, reason = "speeds, not money")]
#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]

mod history;
mod rounds;
mod steady;

#[expect(dead_code, reason = "this is shared with another benchmark")]
#[path = "../support/mod.rs"]
mod support;

use std::rc::Rc;

use history::History;
use support::{LOAD_CORE, children, load, number, requests, settings, upstream};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream", begin, step, calls] => {
            let history = History {
                begin: begin.parse().unwrap(),
                step: step.parse().unwrap(),
                together: 1,
                calls: calls.parse().unwrap(),
            };
            run(upstream::serve(Rc::new(move |query| history.page(query))));
        }
        words if words.contains(&"steady") => {
            // The name tells its processor time from that of the writer and of the list.
            let show = std::thread::Builder::new().name("reconciliation".into());
            let show = show.spawn(|| run(steady::show())).unwrap();
            show.join().unwrap();
        }
        _ => {
            children::pin_this_process(LOAD_CORE);
            run(rounds::compare());
        }
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("reconciliation")
        .build()
        .unwrap();
    runtime.block_on(future);
}
