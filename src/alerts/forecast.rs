//! When something is used up, at the pace of the last day. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::credits::Credits;

const DAY_MICROS: i128 = 24 * 60 * 60 * 1_000_000;

/// When `left` (a balance or a headroom) is used up if it goes on as in the last 24 hours, in which
/// `spent` was. `None` if that is never, or beyond what a timestamp can say; `now` if nothing is
/// left.
pub fn runs_out_at(left: Credits, spent: Credits, now: Timestamp) -> Option<Timestamp> {
    if left <= Credits::ZERO {
        return Some(now);
    }
    if spent <= Credits::ZERO {
        return None;
    }
    let micros = i128::from(left.micros()) * DAY_MICROS / i128::from(spent.micros());
    let span = SignedDuration::from_micros(i64::try_from(micros).ok()?);
    now.checked_add(span).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_last_day_says_how_long_it_lasts() {
        for (left, spent, ends) in [
            ("100", "100", Some("2026-11-22T12:00:00Z")),
            ("100", "50", Some("2026-11-23T12:00:00Z")),
            ("1", "24", Some("2026-11-21T13:00:00Z")),
            ("0.000001", "9223372036854", Some("2026-11-21T12:00:00Z")),
            ("0", "0", Some("2026-11-21T12:00:00Z")),
            ("-3", "0", Some("2026-11-21T12:00:00Z")),
            ("100", "0", None),
            ("100", "-1", None),
            ("9223372036854", "0.000001", None),
        ] {
            let found = runs_out_at(left.parse().unwrap(), spent.parse().unwrap(), now());
            let ends = ends.map(|text| text.parse().unwrap());
            assert_eq!(found, ends, "{left} left, {spent} spent");
        }
    }

    proptest! {
        #[test]
        fn more_left_never_lasts_shorter_and_more_spent_never_longer(
            left in any::<i64>(), spent in any::<i64>(), more in 0..i64::MAX,
        ) {
            let at = |left: i64, spent: i64| {
                let (left, spent) = (Credits::from_micros(left), Credits::from_micros(spent));
                runs_out_at(left, spent, now()).unwrap_or(Timestamp::MAX)
            };
            prop_assert!(at(left.saturating_add(more), spent) >= at(left, spent));
            prop_assert!(at(left, spent.saturating_add(more)) <= at(left, spent));
            prop_assert!(at(left, spent) >= now());
        }
    }
}
