//! What is told when, by table.

use generect_guard::alerts::{Alert, Condition, Event, Snapshot, State, judge};
use generect_guard::credits::Credits;
use generect_guard::ledger::{Window, WindowRule};
use jiff::{SignedDuration, Timestamp};

use crate::support::{alert, at, credits, month, quiet, rows, shares, span, told, used};

/// Looks at one snapshot after the other and tells what each of them told. The state goes through
/// its text each time, as over a restart.
fn looks(alerts: &[Alert], snapshots: &[(Timestamp, Snapshot)]) -> Vec<Vec<Event>> {
    let mut state = State::default();
    let mut all = Vec::new();
    for (now, snapshot) in snapshots {
        let (events, after) = judge(alerts, snapshot, &state, *now);
        for event in &events {
            let alert = alerts.iter().find(|alert| alert.id == event.alert).unwrap();
            assert_eq!(event.facts.kind(), alert.condition.kind());
            assert_eq!(event.at, *now);
        }
        state = serde_json::from_str(&serde_json::to_string(&after).unwrap()).unwrap();
        assert_eq!(state, after);
        all.push(events);
    }
    all
}

/// Plays a table of `time | what stands then | events` against alerts.
fn plays(alerts: &[Alert], table: &str, seen: impl Fn(Timestamp, &str) -> Snapshot) {
    let rows: Vec<[&str; 3]> = rows(table);
    let snapshots: Vec<_> = rows
        .iter()
        .map(|[time, what, _]| (at(time), seen(at(time), what)))
        .collect();
    for (row, events) in rows.iter().zip(looks(alerts, &snapshots)) {
        let events: Vec<String> = events.iter().map(told).collect();
        assert_eq!(events.join(", "), row[2], "{row:?}\nof {table}");
    }
}

/// Budgets as `id settled/limit`, apart by `,`.
fn budgets(now: Timestamp, text: &str, window: impl Fn(Timestamp) -> Window) -> Snapshot {
    let mut snapshot = quiet(now);
    for budget in text.split(',').filter(|text| !text.trim().is_empty()) {
        let (id, figures) = budget.trim().split_once(' ').unwrap();
        let (settled, limit) = figures.split_once('/').unwrap();
        let status = used(id, window(now), credits(settled), credits(limit));
        snapshot.budgets.push(status);
    }
    snapshot
}

#[test]
fn a_share_is_told_once_a_window_and_of_several_the_highest() {
    let table = "
        2026-11-01T00:00:00Z | a 0/200, b 0/10        |
        2026-11-02T00:00:00Z | a 99.999999/200, b 1/10 |
        2026-11-02T00:00:10Z | a 100/200, b 1/10      | x a 50
        2026-11-02T00:00:20Z | a 110/200, b 5/10      | x b 50
        2026-11-02T00:00:30Z | a 90/200, b 5/10       |
        2026-11-02T00:00:40Z | a 110/200, b 5/10      |
        2026-11-03T00:00:00Z | a 200/200, b 7.9/10    | x a 100
        2026-11-03T00:00:10Z | a 210/200, b 8/10      | x b 80
        2026-11-04T00:00:00Z | a 170/200, b 8/10      |
        2026-11-30T23:59:59Z | a 200/200, b 10/10     | x b 100
        2026-12-01T00:00:00Z | a 0/200, b 5/10        | x b 50
        2026-12-05T00:00:00Z | a 161/200, b 5/10      | x a 80
        2026-12-06T00:00:00Z | a 161/300, b 5/10      |
        2026-12-07T00:00:00Z | a 240/300, b 5/10      | x a 80
    ";
    let alerts = [shares("x", None, &[50, 80, 100])];
    plays(&alerts, table, |now, text| budgets(now, text, month));
}

