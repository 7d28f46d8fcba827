//! One binary for all targets: which one is said by `FUZZ_TARGET`.

#![no_main]

#[path = "../targets/mod.rs"]
mod targets;

use std::sync::LazyLock;

use targets::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    found
        .unwrap_or_else(|| panic!("FUZZ_TARGET names no target: {wanted:?}"))
        .1
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
