//! What the README shows is what happens.

use std::process::Command;

use generect_guard::config::{self, Environment};
use generect_guard::identity::KeyDigest;

use crate::support::secret_of;

const README: &str = include_str!("../../README.md");

fn guard() -> Command {
    Command::new(env!("CARGO_BIN_EXE_generect-guard"))
}

/// The README's blocks of one language, without their indentation.
fn blocks(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        let fence = line.trim_start();
        if fence != format!("```{language}") {
            continue;
        }
        let indent = line.len() - fence.len();
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        found.push(
            block
                .map(|line| line.get(indent..).unwrap_or("").to_owned() + "\n")
                .collect(),
        );
    }
    found
}

#[test]
fn the_least_configuration_of_the_readme_is_enough() {
    let digest = KeyDigest::of(&secret_of("any")).to_string();
    let text = blocks("toml").concat().replace('…', &digest);
    assert!(text.contains("[[budget]]"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.toml");
    std::fs::write(&path, text).unwrap();
    let environment = Environment::from_iter([("GENERECT_TOKEN", "0123456789abcdef0123")]);
    let config =
        config::load(Some(&path), &environment).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.budgets.len(), 1);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

/// The words alone: the README breaks long lines.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line has words, and none of them is a date or a time.
fn is_of_any_day(line: &str) -> bool {
    let has_words = line.contains(char::is_alphanumeric);
    let is_a_moment = |word: &str| {
        let is_a_date = word.starts_with("20") && word.contains('-');
        is_a_date || (word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(':'))
    };
    has_words && !line.split_whitespace().any(is_a_moment)
}

#[test]
fn the_sandbox_runs_without_any_settings_and_shows_what_the_readme_shows() {
    let folder = tempfile::tempdir().unwrap();
    let run = guard()
        .args([
            "sandbox",
            "--once",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .current_dir(folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let shown = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{shown}");
    let mut compared = 0;
    let tour = blocks("text")
        .into_iter()
        .find(|block| block.contains("sandbox-growth /api"));
    let words = spaced(&shown);
    for line in tour.unwrap().lines().filter(|line| is_of_any_day(line)) {
        assert!(
            words.contains(&spaced(line)),
            "the README shows {line:?}, the sandbox:\n{shown}"
        );
        compared += 1;
    }
    assert!(compared >= 40, "the README's tour is gone");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(
        left.is_empty(),
        "the sandbox left something behind: {left:?}"
    );
}
