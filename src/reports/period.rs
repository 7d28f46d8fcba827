//! The span a report or an export is about.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Serialize;

/// A span of recording, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first moment that belongs to it.
    pub from: Timestamp,
    /// The first moment that no longer does.
    pub to: Timestamp,
}

/// Why two texts are not a period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePeriodError {
    /// Neither a date nor a timestamp.
    #[error("{0:?} is neither a date such as 2026-11-01 nor a time such as 2026-11-01T09:00:00Z")]
    NotAMoment(String),
    /// It ends before it begins, or as it begins.
    #[error("the period ends at {to}, which is not after its beginning, {from}")]
    Backwards {
        /// Where it begins.
        from: Timestamp,
        /// Where it ends.
        to: Timestamp,
    },
}

/// Entries reach the books within moments of their time of recording; a period that ended longer
/// ago than this gets no more of them.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(60);

impl Period {
    /// The calendar month of `now`, in UTC.
    pub fn month_of(now: Timestamp) -> Self {
        let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
        let next = first.checked_add(1.month()).unwrap_or(Date::MAX);
        Self {
            from: midnight(first).unwrap_or(Timestamp::MIN),
            to: midnight(next).unwrap_or(Timestamp::MAX),
        }
    }

    /// Reads the two ends, each a date (its midnight in UTC) or a timestamp.
    ///
    /// Without a beginning it begins with the month of `now`; without an end it ends with that
    /// month, or with `now` if a beginning is given.
    ///
    /// # Errors
    ///
    /// A text that is no moment, or an end that is not after the beginning.
    pub fn parse(
        from: Option<&str>,
        to: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, ParsePeriodError> {
        let month = Self::month_of(now);
        let begin = from.map(moment).transpose()?;
        let end = to.map(moment).transpose()?;
        let period = Self {
            from: begin.unwrap_or(month.from),
            to: end.unwrap_or(if begin.is_some() { now } else { month.to }),
        };
        if period.from < period.to {
            Ok(period)
        } else {
            Err(ParsePeriodError::Backwards {
                from: period.from,
                to: period.to,
            })
        }
    }

    /// Whether entries may still be added to it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now.duration_since(self.to) < SETTLED_AFTER
    }
}

fn moment(text: &str) -> Result<Timestamp, ParsePeriodError> {
    let wrong = || ParsePeriodError::NotAMoment(text.to_owned());
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    // A date and nothing else: a longer text would be cut silently, a time of day without a zone
    // would be guessed at.
    if text.len() != "2026-11-01".len() {
        return Err(wrong());
    }
    let date: Date = text.parse().map_err(|_| wrong())?;
    midnight(date).ok_or_else(wrong)
}

fn midnight(date: Date) -> Option<Timestamp> {
    let zoned = date.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_usual_period_is_this_month_in_utc() {
        let month = Period::month_of(at("2026-12-31T23:59:59.999999Z"));
        assert_eq!(month.from, at("2026-12-01T00:00:00Z"));
        assert_eq!(month.to, at("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn ends_are_dates_or_timestamps() {
        let now = at("2026-11-21T06:00:00Z");
        let parse = |from, to| Period::parse(from, to, now);
        assert_eq!(
            parse(Some("2026-02-28"), Some("2026-03-01T02:00:00+02:00")),
            Ok(Period {
                from: at("2026-02-28T00:00:00Z"),
                to: at("2026-03-01T00:00:00Z"),
            })
        );
        assert_eq!(parse(Some("2026-11-01"), None).unwrap().to, now);
        assert_eq!(parse(None, None), Ok(Period::month_of(now)));
        for wrong in [
            "",
            "november",
            "2026-11",
            "2026-02-30",
            "2026-11-01T09:00",
            "2026-11-01 x",
        ] {
            assert_eq!(
                parse(Some(wrong), None),
                Err(ParsePeriodError::NotAMoment(wrong.to_owned()))
            );
        }
        for (from, to) in [("2026-11-02", "2026-11-01"), ("2026-11-01", "2026-11-01")] {
            assert!(matches!(
                parse(Some(from), Some(to)),
                Err(ParsePeriodError::Backwards { .. })
            ));
        }
    }

    #[test]
    fn a_period_is_open_until_a_minute_after_its_end() {
        let november = Period::month_of(at("2026-11-21T06:00:00Z"));
        assert!(november.is_open(at("2026-11-30T23:00:00Z")));
        assert!(november.is_open(at("2026-12-01T00:00:59Z")));
        assert!(!november.is_open(at("2026-12-01T00:01:00Z")));
    }
}