#[test]
fn a_share_of_more_room_is_told_again_and_one_of_less_is_not() {
    let table = "
        2026-11-02T00:00:00Z | a 10/10 | x a 100
        2026-11-02T01:00:00Z | a 10/20 |
        2026-11-02T02:00:00Z | a 10/16 |
        2026-11-02T03:00:00Z | a 10/20 |
        2026-11-02T04:00:00Z | a 16/20 | x a 80
        2026-11-02T05:00:00Z | a 16/12 | x a 100
        2026-11-02T06:00:00Z | a 16/16 |
        2026-11-02T07:00:00Z | a 16/20 |
        2026-11-02T08:00:00Z | a 20/20 | x a 100
    ";
    let alerts = [shares("x", None, &[50, 80, 100])];
    plays(&alerts, table, |now, text| budgets(now, text, month));
    plays(&alerts, table, |now, text| {
        budgets(now, text, |_| Window::ALWAYS)
    });
}

#[test]
fn a_day_is_told_again_by_a_bound_that_was_raised() {
    let now = at("2026-11-02T10:00:00Z");
    let mut state = State::default();
    // The bound that day, what went around the guard, and whether that is told.
    for (above, unattributed, is_told) in [
        ("1", "2", true),
        ("1", "3", false),
        ("5", "3", false),
        ("5", "6", true),
        ("1", "7", false),
    ] {
        let mut snapshot = quiet(now);
        snapshot.unattributed_today = credits(unattributed);
        let alerts = [alert("x", Condition::UnattributedAbove(credits(above)))];
        let (events, after) = judge(&alerts, &snapshot, &state, now);
        assert_eq!(!events.is_empty(), is_told, "{unattributed} above {above}");
        state = after;
    }
}

#[test]
fn two_alerts_and_two_budgets_do_not_disturb_one_another() {
    let table = "
        2026-11-02T00:00:00Z | a 5/10, b 5/10   | all a 50, all b 50
        2026-11-02T00:00:10Z | a 9/10, b 5/10   | only a 90
        2026-11-02T00:00:20Z | a 9/10, b 10/10  |
    ";
    let alerts = [shares("all", None, &[50]), shares("only", Some("a"), &[90])];
    plays(&alerts, table, |now, text| budgets(now, text, month));
}

#[test]
fn a_budget_of_all_time_is_told_once_for_ever() {
    let table = "
        2026-11-02T00:00:00Z | a 9/10   | x a 90
        2027-11-02T00:00:00Z | a 1/10   |
        2028-11-02T00:00:00Z | a 9/10   |
        2029-11-02T00:00:00Z | a 10/10  | x a 100
    ";
    let alerts = [shares("x", None, &[90, 100])];
    plays(&alerts, table, |now, text| {
        budgets(now, text, |_| Window::ALWAYS)
    });
}

#[test]
fn a_rolling_budget_is_told_again_after_it_was_plainly_lower() {
    let table = "
        2026-11-02T00:00:00Z | a 80/100   | x a 80
        2026-11-02T01:00:00Z | a 79/100   |
        2026-11-02T02:00:00Z | a 80/100   |
        2026-11-02T03:00:00Z | a 75/100   |
        2026-11-02T04:00:00Z | a 81/100   |
        2026-11-02T05:00:00Z | a 74/100   |
        2026-11-02T06:00:00Z | a 80/100   | x a 80
        2026-11-02T07:00:00Z | a 100/100  | x a 100
        2026-11-02T08:00:00Z | a 60/100   |
        2026-11-02T09:00:00Z | a 79/100   |
        2026-11-02T10:00:00Z | a 100/100  | x a 100
        2026-11-02T11:00:00Z | a 90/100   |
        2026-11-02T12:00:00Z | a 100/100  | x a 100
    ";
    let rule = WindowRule::Rolling(SignedDuration::from_hours(24));
    let alerts = [shares("x", None, &[50, 80, 100])];
    // 50 is passed with 80 and never left in this table.
    plays(&alerts, table, |now, text| {
        budgets(now, text, |now| rule.window_at(now))
    });
}

