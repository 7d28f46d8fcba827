//! `[[team]]` and `[[key]]`.

use generect_guard::catalogue::Unbounded;
use generect_guard::identity::{AccountView, Directory, KeyDigest, Priority};

use crate::support::{GOOD, TOKEN, good, instead, mistakes, rows, told, warned, wrong};

fn digest(letter: &str) -> String {
    letter.repeat(64)
}

#[test]
fn one_mistake_in_a_team_is_told() {
    let table: &[(&str, &str, &[&str])] = &[
        (
            "priority = \"urgent\"",
            "team.growth.priority",
            &["\"urgent\"", "low, normal or high"],
        ),
        (
            "priority = 1",
            "team.growth.priority",
            &["expected a string"],
        ),
        ("unlimited = \"yes\"", "team.growth.unlimited", &["boolean"]),
        (
            "unbounded = \"all\"",
            "team.growth.unbounded",
            &["\"maximum\", \"refuse\""],
        ),
        ("unbounded = 0", "team.growth.unbounded", &["zero"]),
        ("unbounded = -1", "team.growth.unbounded", &["-1"]),
        ("unbounded = 1.5", "team.growth.unbounded", &["1.5"]),
        ("name = \"\"", "team.growth.name", &["empty"]),
        ("name = \"a\\nb\"", "team.growth.name", &["line break"]),
        (
            "account_view = \"all\"",
            "team.growth.account_view",
            &["\"all\"", "own or account"],
        ),
        (
            "database_beyond = 0",
            "team.growth.database_beyond",
            &["out of bounds", "from 1 to 99"],
        ),
        (
            "database_beyond = 100",
            "team.growth.database_beyond",
            &["from 1 to 99"],
        ),
        (
            "prio = \"low\"",
            "team.growth.prio",
            &["no setting", "known here"],
        ),
    ];
    for (line, path, words) in table {
        wrong(
            &instead("id = \"growth\"", &format!("id = \"growth\"\n{line}")),
            path,
            words,
        );
    }
}

#[test]
fn ids_are_short_plain_and_used_once() {
    for id in ["", "two words", "caf\u{e9}", "a/b", &"x".repeat(65)] {
        let found = mistakes(&instead("id = \"all\"", &format!("id = \"{id}\"")));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].path.ends_with(".id"), "{found:#?}");
    }
    for id in ["A", "a.b_c-9", &"x".repeat(64)] {
        good(&instead("id = \"all\"", &format!("id = \"{id}\"")));
    }
    wrong(
        &format!("{GOOD}[[team]]\nid = \"growth\""),
        "team.growth.id",
        &["twice"],
    );
    wrong(
        &format!("{GOOD}[[budget]]\nid = \"all\"\nlimit = 1\nper = \"day\""),
        "budget.all.id",
        &["twice"],
    );
    let key = format!(
        "[[key]]\nid = \"crm\"\nteam = \"growth\"\nsha256 = \"{}\"",
        digest("2")
    );
    wrong(&format!("{GOOD}{key}"), "key.crm.id", &["twice"]);
    wrong(&instead("id = \"all\"\n", ""), "budget.#1.id", &["missing"]);
}

/// line | what stands in its place | where the mistake is told | what is told
const KEYS: &str = r#"
    team = "growth" | team = "grwth" | key.crm.team | did you mean growth?
    team = "growth" | team = "marketing-ops" | key.crm.team | no team
    SHA256 |  | key.crm.sha256 | missing & key new
    SHA256 | sha256 = "9f86d0" | key.crm.sha256 | 64 hexadecimal
    SHA256 | sha256 = 5 | key.crm.sha256 | not a text
    SHA256 | sha256 = [] | key.crm.sha256 | list of 0
    SHA256 | sha256 = ["9f86d0", 5] | key.crm.sha256 | not a text
    id = "crm" | id = "crm"\nexpires = "2027" | key.crm.expires | no moment & 2027-01-01T00:00:00Z
    id = "crm" | id = "crm"\nexpires = "2027-01-01T00:00:00" | key.crm.expires | no moment
    id = "crm" | id = "crm"\naccount = 1 | key.crm.account | boolean
    id = "crm" | id = "crm"\noperations = [] | key.crm.operations | empty
    id = "crm" | id = "crm"\noperations = ["email_fnd"] | key.crm.operations | "email_fnd" & did you mean email_find?
    id = "crm" | id = "crm"\noperations = ["mail*"] | key.crm.operations | "mail*" names no operation
    id = "crm" | id = "crm"\noperations = ["*_find"] | key.crm.operations | names no operation
    id = "crm" | id = "crm"\noperations = ["email_find", "legacy_transactions"] | key.crm.operations | account = true
    id = "crm" | id = "crm"\noperations = ["email_find", "api_tokens_list"] | key.crm.operations | denied to every key
    id = "crm" | id = "crm"\noperations = [7] | key.crm.operations | expected a string
"#;

#[test]
fn one_mistake_in_a_key_is_told() {
    let whole = format!("sha256 = \"{}\"", digest("1"));
    for [line, other, path, words] in rows(KEYS) {
        let line = line.replace("SHA256", &whole);
        wrong(
            &instead(&line, &other.replace("\\n", "\n")),
            path,
            &told(words),
        );
    }
    // Without a team the key is nobody's, and the budget then covers nobody: told once.
    wrong(
        &instead("team = \"growth\"", ""),
        "key.crm.team",
        &["missing"],
    );
}

