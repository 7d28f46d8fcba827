//! The spans a budget counts over, edges included.
//!
//! A window is half open, `[start, end)`: an instant lies in exactly one window of a rule, and the
//! end of one is the start of the next, also where a clock change makes a day 23 or 25 hours long
//! or takes midnight away (the day then starts at its first instant).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use super::entry::Fingerprint;

/// Microseconds in a quarter hour, the grain of the derived sums. Every time zone in use today is a
/// whole number of quarter hours away from UTC, so calendar windows begin and end on this grid.
pub(crate) const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;

/// The number of the UTC quarter hour (since 1970) that contains `moment`.
pub(crate) fn quarter_of(moment: Timestamp) -> i64 {
    moment.as_microsecond().div_euclid(QUARTER_MICROS)
}

/// The first instant of a quarter hour.
pub(crate) fn quarter_start(quarter: i64) -> Timestamp {
    at_micros(quarter.saturating_mul(QUARTER_MICROS))
}

/// The number of the UTC month (since January 1970) that contains a quarter hour.
pub(crate) fn month_of(quarter: i64) -> i64 {
    let day = quarter_start(quarter).to_zoned(TimeZone::UTC).date();
    (i64::from(day.year()) - 1970) * 12 + i64::from(day.month()) - 1
}

/// The first quarter hour of a month, stopping at the ends of what a timestamp can say.
pub(crate) fn month_start(month: i64) -> i64 {
    let year = i16::try_from(1970 + month.div_euclid(12)).ok();
    let number = i8::try_from(month.rem_euclid(12) + 1).ok();
    let first = year
        .zip(number)
        .and_then(|(year, number)| Date::new(year, number, 1).ok())
        .and_then(|day| first_instant(day, &TimeZone::UTC));
    let end = if month < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    quarter_of(first.unwrap_or(end))
}

/// The first month that begins at or after a quarter hour begins.
pub(crate) fn month_from(quarter: i64) -> i64 {
    let month = month_of(quarter);
    if month_start(month) < quarter {
        month + 1
    } else {
        month
    }
}

/// A moment from microseconds since 1970, stopping at the ends of what a timestamp can say.
pub(crate) fn at_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// How a budget's window is found for a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowRule {
    /// A calendar day, week, month, quarter or year as people in `zone` count it.
    Calendar {
        /// How long.
        unit: CalendarUnit,
        /// Where midnight is.
        zone: TimeZone,
    },
    /// The last so much time. Counted in hundredths of the span; a whole step leaves at once, and
    /// never early: it errs on the side of no.
    Rolling(SignedDuration),
    /// Everything since the ledger began.
    Total,
}

/// A span of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarUnit {
    /// From midnight to midnight.
    Day,
    /// The ISO week: begins on Monday.
    Week,
    /// From the first of a month.
    Month,
    /// From the first of January, April, July or October.
    Quarter,
    /// From the first of January.
    Year,
}

/// A span of time, `[start, end)`. An absent end is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant that belongs to it.
    pub start: Option<Timestamp>,
    /// The first instant that no longer does.
    pub end: Option<Timestamp>,
}

impl Window {
    /// All of time.
    pub const ALWAYS: Self = Self {
        start: None,
        end: None,
    };

    /// Whether it moves along with the time: it began somewhere and ends nowhere.
    pub fn is_rolling(&self) -> bool {
        self.start.is_some() && self.end.is_none()
    }

    /// Whether `moment` belongs to it.
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= moment) && self.end.is_none_or(|end| moment < end)
    }
}

impl WindowRule {
    /// What tells it from other rules. It is kept in ledgers, so these words never change.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let text = match self {
            Self::Calendar { unit, zone } => {
                let unit = match unit {
                    CalendarUnit::Day => "day",
                    CalendarUnit::Week => "week",
                    CalendarUnit::Month => "month",
                    CalendarUnit::Quarter => "quarter",
                    CalendarUnit::Year => "year",
                };
                // Settings name a zone; only one made by a program has no name.
                format!("{unit} {}", zone.iana_name().unwrap_or_default())
            }
            Self::Rolling(span) => format!("rolling {}", span.as_nanos()),
            Self::Total => "total".to_owned(),
        };
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(text)[..8]);
        Fingerprint(u64::from_be_bytes(first))
    }

    /// The window that `now` belongs to. For a rolling rule: from the oldest step still counted,
    /// without an end.
    pub fn window_at(&self, now: Timestamp) -> Window {
        match self {
            Self::Calendar { unit, zone } => calendar_window(*unit, zone, now),
            Self::Rolling(span) => RollingSteps::of(*span).window_at(now),
            Self::Total => Window::ALWAYS,
        }
    }
}

