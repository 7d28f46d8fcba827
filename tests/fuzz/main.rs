//! Every reader of bytes from outside, on inputs that were found to be worth keeping, and on those inputs
//! changed at random. `tests/fuzz/search` searches for more.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

mod mutation;
mod targets;

use std::path::Path;

use rand::SeedableRng;
use rand::rngs::StdRng;

use mutation::Mutation;
use targets::{TARGETS, Target};

/// Changed inputs of each target.
const CHANGED: usize = 3_000;
/// Settings and catalogues are long and read slowly; others have a guard or a ledger made for each input.
const CHANGED_SLOW: usize = 300;
const SLOW: [&str; 9] = [
    "answer",
    "answer_http2",
    "catalogue",
    "config",
    "files",
    "http",
    "ledger",
    "pool",
    "view",
];

/// The inputs that are kept for a target.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name);
    let files =
        std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("{} is missing", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Runs a target; what breaks it is shown as a text that can be pasted.
fn run(name: &str, target: Target, input: &[u8]) {
    let broke = std::panic::catch_unwind(|| target(input)).is_err();
    assert!(!broke, "{name} breaks at b\"{}\"", input.escape_ascii());
}

#[test]
fn every_input_that_was_kept_is_read_as_it_must_be() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() >= 5, "{name}: {} inputs", corpus.len());
        for input in corpus {
            run(name, *target, &input);
        }
    }
    let folders =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus"));
    assert_eq!(
        folders.unwrap().count(),
        TARGETS.len(),
        "a folder without a target"
    );
}

/// A seed from the environment, or a new one; either way it is printed.
#[expect(clippy::print_stdout, reason = "it repeats a run that failed")]
fn seed() -> u64 {
    let given = std::env::var("FUZZ_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("FUZZ_SEED={seed}");
    seed
}

#[test]
fn inputs_changed_at_random_are_read_as_they_must_be() {
    let seed = seed();
    for (name, target) in TARGETS {
        let mut random = StdRng::seed_from_u64(seed);
        let corpus = corpus(name);
        let mutation = Mutation::of(&corpus);
        let slow = SLOW.contains(name);
        for _ in 0..if slow { CHANGED_SLOW } else { CHANGED } {
            run(name, *target, &mutation.next(&mut random));
        }
    }
}