#[test]
fn a_key_may_have_two_secrets_and_an_end() {
    let whole = format!("sha256 = \"{}\"", digest("1"));
    let with = |more: &str| instead(&whole, more);
    let (one, two) = (digest("1"), digest("2"));
    let renewed =
        format!("sha256 = [\"{one}\", \"{two}\"]\nexpires = \"2027-01-01T01:00:00+01:00\"");
    let key = &good(&with(&renewed)).clients[0];
    assert_eq!(key.digests.len(), 2);
    assert_eq!(key.expires, Some("2027-01-01T00:00:00Z".parse().unwrap()));
    let twice = with(&format!("sha256 = [\"{one}\", \"{one}\"]"));
    wrong(&twice, "key.crm.sha256", &["twice the same secret"]);
    let three = with(&format!(
        "sha256 = [\"{one}\", \"{two}\", \"{}\"]",
        digest("3")
    ));
    wrong(&three, "key.crm.sha256", &["a list of 3", "one, or two"]);
    let shared = format!("[[key]]\nid = \"forms\"\nteam = \"growth\"\nsha256 = \"{two}\"");
    let shared = with(&renewed) + &shared;
    wrong(&shared, "key.forms.sha256", &["same secret as key.crm's"]);
}

#[test]
fn a_list_may_name_the_teams_own_pages_unless_the_team_sees_the_accounts() {
    let named = "operations = [\"email_find\", \"accounts_*\", \"users_me\"]";
    let own = instead("id = \"crm\"", &format!("id = \"crm\"\n{named}"));
    let client = &good(&own).clients[0].client;
    assert!(client.may_use(&"accounts_usage".into()));
    assert!(!client.may_use(&"accounts_tokens_analytics".into()));
    let account = own.replacen(
        "id = \"growth\"",
        "id = \"growth\"\naccount_view = \"account\"",
        1,
    );
    let found = mistakes(&account);
    assert!(
        found.iter().all(|one| one.path == "key.crm.operations"),
        "{found:#?}"
    );
    assert!(!found.is_empty());
    good(&account.replacen("id = \"crm\"", "id = \"crm\"\naccount = true", 1));
}

#[test]
fn two_keys_with_one_secret_and_the_accounts_own_token_are_refused() {
    let key = format!(
        "[[key]]\nid = \"b\"\nteam = \"growth\"\nsha256 = \"{}\"",
        digest("1")
    );
    wrong(
        &format!("{GOOD}{key}"),
        "key.b.sha256",
        &["same secret as key.crm"],
    );
    for (secret, word) in [(TOKEN, "own token"), ("", "empty secret")] {
        let text = instead(&digest("1"), &KeyDigest::of(secret).to_string());
        wrong(&text, "key.crm.sha256", &[word]);
    }
}

#[test]
fn a_team_without_a_key_and_a_guard_without_one_are_warned_of() {
    let text = format!("{GOOD}[[team]]\nid = \"idle\"");
    warned(&text, "team.idle", &["no key", "--team idle"]);
    warned(
        "[upstream]\ntoken_env = \"GENERECT_TOKEN\"",
        "key",
        &["every request"],
    );
}

#[test]
fn a_team_that_can_send_nothing_to_the_database_is_warned_of() {
    let wants = instead("id = \"growth\"", "id = \"growth\"\ndatabase_beyond = 80");
    assert_eq!(good(&wants).warnings, []);
    for operations in ["search_realtime_*", "search_database_*", "email_*"] {
        let key = format!("id = \"crm\"\noperations = [\"{operations}\"]");
        let text = wants.replacen("id = \"crm\"", &key, 1);
        warned(&text, "team.growth.database_beyond", &["no effect", "twin"]);
    }
}

#[test]
fn teams_and_keys_become_the_clients_of_a_directory() {
    let secret = "gg_a_secret";
    let text = format!(
        "{}
        [[key]]
        id = \"forms\"
        team = \"growth\"
        sha256 = \"{}\"
        account = true
        operations = [\"email_*\", \"accounts_*\"]
        ",
        instead(
            "id = \"growth\"",
            "id = \"growth\"\nname = \"Growth\"\naccount_view = \"account\"\npriority = \"high\"\nunbounded = 25\ndatabase_beyond = 80"
        ),
        KeyDigest::of(secret).to_string().to_uppercase(),
    );
    let config = good(&text);
    assert_eq!(config.teams[0].name, "Growth");
    assert_eq!(config.teams[0].unbounded, Unbounded::Limit(25));
    assert_eq!(config.teams[0].account_view, AccountView::Account);
    assert_eq!(config.teams[0].database_beyond, Some(80));
    let directory = Directory::new(config.clients).unwrap();
    assert_eq!(directory.len(), 2);
    let client = &directory.find(secret).unwrap().client;
    assert_eq!(client.team.priority, Priority::High);
    assert!(!client.team.unlimited);
    assert!(client.account);
    for (operation, allowed) in [
        ("email_find", true),
        ("email_find_bulk_job", true),
        ("accounts_me", true),
        ("accounts_tokens_analytics", false),
        ("phone_find", false),
    ] {
        assert_eq!(client.may_use(&operation.into()), allowed, "{operation}");
    }
}
