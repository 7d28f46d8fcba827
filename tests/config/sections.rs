//! `[server]`, `[upstream]`, `[ledger]`, `[account]`, `[log]`, `[catalogue]`, and reading as such.

use std::path::PathBuf;
use std::time::Duration;

use generect_guard::catalogue::LegacyAmounts;
use generect_guard::ledger::{AccountRule, BalanceIs, WhenStale};
use generect_guard::logging::Format;
use jiff::SignedDuration;

use crate::support::{Folder, GOOD, good, load_with, mistakes, rows, told, warned, with, wrong};

#[test]
fn a_good_configuration_has_no_warnings_and_the_defaults_that_are_documented() {
    let config = good(GOOD);
    assert_eq!(config.warnings, []);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:8081");
    assert_eq!(config.server.body_bytes_max, 1 << 20);
    assert_eq!(
        config.upstream.base_url.to_string(),
        "https://api.generect.com/"
    );
    assert_eq!(config.upstream.response_timeout, Duration::from_secs(310));
    assert_eq!(config.upstream.breaker.failures.get(), 10);
    assert_eq!(config.slots.wait_max, Duration::from_secs(10));
    assert_eq!(config.slots.caps.len(), 9);
    assert_eq!(config.slots.caps["search_companies"], 20);
    assert_eq!(config.upstream.breaker.pause_max, Duration::from_secs(60));
    assert_eq!(config.upstream.retry.tries.get(), 3);
    assert_eq!(config.ledger.path, PathBuf::from("generect-guard.db"));
    assert_eq!(config.ledger.repeat_window, SignedDuration::from_mins(10));
    assert_eq!(config.account.rule, AccountRule::default());
    assert_eq!(config.logging.format, Format::Auto);
    assert_eq!(config.logging.filter, "info");
    assert_eq!(config.prices.legacy_amounts(), LegacyAmounts::Counts);
}

