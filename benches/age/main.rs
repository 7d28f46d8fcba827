//! A ledger after years: ten million entries over three years, and what they do to the start of
//! `serve`, to calls, and to the commands that read or change the ledger; memory of each.
//!
//! `-- older`: the first start on the same ledger in an older schema (`SCHEMA`, 1 to 4). `-- archives`: all
//! closed months move to an archive; then the commands, backup and restore.
//!
//! `ENTRIES` and `YEARS` change the ledger; with `LEDGER` it is made once in that folder (and left
//! there), else in a temporary one, which needs 2 GB. The rate of calls is that of the ledger's
//! handle alone, in rounds that alternate with those of a ledger of ten thousand entries.

#![expect(clippy::float_arithmetic, reason = "speeds, not money")]
#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot run should stop"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the real time"
)]

mod archives;
mod calls;
mod commands;
mod history;
mod older;

use std::path::{Path, PathBuf};
use std::time::Instant;

use history::History;

/// Entries of the ledger that the large one is held against.
const FEW: u64 = 10_000;

fn main() {
    let entries = number("ENTRIES", 10_000_000);
    let years = number("YEARS", 3);
    let folder = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("LEDGER").map(PathBuf::from);
    let place = kept.unwrap_or_else(|| folder.path().join("old"));
    let few = folder.path().join("few");
    made(&place, entries, years);
    let size = std::fs::metadata(place.join("ledger.db")).unwrap().len();
    println!("{entries} entries over {years} years, {} MB", size >> 20);
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let mode = asked.iter().find(|asked| !asked.starts_with("--"));
    match mode.map(String::as_str) {
        None => {
            made(&few, FEW, 1);
            commands::show(&place);
            calls::compare(&place, &few);
        }
        Some("older") => older::show(&place, number("SCHEMA", 1).try_into().unwrap()),
        Some("archives") => archives::show(&place),
        Some(mode) => panic!("{mode} is none of \"older\" and \"archives\""),
    }
}

/// A ledger in `folder`, unless there is one.
fn made(folder: &Path, entries: u64, years: u64) {
    let path = folder.join("ledger.db");
    if path.exists() {
        return;
    }
    std::fs::create_dir_all(folder).unwrap();
    let started = Instant::now();
    let written = History::new(entries, years).write(&path);
    let took = started.elapsed().as_secs_f64();
    println!("{written} entries made in {took:.1} s");
}

/// An environment variable that is a number, or the default.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
