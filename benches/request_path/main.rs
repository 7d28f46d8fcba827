//! What the guard adds to a call: the guard beside a bare hyper proxy, in one run.
//!
//! Both stand before the same upstream, which repeats what the simulator answered, and are called
//! by the same load: 32 keep-alive connections, each sending its next request when its last answer
//! is whole. The proxies have core 0 to themselves, the load and the upstream share core 1. Rounds
//! alternate between all cases, figures are medians over the rounds. Two figures are compared:
//! calls a second, and the processor time a proxy takes for one call (from the scheduler's own
//! account of its threads), which also holds where the proxy's core is not the narrow place.
//!
//! `cargo bench --bench request_path` compares; `-- memory` makes a million calls and shows the
//! resident memory of the guard on the way, `-- kept` that of answers which never reach their clients. `ROUNDS` and `ROUND_SECONDS` change the measure,
//! `ONLY=text` keeps the cases whose name contains it.

#![expect(clippy::float_arithmetic, reason = "speeds, not money")]
#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]

mod bare;
#[expect(dead_code, reason = "another benchmark reads more of it")]
mod children;
mod compare;
mod kept;
mod load;
mod memory;
mod requests;
mod settings;
mod upstream;

use std::rc::Rc;

use children::pin_this_process;

/// The account's list: nobody's books are held against it here.
const NO_ROWS: &str = r#"{"data":{"transactions":[]}}"#;
/// The core of the proxies.
const PROXY_CORE: &str = "0";
/// The core of the load and of the upstream.
const LOAD_CORE: &str = "1";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream"] => run(upstream::serve(Rc::new(|_: &str| NO_ROWS.into()))),
        ["bare", upstream] => run(bare::serve(upstream.parse().unwrap())),
        words if words.contains(&"memory") => {
            pin_this_process(LOAD_CORE);
            run(memory::show());
        }
        words if words.contains(&"kept") => {
            pin_this_process(LOAD_CORE);
            run(kept::show());
        }
        _ => {
            pin_this_process(LOAD_CORE);
            run(compare::compare());
        }
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future);
}

/// An environment variable that is a number, or the default.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