/// section | line | where the mistake is told | what is told
const MISTAKES: &str = r#"
    server | listen = "localhost:8080" | server.listen | "127.0.0.1:8080"
    server | listen = "127.0.0.1" | server.listen | port
    server | listen = 8080 | server.listen | expected a string
    server | admin_listen = "127.0.0.1:8080" | server.admin_listen | taken
    server | admin_listen = "127.0.0.1:x" | server.admin_listen | no address
    server | header_count_max = 0 | server.header_count_max | from 1
    server | header_count_max = -1 | server.header_count_max | -1
    server | header_bytes_max = 100 | server.header_bytes_max | 8192
    server | header_bytes_max = "64kb" | server.header_bytes_max | 64KiB
    server | header_read_timeout = "0s" | server.header_read_timeout | zero & 75s
    server | header_read_timeout = "soon" | server.header_read_timeout | 30s
    server | header_read_timeout = "-3s" | server.header_read_timeout | negative
    server | stalled_client_timeout = 30 | server.stalled_client_timeout | 30s
    server | drain_timeout = "0s" | server.drain_timeout | zero
    server | body_bytes_max = 0 | server.body_bytes_max | out of bounds
    server | kept_bytes_max = "1MiB" | server.kept_bytes_max | at least 2097152
    server | answer_bytes_kept = "1GiB" | server.answer_bytes_kept | bounds
    server | connections_max = 0 | server.connections_max | from 1
    server | connections_max = nan | server.connections_max | finite
    server | connections_per_source_max = 0 | server.connections_per_source_max | from 1
    server | connections_per_source_max = 4097 | server.connections_per_source_max | server.connections_max = 4096 & at most as many
    server | unknown_keys_per_second = 0 | server.unknown_keys_per_second | from 1
    server | unknown_keys_per_second = "fast" | server.unknown_keys_per_second | expected
    server | unknown_keys_burst = -1 | server.unknown_keys_burst | -1
    server | listn = 1 | server.listn | no setting & did you mean listen?
    server | tls = true | server.tls | no setting & known here & drain_timeout
    upstream | base_url = "api.generect.com" | upstream.base_url | scheme
    upstream | base_url = "ftp://api.generect.com" | upstream.base_url | https
    upstream | base_url = "https://a.example/api" | upstream.base_url | path
    upstream | base_url = "https://a.example/?x=1" | upstream.base_url | query
    upstream | base_url = "https://u:p@a.example" | upstream.base_url | user name
    upstream | base_url = "https://a.example:" | upstream.base_url | port
    upstream | base_url = "https://a.example:0" | upstream.base_url | port
    upstream | base_url = "https://[::1]:65536" | upstream.base_url | port
    upstream | base_url = "not a url" | upstream.base_url | no URL
    upstream | connect_timeout = "0s" | upstream.connect_timeout | zero
    upstream | response_timeout = "0ms" | upstream.response_timeout | zero
    upstream | pool_idle_timeout = "0s" | upstream.pool_idle_timeout | zero
    upstream | idle_connections_max = 1.5 | upstream.idle_connections_max | 1.5
    upstream | ca_file = "/nowhere/ca.pem" | upstream.ca_file | /nowhere/ca.pem
    upstream | proxy = "proxy.example:3128" | upstream.proxy | no http
    upstream.breaker | failures = 0 | upstream.breaker.failures | from 1
    upstream.breaker | within = "0s" | upstream.breaker.within | zero
    upstream.breaker | pause = "0s" | upstream.breaker.pause | zero
    upstream.breaker | pause_max = "4s" | upstream.breaker.pause_max | shorter
    upstream.retry | tries = 0 | upstream.retry.tries | from 1
    upstream.retry | pause = "0s" | upstream.retry.pause | zero
    upstream.breaker | failure = 3 | upstream.breaker.failure | failures?
    slots | queue_max = 100001 | slots.queue_max | from 0
    slots | wait_max = "0s" | slots.wait_max | zero & 10s
    slots | wait_max = "6m" | slots.wait_max | too long & 5m
    slots | caps = 3 | slots.caps | map
    slots.caps | search_leads = 0 | slots.caps.search_leads | zero & each key's operations
    slots.caps | search_lead = 3 | slots.caps.search_lead | no family & search_companies or search_leads
    slots.caps | preview = "many" | slots.caps.preview | many
    ledger | path = "" | ledger.path | empty
    ledger | repeat_window = "25h" | ledger.repeat_window | too long & 24h
    account | poll_interval = "10ms" | account.poll_interval | 1s
    account | job_poll_interval = "0s" | account.job_poll_interval | above zero
    reconciliation | source = "v2" | reconciliation.source | legacy
    reconciliation | interval = "0s" | reconciliation.interval | above zero
    reconciliation | overlap = "1m" | reconciliation.overlap | rows_late
    reconciliation | rows_late = "25h" | reconciliation.rows_late | 24h
    reconciliation | factor = 0 | reconciliation.factor | usually 1
    account | stale_after = "30s" | account.stale_after | poll_interval
    account | lag = "2d" | account.lag | too long
    account | when_stale = "ask" | account.when_stale | refuse or allow
    account | balance_is = "nett" | account.balance_is | gross or net
    log | format = "xml" | log.format | auto, json or text
    log | level = "loud" | log.level | error, warn, info, debug or trace
    catalogue | file = "/nowhere/c.toml" | catalogue.file | /nowhere/c.toml
    catalogue | legacy_amounts = "x" | catalogue.legacy_amounts | counts or money
    serve | listen = "" | serve | no setting & did you mean server?
"#;

#[test]
fn one_mistake_in_a_section_is_told_with_its_path_and_what_to_write() {
    for [section, line, path, words] in rows(MISTAKES) {
        wrong(&with(section, line), path, &told(words));
    }
}

