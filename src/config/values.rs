//! The kinds of value a setting can have beyond text and whole numbers, and how each is written.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::{SignedDuration, SpanRelativeTo};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::settings::Pace;

/// A span of time: `"310s"`, `"1h 30m"`, `"7d"` (a day is 24 hours). Never negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) SignedDuration);

impl Span {
    /// Reads a span; the error says what a span looks like.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no span of time");
        let span: jiff::Span = text.parse().map_err(|_| wrong())?;
        let length = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| wrong())?;
        if length.is_negative() {
            return Err(format!("{text:?} is negative"));
        }
        Ok(Self(length))
    }
}

/// A number of bytes: `65536`, `"64KiB"`, `"1MiB"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteCount(pub(super) u64);

impl ByteCount {
    fn parse(text: &str) -> Result<Self, String> {
        let at = text
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(at);
        let factor = match unit.trim_start() {
            "" | "B" => Some(1_u64),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        factor
            .zip(digits.parse::<u64>().ok())
            .and_then(|(factor, count)| count.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no number of bytes"))
    }
}

/// A positive decimal number, in billionths: `5`, `0.5`, `"0.5"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    billionths: u128,
}

/// Nanoseconds in a second, and billionths in one.
const BILLION: u128 = 1_000_000_000;

impl Number {
    /// Reads digits with at most one point and nine decimals, without going through a float.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 9 || fraction.len() > 9 {
            return None;
        }
        let whole: u128 = whole.parse().ok()?;
        let fraction: u128 = format!("{fraction:0<9}").parse().ok()?;
        Some(Self {
            billionths: whole * BILLION + fraction,
        })
    }

    /// The pace of this many per `unit`; `None` if the number is zero, or so small or so large
    /// that the time between two is no longer between a nanosecond and a year.
    ///
    /// Where no burst is given, it is one second's worth, at least one.
    pub(super) fn pace(self, unit: Duration, burst: Option<NonZeroU32>) -> Option<Pace> {
        let nanos = unit
            .as_nanos()
            .checked_mul(BILLION)?
            .checked_div(self.billionths)?;
        let nanos = u64::try_from(nanos).ok()?;
        let period = Duration::from_nanos(nanos);
        if period.is_zero() || period > PERIOD_MAX {
            return None;
        }
        let per_second = self.billionths / (BILLION * u128::from(unit.as_secs().max(1)));
        let usual = u32::try_from(per_second).unwrap_or(u32::MAX);
        let burst = burst.or(NonZeroU32::new(usual)).unwrap_or(NonZeroU32::MIN);
        Some(Pace { period, burst })
    }
}

/// Slower than one call in a year is no pace but a refusal.
const PERIOD_MAX: Duration = Duration::from_secs(366 * 86_400);

/// The span a budget counts over.
#[derive(Clone, Debug)]
pub(super) enum Per {
    /// `"day"`, `"week"`, `"month"`, `"quarter"`, `"year"` or `"total"`, not yet checked.
    Named(String),
    /// `{ rolling = "24h" }`
    Rolling(Option<Span>),
}

/// What happens under a floor.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// `"refuse"`, not yet checked.
    Named(String),
    /// `{ slow_to = "1/s" }`, not yet checked.
    SlowTo(Option<String>),
}

/// What happens to a search that says no limit.
#[derive(Clone, Debug)]
pub(super) enum UnboundedText {
    /// `"maximum"` or `"refuse"`, not yet checked.
    Named(String),
    /// A number of rows.
    Limit(u64),
}

/// Reads `"1/s"`, `"30/min"`, `"0.5/s"`, `"100/h"`. The burst is one: who is slowed has had its
/// share already.
pub(super) fn parse_pace(text: &str) -> Option<Pace> {
    let (number, unit) = text.split_once('/')?;
    let seconds = match unit.trim() {
        "s" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        _ => return None,
    };
    Number::parse(number.trim())?.pace(Duration::from_secs(seconds), Some(NonZeroU32::MIN))
}

