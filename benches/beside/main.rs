//! How fast the guard is beside what a user would pick instead, in one run: nginx and HAProxy as
//! plain proxies, a bare hyper proxy, and that with both entries of each call in an SQLite file, or in
//! nothing but synced pages.
//!
//! All stand before the same upstream, which repeats what the simulator answered, put the same
//! token into each call, and are called by the same load: 32 keep-alive connections, each sending
//! its next request when its last answer is whole. The proxies have core 0 to themselves, the load
//! and the upstream share core 1. Rounds alternate between all cases, figures are medians over the
//! rounds, shares those of figures of the same round. Two are compared: calls a second, and the
//! processor time a proxy takes for one call (from the scheduler's own account of its threads),
//! which also holds where the proxy's core is not the narrow place.
//!
//! `cargo bench --bench beside` compares. `-- open` calls each 3 000 times a second (`RATE`) at
//! fixed times, and shows what they add to a call. `-- instructions` counts those of the guard.
//! `-- memory` makes a million calls and shows the resident memory of the guard on the way,
//! `-- kept` that of answers which never reach their clients. `ROUNDS` and `ROUND_SECONDS` change
//! the measure, `ONLY=one|another` keeps the cases whose name contains one of these texts, `GUARD` names another build.

#![expect(clippy::float_arithmetic, reason = "speeds, not money")]
#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]

mod bare;
mod books;
mod cases;
mod compare;
mod contestants;
mod disk;
mod instructions;
mod kept;
mod memory;
mod open;
mod paced;
mod packaged;
mod stand_in;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::rc::Rc;

use support::children::pin_this_process;
use support::{LOAD_CORE, run, upstream};

/// The account's list: nobody's books are held against it here.
const NO_ROWS: &str = r#"{"data":{"transactions":[]}}"#;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream"] => return run(upstream::serve(Rc::new(|_: &str| NO_ROWS.into()))),
        ["bare", upstream] => return run(bare::serve(upstream.parse().unwrap())),
        ["stand-in", upstream, folder, name] => {
            let (upstream, folder) = (upstream.parse().unwrap(), Path::new(folder));
            return run(stand_in::serve(upstream, folder, name));
        }
        _ => pin_this_process(LOAD_CORE),
    }
    let is = |mode: &str| words.contains(&mode);
    if is("memory") {
        run(memory::show());
    } else if is("kept") {
        run(kept::show());
    } else if is("instructions") {
        run(instructions::show());
    } else if is("open") {
        paced::sleep_exactly();
        run(open::show());
    } else {
        run(compare::compare());
    }
}