/// section | line | where the warning is told | what is told
const RISKS: &str = r#"
    server | listen = "0.0.0.0:8080" | server.listen | unencrypted
    server | listen = "[::]:9000" | server.listen | unencrypted
    server | admin_listen = "10.0.0.1:8081" | server.admin_listen | spend
    server | drain_timeout = "10s" | server.drain_timeout | in doubt
    upstream | response_timeout = "400s" | upstream.response_timeout | in doubt
    upstream | base_url = "http://a.example" | upstream.base_url | unencrypted
    ledger | repeat_window = "0s" | ledger.repeat_window | twice
"#;

#[test]
fn what_is_risky_but_possible_is_warned_of() {
    for [section, line, path, words] in rows(RISKS) {
        warned(&with(section, line), path, &told(words));
    }
    for quiet in [
        "http://127.0.0.1:9",
        "http://localhost:9",
        "http://[::1]:9",
        "https://a.example/",
    ] {
        let config = good(&with("upstream", &format!("base_url = \"{quiet}\"")));
        assert_eq!(config.warnings, [], "{quiet}");
    }
}

#[test]
fn two_listeners_on_one_port_are_refused_also_through_the_unspecified_address() {
    for (listen, admin) in [
        ("127.0.0.1:9000", "127.0.0.1:9000"),
        ("0.0.0.0:9000", "127.0.0.1:9000"),
        ("127.0.0.1:9000", "0.0.0.0:9000"),
    ] {
        let lines = format!("listen = \"{listen}\"\nadmin_listen = \"{admin}\"");
        wrong(&with("server", &lines), "server.admin_listen", &["taken"]);
    }
    let lines = "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"";
    good(&with("server", lines));
}

#[test]
fn settings_that_are_written_are_the_settings_that_are_used() {
    let config = good(&format!(
        "{GOOD}
        [upstream.breaker]
        failures = 3
        within = \"1m\"
        pause = \"2s\"
        [account]
        poll_interval = \"5s\"
        lag = \"0s\"
        stale_after = \"1m\"
        when_stale = \"allow\"
        balance_is = \"net\"
        [slots]
        queue_max = 0
        [slots.caps]
        search_companies = 90
        [log]
        format = \"json\"
        level = \"debug\"
        [catalogue]
        legacy_amounts = \"money\"
        [ledger]
        path = \"/var/lib/guard/books.db\"
        "
    ));
    assert_eq!(config.upstream.breaker.within, Duration::from_secs(60));
    assert_eq!(config.account.poll_interval, Duration::from_secs(5));
    assert_eq!(
        config.account.rule,
        AccountRule {
            lag: SignedDuration::ZERO,
            stale_after: SignedDuration::from_mins(1),
            when_stale: WhenStale::Allow,
            balance_is: BalanceIs::Net,
        }
    );
    assert_eq!(config.slots.queue_max, 0);
    assert_eq!(config.slots.caps["search_companies"], 90);
    assert_eq!(config.slots.caps["preview"], 100);
    assert_eq!(config.logging.format, Format::Json);
    assert_eq!(config.prices.legacy_amounts(), LegacyAmounts::Money);
    assert_eq!(config.ledger.path, PathBuf::from("/var/lib/guard/books.db"));
}

