//! Settings.

use generect_guard::config::{Environment, compile};

const TOKEN: &str = "5ec2e7a1b0c94d3f8e7a6b5c4d3e2f1a";
/// Settings without a mistake, for others to stand after.
const GOOD: &str = include_str!("../../support/least.toml");

pub fn run(input: &[u8]) {
    let Some((how, text)) = input.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    // Whatever it names would be read, and some files keep their reader waiting. Target `files` tries them.
    if text.contains("file") {
        return;
    }
    let text = if how % 2 == 0 {
        format!("{GOOD}\n{text}")
    } else {
        text.to_owned()
    };
    let environment = Environment::from_iter([("GENERECT_TOKEN", TOKEN)]);
    match compile(&text, &environment) {
        Ok(config) => {
            assert_eq!(config.upstream.token.expose(), TOKEN);
            assert!(config.needs_restart(&config).is_empty());
            assert!(!format!("{config:?}").contains(TOKEN));
            let now = "2026-11-21T12:00:00Z".parse().unwrap();
            for budget in &config.budgets {
                let window = budget.window.window_at(now);
                assert!(window.contains(now), "{window:?} of {budget:?}");
            }
        }
        Err(mistakes) => {
            let said = mistakes.to_string();
            assert!(!said.is_empty());
            assert!(!said.contains(TOKEN) || text.contains(TOKEN), "{said}");
        }
    }
}