fn calendar_window(unit: CalendarUnit, zone: &TimeZone, now: Timestamp) -> Window {
    let today = now.to_zoned(zone.clone()).date();
    let first = unit.first_day(today);
    let mut window = Window {
        start: first.and_then(|day| first_instant(day, zone)),
        end: first
            .and_then(|day| unit.next(day))
            .and_then(|day| first_instant(day, zone)),
    };
    // A day that a zone skipped as a whole (Samoa, 30 December 2011) begins and ends at the same
    // instant and contains nothing; a day lived twice is one window. Both fall out of `first_instant`;
    // only the order of the two ends is left to see to.
    if let (Some(start), Some(end)) = (window.start, window.end)
        && end <= start
    {
        window.end = None;
    }
    window
}

/// The first instant that is `day` or later in `zone`.
fn first_instant(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    day.to_zoned(zone.clone())
        .ok()
        .map(|zoned| zoned.timestamp())
}

impl CalendarUnit {
    fn first_day(self, day: Date) -> Option<Date> {
        let month = day.month();
        match self {
            Self::Day => Some(day),
            Self::Week => day
                .checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days())
                .ok(),
            Self::Month => Date::new(day.year(), month, 1).ok(),
            Self::Quarter => Date::new(day.year(), (month - 1) / 3 * 3 + 1, 1).ok(),
            Self::Year => Date::new(day.year(), 1, 1).ok(),
        }
    }

    /// The first day of the unit after the one that begins on `first`.
    fn next(self, first: Date) -> Option<Date> {
        let span = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::Year => 1.year(),
        };
        first.checked_add(span).ok()
    }
}

/// How a rolling window is cut: a hundred steps of a hundredth of the span each, and the one that
/// is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RollingSteps {
    /// Length of a step in microseconds, rounded up so that the steps never fall short of the span.
    step: i64,
    /// Steps of a quarter hour or more place a call by the end of its quarter hour, because this
    /// is all the derived sums know: live counting and counting anew then agree to the credit, and
    /// a call leaves late rather than early.
    pub(crate) by_quarter: bool,
}

/// Whole steps a rolling window looks back over, besides the one that is running.
const STEPS: i64 = 100;

impl RollingSteps {
    pub(crate) fn of(span: SignedDuration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 2);
        let step = micros.max(1).saturating_add(STEPS - 1) / STEPS;
        Self {
            step,
            by_quarter: step >= QUARTER_MICROS,
        }
    }

    /// The step in which a call that began at `began_at` is counted.
    pub(crate) fn step_of(self, began_at: Timestamp) -> i64 {
        let counted_at = if self.by_quarter {
            (quarter_of(began_at) + 1).saturating_mul(QUARTER_MICROS)
        } else {
            began_at.as_microsecond()
        };
        counted_at.div_euclid(self.step)
    }

    /// The oldest step that still counts at `now`.
    pub(crate) fn oldest_at(self, now: Timestamp) -> i64 {
        now.as_microsecond().div_euclid(self.step) - STEPS
    }

    /// When a step stops counting.
    pub(crate) fn leaves_at(self, step: i64) -> Timestamp {
        at_micros(step.saturating_add(STEPS + 1).saturating_mul(self.step))
    }

    /// No call that began before this instant counts at `now`.
    pub(crate) fn counts_from(self, now: Timestamp) -> Timestamp {
        let oldest = self.oldest_at(now).saturating_mul(self.step);
        let early = if self.by_quarter { QUARTER_MICROS } else { 0 };
        at_micros(oldest.saturating_sub(early))
    }

    fn window_at(self, now: Timestamp) -> Window {
        Window {
            start: Some(at_micros(self.oldest_at(now).saturating_mul(self.step))),
            end: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_quarter_hour_lies_in_its_month(quarter in -4_000_000..8_000_000_i64) {
            let month = month_of(quarter);
            prop_assert!(month_start(month) <= quarter && quarter < month_start(month + 1));
            let from = month_from(quarter);
            prop_assert!(month_start(from) >= quarter && month_start(from - 1) < quarter);
        }
    }

    #[test]
    fn months_are_counted_since_1970_as_the_schema_counts_them() {
        let at = |text: &str| quarter_of(text.parse().unwrap());
        assert_eq!(month_of(at("1970-01-31T23:59:59Z")), 0);
        assert_eq!(month_of(at("2026-11-21T00:00:00Z")), 56 * 12 + 10);
        assert_eq!(month_start(56 * 12 + 10), at("2026-11-01T00:00:00Z"));
        assert_eq!(month_start(i64::MAX), quarter_of(Timestamp::MAX));
    }
}
