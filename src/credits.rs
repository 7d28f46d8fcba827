//! Money: the unit of the account's balance, counted in whole micro-credits.
//!
//! One type, integer arithmetic, the direction of rounding in the name. Amounts on the wire are
//! read as decimal digits ([`Credits::parse_nearest`] and its sisters), never through a float: a
//! price such as 0.0067 has no exact binary form, and a sum of a million of them would drift.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// An amount of the account's credits, in micro-credits (1 credit = 1 000 000).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

/// Decimal places of a micro-credit.
const PLACES: i64 = 6;
/// The longest text of an amount: a sign, 13 digits, a point, 6 digits.
const TEXT_BYTES_MAX: usize = 21;
/// What larger exponents are read as: no text has the digits to make up for one, so that they are refused
/// or vanish whole.
const EXPONENT_MAX: i64 = 1 << 40;

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

#[derive(Clone, Copy)]
enum Rounding {
    Refuse,
    Nearest,
    Up,
    Down,
}

/// Micro-credits in a credit, wide enough for products.
const MICROS_IN_ONE: i128 = 1_000_000;

impl Credits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
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

    /// The difference, or `None` if it cannot be counted.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
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

/// Reads `[-+]digits[.digits][(e|E)[-+]digits]`.
fn parse(text: &str, rounding: Rounding) -> Result<Credits, ParseCreditsError> {
    use ParseCreditsError::{NotANumber, TooFine, TooLarge};
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], read_exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_point = mantissa.len() > whole.len();
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || (has_point && fraction.is_empty()) {
        return Err(NotANumber);
    }
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(NotANumber);
    }

    // Digits before `point` are whole micro-credits, the rest is what rounding is about.
    let point = i64::try_from(whole.len()).map_err(|_| TooLarge)? + exponent + PLACES;
    let mut micros: i128 = 0;
    let mut first_dropped: Option<u8> = None;
    let mut rest_dropped = false;
    for (index, digit) in (0_i64..).zip(whole.bytes().chain(fraction.bytes())) {
        let digit = digit - b'0';
        if index < point {
            micros = micros * 10 + i128::from(digit);
            if micros > i128::from(i64::MAX) {
                return Err(TooLarge);
            }
        } else if index == point {
            first_dropped = Some(digit);
        } else {
            rest_dropped |= digit != 0;
        }
    }
    let digits = i64::try_from(whole.len() + fraction.len()).map_err(|_| TooLarge)?;
    for _ in digits..point {
        if micros == 0 {
            break;
        }
        micros *= 10;
        if micros > i128::from(i64::MAX) {
            return Err(TooLarge);
        }
    }

    let first = first_dropped.unwrap_or(0);
    let inexact = first != 0 || rest_dropped;
    let away_from_zero = match rounding {
        Rounding::Refuse if inexact => return Err(TooFine),
        Rounding::Refuse => false,
        Rounding::Nearest => first >= 5,
        Rounding::Up => inexact && !negative,
        Rounding::Down => inexact && negative,
    };
    micros += i128::from(away_from_zero);
    let signed = if negative { -micros } else { micros };
    i64::try_from(signed).map(Credits).map_err(|_| TooLarge)
}

fn read_exponent(text: &str) -> Result<i64, ParseCreditsError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseCreditsError::NotANumber);
    }
    let size = digits
        .parse::<i64>()
        .unwrap_or(EXPONENT_MAX)
        .min(EXPONENT_MAX);
    Ok(if negative { -size } else { size })
}

impl FromStr for Credits {
    type Err = ParseCreditsError;

    /// Reads an amount that a person wrote: nothing finer than a micro-credit is accepted.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, Rounding::Refuse)
    }
}

/// The last decimal digit, as a character.
fn last_digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

impl fmt::Display for Credits {
    /// The shortest exact decimal text: `200`, `0.02`, `-1.5`. Honours width and alignment.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Written from its end, into place: every call shows half a dozen amounts.
        let mut text = [0; TEXT_BYTES_MAX];
        let mut at = TEXT_BYTES_MAX;
        let mut put = |byte| {
            at -= 1;
            text[at] = byte;
        };
        let mut rest = self.0.unsigned_abs();
        let mut shown = false;
        for _ in 0..PLACES {
            let digit = last_digit(rest);
            shown |= digit != b'0';
            if shown {
                put(digit);
            }
            rest /= 10;
        }
        if shown {
            put(b'.');
        }
        loop {
            put(last_digit(rest));
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if self.0 < 0 {
            put(b'-');
        }
        let text = str::from_utf8(&text[at..]).map_err(|_| fmt::Error)?;
        if out.width().or(out.precision()).is_some() {
            return out.pad(text);
        }
        out.write_str(text)
    }
}

