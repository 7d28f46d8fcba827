//! Whatever is seen in whatever order, and however often the guard restarts between.

use std::collections::BTreeMap;

use generect_guard::alerts::{Condition, Facts, Snapshot, State, judge};
use generect_guard::credits::Credits;
use generect_guard::ledger::Window;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::support::{alert, at, credits, month, quiet, shares, used};

/// Shares of the alert under test.
const PERCENTS: [u32; 4] = [10, 50, 80, 100];

/// One look at one budget: which month, and what of the limit is spent.
#[derive(Clone, Debug)]
struct Look {
    window: u8,
    settled: i64,
    limit: i64,
    granted: i64,
    restart: bool,
}

fn look() -> impl Strategy<Value = Look> {
    let amounts = (0..130_i64, 1..100_i64, 0..20_i64);
    (0..3_u8, amounts, any::<bool>()).prop_map(|(window, amounts, restart)| {
        let (settled, limit, granted) = amounts;
        Look {
            window,
            settled,
            limit,
            granted,
            restart,
        }
    })
}

fn window(number: u8) -> Window {
    let start = at("2026-11-15T00:00:00Z");
    month(start + SignedDuration::from_hours(24 * 30 * i64::from(number)))
}

fn over_a_restart(state: &State) -> State {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

/// The shares that a look reaches, found without the rules.
fn reached(look: &Look) -> impl Iterator<Item = u32> {
    let (spent, limit) = (look.settled * 100, look.limit + look.granted);
    PERCENTS
        .into_iter()
        .filter(move |percent| spent > 0 && spent >= limit * i64::from(*percent))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The windows come in any order, as after a clock that was set back and forth.
    #[test]
    fn no_share_is_told_twice_of_no_more_room_in_a_window_and_the_highest_always(
        looks in prop::collection::vec(look(), 1..60),
    ) {
        let alerts = [shares("x", None, &PERCENTS)];
        let mut now = at("2026-11-20T00:00:00Z");
        let mut state = State::default();
        // The highest share that was told and not left by more room, and the room.
        let mut told: BTreeMap<u8, (u32, i64)> = BTreeMap::new();
        let mut ids = std::collections::BTreeSet::new();
        for look in looks {
            now += SignedDuration::from_secs(10);
            let mut snapshot = quiet(now);
            let micros = |whole: i64| Credits::from_micros(whole * 1_000);
            let mut status = used("a", window(look.window), micros(look.settled), micros(look.limit));
            status.granted = micros(look.granted);
            snapshot.budgets.push(status);
            let (events, after) = judge(&alerts, &snapshot, &state, now);
            state = if look.restart { over_a_restart(&after) } else { after };
            prop_assert!(events.len() <= 1);
            let room = look.limit + look.granted;
            let (mut before, room_before) = told.get(&look.window).copied().unwrap_or((0, room));
            if room > room_before {
                before = reached(&look).filter(|percent| *percent <= before).max().unwrap_or(0);
            }
            let highest = reached(&look).max().unwrap_or(0);
            match events.first() {
                Some(event) => {
                    let Facts::BudgetShare { percent, .. } = event.facts else {
                        panic!("{event:?}");
                    };
                    prop_assert!(percent > before, "{percent} again after {before}");
                    prop_assert_eq!(percent, highest);
                    prop_assert!(ids.insert(event.id.clone()), "{} twice", event.id);
                }
                None => prop_assert!(highest <= before, "{highest} was not told after {before}"),
            }
            told.insert(look.window, (highest.max(before), room));
        }
    }

    #[test]
    fn a_level_is_told_again_only_after_it_was_over_and_never_missed_at_its_beginning(
        balances in prop::collection::vec((80..120_i64, any::<bool>()), 1..80),
    ) {
        let alerts = [alert("x", Condition::BalanceBelow(credits("100")))];
        let mut now = at("2026-11-20T00:00:00Z");
        let mut state = State::default();
        let mut armed = true;
        for (balance, restart) in balances {
            now += SignedDuration::from_secs(10);
            let mut snapshot = quiet(now);
            snapshot.balance = Some((Credits::from_micros(balance * 1_000_000), now));
            let (events, after) = judge(&alerts, &snapshot, &state, now);
            state = if restart { over_a_restart(&after) } else { after };
            let due = armed && balance < 100;
            prop_assert_eq!(events.len(), usize::from(due), "{} when {}", balance, armed);
            armed = (armed && !due) || balance >= 105;
        }
    }

    /// Whatever the figures: no panic, and looking again at once tells nothing.
    #[test]
    fn the_same_look_again_tells_nothing(
        settled in any::<i64>(), limit in any::<i64>(), doubt in any::<i64>(),
        balance in any::<i64>(), hours in -1000..1000_i64, rolling in any::<bool>(),
        bound in any::<i64>(), span in 1..i64::MAX,
    ) {
        let now = at("2026-11-20T00:00:00Z");
        let window = if rolling { Window { start: Some(now), end: None } } else { window(0) };
        let micros = Credits::from_micros;
        let mut status = used("a", window, micros(settled), micros(limit));
        status.in_doubt = micros(doubt);
        let moment: Timestamp = now + SignedDuration::from_hours(hours);
        let snapshot = Snapshot {
            budgets: vec![status],
            balance: Some((micros(balance), now)),
            runs_out_at: Some(moment),
            unattributed_today: micros(settled),
            drift_today: micros(doubt),
            oldest_doubt: Some(moment),
            reading_age: SignedDuration::from_hours(hours),
        };
        let span = SignedDuration::from_secs(span);
        let conditions = [
            Condition::BalanceBelow(micros(bound)),
            Condition::RunsOutWithin(span),
            Condition::UnattributedAbove(micros(bound)),
            Condition::DriftAbove(micros(bound)),
            Condition::DoubtOlderThan(span),
            Condition::ReadingOlderThan(span),
        ];
        let mut alerts = vec![shares("shares", None, &PERCENTS)];
        alerts.extend(conditions.map(|condition| alert(condition.kind(), condition)));
        let (events, state) = judge(&alerts, &snapshot, &State::default(), now);
        let (again, same) = judge(&alerts, &snapshot, &over_a_restart(&state), now);
        prop_assert_eq!(again, []);
        prop_assert_eq!(same, state);
        prop_assert!(events.len() <= alerts.len());
    }
}
