//! `config/example.toml` loads, and leaves no setting out.

use std::collections::BTreeSet;

use generect_guard::config::Config;

use crate::support::{good, load};

const EXAMPLE: &str = include_str!("../../config/example.toml");
const SHAPE: &str = include_str!("../../src/config/file.rs");

#[test]
fn the_example_loads_without_a_warning() {
    let config = good(EXAMPLE);
    assert_eq!(config.warnings, []);
    assert_eq!(config.teams.len(), 2);
    assert_eq!(config.clients.len(), 3);
    assert_eq!(config.budgets.len(), 6);
    assert_eq!(config.floors.len(), 4);
    assert_eq!(config.rates.len(), 2);
    assert_eq!(config.alerts.len(), 7);
}

/// A commented setting is `#name = value`, or a `#[table]` of them; prose begins with `# `.
fn commented(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('#')?;
    rest.starts_with(|letter: char| letter == '[' || letter.is_ascii_lowercase())
        .then_some(rest)
}

#[test]
fn a_setting_that_is_commented_out_is_at_its_default() {
    // What has no default, or names a file that is not there.
    let without_default = [
        "token_file",
        "ca_file",
        "proxy",
        "file",
        "operations",
        "key",
        "expires",
        "budget",
        "database_beyond",
        // An alert has no webhook by default.
        "[alert.webhook]",
        "url",
        "url_env",
        "url_file",
        "secret_env",
        "secret_file",
        "shape",
        "through_proxy",
    ];
    let all: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| match commented(line) {
            Some(setting) if !without_default.contains(&name(setting)) => setting,
            _ => line,
        })
        .collect();
    let (plain, written) = (good(EXAMPLE), good(&all.join("\n")));
    assert_eq!(settings(&plain), settings(&written));
}

/// All but the catalogue, whose maps are printed in any order.
fn settings(config: &Config) -> String {
    let Config {
        server,
        upstream,
        slots,
        ledger,
        account,
        reconciliation,
        kept_answers,
        logging,
        catalogue: _,
        prices,
        teams,
        clients,
        budgets,
        floors,
        rates,
        alerts,
        warnings,
    } = config;
    format!(
        "{server:#?}{upstream:#?}{slots:#?}{ledger:#?}{account:#?}{reconciliation:#?}{kept_answers:#?}{logging:#?}{prices:#?}{teams:#?}{clients:#?}\
         {budgets:#?}{floors:#?}{rates:#?}{alerts:#?}{warnings:#?}"
    )
}

#[test]
fn every_commented_setting_exists() {
    let all: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| commented(line).unwrap_or(line))
        .collect();
    let shown = load(&all.join("\n")).unwrap_err().to_string();
    assert!(
        !shown.contains("no setting") && !shown.contains("expected"),
        "{shown}"
    );
}

fn name(setting: &str) -> &str {
    setting.split([' ', '=']).next().unwrap_or_default()
}

#[test]
fn every_setting_there_is_stands_in_the_example() {
    let written: BTreeSet<&str> = EXAMPLE
        .lines()
        .map(|line| commented(line).unwrap_or(line))
        .map(|line| line.trim_matches(['[', ']']))
        .map(|line| line.strip_prefix("upstream.").unwrap_or(line))
        .map(|line| line.strip_prefix("alert.").unwrap_or(line))
        .map(|line| line.strip_prefix("slots.").unwrap_or(line))
        .map(name)
        .collect();
    let fields: Vec<&str> = SHAPE
        .lines()
        .filter_map(|line| line.strip_prefix("    pub(super) "))
        .filter_map(|line| line.split_once(':'))
        .map(|(field, _)| field)
        .collect();
    assert!(fields.len() > 50, "the shape is read wrongly: {fields:?}");
    for field in fields {
        assert!(
            written.contains(field),
            "{field} is missing in config/example.toml"
        );
    }
}
