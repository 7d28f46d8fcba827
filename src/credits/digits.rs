//! Amounts as they are read: decimal digits, exactly, rounded where and as it is said.

use super::{Credits, PLACES, ParseCreditsError};

/// What larger exponents are read as: no text has the digits to make up for one, so that they are refused
/// or vanish whole.
const EXPONENT_MAX: i64 = 1 << 40;

/// What becomes of digits beyond the last place.
#[derive(Clone, Copy)]
pub(super) enum Rounding {
    Refuse,
    Nearest,
    Up,
    Down,
}

/// Reads `[-+]digits[.digits][(e|E)[-+]digits]`.
pub(super) fn parse(text: &str, rounding: Rounding) -> Result<Credits, ParseCreditsError> {
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

    proptest! {
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
