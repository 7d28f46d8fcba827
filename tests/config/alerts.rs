//! `[[alert]]`: one condition each, and webhooks whose secrets nobody sees.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use generect_guard::alerts::{Condition, Shape, Webhook};
use generect_guard::config::{self, Config, ConfigErrors};
use jiff::SignedDuration;

use crate::support::{Folder, GOOD, environment, good, load_with, mistakes, rows, told, wrong};

/// What no message may show.
const CANARY: &str = "c4n4ry-0f-4n-4l3rt";
/// A secret of good length.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The good configuration and an alert.
fn alert(lines: &str) -> String {
    format!("{GOOD}[[alert]]\nid = \"a\"\n{lines}\n")
}

/// An alert with a webhook.
fn webhook(inside: &str) -> String {
    alert(&format!("balance_below = 5\nwebhook = {{ {inside} }}"))
}

/// The environment that webhooks find their secrets in.
const VARIABLES: [(&str, &str); 4] = [
    ("SECRET", SECRET),
    ("URL", "https://hooks.example/services/c4n4ry-0f-4n-4l3rt"),
    ("SHORT", "short"),
    ("EMPTY", ""),
];

fn load(text: &str) -> Result<Config, ConfigErrors> {
    load_with(text, &VARIABLES)
}

fn the_webhook(text: &str) -> Webhook {
    let config = load(text).unwrap_or_else(|errors| panic!("{errors}\n---{text}"));
    assert_eq!(config.warnings, [], "{text}");
    config.alerts[0].webhook.clone().unwrap()
}

/// lines | where the mistake is told | what is told
const ALERTS: &str = r#"
    budget = "all" | alert.a | no condition & at_percent, balance_below
    budget = "all"\nbalance_below = 5 | alert.a.budget | no effect
    budget = "al"\nat_percent = [5] | alert.a.budget | mean all?
    at_percent = [] | alert.a.at_percent | empty
    at_percent = [0, 50] | alert.a.at_percent | 1 to 1000
    at_percent = [50, 1001] | alert.a.at_percent | 1 to 1000
    at_percent = [50, 80, 50] | alert.a.at_percent | twice
    at_percent = [0.5] | alert.a.at_percent | floating point
    at_percent = [-5] | alert.a.at_percent | -5
    at_percent = 50 | alert.a.at_percent | 50
    at_percent = ["much"] | alert.a.at_percent | much
    balance_below = -1 | alert.a.balance_below | below zero
    balance_below = 0.0000001 | alert.a.balance_below | finer than a micro-credit
    balance_below = nan | alert.a.balance_below | finite
    balance_below = 5\ndrift_above = 5 | alert.a.drift_above | already balance_below
    at_percent = [5]\ndoubt_older_than = "1h" | alert.a.doubt_older_than | already at_percent
    runs_out_within = "0s" | alert.a.runs_out_within | zero
    runs_out_within = 48 | alert.a.runs_out_within | span of time
    runs_out_within = "-1h" | alert.a.runs_out_within | negative
    unattributed_above = "much" | alert.a.unattributed_above | not a decimal number
    drift_above = -0.5 | alert.a.drift_above | below zero
    doubt_older_than = "long" | alert.a.doubt_older_than | no span of time
    reading_older_than = "30s" | alert.a.reading_older_than | poll_interval
    balance_bellow = 5 | alert.a.balance_bellow | mean balance_below?
    balance_below = 5\nwebhook = "https://x" | alert.a.webhook | not a table & url
    balance_below = 5\nwebhook = { url_evn = "X", shape = "slack" } | alert.a.webhook.url_evn | mean url_env?
"#;

#[test]
fn one_mistake_in_an_alert_is_told() {
    for [lines, path, words] in rows(ALERTS) {
        wrong(&alert(&lines.replace("\\n", "\n")), path, &told(words));
    }
    wrong(
        &format!("{GOOD}[[alert]]\nbalance_below = 5"),
        "alert.#1.id",
        &["missing"],
    );
    let twice = format!(
        "{}[[alert]]\nid = \"a\"\ndrift_above = 1",
        alert("drift_above = 2")
    );
    wrong(&twice, "alert.a.id", &["twice"]);
    let slash = alert("drift_above = 2").replace("\"a\"", "\"a/b\"");
    wrong(&slash, "alert.a/b.id", &["no id"]);
}

