//! Everything that reads bytes from outside, each with what must hold for any bytes at all.
//!
//! A target panics if it does not hold. The same functions run in the ordinary tests (`../main.rs`) and
//! under libFuzzer (`../libfuzzer`).

mod amount;
mod catalogue;
mod charge;
mod config;
mod control;
mod head;
mod json;
mod pages;
mod path;
mod quote;
mod redact;
mod unpack;

use std::sync::LazyLock;

use generect_guard::catalogue::Catalogue;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("amount", amount::run),
    ("catalogue", catalogue::run),
    ("charge", charge::run),
    ("config", config::run),
    ("control", control::run),
    ("head", head::run),
    ("pages", pages::run),
    ("path", path::run),
    ("quote", quote::run),
    ("redact", redact::run),
    ("unpack", unpack::run),
];

/// The built-in catalogue, read once.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());
