//! Everything that reads bytes from outside, each with what must hold for any bytes at all.
//!
//! A target panics if it does not hold. The same functions run in the ordinary tests (`../main.rs`) and
//! under libFuzzer (`../libfuzzer`).

mod amount;
mod answer;
mod answer_http2;
mod catalogue;
mod charge;
mod coded;
mod config;
mod control;
mod files;
mod guard;
mod head;
mod http;
mod json;
mod ledger;
#[path = "../../support/no_tls.rs"]
mod no_tls;
mod pages;
mod path;
mod pool;
mod quote;
mod redact;
#[path = "../../support/strict.rs"]
mod strict;
#[path = "../../support/told.rs"]
mod told;
mod unpack;
mod view;

use std::sync::LazyLock;

use generect_guard::catalogue::Catalogue;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("amount", amount::run),
    ("answer", answer::run),
    ("answer_http2", answer_http2::run),
    ("catalogue", catalogue::run),
    ("charge", charge::run),
    ("coded", coded::run),
    ("config", config::run),
    ("control", control::run),
    ("files", files::run),
    ("head", head::run),
    ("http", http::run),
    ("ledger", ledger::run),
    ("pages", pages::run),
    ("path", path::run),
    ("pool", pool::run),
    ("quote", quote::run),
    ("redact", redact::run),
    ("unpack", unpack::run),
    ("view", view::run),
];

/// The built-in catalogue, read once.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());
