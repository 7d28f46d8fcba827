//! `[[budget]]`, `[[floor]]`, `[[rate]]`, and that no key is without a limit.

use std::time::Duration;

use generect_guard::config::FloorAction;
use generect_guard::credits::Credits;
use generect_guard::identity::Priority;
use generect_guard::ledger::{CalendarUnit, Mode, WindowRule};
use jiff::SignedDuration;

use crate::support::{GOOD, good, instead, mistakes, rows, told, warned, wrong};

/// The good configuration and one more of a list.
fn and(kind: &str, lines: &str) -> String {
    format!("{GOOD}[[{kind}]]\n{lines}\n")
}

fn budget(lines: &str) -> String {
    and("budget", &format!("id = \"b\"\n{lines}"))
}

/// lines | where the mistake is told | what is told
const BUDGETS: &str = r#"
    limit = 1 | budget.b.per | missing & rolling
    per = "day" | budget.b.limit | missing
    limit = -1\nper = "day" | budget.b.limit | below zero
    limit = 0.0000001\nper = "day" | budget.b.limit | finer than a micro-credit
    limit = "much"\nper = "day" | budget.b.limit | not a decimal number
    limit = inf\nper = "day" | budget.b.limit | finite
    limit = true\nper = "day" | budget.b.limit | amount of credits
    limit = 1\nper = "fortnight" | budget.b.per | "fortnight" & month
    limit = 1\nper = 7 | budget.b.per | expected day, week
    limit = 1\nper = { rolling = "30s" } | budget.b.per.rolling | 30s & 1m
    limit = 1\nper = { rolling = "367d" } | budget.b.per.rolling | 366d
    limit = 1\nper = { rolling = "day" } | budget.b.per.rolling | no span of time
    limit = 1\nper = { roling = "1h" } | budget.b.per.roling | rolling?
    limit = 1\nper = {} | budget.b.per.rolling | missing
    limit = 1\nper = "day"\ntimezone = "Mars/Base" | budget.b.timezone | IANA
    limit = 1\nper = "day"\nteam = "grouth" | budget.b.team | mean growth?
    limit = 1\nper = "day"\nkey = "forms" | budget.b.key | no key "forms"
    limit = 1\nper = "day"\noperations = ["x"] | budget.b.operations | "x"
    limit = 1\nper = "day"\noperations = [] | budget.b.operations | empty
    limit = 1\nper = "day"\noperations = ["preview_leads_count"] | budget.b.operations | takes nothing
    limit = 1\nper = "day"\nzone = "UTC" | budget.b.zone | no setting
    limit = 1\nper = "day"\nmode = "trial" | budget.b.mode | "trial" & enforce or shadow
    limit = 1\nper = "day"\nmode = true | budget.b.mode | expected
"#;

#[test]
fn one_mistake_in_a_budget_is_told() {
    for [lines, path, words] in rows(BUDGETS) {
        wrong(&budget(&lines.replace("\\n", "\n")), path, &told(words));
    }
}

#[test]
fn windows_are_what_they_say() {
    for (per, unit) in [
        ("day", CalendarUnit::Day),
        ("week", CalendarUnit::Week),
        ("month", CalendarUnit::Month),
        ("quarter", CalendarUnit::Quarter),
        ("year", CalendarUnit::Year),
    ] {
        let lines = format!("limit = 0\nper = \"{per}\"\ntimezone = \"Europe/Kyiv\"");
        let config = good(&budget(&lines));
        let zone = jiff::tz::TimeZone::get("Europe/Kyiv").unwrap();
        assert_eq!(
            config.budgets[1].window,
            WindowRule::Calendar { unit, zone }
        );
        assert_eq!(config.budgets[1].limit, Credits::ZERO);
    }
    for (span, length) in [
        ("1m", SignedDuration::from_mins(1)),
        ("36h", SignedDuration::from_hours(36)),
        ("366d", SignedDuration::from_hours(366 * 24)),
    ] {
        let config = good(&budget(&format!(
            "limit = 1\nper = {{ rolling = \"{span}\" }}"
        )));
        assert_eq!(config.budgets[1].window, WindowRule::Rolling(length));
    }
    let config = good(&budget("limit = 1\nper = \"total\""));
    assert_eq!(config.budgets[1].window, WindowRule::Total);
    for per in ["\"total\"", "{ rolling = \"1h\" }"] {
        let lines = format!("limit = 1\nper = {per}\ntimezone = \"UTC\"");
        warned(&budget(&lines), "budget.b.timezone", &["no effect"]);
    }
}

