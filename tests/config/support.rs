//! A configuration that is right, to be made wrong in one place at a time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use generect_guard::config::{self, Complaint, Config, ConfigErrors, Environment};
use tempfile::TempDir;

/// The variable the token is in.
pub const TOKEN_VARIABLE: &str = "GENERECT_TOKEN";
/// A token as the vendor makes them: bare hexadecimal.
pub const TOKEN: &str = "5ec2e7a1b0c94d3f8e7a6b5c4d3e2f1a";

/// A configuration without mistakes and without warnings.
pub const GOOD: &str = include_str!("../support/least.toml");

/// A folder with a configuration file.
pub struct Folder {
    pub dir: TempDir,
}

impl Folder {
    pub fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("guard.toml"), text).unwrap();
        Self { dir }
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("guard.toml")
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Everything it said.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

impl Folder {
    /// Runs the binary in this folder with its configuration and the token.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let config = [("GUARD_CONFIG", "guard.toml"), (TOKEN_VARIABLE, TOKEN)];
        self.run_bare(arguments, &config)
    }

    /// Runs the binary in this folder with these variables and no others.
    pub fn run_bare(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_generect-guard"))
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The usual environment, with more variables.
pub fn environment(more: &[(&str, &str)]) -> Environment {
    [(TOKEN_VARIABLE, TOKEN)]
        .into_iter()
        .chain(more.iter().copied())
        .collect()
}

pub fn load_with(text: &str, more: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    config::load(Some(&Folder::with(text).config()), &environment(more))
}

pub fn load(text: &str) -> Result<Config, ConfigErrors> {
    load_with(text, &[])
}

/// Loads what must be right.
pub fn good(text: &str) -> Config {
    load(text).unwrap_or_else(|errors| panic!("{errors}\n---{text}"))
}

/// The mistakes of what must be wrong.
pub fn mistakes(text: &str) -> Vec<Complaint> {
    match load(text) {
        Ok(_) => panic!("this was taken:\n{text}"),
        Err(errors) => errors.complaints().to_vec(),
    }
}

/// Asserts that a text has exactly one mistake, at `path`, and that it says all of `words`.
pub fn wrong(text: &str, path: &str, words: &[&str]) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:#?}\n---{text}");
    says(&found[0], path, words);
}

/// Asserts that a text is taken with exactly one warning, at `path`, that says all of `words`.
pub fn warned(text: &str, path: &str, words: &[&str]) {
    let found = good(text).warnings;
    assert_eq!(found.len(), 1, "{found:#?}\n---{text}");
    says(&found[0], path, words);
}

fn says(complaint: &Complaint, path: &str, words: &[&str]) {
    assert_eq!(complaint.path, path, "{complaint}");
    let text = complaint.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

/// The good configuration with a section's line added, e.g. `server`, `listen = "…"`.
pub fn with(section: &str, line: &str) -> String {
    if section == "upstream" {
        return GOOD.replace("[upstream]", &format!("[upstream]\n{line}"));
    }
    format!("{GOOD}\n[{section}]\n{line}\n")
}

/// The good configuration with a setting's line replaced.
pub fn instead(line: &str, other: &str) -> String {
    assert!(GOOD.contains(line), "{line}");
    GOOD.replace(line, other)
}

/// The rows of a table written as text, cells apart by ` | `.
pub fn rows<const N: usize>(table: &str) -> Vec<[&str; N]> {
    let rows: Vec<_> = table
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.split(" | ").collect::<Vec<_>>().try_into().unwrap())
        .collect();
    assert!(rows.len() > 3, "the table is read wrongly");
    rows
}

/// The texts of a cell, apart by ` & `.
pub fn told(cell: &str) -> Vec<&str> {
    cell.split(" & ").collect()
}