/// Reads a value that is a text or a whole number, with one function for each.
struct Scalar<T> {
    expected: &'static str,
    text: fn(&str) -> Result<T, String>,
    whole: Option<fn(u64) -> T>,
    float: bool,
}

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).map_err(|what| E::custom(format!("{what}, expected {}", self.expected)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        match self.whole {
            Some(whole) => Ok(whole(number)),
            None => Err(E::invalid_type(de::Unexpected::Unsigned(number), &self)),
        }
    }

    /// The shortest text that names the float is what the person wrote (up to 15 digits).
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        if self.float {
            self.visit_str(&number.to_string())
        } else {
            Err(E::invalid_type(de::Unexpected::Float(number), &self))
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar {
            expected: "a span of time such as \"30s\", \"5m\", \"1h 30m\" or \"7d\"",
            text: Self::parse,
            whole: None,
            float: false,
        })
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar {
            expected: "a number of bytes such as 65536, \"64KiB\" or \"1MiB\"",
            text: Self::parse,
            whole: Some(Self),
            float: false,
        })
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar {
            expected: "a number such as 5 or 0.5",
            text: |text| Self::parse(text).ok_or_else(|| format!("{text:?} is no such number")),
            whole: Some(|whole| Self {
                billionths: u128::from(whole) * BILLION,
            }),
            float: true,
        })
    }
}

impl<'de> Deserialize<'de> for UnboundedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar {
            expected: "\"maximum\", \"refuse\" or a number of rows",
            text: |text| Ok(Self::Named(text.to_owned())),
            whole: Some(Self::Limit),
            float: false,
        })
    }
}

/// `{ rolling = … }`
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RollingTable {
    rolling: Option<Span>,
}

/// `{ slow_to = … }`
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SlowToTable {
    slow_to: Option<String>,
}

struct PerVisitor;

impl<'de> Visitor<'de> for PerVisitor {
    type Value = Per;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            "day, week, month, quarter, year, total or a table such as { rolling = \"24h\" }",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Per, E> {
        Ok(Per::Named(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Per, A::Error> {
        let table = RollingTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Per::Rolling(table.rolling))
    }
}

impl<'de> Deserialize<'de> for Per {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PerVisitor)
    }
}

struct ActionVisitor;

impl<'de> Visitor<'de> for ActionVisitor {
    type Value = Action;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\"refuse\" or a table such as { slow_to = \"1/s\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Action, E> {
        Ok(Action::Named(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Action, A::Error> {
        let table = SlowToTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Action::SlowTo(table.slow_to))
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ActionVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> i64 {
        Span::parse(text).unwrap().0.as_secs()
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        assert_eq!(seconds("310s"), 310);
        assert_eq!(seconds("5m"), 300);
        assert_eq!(seconds("1h 30m"), 5400);
        assert_eq!(seconds("1h30m"), 5400);
        assert_eq!(seconds("7d"), 7 * 86_400);
        assert_eq!(seconds("2 weeks"), 14 * 86_400);
        assert_eq!(Span::parse("250ms").unwrap().0.as_millis(), 250);
        for text in ["", "5", "soon", "-5s", "1mo", "1y", "5 s s"] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn byte_counts_are_read_with_binary_units_only() {
        assert_eq!(ByteCount::parse("64KiB").unwrap().0, 65_536);
        assert_eq!(ByteCount::parse("1 MiB").unwrap().0, 1 << 20);
        assert_eq!(ByteCount::parse("123").unwrap().0, 123);
        for text in ["", "MiB", "1MB", "1.5MiB", "-1", "99999999999GiB"] {
            assert!(ByteCount::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paces_are_read_exactly_and_never_stand_still() {
        let period = |text: &str| parse_pace(text).map(|pace| pace.period);
        assert_eq!(period("1/s"), Some(Duration::from_secs(1)));
        assert_eq!(period("30/min"), Some(Duration::from_secs(2)));
        assert_eq!(period("0.5/s"), Some(Duration::from_secs(2)));
        assert_eq!(period("100 / h"), Some(Duration::from_secs(36)));
        assert_eq!(period("3/s"), Some(Duration::from_nanos(333_333_333)));
        for text in ["0/s", "1", "1/day", "-1/s", "1e3/s", "/s", "0.0000000001/s"] {
            assert_eq!(period(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_without_a_burst_may_burst_a_second() {
        let pace = |text: &str| {
            Number::parse(text)
                .unwrap()
                .pace(Duration::from_secs(1), None)
                .unwrap()
        };
        assert_eq!(pace("5").burst.get(), 5);
        assert_eq!(pace("0.2").burst.get(), 1);
        assert_eq!(pace("0.2").period, Duration::from_secs(5));
        assert_eq!(pace("2.5").period, Duration::from_millis(400));
    }
}