#[test]
fn limits_are_amounts_however_they_are_written() {
    for (text, micros) in [
        ("200", 200_000_000),
        ("0.5", 500_000),
        ("\"0.5\"", 500_000),
        ("0.1", 100_000),
    ] {
        let config = good(&budget(&format!("limit = {text}\nper = \"day\"")));
        assert_eq!(
            config.budgets[1].limit,
            Credits::from_micros(micros),
            "{text}"
        );
    }
}

#[test]
fn a_budgets_operations_are_those_that_take_something() {
    let config = good(&budget(
        "limit = 1\nper = \"day\"\noperations = [\"preview_*\", \"email_find\"]",
    ));
    let named: Vec<String> = config.budgets[1]
        .filter
        .operations
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    assert_eq!(named, ["email_find", "preview_leads"]);
}

#[test]
fn a_budget_that_no_key_can_reach_is_a_mistake() {
    let lines = "limit = 1\nper = \"day\"\nteam = \"idle\"";
    let text = format!("{}[[team]]\nid = \"idle\"\n", budget(lines));
    wrong(&text, "budget.b", &["no call that any key could make"]);

    let key = "[[key]]\nid = \"forms\"\nteam = \"growth\"\noperations = [\"email_*\"]\nsha256 = \
               \"2222222222222222222222222222222222222222222222222222222222222222\"\n";
    let text = format!(
        "{}{key}",
        budget("limit = 1\nper = \"day\"\nkey = \"forms\"\noperations = [\"phone_*\"]")
    );
    wrong(&text, "budget.b", &["no call that any key could make"]);

    let text = format!(
        "{}{key}[[team]]\nid = \"other\"\nunlimited = true\n[[key]]\nid = \"o\"\nteam = \"other\"\nsha256 = \"{}\"",
        budget("limit = 1\nper = \"day\"\nkey = \"forms\"\nteam = \"other\""),
        "3".repeat(64)
    );
    wrong(&text, "budget.b.key", &["belongs to team growth"]);
}

#[test]
fn a_key_that_no_budget_covers_is_a_mistake_that_names_the_operations() {
    let bare = GOOD.split("[[budget]]").next().unwrap();
    wrong(
        bare,
        "key.crm",
        &[
            "any of the",
            "email_find",
            "search_realtime_leads",
            "unlimited = true",
        ],
    );

    let all_but_phones = instead(
        "id = \"all\"",
        "id = \"all\"\noperations = [\"search_*\", \"enrich_*\", \"email_*\", \"preview_*\", \
         \"profile_*\", \"legacy_*\"]",
    );
    let found = mistakes(&all_but_phones);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, "key.crm");
    assert!(
        found[0].what.starts_with("no budget covers 2 of the"),
        "{}",
        found[0]
    );
    assert!(
        found[0].what.ends_with(": phone_find, phone_find_bulk"),
        "{}",
        found[0]
    );

    // A key that may not use them needs no budget for them, nor does a team that says so.
    let narrow = all_but_phones.replace("id = \"crm\"", "id = \"crm\"\noperations = [\"email_*\"]");
    good(&narrow.replace("\"phone_*\", ", ""));
    good(&bare.replace("id = \"growth\"", "id = \"growth\"\nunlimited = true"));
    good(&bare.replace(
        "id = \"crm\"",
        "id = \"crm\"\noperations = [\"preview_leads_count\"]",
    ));
}

#[test]
fn a_key_that_only_budgets_in_shadow_cover_counts_as_uncovered() {
    let on_trial = instead("id = \"all\"", "id = \"all\"\nmode = \"shadow\"");
    wrong(
        &on_trial,
        "key.crm",
        &[
            "no budget that enforces covers any of the",
            "email_find",
            "unlimited = true",
        ],
    );
    let both = format!("{on_trial}[[budget]]\nid = \"real\"\nlimit = 1\nper = \"day\"\n");
    let config = good(&both);
    let modes: Vec<Mode> = config.budgets.iter().map(|budget| budget.mode).collect();
    assert_eq!(modes, [Mode::Shadow, Mode::Enforce]);
    // A mode that cannot be read is told once, and not as a key without a budget too.
    let unread = instead("id = \"all\"", "id = \"all\"\nmode = \"off\"");
    wrong(&unread, "budget.all.mode", &["enforce or shadow"]);
    // One that covers nothing is as much a mistake on trial.
    let nobody = budget("team = \"idle\"\nlimit = 1\nper = \"day\"\nmode = \"shadow\"");
    let nobody = nobody.replacen("[[key]]", "[[team]]\nid = \"idle\"\n\n[[key]]", 1);
    wrong(&nobody, "budget.b", &["covers no call"]);
}

