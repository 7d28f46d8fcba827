//! Files that settings name: one with a secret, and a catalogue.

use std::fs;
use std::path::PathBuf;

use generect_guard::config::{ConfigErrors, Environment, compile};
use tempfile::TempDir;

/// The longest secret.
const SECRET_BYTES_MAX: usize = 4_096;
const TOKEN: &str = "5ec2e7a1b0c94d3f8e7a6b5c4d3e2f1a";
/// Settings without a mistake that name no file.
const LEAST: &str = include_str!("../../support/least.toml");
const TOKEN_SETTING: &str = "token_env = \"GENERECT_TOKEN\"";

/// Settings that name the file as their catalogue, or for their token.
fn settings(file: &str, is_catalogue: bool) -> String {
    if is_catalogue {
        return format!("{LEAST}\n[catalogue]\nfile = {file:?}\n");
    }
    LEAST.replace(TOKEN_SETTING, &format!("token_file = {file:?}"))
}

/// What is wrong must be said, of the setting that names the file, without a word of what is in it.
fn check_said(mistakes: &ConfigErrors, setting: &str, secret: Option<&str>) {
    for complaint in mistakes.complaints() {
        assert_eq!(complaint.path, setting, "{complaint}");
    }
    let said = mistakes.to_string();
    let words = secret.iter().flat_map(|secret| secret.split_whitespace());
    for word in words.filter(|word| word.len() > 12) {
        assert!(!said.contains(word), "{said} tells {word}");
    }
}

/// A path of the kind that is wanted, which may have these bytes in it.
fn place(kind: u8, folder: &TempDir, content: &[u8]) -> PathBuf {
    let path = folder.path().join("named");
    match kind {
        0 => return folder.path().join("missing"),
        1 => fs::create_dir(&path).unwrap(),
        // It has no end.
        2 => return PathBuf::from("/dev/zero"),
        3 => return folder.path().join("named").join("below"),
        4 => return PathBuf::new(),
        _ => fs::write(&path, content).unwrap(),
    }
    path
}

pub fn run(input: &[u8]) {
    let Some(([kind, times], content)) = input.split_first_chunk::<2>() else {
        return;
    };
    let is_catalogue = kind % 2 == 1;
    let kind = kind / 2 % 32;
    let content = content.repeat(usize::from(*times).max(1));
    let folder = TempDir::new().unwrap();
    let path = place(kind, &folder, &content);
    let environment = Environment::from_iter([("GENERECT_TOKEN", TOKEN)]);
    let text = settings(path.to_str().unwrap(), is_catalogue);
    let compiled = compile(&text, &environment);
    if is_catalogue {
        if let Err(mistakes) = &compiled {
            check_said(mistakes, "catalogue.file", None);
        }
        assert!(kind > 4 || compiled.is_err(), "a catalogue out of nothing");
        return;
    }
    let written = std::str::from_utf8(&content).ok();
    let token = written.map(|text| text.trim_end_matches(['\r', '\n']));
    let is_token = |token: &&str| {
        let lower = token.to_ascii_lowercase();
        let begins = lower.starts_with("token ") || lower.starts_with("bearer ");
        let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        !token.is_empty() && plain && !begins && content.len() <= SECRET_BYTES_MAX
    };
    let expected = token.filter(is_token).filter(|_| kind > 4);
    match (compiled, expected) {
        (Ok(config), Some(token)) => assert_eq!(config.upstream.token.expose(), token),
        (Err(mistakes), None) => check_said(&mistakes, "upstream.token_file", written),
        (Ok(_), None) => panic!("a token out of {content:?}"),
        (Err(mistakes), Some(_)) => panic!("{mistakes}"),
    }
}