#[test]
fn doubts_count_running_calls_and_grants_do_not() {
    let now = at("2026-11-02T00:00:00Z");
    let alerts = [shares("x", None, &[80])];
    let status = |held: &str, in_doubt: &str, granted: &str| {
        let mut snapshot = quiet(now);
        let mut status = used("a", month(now), credits("7"), credits("10"));
        status.held = credits(held);
        status.in_doubt = credits(in_doubt);
        status.granted = credits(granted);
        snapshot.budgets.push(status);
        looks(&alerts, &[(now, snapshot)])[0].len()
    };
    assert_eq!(status("3", "0", "0"), 0);
    assert_eq!(status("3", "0.999999", "0"), 0);
    assert_eq!(status("3", "1", "0"), 1);
    assert_eq!(status("3", "1", "0.000001"), 0);
}

#[test]
fn a_budget_of_nothing_is_told_only_when_something_was_spent() {
    let now = at("2026-11-02T00:00:00Z");
    let alerts = [shares("x", None, &[1, 100])];
    for (settled, events) in [("0", 0), ("0.000001", 1)] {
        let mut snapshot = quiet(now);
        let status = used("a", month(now), credits(settled), Credits::ZERO);
        snapshot.budgets.push(status);
        assert_eq!(looks(&alerts, &[(now, snapshot)])[0].len(), events);
    }
}

#[test]
fn a_low_balance_is_told_when_it_begins_and_again_after_it_was_over() {
    let table = "
        2026-11-02T00:00:00Z | 100       |
        2026-11-02T00:00:10Z | 99.999999 | x
        2026-11-02T00:00:20Z | 20        |
        2026-11-02T00:00:30Z | 104       |
        2026-11-02T00:00:40Z | 99        |
        2026-11-02T00:00:50Z |           |
        2026-11-02T00:01:00Z | 105       |
        2026-11-02T00:01:10Z | 100       |
        2026-11-02T00:01:20Z | -3        | x
    ";
    let alerts = [alert("x", Condition::BalanceBelow(credits("100")))];
    plays(&alerts, table, |now, text| {
        let mut snapshot = quiet(now);
        snapshot.balance = text.parse().ok().map(|balance| (balance, now));
        snapshot
    });
}

#[test]
fn a_balance_that_will_not_last_is_told_and_an_unknown_one_changes_nothing() {
    // `balance runs-out-in`
    let table = "
        2026-11-02T00:00:00Z | 50 never  |
        2026-11-02T01:00:00Z | 50 49h    |
        2026-11-02T02:00:00Z | 50 48h    | x
        2026-11-02T03:00:00Z | 50 59h    |
        2026-11-02T04:00:00Z | 50 40h    |
        2026-11-02T05:00:00Z | - never   |
        2026-11-02T06:00:00Z | 50 40h    |
        2026-11-02T07:00:00Z | 500 61h   |
        2026-11-02T08:00:00Z | 0 0h      | x
        2026-11-02T09:00:00Z | 50 never  |
        2026-11-02T10:00:00Z | 50 1h     | x
    ";
    let alerts = [alert("x", Condition::RunsOutWithin(span("48h")))];
    plays(&alerts, table, |now, text| {
        let (balance, within) = text.split_once(' ').unwrap();
        let mut snapshot = quiet(now);
        snapshot.balance = balance.parse().ok().map(|balance| (balance, now));
        snapshot.runs_out_at = (within != "never").then(|| now + span(within));
        snapshot
    });
}

#[test]
fn what_is_summed_up_over_a_day_is_told_once_on_that_day() {
    // `unattributed drift`
    let table = "
        2026-11-02T00:00:00Z | 1 0.5   |
        2026-11-02T10:00:00Z | 1.1 0.5 | around
        2026-11-02T11:00:00Z | 0 -0.6  | differ
        2026-11-02T12:00:00Z | 5 9     |
        2026-11-03T00:00:00Z | 0 0     |
        2026-11-03T00:00:10Z | 2 0     | around
        2026-11-03T23:59:59Z | 2 1     | differ
        2026-11-04T00:00:00Z | 2 1     | around, differ
    ";
    let alerts = [
        alert("around", Condition::UnattributedAbove(credits("1"))),
        alert("differ", Condition::DriftAbove(credits("0.5"))),
    ];
    plays(&alerts, table, |now, text| {
        let (unattributed, drift) = text.split_once(' ').unwrap();
        let mut snapshot = quiet(now);
        snapshot.unattributed_today = credits(unattributed);
        snapshot.drift_today = credits(drift);
        snapshot
    });
}