#[test]
fn a_floor_and_a_rate_may_be_tried_beside_the_one_in_force() {
    let floor = |below: u32, mode: &str| {
        format!(
            "[[floor]]\nbelow = {below}\npriority = \"low\"\naction = \"refuse\"\nmode = \"{mode}\"\n"
        )
    };
    let config = good(&format!(
        "{GOOD}{}{}",
        floor(5, "enforce"),
        floor(9, "shadow")
    ));
    assert_eq!(config.warnings, []);
    assert_eq!(
        config.refuse_floor(Priority::Low),
        Some(Credits::from_micros(5_000_000))
    );
    let first = good(&format!(
        "{GOOD}{}{}",
        floor(9, "shadow"),
        floor(5, "enforce")
    ));
    assert_eq!(
        first.refuse_floor(Priority::Low),
        Some(Credits::from_micros(5_000_000))
    );
    let alone = good(&format!("{GOOD}{}", floor(9, "shadow")));
    assert_eq!(alone.refuse_floor(Priority::Low), None);
    let twice = format!("{GOOD}{}{}", floor(9, "shadow"), floor(8, "shadow"));
    wrong(&twice, "floor.#2", &["already"]);
    wrong(
        &format!("{GOOD}{}", floor(9, "half")),
        "floor.#1.mode",
        &["shadow"],
    );

    let rate = |mode: &str| and("rate", &format!("per_second = 1\nmode = \"{mode}\""));
    let both = format!(
        "{}[[rate]]\nper_second = 2\nmode = \"shadow\"\n",
        rate("enforce")
    );
    assert_eq!(good(&both).rates.len(), 2);
    let twice = format!(
        "{}[[rate]]\nper_second = 2\nmode = \"shadow\"\n",
        rate("shadow")
    );
    wrong(&twice, "rate.#2", &["already"]);
    wrong(&rate("half"), "rate.#1.mode", &["shadow"]);
}

#[test]
fn two_budgets_together_may_cover_a_key() {
    let text = format!(
        "{}[[budget]]\nid = \"rest\"\nteam = \"growth\"\noperations = [\"enrich_*\", \"email_*\", \
         \"preview_*\", \"profile_*\", \"legacy_*\", \"phone_*\"]\nlimit = 1\nper = \"day\"\n",
        instead("id = \"all\"", "id = \"all\"\noperations = [\"search_*\"]")
    );
    good(&text);
}

#[test]
fn one_mistake_is_not_told_twice_by_the_rule_about_covering() {
    // The budget's filter cannot be told, so nobody knows whether the key is covered.
    wrong(
        &instead("id = \"all\"", "id = \"all\"\noperations = [\"serch_*\"]"),
        "budget.all.operations",
        &["names no operation"],
    );
    // The limit is wrong, but the filter is clear: the key is covered.
    wrong(
        &instead("limit = 100", "limit = -100"),
        "budget.all.limit",
        &["below zero"],
    );
    wrong(
        &instead("limit = 100", "limit = []"),
        "budget.all.limit",
        &["amount of credits"],
    );
}

/// lines | where the mistake is told | what is told
const FLOORS: &str = r#"
    priority = "low"\naction = "refuse" | floor.#1.below | missing
    below = -5\npriority = "low"\naction = "refuse" | floor.#1.below | below zero
    below = 5\naction = "refuse" | floor.#1.priority | missing
    below = 5\npriority = "all"\naction = "refuse" | floor.#1.priority | high
    below = 5\npriority = "low" | floor.#1.action | missing & slow_to
    below = 5\npriority = "low"\naction = "stop" | floor.#1.action | refuse
    below = 5\npriority = "low"\naction = { slow = "1/s" } | floor.#1.action.slow | slow_to
    below = 5\npriority = "low"\naction = { slow_to = "0/s" } | floor.#1.action.slow_to | 30/min
    below = 5\npriority = "low"\naction = {} | floor.#1.action.slow_to | missing
"#;

