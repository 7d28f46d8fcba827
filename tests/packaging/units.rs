//! The units of systemd say what the settings' defaults say.

use super::text_of;

/// The value of `name` in a unit.
fn value_of<'a>(unit: &'a str, name: &str) -> &'a str {
    let mut lines = unit.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name}= in {unit}"))
}

/// The default of a setting, from the file that documents them all. `drain_timeout`, say.
fn default_of(name: &str) -> String {
    let example = text_of("config/example.toml");
    let line = format!("#{name} = ");
    let mut found = example
        .lines()
        .filter_map(|found| found.strip_prefix(&line));
    let value = found.next().unwrap_or_else(|| panic!("no {line}"));
    assert_eq!(found.next(), None, "{name} is the name of several settings");
    value.trim_matches('"').to_owned()
}

fn number(text: &str, unit: &str) -> u64 {
    let digits = text.strip_suffix(unit);
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("{text} is no number of {unit}"))
}

#[test]
fn the_service_is_given_the_time_the_files_and_the_memory_that_the_settings_ask_for() {
    let unit = text_of("config/deploy/generect-guard.service");
    let stop = number(value_of(&unit, "TimeoutStopSec"), "s");
    let drain = number(&default_of("drain_timeout"), "s");
    assert!(
        stop > drain,
        "killed after {stop} s, drained after {drain} s"
    );
    let files = number(value_of(&unit, "LimitNOFILE"), "");
    let connections = number(&default_of("connections_max"), "");
    assert!(
        files > 2 * connections,
        "{files} files for {connections} connections"
    );
    let memory = number(value_of(&unit, "MemoryMax"), "G") * 1024;
    let kept =
        number(&default_of("kept_bytes_max"), "MiB") + number(&default_of("bytes_max"), "MiB");
    assert!(
        memory > 2 * kept,
        "{memory} MiB, of which {kept} are spoken for"
    );
}

#[test]
fn the_sockets_are_where_the_settings_say_and_have_the_names_the_guard_knows() {
    for (socket, setting, name) in [
        ("generect-guard", "listen", "clients"),
        ("generect-guard-admin", "admin_listen", "admin"),
    ] {
        let unit = text_of(&format!("config/deploy/{socket}.socket"));
        assert_eq!(value_of(&unit, "ListenStream"), default_of(setting));
        assert_eq!(value_of(&unit, "FileDescriptorName"), name);
        assert_eq!(value_of(&unit, "Service"), "generect-guard.service");
        let service = text_of("config/deploy/generect-guard.service");
        assert!(value_of(&service, "Sockets").contains(&format!("{socket}.socket")));
    }
}
