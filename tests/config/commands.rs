//! The real binary: `check`, `key new`, and what a wrong command line or configuration ends with.

use generect_guard::identity::KeyDigest;

use crate::support::{Folder, GOOD, Ran, TOKEN, TOKEN_VARIABLE, instead, with};

fn check(text: &str, more: &[&str]) -> Ran {
    let folder = Folder::with(text);
    let mut arguments = vec!["check"];
    arguments.extend(more);
    folder.run(&arguments)
}

#[test]
fn check_takes_a_good_configuration_and_says_what_it_is() {
    let ran = check(GOOD, &["--strict"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for words in [
        "can be served",
        "http://127.0.0.1:8080",
        "https://api.generect.com",
        "1 team, 1 key, 1 budget, 0 floors",
    ] {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
    assert!(!ran.all().contains(TOKEN));
}

#[test]
fn check_names_the_keys_that_have_ended_and_takes_them_for_no_mistake() {
    let ended = |expires: &str| {
        let line = format!("id = \"crm\"\nexpires = \"{expires}\"");
        let ran = check(&instead("id = \"crm\"", &line), &["--strict"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
            .contains("key crm of team growth ended at 2025-01-01T00:00:00Z")
    };
    assert!(ended("2025-01-01T00:00:00Z"));
    assert!(!ended("9999-01-01T00:00:00Z"));
}

#[test]
fn check_names_every_mistake_and_exits_2() {
    let text = instead("limit = 100", "limit = -1").replace("month", "fortnight");
    let ran = check(&text, &[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(ran.out, "");
    for words in ["2 mistakes", "budget.all.limit: ", "budget.all.per: "] {
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn check_fails_on_warnings_only_when_strict() {
    let text = with("server", "listen = \"0.0.0.0:8080\"");
    let ran = check(&text, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("warning: server.listen: "), "{ran:?}");
    assert_eq!(check(&text, &["--strict"]).code, 1);
}

#[test]
fn a_wrong_command_line_exits_2() {
    let folder = Folder::with(GOOD);
    for arguments in [
        &["chek"][..],
        &["check", "--strickt"],
        &["key", "new"],
        &["key", "new", "--team", "x\"\nid = \"y"],
        &["key", "new", "--team", "growth", "--id", "two words"],
        &["export", "--from", "2026-11-01"],
        &["report", "--from", "yesterday"],
        &["report", "--from", "2025-12-01", "--to", "2025-11-01"],
        &[],
    ] {
        assert_eq!(folder.run(arguments).code, 2, "{arguments:?}");
    }
    let version = folder.run(&["--version"]);
    assert_eq!(version.code, 0);
    assert_eq!(
        version.out.lines().next(),
        Some(concat!("generect-guard ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn the_configuration_is_found_by_option_then_variable_then_place() {
    let folder = Folder::with("[[[");
    folder.file("good.toml", GOOD);
    folder.file("generect-guard.toml", "[serve]");
    let check = |arguments: &[&str], variables: &[(&str, &str)]| {
        folder.run_bare(arguments, &[&[(TOKEN_VARIABLE, TOKEN)], variables].concat())
    };
    let by_place = check(&["check"], &[]);
    assert_eq!(by_place.code, 2);
    assert!(
        by_place.err.contains("serve: is no setting"),
        "{by_place:?}"
    );
    let by_variable = check(&["check"], &[("GUARD_CONFIG", "guard.toml")]);
    assert!(
        by_variable.err.contains("nothing else was looked at"),
        "{by_variable:?}"
    );
    let which = "error: guard.toml: 1 mistake";
    assert!(by_variable.err.contains(which), "{by_variable:?}");
    let by_option = check(
        &["check", "--config", "good.toml"],
        &[("GUARD_CONFIG", "guard.toml")],
    );
    assert_eq!(by_option.code, 0, "{by_option:?}");
    let overridden = check(
        &["--config", "good.toml", "check"],
        &[("GUARD__SERVER__LISTEN", "127.0.0.1:7777")],
    );
    assert!(overridden.out.contains("127.0.0.1:7777"), "{overridden:?}");
}

/// The secret and the `[[key]]` lines that a run of `key new` printed.
fn made(ran: &Ran) -> (String, String) {
    assert_eq!(ran.code, 0, "{ran:?}");
    let secret = ran
        .out
        .lines()
        .find(|line| line.starts_with("gg_"))
        .unwrap();
    let at = ran.out.find("[[key]]").unwrap();
    (secret.to_owned(), ran.out[at..].to_owned())
}

#[test]
fn a_new_keys_printed_digest_is_that_of_its_printed_secret() {
    let folder = Folder::with(GOOD);
    let (secret, lines) = made(&folder.run(&["key", "new", "--team", "growth"]));
    let digest = KeyDigest::of(&secret).to_string();
    assert!(lines.contains(&format!("sha256 = \"{digest}\"")), "{lines}");
    assert!(!lines.contains(&secret));

    let text = format!("{GOOD}\n{lines}");
    let config = crate::support::good(&text);
    assert_eq!(config.clients[1].digests, [KeyDigest::of(&secret)]);
    assert_eq!(config.clients[1].client.key.as_str(), "growth-1");

    let folder = Folder::with(&text);
    let (other, lines) = made(&folder.run(&["key", "new", "--team", "growth"]));
    assert!(lines.contains("id = \"growth-2\""), "{lines}");
    assert_ne!(secret, other);
}

#[test]
fn the_first_key_can_be_made_before_the_configuration_is_right() {
    let folder = Folder::with("[[team]]\nid = \"growth\"\n[[budget]]\nid = \"b\"\n");
    let (_, lines) = made(&folder.run(&["key", "new", "--team", "growth", "--id", "crm"]));
    assert!(lines.contains("id = \"crm\"\nteam = \"growth\""), "{lines}");

    let ran = folder.run_bare(
        &[
            "key",
            "new",
            "--team",
            "growth",
            "--config",
            "not-there.toml",
        ],
        &[],
    );
    made(&ran);
    assert!(ran.err.contains("nobody looked"), "{ran:?}");
}

#[test]
fn a_key_for_nobody_or_with_a_taken_id_is_not_made() {
    let folder = Folder::with(GOOD);
    for arguments in [
        &["key", "new", "--team", "sales"][..],
        &["key", "new", "--team", "growth", "--id", "crm"],
    ] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.all().contains("gg_"), "{ran:?}");
    }
}

#[test]
fn the_sandbox_has_a_configuration_of_its_own_and_takes_no_other() {
    let folder = Folder::with(GOOD);
    let help = folder.run(&["sandbox", "--help"]);
    assert!(
        help.out.contains("--once") && !help.out.contains("--config"),
        "{help:?}"
    );
    for arguments in [
        ["sandbox", "--once", "--config", "guard.toml"],
        ["--config", "guard.toml", "sandbox", "--once"],
    ] {
        let ran = folder.run(&arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("leave --config out"), "{ran:?}");
    }
}
