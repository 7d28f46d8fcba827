//! Style as a test: which part may import which, how long files and functions are, where floats
//! may stand, and whether what the documents name is really there.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in the functions it calls too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every part under `src/` and the parts of ours it may use. The picture in `src/lib.rs` is drawn
/// from this list; a part that is not in it may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    ("credits", &[]),
    ("clock", &[]),
    ("counted", &[]),
    ("ids", &[]),
    ("secret", &[]),
    ("transaction", &["credits"]),
    ("version", &[]),
    ("metrics", &["credits"]),
    ("logging", &["clock", "secret"]),
    ("identity", &["ids"]),
    ("catalogue", &["credits", "ids"]),
    (
        "ledger",
        &[
            "credits",
            "clock",
            "counted",
            "ids",
            "metrics",
            "transaction",
        ],
    ),
    (
        "account",
        &["credits", "clock", "metrics", "secret", "transaction"],
    ),
    (
        "alerts",
        &["clock", "credits", "identity", "ids", "ledger", "metrics"],
    ),
    ("simulator", &["credits", "clock"]),
    (
        "reconciliation",
        &[
            "account",
            "catalogue",
            "clock",
            "counted",
            "credits",
            "ids",
            "ledger",
            "metrics",
            "transaction",
        ],
    ),
    (
        "reports",
        &[
            "catalogue",
            "counted",
            "credits",
            "ids",
            "ledger",
            "reconciliation",
            "transaction",
        ],
    ),
    ("admin", &["metrics"]),
    (
        "control",
        &[
            "clock",
            "credits",
            "identity",
            "ids",
            "ledger",
            "reconciliation",
        ],
    ),
    (
        "proxy",
        &[
            "account",
            "catalogue",
            "clock",
            "counted",
            "credits",
            "identity",
            "ids",
            "ledger",
            "metrics",
            "secret",
        ],
    ),
    (
        "config",
        &[
            "alerts",
            "catalogue",
            "credits",
            "identity",
            "ids",
            "ledger",
            "logging",
            "transaction",
        ],
    ),
    (
        "app",
        &[
            "account",
            "admin",
            "alerts",
            "catalogue",
            "clock",
            "config",
            "control",
            "credits",
            "identity",
            "ids",
            "ledger",
            "metrics",
            "proxy",
            "reconciliation",
            "version",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "clock",
            "config",
            "control",
            "counted",
            "credits",
            "identity",
            "ledger",
            "logging",
            "reports",
            "simulator",
            "version",
        ],
    ),
    ("main", &["cli"]),
];

/// Pure files: they know no metrics and ask nobody the time.
const PURE: &[&str] = &[
    "src/ledger/book",
    "src/ledger/window.rs",
    "src/ledger/budget.rs",
    "src/catalogue",
    "src/account/pace.rs",
    "src/account/transactions/course",
    "src/proxy/kept/group.rs",
    "src/proxy/kept/table.rs",
    "src/proxy/outcome.rs",
    "src/proxy/slots/queue.rs",
    "src/proxy/slots/cap.rs",
    "src/proxy/slots/turnover.rs",
    "src/reconciliation/judge.rs",
    "src/reconciliation/matching",
    "src/reconciliation/running.rs",
    "src/alerts/rules.rs",
    "src/ledger/pace.rs",
    "src/reconciliation/unit.rs",
    "src/reconciliation/usage.rs",
];

/// The only files where an amount may meet a float, and why.
const FLOATS: &[(&str, &str)] = &[
    ("src/metrics/mod.rs", "gauges and buckets are floats"),
    (
        "src/credits/mod.rs",
        "a settings file's number arrives as one and is read as its text",
    ),
];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no .{ending} file below {folder}");
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    ["src", "tests", "benches"]
        .iter()
        .flat_map(|folder| files_below(folder, "rs"))
        .collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The part a file of `src/` belongs to.
fn part_of(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The parts of ours that a source text names.
fn named_parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for prefix in ["crate::", "generect_guard::"] {
        for (at, _) in text.match_indices(prefix) {
            let rest = &text[at + prefix.len()..];
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if name.is_empty() && rest.starts_with('{') {
                parts.push("{".into());
            } else if !name.is_empty() {
                parts.push(name);
            }
        }
    }
    parts
}