#[test]
fn a_doubt_that_stays_is_told_once_until_the_oldest_is_young() {
    let table = "
        2026-11-02T00:00:00Z |                      |
        2026-11-02T03:59:59Z | 2026-11-02T00:00:00Z |
        2026-11-02T04:00:00Z | 2026-11-02T00:00:00Z | x
        2026-11-02T09:00:00Z | 2026-11-02T05:30:00Z |
        2026-11-02T09:30:00Z | 2026-11-02T05:30:00Z |
        2026-11-02T10:00:00Z |                      |
        2026-11-02T20:00:00Z | 2026-11-02T15:00:00Z | x
        2026-11-02T20:00:10Z | 2026-11-02T17:01:00Z |
        2026-11-02T22:00:00Z | 2026-11-02T17:01:00Z | x
    ";
    let alerts = [alert("x", Condition::DoubtOlderThan(span("4h")))];
    plays(&alerts, table, |now, text| {
        let mut snapshot = quiet(now);
        snapshot.oldest_doubt = text.parse().ok();
        snapshot
    });
}

#[test]
fn an_account_that_cannot_be_read_is_told_until_it_was_read() {
    // `age`, with `-` before it where there was no reading yet
    let table = "
        2026-11-02T00:00:00Z | 4m59s   |
        2026-11-02T00:00:10Z | 5m      | x
        2026-11-02T00:00:20Z | 9m      |
        2026-11-02T00:00:30Z | - 1s    |
        2026-11-02T00:00:40Z | - 5m    |
        2026-11-02T00:00:50Z | 4m      |
        2026-11-02T00:01:00Z | 5m      |
        2026-11-02T00:01:10Z | 1s      |
        2026-11-02T00:01:20Z | - 5m    | x
    ";
    let alerts = [alert("x", Condition::ReadingOlderThan(span("5m")))];
    plays(&alerts, table, |now, text| {
        let mut snapshot = quiet(now);
        if text.starts_with('-') {
            snapshot.balance = None;
        }
        snapshot.reading_age = span(text.trim_start_matches("- "));
        snapshot
    });
}

#[test]
fn an_events_id_says_what_it_is_about_and_is_the_same_for_the_same() {
    let now = at("2026-11-02T10:00:00Z");
    let mut snapshot = quiet(now);
    snapshot.balance = Some((credits("1"), now));
    snapshot.unattributed_today = credits("7");
    let status = used("growth-month", month(now), credits("9"), credits("10"));
    snapshot.budgets.push(status);
    let alerts = [
        shares("full", None, &[50, 90]),
        alert("low", Condition::BalanceBelow(credits("2"))),
        alert("around", Condition::UnattributedAbove(credits("1"))),
    ];
    let ids = |now| {
        let (events, _) = judge(&alerts, &snapshot, &State::default(), now);
        let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
        ids
    };
    let first = ids(now);
    assert_eq!(
        first,
        [
            "full/growth-month/2026-11-01T00:00:00Z/90",
            "low/2026-11-02T10:00:00Z",
            "around/2026-11-02"
        ]
    );
    // What was forgotten is found again under its name, as far as its window names it.
    let later = ids(at("2026-11-02T10:00:10Z"));
    assert_eq!((&later[0], &later[2]), (&first[0], &first[2]));
}

