//! Reading JSON by its digits: no amount passes through a float, nothing is guessed.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::AccountError;
use crate::credits::{Credits, ParseCreditsError};

/// Why something is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AmountFault {
    Null,
    NotANumber,
    TooMuch,
}

/// How an amount is rounded to the micro-credit: one of the readers of [`Credits`].
pub(super) type Rounding = fn(&str) -> Result<Credits, ParseCreditsError>;

/// An amount, whether it comes as a number or as a text.
pub(super) fn amount(raw: &RawValue, rounding: Rounding) -> Result<Credits, AmountFault> {
    let raw = raw.get();
    if raw == "null" {
        return Err(AmountFault::Null);
    }
    let digits = if raw.starts_with('"') {
        serde_json::from_str::<String>(raw).map_err(|_| AmountFault::NotANumber)?
    } else {
        raw.to_owned()
    };
    rounding(digits.trim()).map_err(|error| match error {
        ParseCreditsError::TooLarge => AmountFault::TooMuch,
        ParseCreditsError::NotANumber | ParseCreditsError::TooFine => AmountFault::NotANumber,
    })
}

/// A document that is JSON, whatever is in it.
pub(super) fn document(body: &[u8]) -> Result<&RawValue, AccountError> {
    serde_json::from_slice(body).map_err(|_| AccountError::NotJson)
}

/// The wanted members of an object; `what` is what is missing otherwise. An array is none: serde
/// would take its items for members. A member that stands there twice is as good as missing.
pub(super) fn object<'a, T: Deserialize<'a>>(
    raw: &'a RawValue,
    what: &'static str,
) -> Result<T, AccountError> {
    members(raw).ok_or(AccountError::Missing(what))
}

/// Like [`object`], for a part whose absence is not an error of the whole.
pub(super) fn members<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    if !raw.get().starts_with('{') {
        return None;
    }
    serde_json::from_str(raw.get()).ok()
}

/// The items of an array.
pub(super) fn items<'a>(
    raw: &'a RawValue,
    what: &'static str,
) -> Result<Vec<&'a RawValue>, AccountError> {
    serde_json::from_str(raw.get()).map_err(|_| AccountError::Missing(what))
}

/// A name: a text, or a number as its digits. Without control characters, which would speak to a
/// terminal, and cut to `bytes_max`.
pub(super) fn name(raw: &RawValue, bytes_max: usize) -> Option<String> {
    let text = match raw.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(raw.get()).ok()?,
        Some(b'-' | b'0'..=b'9') => raw.get().to_owned(),
        _ => return None,
    };
    Some(printable(&text, bytes_max))
}

/// Text of the upstream's as it may be shown and kept.
pub(super) fn printable(text: &str, bytes_max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(bytes_max));
    for character in text.trim().chars() {
        let character = if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        };
        if shown.len() + character.len_utf8() > bytes_max {
            break;
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_name_is_a_text_or_a_number_and_cannot_speak_to_a_terminal() {
        assert_eq!(name(raw("\"txn_1\""), 20).as_deref(), Some("txn_1"));
        assert_eq!(name(raw("17"), 20).as_deref(), Some("17"));
        assert_eq!(
            name(raw("\" a\\u001b[31m\\nb \""), 20).as_deref(),
            Some("a\u{fffd}[31m\u{fffd}b")
        );
        assert_eq!(name(raw("\"naïve\""), 3).as_deref(), Some("na"));
        for nothing in ["null", "true", "{}", "[1]"] {
            assert_eq!(name(raw(nothing), 20), None, "{nothing}");
        }
    }
}
