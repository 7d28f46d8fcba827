//! Reads the controls of a body: bounds and flags, the way the upstream does, erring upwards.

use super::body::{Node, Value};
use super::operation::Place;
use super::quote::QuoteError;

/// Where the body says what, for one operation.
pub(super) struct Controls<'b, 'a> {
    pub(super) root: &'b Node<'a>,
}

/// A control that bounds rows, and where it stands.
pub(super) struct Bound<'b, 'a> {
    pub(super) rows: u64,
    pub(super) node: &'b Node<'a>,
}

impl<'b, 'a> Controls<'b, 'a> {
    /// The value at a place, `null` included. An enclosing value that is neither an object nor
    /// `null` is an error.
    pub(super) fn find(&self, place: &Place) -> Result<Option<&'b Node<'a>>, QuoteError> {
        Ok(self
            .enclosing(place)?
            .and_then(|object| object.member(&place.name)))
    }

    /// The object that holds the place, if the body has it.
    pub(super) fn enclosing(&self, place: &Place) -> Result<Option<&'b Node<'a>>, QuoteError> {
        let Some(within) = &place.within else {
            return Ok(Some(self.root));
        };
        match self.root.member(within) {
            None => Ok(None),
            Some(node) => match &node.value {
                Value::Object(_) => Ok(Some(node)),
                Value::Null => Ok(None),
                _ => Err(unreadable(format!("{within} is not an object"))),
            },
        }
    }

    /// A bound on rows, a whole number of at least `least`, with several spellings: the first that is
    /// present counts. If that one is `null` there is no bound, whatever the others say, because the
    /// upstream may read it so. It takes an integer in a string and an integral float for that integer.
    pub(super) fn first_bound(
        &self,
        places: &[Place],
        least: u64,
    ) -> Result<Option<Bound<'b, 'a>>, QuoteError> {
        for place in places {
            if let Some(node) = self.find(place)? {
                let rows = read_bound(node, place, least)?;
                return Ok(rows.map(|rows| Bound { rows, node }));
            }
        }
        Ok(None)
    }

    /// The length of a list with several spellings, under the same rule. An empty list is none.
    pub(super) fn first_length(&self, places: &[Place]) -> Result<Option<u64>, QuoteError> {
        for place in places {
            if let Some(node) = self.find(place)? {
                return match node.value {
                    Value::Array(0) | Value::Null => Ok(None),
                    Value::Array(length) => Ok(Some(length)),
                    _ => Err(unreadable(format!("{place} is not a list"))),
                };
            }
        }
        Ok(None)
    }

    /// The flags that are read as false and are not written `false`.
    pub(super) fn false_in_other_words(
        &self,
        places: &[Place],
    ) -> Result<Vec<&'b Node<'a>>, QuoteError> {
        let mut found = Vec::new();
        for place in places {
            if let Some(node) = self.find(place)?
                && !matches!(node.value, Value::Bool(_))
                && read_flag(node, place) == Ok(Some(false))
            {
                found.push(node);
            }
        }
        Ok(found)
    }

    /// Whether a flag is set. Of several spellings the first that says something counts.
    pub(super) fn flag(&self, places: &[Place]) -> Result<bool, QuoteError> {
        for place in places {
            let said = self.find(place)?.map(|node| read_flag(node, place));
            if let Some(set) = said.transpose()?.flatten() {
                return Ok(set);
            }
        }
        Ok(false)
    }
}

pub(super) fn unreadable(what: impl Into<String>) -> QuoteError {
    QuoteError::Unreadable(what.into())
}

fn read_bound(node: &Node<'_>, place: &Place, least: u64) -> Result<Option<u64>, QuoteError> {
    let read = match &node.value {
        Value::Null => return Ok(None),
        Value::Number(digits) => whole_number(digits),
        Value::Text(text) if is_digits(text) => whole_number(text),
        _ => WholeNumber::No,
    };
    match read {
        WholeNumber::Is(bound) if bound >= least => Ok(Some(bound)),
        WholeNumber::Is(_) | WholeNumber::No => Err(unreadable(format!(
            "{place} is not a whole number of at least {least}"
        ))),
        WholeNumber::TooLarge => Err(QuoteError::TooLarge),
    }
}

/// Only what is clearly false is false: the upstream's framework takes many words for true. An
/// empty text says nothing, like `null`, because that framework may take it for `null`.
fn read_flag(node: &Node<'_>, place: &Place) -> Result<Option<bool>, QuoteError> {
    const FALSE_WORDS: [&str; 4] = ["0", "false", "no", "off"];
    match &node.value {
        Value::Null => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Bool(set) => Ok(Some(*set)),
        Value::Number(digits) => Ok(Some(whole_number(digits) != WholeNumber::Is(0))),
        Value::Text(text) => Ok(Some(
            !FALSE_WORDS
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word)),
        )),
        Value::Array(_) | Value::Object(_) => {
            Err(unreadable(format!("{place} is neither true nor false")))
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Debug, PartialEq, Eq)]
enum WholeNumber {
    Is(u64),
    No,
    TooLarge,
}

/// The integer that a JSON number is: `25`, `25.0` and `2.5e1` are all 25.
fn whole_number(number: &str) -> WholeNumber {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>()),
        None => (number, Ok(0)),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().all(|digit| digit == b'0') {
        return WholeNumber::Is(0);
    }
    let (false, Ok(exponent), Ok(length)) = (negative, exponent, i64::try_from(whole.len())) else {
        return WholeNumber::No;
    };
    let point = length.saturating_add(exponent);
    let mut value: u64 = 0;
    let mut read: i64 = 0;
    for digit in digits() {
        if read < point {
            let next = value.checked_mul(10);
            match next.and_then(|tens| tens.checked_add(u64::from(digit - b'0'))) {
                Some(sum) => value = sum,
                None => return WholeNumber::TooLarge,
            }
        } else if digit != b'0' {
            return WholeNumber::No;
        }
        read += 1;
    }
    while read < point {
        match value.checked_mul(10) {
            Some(tens) => value = tens,
            None => return WholeNumber::TooLarge,
        }
        read += 1;
    }
    WholeNumber::Is(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_in_every_spelling() {
        for text in ["25", "25.0", "2.5e1", "25e0", "2.50E+1", "250e-1", "25.000"] {
            assert_eq!(whole_number(text), WholeNumber::Is(25), "{text}");
        }
        for text in ["0", "-0", "0.0", "0e9", "-0.0e-3"] {
            assert_eq!(whole_number(text), WholeNumber::Is(0), "{text}");
        }
    }

    #[test]
    fn what_is_no_count_is_no_number() {
        for text in [
            "-1",
            "25.5",
            "1e-1",
            "2.5",
            "-25e3",
            "1e99999999999999999999",
        ] {
            assert_eq!(whole_number(text), WholeNumber::No, "{text}");
        }
        for text in ["1e300", "18446744073709551616", "1.5e9223372036854775807"] {
            assert_eq!(whole_number(text), WholeNumber::TooLarge, "{text}");
        }
    }
}