#[test]
fn every_mistake_is_named_at_once_in_the_order_of_the_file() {
    let text = r#"
        [server]
        listen = "here"
        listn = "there"
        drain_timeout = "0s"
        [upstream]
        base_url = "ftp://x.example"
        token_env = "NOT_SET"
        [[team]]
        id = "a team"
        [[team]]
        id = "growth"
        priority = "urgent"
        [[key]]
        id = "crm"
        team = "grwth"
        sha256 = "9f86d0"
        [[budget]]
        id = "month"
        team = "sales"
        limit = -1
        per = "fortnight"
        timezone = "Europe/Kyiw"
        [[floor]]
        below = "much"
        [[rate]]
        per_second = 0
        burst = 0
    "#;
    let mut paths: Vec<String> = mistakes(text).into_iter().map(|c| c.path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "budget.month.limit",
            "budget.month.per",
            "budget.month.team",
            "budget.month.timezone",
            "floor.#1.action",
            "floor.#1.below",
            "floor.#1.priority",
            "key.crm.sha256",
            "key.crm.team",
            "rate.#1.burst",
            "rate.#1.per_second",
            "server.drain_timeout",
            "server.listen",
            "server.listn",
            "team.a team.id",
            "team.growth.priority",
            "upstream.base_url",
            "upstream.token_env",
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    for text in [
        "[server\nlisten = 1",
        "a = 1\na = 2",
        "listen = ",
        "x = 99999999999999999999",
    ] {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].path, "");
    }
    assert!(
        mistakes("[upstream]\nbase_url = \"x")
            .first()
            .unwrap()
            .what
            .contains("line 2")
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = generect_guard::config::load(
        Some(std::path::Path::new("/nowhere/guard.toml")),
        &crate::support::environment(&[]),
    )
    .unwrap_err();
    assert!(error.to_string().contains("/nowhere/guard.toml"), "{error}");
    assert!(error.to_string().contains("GUARD_CONFIG"), "{error}");
}

#[test]
fn the_environment_overrides_the_file() {
    let text = with("server", "listen = \"127.0.0.1:1000\"\nconnections_max = 7");
    let config = load_with(
        &text,
        &[
            ("GUARD__SERVER__LISTEN", "127.0.0.1:2000"),
            ("GUARD__UPSTREAM__BREAKER__FAILURES", "3"),
            ("GUARD__UPSTREAM__BREAKER__PAUSE", "9s"),
            ("GUARD__LOG__LEVEL", "warn"),
            ("GUARD_CONFIG", "unrelated"),
            ("LISTEN", "unrelated"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.port(), 2000);
    assert_eq!(config.server.connections_max, 7);
    assert_eq!(config.server.connections_per_source_max, 4, "half of them");
    assert_eq!(config.upstream.breaker.failures.get(), 3);
    assert_eq!(config.upstream.breaker.pause, Duration::from_secs(9));
    assert_eq!(config.logging.filter, "warn");
}

#[test]
fn an_override_is_checked_like_the_file() {
    for (name, value, path) in [
        ("GUARD__SERVER__LISTN", "127.0.0.1:1", "server.listn"),
        (
            "GUARD__SERVER__CONNECTIONS_MAX",
            "many",
            "server.connections_max",
        ),
        ("GUARD__SERVER__DRAIN_TIMEOUT", "0s", "server.drain_timeout"),
        ("GUARD__LOG__LEVEL", "loud", "log.level"),
        ("GUARD__UPSTREAM", "x", "upstream"),
    ] {
        let errors = load_with(GOOD, &[(name, value)]).unwrap_err();
        let paths: Vec<&str> = errors.complaints().iter().map(|c| &*c.path).collect();
        assert!(paths.contains(&path), "{name}: {errors}");
    }
}

#[test]
fn a_catalogue_of_ones_own_is_checked_and_used() {
    let folder = Folder::with("");
    let built_in = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/config/catalogue.toml"
    ))
    .unwrap();
    let other = built_in.replace("\"phone_find\"", "\"phone_search\"");
    let path = folder.file("catalogue.toml", &other);
    let config = good(&with("catalogue", &format!("file = {path:?}")));
    assert!(config.catalogue.operation("phone_search").is_some());
    assert!(config.catalogue.operation("phone_find").is_none());

    let broken = folder.file(
        "broken.toml",
        &built_in.replace("\"billable\"", "\"bilable\""),
    );
    let found = mistakes(&with("catalogue", &format!("file = {broken:?}")));
    assert!(
        found.iter().all(|c| c.path == "catalogue.file"),
        "{found:#?}"
    );
}
