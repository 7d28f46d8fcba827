//! Reading JSON by its digits: no amount passes through a float, nothing is guessed.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::AccountError;
use crate::credits::{Credits, ParseCreditsError};
use crate::secret::Secret;

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

/// A text, or a number as its digits: to be understood, not to be shown or kept.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw.get()).ok(),
        Some(b'-' | b'0'..=b'9') => Some(raw.get().to_owned()),
        _ => None,
    }
}

/// A name, as it may be shown and kept: see [`printable`].
pub(super) fn name(raw: &RawValue, bytes_max: usize, token: &Secret) -> Option<String> {
    Some(printable(&text(raw)?, bytes_max, token))
}

/// Text of the upstream's as it may be shown and kept: without the account's `token`, without control
/// characters, which would speak to a terminal, and cut to `bytes_max`. What of an answer comes into the books,
/// the log or a report has come by here.
pub(super) fn printable(text: &str, bytes_max: usize, token: &Secret) -> String {
    let text = token.covered_text(text);
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

    fn name(raw: &RawValue, bytes_max: usize) -> Option<String> {
        super::name(raw, bytes_max, &Secret::new(b"s3cret-token"))
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

    #[test]
    fn the_token_stands_in_no_name_however_it_is_written_or_cut() {
        for (json, bytes_max, shown) in [
            (r#""s3cret-token""#, 20, "xxxxxxxxxxxx"),
            (r#""txn s3cret-token-1""#, 20, "txn xxxxxxxxxxxx-1"),
            (r#""\u0073\u0033cret-token""#, 20, "xxxxxxxxxxxx"),
            (r#""s3cret-token""#, 9, "xxxxxxxxx"),
            (
                r#"" s3cret-tokens3cret-token""#,
                30,
                "xxxxxxxxxxxxxxxxxxxxxxxx",
            ),
        ] {
            assert_eq!(name(raw(json), bytes_max).as_deref(), Some(shown), "{json}");
        }
        let digits = super::name(raw("123456"), 20, &Secret::new(b"2345"));
        assert_eq!(digits.as_deref(), Some("1xxxx6"));
    }
}
