//! How the lists write a moment, and how they are asked about one.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::transaction::TransactionSource;

const SECOND_MICROS: i64 = 1_000_000;

/// A moment as a row writes it: with an offset, or without one and then UTC (dossier section 7,
/// no. 15), cut to the microsecond. A bare date is no moment: nobody could say when on that day.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let moment = match text.parse::<Timestamp>() {
        Ok(moment) => moment,
        Err(_) if !text.contains(':') => return None,
        Err(_) => {
            let local: DateTime = text.parse().ok()?;
            local.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    Timestamp::from_microsecond(moment.as_microsecond()).ok()
}

/// A moment in a filter of a list. A filter that cannot be read is dropped without a word, so both
/// are the spellings of the vendor's own examples.
pub(super) fn written(source: TransactionSource, moment: Timestamp) -> String {
    let local = moment.to_zoned(TimeZone::UTC).datetime();
    let format = match source {
        TransactionSource::V1 if local.subsec_nanosecond() == 0 => "%Y-%m-%dT%H:%M:%SZ",
        TransactionSource::V1 => "%Y-%m-%dT%H:%M:%S%.6fZ",
        TransactionSource::Legacy => "%Y-%m-%dT%H:%M:%S%.6f",
    };
    local.strftime(format).to_string()
}

/// The second that `moment` falls in.
pub(super) fn second_of(moment: Timestamp) -> Timestamp {
    at_micros(floor(moment.as_microsecond()))
}

/// The first second that is wholly after `moment`. A list may show fewer digits than it filters
/// by: what it shows as 10:30:00 is before 10:30:01, and no more is known.
pub(super) fn second_after(moment: Timestamp) -> Timestamp {
    at_micros(floor(moment.as_microsecond()).saturating_add(SECOND_MICROS))
}

fn floor(micros: i64) -> i64 {
    micros.div_euclid(SECOND_MICROS) * SECOND_MICROS
}

fn at_micros(micros: i64) -> Timestamp {
    let end = if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_microsecond(micros).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_with_and_without_an_offset() {
        for (text, moment) in [
            ("2026-09-15T10:30:00", "2026-09-15T10:30:00Z"),
            ("2026-09-15 10:30:00", "2026-09-15T10:30:00Z"),
            ("2026-09-15T10:30:00Z", "2026-09-15T10:30:00Z"),
            ("2026-09-15T10:30:00.1", "2026-09-15T10:30:00.1Z"),
            (
                "2026-09-15T10:30:00.123456789Z",
                "2026-09-15T10:30:00.123456Z",
            ),
            ("2026-09-15T13:30:00+03:00", "2026-09-15T10:30:00Z"),
            (
                " 2026-09-15T10:30:00.250000+00:00 ",
                "2026-09-15T10:30:00.25Z",
            ),
        ] {
            let expected: Timestamp = moment.parse().unwrap();
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for nothing in [
            "",
            "2026-09-15",
            "yesterday",
            "10:30:00",
            "2026-13-01T00:00:00",
            "1789468200",
            "2026-09-15T10:30:00 in the morning",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_filter_is_written_as_in_the_vendors_examples() {
        let moment: Timestamp = "2026-09-15T10:30:00Z".parse().unwrap();
        assert_eq!(
            written(TransactionSource::V1, moment),
            "2026-09-15T10:30:00Z"
        );
        assert_eq!(
            written(TransactionSource::Legacy, moment),
            "2026-09-15T10:30:00.000000"
        );
        let fine: Timestamp = "2026-09-15T10:30:00.5Z".parse().unwrap();
        assert_eq!(
            written(TransactionSource::V1, fine),
            "2026-09-15T10:30:00.500000Z"
        );
    }

    #[test]
    fn seconds_hold_also_before_the_epoch() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let fine = at("1969-12-31T23:59:58.5Z");
        assert_eq!(second_of(fine), at("1969-12-31T23:59:58Z"));
        assert_eq!(second_after(fine), at("1969-12-31T23:59:59Z"));
        let whole = at("2026-09-15T10:30:00Z");
        assert_eq!(second_of(whole), whole);
        assert_eq!(second_after(whole), at("2026-09-15T10:30:01Z"));
        assert_eq!(second_after(Timestamp::MAX), Timestamp::MAX);
    }
}