/// inside of the webhook | where the mistake is told | what is told
const WEBHOOKS: &str = r#"
    shape = "slack" | alert.a.webhook.url | missing & url_env
    url = "https://x" | alert.a.webhook.secret_env | missing & secret_file
    url = "https://x", url_env = "URL", secret_env = "SECRET" | alert.a.webhook.url | keep
    url_file = "/nowhere", url_env = "URL", shape = "slack" | alert.a.webhook.url_file | both
    url_env = "NOT_SET", shape = "slack" | alert.a.webhook.url_env | no variable of this name
    url_file = "/nowhere", shape = "slack" | alert.a.webhook.url_file | cannot be read
    url_env = "SHORT", shape = "slack" | alert.a.webhook.url_env | no URL
    url = "ftp://x", secret_env = "SECRET" | alert.a.webhook.url | neither http nor https
    url = "https://u:p@x", secret_env = "SECRET" | alert.a.webhook.url | user name
    url = 5, secret_env = "SECRET" | alert.a.webhook.url | not a text
    url = "https://x", secret_env = 5 | alert.a.webhook.secret_env | not a text
    url = "https://x", secret_env = "NOT_SET" | alert.a.webhook.secret_env | no variable of this name
    url = "https://x", secret_env = "EMPTY" | alert.a.webhook.secret_env | empty
    url = "https://x", secret_file = "/nowhere" | alert.a.webhook.secret_file | cannot be read & webhook's secret
    url = "https://x", secret = "x" | alert.a.webhook.secret | never written here & secret_env
    url = "https://x", secret_env = "SECRET", shape = "xml" | alert.a.webhook.shape | generic or slack
    url = "https://x", secret_env = "SECRET", through_proxy = true | alert.a.webhook.through_proxy | no upstream.proxy
"#;

#[test]
fn one_mistake_in_a_webhook_is_told() {
    for [inside, path, words] in rows(WEBHOOKS) {
        let text = webhook(inside);
        let errors = load(&text).unwrap_err();
        let found = errors.complaints();
        assert_eq!(found.len(), 1, "{errors}\n---{text}");
        assert_eq!(found[0].path, path, "{errors}");
        for word in told(words) {
            assert!(
                errors.to_string().contains(word),
                "{word} is not in {errors}"
            );
        }
    }
}

#[test]
fn every_mistake_of_every_alert_is_named_at_once() {
    let text = format!(
        "{GOOD}[[alert]]\nid = \"a\"\nat_percent = []\nwebhook = {{ shape = \"xml\", url_env = \"X\" }}\n\
         [[alert]]\nid = \"b\"\nbudget = \"none\"\nat_percent = [0]\n"
    );
    let paths: Vec<String> = mistakes(&text).into_iter().map(|c| c.path).collect();
    assert_eq!(
        paths,
        [
            "alert.a.webhook.url_env",
            "alert.a.at_percent",
            "alert.a.webhook.shape",
            "alert.b.budget",
            "alert.b.at_percent"
        ]
    );
}

#[test]
fn conditions_are_what_they_say() {
    let hours = SignedDuration::from_hours;
    for (lines, condition) in [
        (
            "at_percent = [100, 50]",
            Condition::BudgetShare {
                budget: None,
                percents: vec![50, 100],
            },
        ),
        (
            "at_percent = [120]\nbudget = \"all\"",
            Condition::BudgetShare {
                budget: Some("all".into()),
                percents: vec![120],
            },
        ),
        (
            "balance_below = \"99.5\"",
            Condition::BalanceBelow("99.5".parse().unwrap()),
        ),
        (
            "balance_below = 0",
            Condition::BalanceBelow("0".parse().unwrap()),
        ),
        (
            "runs_out_within = \"2d\"",
            Condition::RunsOutWithin(hours(48)),
        ),
        (
            "unattributed_above = 0",
            Condition::UnattributedAbove("0".parse().unwrap()),
        ),
        (
            "drift_above = 0.1",
            Condition::DriftAbove("0.1".parse().unwrap()),
        ),
        (
            "doubt_older_than = \"6h\"",
            Condition::DoubtOlderThan(hours(6)),
        ),
        (
            "reading_older_than = \"31s\"",
            Condition::ReadingOlderThan(SignedDuration::from_secs(31)),
        ),
    ] {
        let config = good(&alert(lines));
        assert_eq!(config.alerts[0].condition, condition, "{lines}");
        assert_eq!(&*config.alerts[0].id, "a");
        assert_eq!(config.warnings, []);
    }
}