/// Without comments, so that prose may name whatever it likes.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("//") {
        Some(at) if !line[..at].contains('"') => &line[..at],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn parts_import_one_way_only() {
    let may_use: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in files_below("src", "rs") {
        let part = part_of(&path);
        if part == "lib" {
            continue;
        }
        let Some(allowed) = may_use.get(part.as_str()) else {
            wrong.push(format!(
                "{}: part `{part}` is not in the list",
                shown(&path)
            ));
            continue;
        };
        for used in named_parts(&code(&fs::read_to_string(&path).unwrap())) {
            if used != part && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: `{part}` may not use `{used}`", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn pure_files_know_neither_metrics_nor_the_time() {
    for path in files_below("src", "rs") {
        let name = shown(&path);
        if !PURE.iter().any(|pure| name.starts_with(pure)) {
            continue;
        }
        let text = code(&fs::read_to_string(&path).unwrap());
        for forbidden in ["metrics::", "crate::clock", "Instant::now", "tokio::"] {
            assert!(
                !text.contains(forbidden),
                "{name} is pure and names {forbidden}"
            );
        }
    }
}

#[test]
fn files_and_functions_fit_a_reader() {
    let mut long = Vec::new();
    for path in rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines", shown(&path)));
        }
        long.extend(
            long_functions(&text)
                .iter()
                .map(|found| format!("{}: {found}", shown(&path))),
        );
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

/// Functions above the bound, by the indentation that rustfmt guarantees.
fn long_functions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize, &str)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        if let Some((begin, depth, name)) = open {
            if indent == depth && words.starts_with('}') {
                if number - begin + 1 > FUNCTION_LINES_MAX {
                    found.push(format!("{} lines in {name}", number - begin + 1));
                }
                open = None;
            }
            // A signature of several lines without a body, in a trait.
            if indent == depth && words.starts_with(')') && words.ends_with(';') {
                open = None;
            }
        } else if is_function(words) && !words.ends_with('}') && !words.ends_with(';') {
            open = Some((number, indent, words));
        }
    }
    found
}

fn is_function(words: &str) -> bool {
    let mut rest = words;
    for prefix in ["pub ", "pub(super) ", "pub(crate) ", "const ", "async "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

/// Whether `word` stands in `text` and is not the end of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    let mut found = text.match_indices(word);
    found.any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn no_float_comes_near_money() {
    for path in files_below("src", "rs") {
        let name = shown(&path);
        let text = code(&fs::read_to_string(&path).unwrap());
        let has_float = has_word(&text, "f64") || has_word(&text, "f32");
        let money = text.contains("Credits");
        if has_float && money && !FLOATS.iter().any(|(file, _)| name == *file) {
            panic!("{name} has both a float and credits");
        }
    }
}

#[test]
fn the_words_of_the_trade_are_used() {
    for path in files_below("src", "rs") {
        let name = shown(&path);
        for drawer in ["util", "utils", "helper", "helpers", "common", "manager"] {
            let is_drawer = path.file_stem().is_some_and(|stem| stem == drawer)
                || path.components().any(|part| part.as_os_str() == drawer);
            assert!(!is_drawer, "{name} is a drawer, not a part");
        }
    }
}

/// Words for which this project has others: what a call *takes*, a *hold*, a *part*.
const NOT_OURS: &[&str] = &["cost", "costs", "reservation", "helper", "manager"];

#[test]
fn no_text_uses_a_word_that_is_not_ours() {
    let mut texts = rust_files();
    // Where the words themselves stand.
    texts.retain(|path| shown(path) != "tests/tidy.rs");
    texts.extend(files_below("config", "toml"));
    texts.push(root().join("README.md"));
    let mut found = Vec::new();
    for path in texts {
        for (number, line) in (1..).zip(fs::read_to_string(&path).unwrap().lines()) {
            let lower = line.to_lowercase();
            let mut words = lower.split(|c: char| !c.is_alphabetic());
            if words.any(|word| NOT_OURS.contains(&word)) {
                found.push(format!("{}:{number}: {line}", shown(&path)));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_readme_names_every_command() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_generect-guard"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 8, "{help}");
    for command in commands {
        assert!(
            readme.contains(&format!("generect-guard {command}"))
                || readme.contains(&format!("`{command}")),
            "the README does not tell of `{command}`"
        );
    }
}

#[test]
fn every_link_of_the_readme_into_the_tree_leads_somewhere() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for (at, _) in readme.match_indices("](") {
        let target: String = readme[at + 2..].chars().take_while(|c| *c != ')').collect();
        if target.contains("://") || target.starts_with('#') {
            continue;
        }
        assert!(
            root().join(&target).exists(),
            "the README links to {target}"
        );
    }
}
