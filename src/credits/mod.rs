//! Money: the unit of the account's balance, counted in whole micro-credits.
//!
//! One type, integer arithmetic, the direction of rounding in the name. Amounts on the wire are
//! read as decimal digits ([`Credits::parse_nearest`] and its sisters), never through a float: a
//! price such as 0.0067 has no exact binary form, and a sum of a million of them would drift.

mod digits;
mod text;

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use digits::{Rounding, parse};

pub use text::{CountedCredits, CreditsText};

/// An amount of the account's credits, in micro-credits (1 credit = 1 000 000).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

/// Decimal places of a micro-credit.
const PLACES: i64 = 6;

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCreditsError {
    /// Not a decimal number.
    #[error("not a decimal number")]
    NotANumber,
    /// Larger than the ledger can count (about 9.2 million million credits).
    #[error("too large to be an amount of credits")]
    TooLarge,
    /// Finer than a micro-credit, where no rounding is allowed.
    #[error("finer than a micro-credit (at most 6 decimal places)")]
    TooFine,
}

/// Micro-credits in a credit, wide enough for products.
const MICROS_IN_ONE: i128 = 1_000_000;

impl Credits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One of the account's credits.
    pub const ONE: Self = Self(1_000_000);
    /// The largest amount the ledger can count.
    pub const MAX: Self = Self(i64::MAX);
    /// The smallest (most negative) amount.
    pub const MIN: Self = Self(i64::MIN);

    /// An amount given in micro-credits.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The amount in micro-credits.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The sum, or `None` if it cannot be counted.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// This amount `count` times, or `None` if it cannot be counted.
    pub fn checked_times(self, count: u64) -> Option<Self> {
        let count = i64::try_from(count).ok()?;
        self.0.checked_mul(count).map(Self)
    }

    /// This amount in a unit of which one is `factor` credits, to the nearest micro-credit; stops at
    /// the ends.
    pub fn in_units_of(self, factor: Self) -> Self {
        let product = i128::from(self.0) * i128::from(factor.0);
        let half = MICROS_IN_ONE / 2 * product.signum();
        let micros = (product + half) / MICROS_IN_ONE;
        Self(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
    }

    /// The sum, stopping at the largest amount: for limits and comparisons, never for the books.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Its text, for whoever writes it down as it is.
    pub fn text(self) -> CreditsText {
        CreditsText::of(self)
    }

    /// It with the name of its unit, for a sentence that people read.
    pub const fn counted(self) -> CountedCredits {
        CountedCredits(self)
    }

    /// The difference, stopping at the ends: for limits and comparisons, never for the books.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount without its sign (the upstream's legacy charges are negative).
    pub const fn magnitude(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Reads a decimal number (sign, point and exponent allowed) to the nearest micro-credit,
    /// halves away from zero. For charges.
    pub fn parse_nearest(text: &str) -> Result<Self, ParseCreditsError> {
        parse(text, Rounding::Nearest)
    }

    /// Like [`parse_nearest`](Self::parse_nearest), but towards plus infinity. For prices and quotes.
    pub fn parse_rounded_up(text: &str) -> Result<Self, ParseCreditsError> {
        parse(text, Rounding::Up)
    }

    /// Like [`parse_nearest`](Self::parse_nearest), but towards minus infinity. For balances.
    pub fn parse_rounded_down(text: &str) -> Result<Self, ParseCreditsError> {
        parse(text, Rounding::Down)
    }
}

impl FromStr for Credits {
    type Err = ParseCreditsError;

    /// Reads an amount that a person wrote: nothing finer than a micro-credit is accepted.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, Rounding::Refuse)
    }
}

impl fmt::Display for Credits {
    /// The shortest exact decimal text: `200`, `0.02`, `-1.5`. Honours width and alignment.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(out)
    }
}

impl fmt::Debug for Credits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Sum for Credits {
    /// Adds up, stopping at the ends: for reports. A quote adds with `checked_add`, the book in wider numbers.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl Serialize for Credits {
    /// A decimal string, so that no reader rounds it through a float.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CreditsVisitor)
    }
}

/// What stands where an amount is read.
const EXPECTED: &str = "an amount of credits, such as 200, 0.5 or \"0.5\"";

struct CreditsVisitor;

impl Visitor<'_> for CreditsVisitor {
    type Value = Credits;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Credits, E> {
        text.parse()
            .map_err(|error| E::custom(format!("{text:?} is {error}, expected {EXPECTED}")))
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Credits, E> {
        self.visit_str(&whole.to_string())
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Credits, E> {
        self.visit_str(&whole.to_string())
    }

    /// A settings file may say `0.02`. Its reader hands over a float; the shortest text that
    /// names this float is what the person wrote (up to 15 digits), and that text is read.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Credits, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn settings_may_say_an_amount_three_ways() {
        for json in ["0.1", "\"0.1\"", "1e-1"] {
            assert_eq!(
                serde_json::from_str::<Credits>(json).unwrap().micros(),
                100_000,
                "{json}"
            );
        }
        assert_eq!(
            serde_json::from_str::<Credits>("200").unwrap().micros(),
            200_000_000
        );
        assert!(serde_json::from_str::<Credits>("null").is_err());
        assert_eq!(
            serde_json::to_string(&Credits::from_micros(20_000)).unwrap(),
            "\"0.02\""
        );
    }

    #[test]
    fn amounts_are_written_short_and_whole_at_both_ends() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (-20_000, "-0.02"),
            (1_500_000, "1.5"),
            (200_000_000, "200"),
            (i64::MAX, "9223372036854.775807"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(Credits::from_micros(micros).to_string(), text);
        }
        assert_eq!(format!("{:>6}", Credits::from_micros(500_000)), "   0.5");
    }

    #[test]
    fn only_of_one_credit_the_unit_is_said_as_of_one() {
        for (amount, words) in [
            ("0", "0 credits"),
            ("0.999999", "0.999999 credits"),
            ("1", "1 credit"),
            ("1.000001", "1.000001 credits"),
            ("21", "21 credits"),
            ("-1", "-1 credit"),
            ("-0.5", "-0.5 credits"),
        ] {
            let amount: Credits = amount.parse().unwrap();
            assert_eq!(amount.counted().to_string(), words);
        }
        assert_eq!(Credits::ONE.to_string(), "1");
    }

    proptest! {
        #[test]
        fn an_amount_written_is_the_amount_read(micros in any::<i64>()) {
            let amount = Credits::from_micros(micros);
            if micros != i64::MIN {
                prop_assert_eq!(amount.to_string().parse::<Credits>(), Ok(amount));
            }
        }
    }
}
