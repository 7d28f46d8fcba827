//! Windows tile time: whatever the zone, every instant lies in exactly one of a kind.

use generect_guard::ledger::{CalendarUnit, WindowRule};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::support::{NOON, at};

const UNITS: [CalendarUnit; 5] = [
    CalendarUnit::Day,
    CalendarUnit::Week,
    CalendarUnit::Month,
    CalendarUnit::Quarter,
    CalendarUnit::Year,
];

/// The instant lies in its window, and the windows beside it meet it without gap or overlap.
fn assert_tiles(unit: CalendarUnit, zone: &TimeZone, now: Timestamp) {
    let rule = WindowRule::Calendar {
        unit,
        zone: zone.clone(),
    };
    let window = rule.window_at(now);
    let told = || format!("{unit:?} {:?} at {now}: {window:?}", zone.iana_name());
    let (start, end) = (window.start.unwrap(), window.end.unwrap());
    assert!(start <= now && now < end, "{}", told());
    assert!(
        window.contains(start) && !window.contains(end),
        "{}",
        told()
    );
    let tick = SignedDuration::from_micros(1);
    assert_eq!(rule.window_at(start), window, "{}", told());
    assert_eq!(rule.window_at(end - tick), window, "{}", told());
    assert_eq!(rule.window_at(end).start, Some(end), "{}", told());
    assert_eq!(rule.window_at(start - tick).end, Some(start), "{}", told());
}

#[test]
fn windows_tile_time_in_every_zone_around_every_clock_change() {
    let from = at("2024-01-01T00:00:00Z");
    let to = at("2028-01-01T00:00:00Z");
    for name in jiff::tz::db().available() {
        let zone = TimeZone::get(name.as_str()).unwrap();
        let changes = zone
            .following(from)
            .take_while(|change| change.timestamp() < to);
        let mut moments = changes
            .map(|change| change.timestamp())
            .take(6)
            .collect::<Vec<_>>();
        moments.push(at("2024-02-29T12:00:00Z"));
        moments.push(at("2026-01-31T23:59:59.999999Z"));
        for moment in moments {
            for hours in [-24, 0, 24] {
                for unit in UNITS {
                    assert_tiles(unit, &zone, moment + SignedDuration::from_hours(hours));
                }
            }
        }
    }
}

#[test]
fn a_day_that_was_skipped_or_lived_twice_still_tiles() {
    // Samoa went over the date line on 30 December 2011; Kwajalein on 21 August 1993.
    for (zone, around) in [
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04T03:00:00Z"), // Midnight does not exist.
        ("Asia/Beirut", "2022-03-27T00:00:00Z"),
        ("America/Havana", "2023-11-05T05:00:00Z"), // Midnight comes twice.
        ("Africa/Monrovia", "1972-01-07T00:44:30Z"),
    ] {
        let zone = TimeZone::get(zone).unwrap();
        for minutes in (-3_000..3_000).step_by(30) {
            let moment = at(around) + SignedDuration::from_mins(minutes);
            for unit in UNITS {
                assert_tiles(unit, &zone, moment);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_tile_time_at_any_instant(second in 0_i64..4_000_000_000, unit in 0_usize..5, zone in 0_usize..6) {
        let zones = ["Europe/Kyiv", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"];
        let zone = TimeZone::get(zones[zone]).unwrap();
        assert_tiles(UNITS[unit], &zone, Timestamp::from_second(second).unwrap());
    }

    #[test]
    fn a_rolling_window_never_lets_a_call_go_early(minutes in 1_i64..100_000, age in 0_i64..200_000) {
        let rule = WindowRule::Rolling(SignedDuration::from_mins(minutes));
        let now = at(NOON);
        let began = now - SignedDuration::from_mins(age);
        if age <= minutes {
            prop_assert!(rule.window_at(now).contains(began));
        }
    }
}
