//! The token and the keys' secrets: fetched by reference, never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use generect_guard::config;

use crate::support::{
    Folder, GOOD, TOKEN, TOKEN_VARIABLE, environment, instead, load, load_with, mistakes, with,
    wrong,
};

/// What no message may show.
const CANARY: &str = "c4n4ry5ecret0f64hexd1g1ts";

fn with_token(token: &str) -> Result<config::Config, config::ConfigErrors> {
    let environment = [(TOKEN_VARIABLE, token)].into_iter().collect();
    config::load(Some(&Folder::with(GOOD).config()), &environment)
}

#[test]
fn the_token_is_taken_from_the_environment_or_from_a_file_without_its_line_break() {
    assert_eq!(load(GOOD).unwrap().upstream.token.expose(), TOKEN);
    let folder = Folder::with("");
    for (index, end) in ["", "\n", "\r\n"].iter().enumerate() {
        let path = folder.file(&format!("token{index}"), &format!("{TOKEN}{end}"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let text = instead(
            "token_env = \"GENERECT_TOKEN\"",
            &format!("token_file = {path:?}"),
        );
        let config = load(&text).unwrap();
        assert_eq!(config.upstream.token.expose(), TOKEN);
        assert_eq!(config.warnings, []);
    }
}

#[test]
fn a_credential_of_systemd_is_not_warned_of_for_the_bits_of_its_access_list() {
    let folder = Folder::with("");
    let path = folder.file("token", TOKEN);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
    let text = instead(
        "token_env = \"GENERECT_TOKEN\"",
        &format!("token_file = {path:?}"),
    );
    let with_file = Folder::with(&text);
    for (credentials, warnings) in [(folder.dir.path(), 0), (Path::new("/run/credentials"), 1)] {
        let credentials = credentials.display().to_string();
        let environment = [("CREDENTIALS_DIRECTORY", credentials)]
            .into_iter()
            .collect();
        let loaded = config::load(Some(&with_file.config()), &environment).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{:?}", loaded.warnings);
    }
}

#[test]
fn a_token_file_that_others_can_read_is_warned_of() {
    let folder = Folder::with("");
    let path = folder.file("token", TOKEN);
    for mode in [0o640, 0o604, 0o644, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let text = instead(
            "token_env = \"GENERECT_TOKEN\"",
            &format!("token_file = {path:?}"),
        );
        let warnings = load(&text).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{mode:o}");
        assert_eq!(warnings[0].path, "upstream.token_file");
    }
}

#[test]
fn a_token_that_cannot_be_one_is_refused_and_never_printed() {
    let long = CANARY.repeat(300);
    for (token, word) in [
        ("", "empty"),
        (&*format!("Token {CANARY}"), "adds by itself"),
        (&*format!("token {CANARY}"), "adds by itself"),
        (&*format!("Bearer {CANARY}"), "adds by itself"),
        (&*format!("{CANARY} {CANARY}"), "space"),
        (&*format!("{CANARY}\n"), "line break"),
        (&*format!("{CANARY}\u{e9}"), "header"),
        (&*long, "too long"),
    ] {
        let errors = with_token(token).unwrap_err();
        assert_eq!(errors.complaints().len(), 1, "{errors}");
        assert_eq!(errors.complaints()[0].path, "upstream.token_env");
        let shown = format!("{errors} {errors:?}");
        assert!(shown.contains(word), "{shown}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn where_the_token_is_must_be_said_once() {
    let both = with("upstream", "token_file = \"/nowhere\"");
    wrong(&both, "upstream.token_file", &["both", "keep one"]);
    let none = instead("token_env = \"GENERECT_TOKEN\"", "");
    wrong(&none, "upstream.token_env", &["missing", "token_file"]);
    let unset = instead("\"GENERECT_TOKEN\"", "\"NOT_SET\"");
    wrong(&unset, "upstream.token_env", &["no variable of this name"]);
    let nowhere = instead(
        "token_env = \"GENERECT_TOKEN\"",
        "token_file = \"/nowhere/t\"",
    );
    wrong(&nowhere, "upstream.token_file", &["cannot be read"]);
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let endless = |name: &str| format!("{name} = \"/dev/zero\"");
    let catalogue = with("catalogue", &endless("file"));
    wrong(
        &catalogue,
        "catalogue.file",
        &["/dev/zero", "more than 8 MiB"],
    );
    let token = instead("token_env = \"GENERECT_TOKEN\"", &endless("token_file"));
    wrong(&token, "upstream.token_file", &["far too long"]);
    let settings = config::load(Some(Path::new("/dev/zero")), &environment(&[])).unwrap_err();
    let said = settings.to_string();
    assert!(said.contains("more than 8 MiB"), "{said}");
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let canary = format!("\"{CANARY}\"");
    let lines = [
        instead("\"GENERECT_TOKEN\"", &canary),
        instead(
            "token_env = \"GENERECT_TOKEN\"",
            &format!("token_file = {canary}"),
        ),
        with("upstream", &format!("token = {canary}")),
        with("upstream", &format!("proxy = {canary}")),
        with("upstream", &format!("proxy = \"http://u:{CANARY}@ p\"")),
        instead(
            "sha256 = \"1111",
            &format!("secret = {canary}\nsha256 = \"1111"),
        ),
        instead(&format!("\"{}\"", "1".repeat(64)), &canary),
        // Not even when the file cannot be read at all.
        with("upstream", &format!("token = {CANARY}")),
        with("upstream", &format!("token = \"{CANARY}")),
        with("upstream", &format!("token_env = \"{CANARY}\"")),
    ];
    for text in lines {
        let shown = format!("{:?}", mistakes(&text));
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn a_token_or_secret_that_has_no_setting_is_told_where_it_belongs() {
    let token = with("upstream", "token = \"x\"");
    wrong(&token, "upstream.token", &["token_env", "token_file"]);
    let secret = instead("sha256 = \"1111", "secret = \"x\"\nsha256 = \"1111");
    wrong(&secret, "key.crm.secret", &["sha256", "key new"]);
}

#[test]
fn neither_the_configuration_nor_the_environment_shows_a_secret() {
    let text = with(
        "upstream",
        &format!("proxy = \"http://user:{CANARY}@proxy.example:1\""),
    );
    let config = load(&text).unwrap();
    let shown = format!("{config:?} {config:#?} {:?}", environment(&[("X", CANARY)]));
    assert!(!shown.contains(CANARY) && !shown.contains(TOKEN), "{shown}");
    assert_eq!(
        config.upstream.proxy.unwrap().expose(),
        format!("http://user:{CANARY}@proxy.example:1")
    );
}

#[test]
fn an_override_can_carry_the_proxys_password_unseen() {
    let proxy = format!("http://user:{CANARY}@proxy.example:1");
    let config = load_with(GOOD, &[("GUARD__UPSTREAM__PROXY", &proxy)]).unwrap();
    assert_eq!(config.upstream.proxy.unwrap().expose(), proxy);
    for name in [
        "GUARD__UPSTREAM__TOKEN",
        "GUARD__UPSTREAM",
        "GUARD__UPSTREAM__TOKEN_ENV__X",
    ] {
        let errors = load_with(GOOD, &[(name, CANARY)]).unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains(CANARY), "{errors}");
    }
}

#[test]
fn the_books_are_read_without_the_token() {
    let text = instead("\"GENERECT_TOKEN\"", "\"NOT_SET\"");
    let folder = Folder::with(&text);
    let books = config::load_books(Some(&folder.config()), &environment(&[])).unwrap();
    assert_eq!(books.budgets.len(), 1);
    let folder = Folder::with(&text.replace("limit = 100", "limit = -100"));
    assert!(config::load_books(Some(&folder.config()), &environment(&[])).is_err());
}