impl fmt::Debug for Credits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Sum for Credits {
    /// Adds up, stopping at the ends: for reports. The book adds with `checked_add`.
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

struct CreditsVisitor;

impl Visitor<'_> for CreditsVisitor {
    type Value = Credits;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an amount of credits, such as 200, 0.5 or \"0.5\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Credits, E> {
        text.parse()
            .map_err(|error| E::custom(format!("{text:?} is {error}")))
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

    fn nearest(text: &str) -> i64 {
        Credits::parse_nearest(text).unwrap().micros()
    }

    #[test]
    fn digits_are_read_exactly() {
        assert_eq!(nearest("0.02"), 20_000);
        assert_eq!(nearest("-1.5"), -1_500_000);
        assert_eq!(nearest("200"), 200_000_000);
        assert_eq!(nearest("0"), 0);
        assert_eq!(nearest("0.0067"), 6_700);
    }

    #[test]
    fn exponents_move_the_point_both_ways() {
        assert_eq!(nearest("2e-2"), 20_000);
        assert_eq!(nearest("1.5E+3"), 1_500_000_000);
        assert_eq!(nearest("12e-7"), 1);
        assert_eq!(nearest("5e-7"), 1);
        assert_eq!(nearest("5e-8"), 0);
        assert_eq!(nearest("999e-9"), 1);
        assert_eq!(nearest("0e999999999999999999999"), 0);
        assert_eq!(nearest("1e-99999999999999999999"), 0);
    }

    #[test]
    fn digits_make_up_for_any_exponent() {
        let zeros = "0".repeat(5_000);
        assert_eq!(nearest(&format!("0.{zeros}2e5001")), 2_000_000);
        assert_eq!(nearest(&format!("2{zeros}e-5000")), 2_000_000);
        assert_eq!(nearest(&format!("4{zeros}e-5006")), 4);
        assert_eq!(nearest(&format!("4{zeros}e-5007")), 0);
    }

    #[test]
    fn the_direction_of_rounding_is_in_the_name() {
        let text = "0.0000004";
        assert_eq!(nearest(text), 0);
        assert_eq!(Credits::parse_rounded_up(text).unwrap().micros(), 1);
        assert_eq!(Credits::parse_rounded_down(text).unwrap().micros(), 0);
        assert_eq!(Credits::parse_rounded_up("-0.0000004").unwrap().micros(), 0);
        assert_eq!(
            Credits::parse_rounded_down("-0.0000004").unwrap().micros(),
            -1
        );
        assert_eq!(Credits::parse_rounded_up("3e-30").unwrap().micros(), 1);
        assert_eq!(nearest("0.0000005"), 1);
        assert_eq!(nearest("-0.0000005"), -1);
    }

    #[test]
    fn what_is_no_number_is_an_error_and_never_zero() {
        for text in [
            "", "-", ".", "1.", ".5", "1e", "1e+", "NaN", "inf", "1,5", "0x1", " 1", "1 ", "--1",
            "1.2.3", "١",
        ] {
            assert_eq!(
                Credits::parse_nearest(text),
                Err(ParseCreditsError::NotANumber),
                "{text:?}"
            );
        }
        assert_eq!(
            Credits::parse_nearest("1e300"),
            Err(ParseCreditsError::TooLarge)
        );
        assert_eq!(
            Credits::parse_nearest("9223372036854.775808"),
            Err(ParseCreditsError::TooLarge)
        );
        assert_eq!(
            "0.0000001".parse::<Credits>(),
            Err(ParseCreditsError::TooFine)
        );
    }

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

    proptest! {
        #[test]
        fn an_amount_written_is_the_amount_read(micros in any::<i64>()) {
            let amount = Credits::from_micros(micros);
            if micros != i64::MIN {
                prop_assert_eq!(amount.to_string().parse::<Credits>(), Ok(amount));
            }
        }

        #[test]
        fn rounding_up_is_never_below_nearest_and_down_never_above(text in "-?[0-9]{1,9}(\\.[0-9]{1,12})?([eE][-+]?[0-9]{1,2})?") {
            if let Ok(near) = Credits::parse_nearest(&text) {
                if let Ok(up) = Credits::parse_rounded_up(&text) {
                    prop_assert!(up >= near);
                    prop_assert!(up.micros() - near.micros() <= 1);
                }
                if let Ok(down) = Credits::parse_rounded_down(&text) {
                    prop_assert!(down <= near);
                    prop_assert!(near.micros() - down.micros() <= 1);
                }
            }
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,40}") {
            let _ = Credits::parse_nearest(&text);
        }
    }
}