#[test]
fn every_event_says_in_a_sentence_what_was_seen() {
    let now = at("2026-11-02T10:00:00Z");
    let mut snapshot = quiet(now);
    snapshot.balance = Some((credits("41.37"), at("2026-11-02T09:59:58Z")));
    snapshot.runs_out_at = Some(at("2026-11-03T10:00:00Z"));
    snapshot.unattributed_today = credits("1");
    snapshot.drift_today = credits("-0.6");
    snapshot.oldest_doubt = Some(at("2026-11-01T00:00:00Z"));
    snapshot.reading_age = span("6m 1s 345ms");
    let mut status = used("all", month(now), credits("8"), credits("10"));
    status.in_doubt = credits("0.4");
    snapshot.budgets.push(status);
    let alerts = [
        shares("a", None, &[80]),
        alert("b", Condition::BalanceBelow(credits("100"))),
        alert("c", Condition::RunsOutWithin(span("48h"))),
        alert("d", Condition::UnattributedAbove(credits("0.5"))),
        alert("e", Condition::DriftAbove(credits("0.5"))),
        alert("f", Condition::DoubtOlderThan(span("6h"))),
        alert("g", Condition::ReadingOlderThan(span("5m"))),
    ];
    let (events, _) = judge(&alerts, &snapshot, &State::default(), now);
    let sentences: Vec<String> = events.iter().map(|event| event.facts.to_string()).collect();
    assert_eq!(
        sentences,
        [
            "budget all has reached 80 %: 8.4 of 10 credits, 0.4 of them in doubt, resets at \
             2026-12-01T00:00:00Z",
            "the account has 41.37 credits left, less than 100 (read at 2026-11-02T09:59:58Z)",
            "at the last day's pace the account, which has 41.37 credits left, is empty at \
             2026-11-03T10:00:00Z, within 48h",
            "of what was taken on 2026-11-02 (UTC) no call of the guard explains 1 credit, more \
             than 0.5",
            "the account's figures for 2026-11-02 (UTC) and the guard's differ by 0.6 credits, \
             more than 0.5",
            "a call has been in doubt since 2026-11-01T00:00:00Z, for more than 6h",
            "the account's balance has not been read for 6m 1s, more than 5m",
        ]
    );
}

#[test]
fn an_alert_that_was_taken_out_is_forgotten() {
    let now = at("2026-11-02T10:00:00Z");
    let mut snapshot = quiet(now);
    snapshot.balance = Some((credits("1"), now));
    let low = [alert("low", Condition::BalanceBelow(credits("2")))];
    let (events, state) = judge(&low, &snapshot, &State::default(), now);
    assert_eq!(events.len(), 1);
    let (_, without) = judge(&[], &snapshot, &state, now);
    assert_eq!(without, State::default());
    let (again, _) = judge(&low, &snapshot, &without, now);
    assert_eq!(again.len(), 1);
}

#[test]
fn windows_long_over_are_forgotten() {
    let alerts = [shares("x", None, &[50])];
    let mut state = State::default();
    let mut now = at("2026-01-15T00:00:00Z");
    for _ in 0..36 {
        let (events, after) = judge(&alerts, &budgets(now, "a 5/10, b 6/10", month), &state, now);
        assert_eq!(events.len(), 2, "{now}");
        state = after;
        now += SignedDuration::from_hours(24 * 31);
    }
    let text = serde_json::to_string(&state).unwrap();
    // This month's, and last month's for a week.
    assert!(text.matches("level").count() <= 4, "{text}");
}

#[test]
fn a_clock_that_is_set_back_over_the_end_of_a_window_tells_nothing_twice() {
    let table = "
        2026-11-30T23:59:50Z | a 5/10 | x a 50
        2026-12-01T00:00:10Z | a 5/10 | x a 50
        2026-11-30T23:59:55Z | a 5/10 |
        2026-12-07T23:59:59Z | a 5/10 |
        2026-11-30T23:59:59Z | a 8/10 | x a 80
        2026-12-07T23:59:59Z | a 8/10 | x a 80
    ";
    let alerts = [shares("x", None, &[50, 80])];
    plays(&alerts, table, |now, text| budgets(now, text, month));
}