#[test]
fn a_webhook_finds_its_address_and_its_secret() {
    let generic = the_webhook(&webhook("url = \"https://x/y\", secret_env = \"SECRET\""));
    assert_eq!(generic.url.expose(), "https://x/y");
    assert_eq!(generic.secret.unwrap().expose(), SECRET);
    assert_eq!(
        (generic.shape, generic.through_proxy),
        (Shape::Generic, false)
    );

    let slack = the_webhook(&webhook("url_env = \"URL\", shape = \"slack\""));
    assert!(slack.url.expose().ends_with(CANARY));
    assert_eq!((slack.shape, slack.secret), (Shape::Slack, None));

    let folder = Folder::with("");
    let [url, secret] =
        [("url", "http://127.0.0.1:1/\n"), ("secret", SECRET)].map(|(name, text)| {
            let path = folder.file(name, text);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        });
    let text = webhook(&format!(
        "url_file = {url:?}, secret_file = {secret:?}, through_proxy = true"
    ))
    .replace(
        "[upstream]",
        "[upstream]\nproxy = \"http://proxy.example:1\"",
    );
    let filed = the_webhook(&text);
    assert_eq!(filed.url.expose(), "http://127.0.0.1:1/");
    assert_eq!(filed.secret.unwrap().expose(), SECRET);
    assert!(filed.through_proxy);
}

#[test]
fn what_is_risky_in_a_webhook_is_warned_of() {
    for (inside, path, words) in [
        (
            "url = \"https://hooks.example/x\", shape = \"slack\"",
            "alert.a.webhook.url",
            "url_env",
        ),
        (
            "url = \"http://alerts.example/\", secret_env = \"SECRET\"",
            "alert.a.webhook.url",
            "unencrypted",
        ),
        (
            "url = \"https://x\", secret_env = \"SHORT\"",
            "alert.a.webhook.secret_env",
            "short",
        ),
    ] {
        let warnings = load(&webhook(inside)).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].path, path);
        assert!(warnings[0].to_string().contains(words), "{warnings:?}");
    }
}

#[test]
fn an_address_or_a_secret_in_the_wrong_place_is_not_repeated() {
    for inside in [
        format!("url = \"{CANARY}\", secret_env = \"SECRET\""),
        format!("url = \"https://u:{CANARY}@x\", secret_env = \"SECRET\""),
        format!("url_env = \"{CANARY}\", shape = \"slack\""),
        format!("url_file = \"{CANARY}\", shape = \"slack\""),
        format!("url = [\"{CANARY}\"], shape = \"slack\""),
        format!("url_env = [\"{CANARY}\"], shape = \"slack\""),
        format!("url = \"https://x\", secret = \"{CANARY}\""),
        format!("url = \"https://x\", secret_env = \"{CANARY}\""),
        format!("url = \"https://x\", secret_file = \"{CANARY}\""),
        format!("url = \"https://x\", secret_env = {{ value = \"{CANARY}\" }}"),
        format!("url = \"https://x\", password = \"{CANARY}\""),
    ] {
        let errors = load(&webhook(&inside)).unwrap_err();
        let shown = format!("{errors} {errors:?}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
    let bare = alert(&format!(
        "drift_above = 1\nwebhook = \"https://x/{CANARY}\""
    ));
    let shown = format!("{:?}", mistakes(&bare));
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn neither_the_configuration_nor_a_log_line_shows_an_address() {
    let config = load(&webhook("url_env = \"URL\", secret_env = \"SECRET\"")).unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(
        !shown.contains(CANARY) && !shown.contains(SECRET),
        "{shown}"
    );
    let hidden = config.unloggable();
    assert!(hidden.contains(&"https://hooks.example/services/c4n4ry-0f-4n-4l3rt"));
    assert!(hidden.contains(&"services/c4n4ry-0f-4n-4l3rt"));
    // A short path is a word, and words must stay readable.
    let config = load(&webhook(
        "url = \"https://x/alerts\", secret_env = \"SECRET\"",
    ))
    .unwrap();
    assert!(!config.unloggable().contains(&"alerts"));
}

#[test]
fn the_books_are_read_without_the_secrets_of_alerts() {
    let folder = Folder::with(&webhook(
        "url_env = \"NOT_SET\", secret_file = \"/nowhere\"",
    ));
    let books = config::load_books(Some(&folder.config()), &environment(&[])).unwrap();
    assert_eq!(books.budgets.len(), 1);
    let folder = Folder::with(&alert("at_percent = []"));
    assert!(config::load_books(Some(&folder.config()), &environment(&[])).is_err());
}