#[test]
fn one_mistake_in_a_floor_is_told() {
    for [lines, path, words] in rows(FLOORS) {
        wrong(
            &and("floor", &lines.replace("\\n", "\n")),
            path,
            &told(words),
        );
    }
    let twice = |one: &str, other: &str| {
        format!(
            "{GOOD}[[floor]]\nbelow = 9\npriority = \"low\"\naction = {one}\n[[floor]]\nbelow = \
             8\npriority = \"low\"\naction = {other}\n"
        )
    };
    wrong(
        &twice("\"refuse\"", "\"refuse\""),
        "floor.#2",
        &["already", "low"],
    );
    let slow = "{ slow_to = \"1/s\" }";
    wrong(&twice(slow, slow), "floor.#2", &["already"]);
    good(&twice(slow, "{ slow_to = \"1/min\" }"));
    good(&twice(slow, "\"refuse\""));
}

#[test]
fn floors_against_their_priorities_are_warned_of() {
    let floor = |below: u32, priority: &str, action: &str| {
        format!("[[floor]]\nbelow = {below}\npriority = \"{priority}\"\naction = {action}\n")
    };
    let refuse = "\"refuse\"";
    let text = format!(
        "{GOOD}{}{}",
        floor(5, "low", refuse),
        floor(6, "normal", refuse)
    );
    warned(
        &text,
        "floor.#2",
        &["normal is refused before priority low"],
    );
    let text = format!("{GOOD}{}", floor(5, "high", refuse));
    warned(&text, "floor.#1", &["before priority low"]);
    let slow = "{ slow_to = \"1/s\" }";
    let text = format!("{GOOD}{}{}", floor(5, "low", refuse), floor(4, "low", slow));
    warned(&text, "floor.#2", &["never slows"]);
}

#[test]
fn floors_are_found_by_priority() {
    let text = format!(
        "{GOOD}[[floor]]\nbelow = 50\npriority = \"low\"\naction = \"refuse\"\n[[floor]]\nbelow = \
         90.5\npriority = \"low\"\naction = {{ slow_to = \"30/min\" }}\n"
    );
    let config = good(&text);
    assert_eq!(
        config.refuse_floor(Priority::Low),
        Some(Credits::from_micros(50_000_000))
    );
    assert_eq!(config.refuse_floor(Priority::High), None);
    let FloorAction::SlowTo(pace) = config.floors[1].action else {
        panic!("{:?}", config.floors);
    };
    assert_eq!((pace.period, pace.burst.get()), (Duration::from_secs(2), 1));
}

/// lines | where the mistake is told | what is told
const RATES: &str = r#"
    burst = 1 | rate.#1.per_second | missing
    per_second = 0 | rate.#1.per_second | zero
    per_second = 0.0 | rate.#1.per_second | zero
    per_second = -1 | rate.#1.per_second | -1
    per_second = "fast" | rate.#1.per_second | such as 5
    per_second = 2000000000 | rate.#1.per_second | too large
    per_second = 1\nburst = 0 | rate.#1.burst | zero
    per_second = 1\nburst = 1.5 | rate.#1.burst | 1.5
    per_second = 1\nteam = "x" | rate.#1.team | no team
    per_second = 1\nkey = "x" | rate.#1.key | no key
    per_second = 1\noperations = ["x"] | rate.#1.operations | no operation
    per_second = 1\noperations = ["token_login"] | rate.#1.operations | denied
"#;

#[test]
fn one_mistake_in_a_rate_is_told() {
    for [lines, path, words] in rows(RATES) {
        wrong(
            &and("rate", &lines.replace("\\n", "\n")),
            path,
            &told(words),
        );
    }
    let twice = format!(
        "{}[[rate]]\nper_second = 2\n",
        and("rate", "per_second = 1")
    );
    wrong(&twice, "rate.#2", &["already"]);
}

#[test]
fn rates_are_kept_as_the_time_between_two_calls() {
    let config = good(&and(
        "rate",
        "per_second = 0.5\nteam = \"growth\"\noperations = [\"preview_*\"]",
    ));
    let rate = &config.rates[0];
    assert_eq!(rate.pace.period, Duration::from_secs(2));
    assert_eq!(rate.pace.burst.get(), 1);
    let covers = |operation: &str| {
        let (team, key) = ("growth".into(), "crm".into());
        rate.filter.covers(&team, &key, &operation.into())
    };
    assert!(covers("preview_leads") && covers("preview_leads_count") && !covers("email_find"));
    let config = good(&and("rate", "per_second = 5\nburst = 10"));
    assert_eq!(config.rates[0].pace.burst.get(), 10);
    assert_eq!(config.rates[0].pace.period, Duration::from_millis(200));
}
