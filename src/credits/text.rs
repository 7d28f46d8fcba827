//! The text of an amount: the shortest exact decimal, `200`, `0.02`, `-1.5`.

use std::fmt;
use std::ops::Deref;

use super::{Credits, PLACES};

/// The longest text of an amount: a sign, 13 digits, a point, 6 digits.
const TEXT_BYTES_MAX: usize = 21;

/// See the module. Without an allocation: every call shows half a dozen amounts.
#[derive(Clone, Copy)]
pub struct CreditsText {
    bytes: [u8; TEXT_BYTES_MAX],
    /// Where it begins; it ends at the end.
    from: usize,
}

/// An amount and the name of its unit, in words: "0.5 credits", "1 credit".
#[derive(Clone, Copy)]
pub struct CountedCredits(pub(super) Credits);

impl CreditsText {
    pub(super) fn of(amount: Credits) -> Self {
        let mut text = Self {
            bytes: [0; TEXT_BYTES_MAX],
            from: TEXT_BYTES_MAX,
        };
        let mut rest = amount.0.unsigned_abs();
        let mut shown = false;
        for _ in 0..PLACES {
            let digit = last_digit(rest);
            shown |= digit != b'0';
            if shown {
                text.put(digit);
            }
            rest /= 10;
        }
        if shown {
            text.put(b'.');
        }
        loop {
            text.put(last_digit(rest));
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if amount.0 < 0 {
            text.put(b'-');
        }
        text
    }

    /// Written from its end.
    fn put(&mut self, byte: u8) {
        self.from -= 1;
        self.bytes[self.from] = byte;
    }
}

/// The last decimal digit, as a character.
fn last_digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

impl Deref for CreditsText {
    type Target = str;

    fn deref(&self) -> &str {
        // Digits are text.
        str::from_utf8(&self.bytes[self.from..]).unwrap_or_default()
    }
}

impl fmt::Display for CreditsText {
    /// Honours width and alignment.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if out.width().or(out.precision()).is_some() {
            return out.pad(self);
        }
        out.write_str(self)
    }
}

impl fmt::Display for CountedCredits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_one = self.0.magnitude() == Credits::ONE;
        let unit = if is_one { "credit" } else { "credits" };
        write!(out, "{} {unit}", self.0)
    }
}
