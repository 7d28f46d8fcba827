//! Single fields of a body, coerced as DRF's serializer fields coerce them.

use super::json::{Json, write_text};

/// Complaints by field, in the shape of a DRF validation answer.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Vec<(String, String)>);

impl Complaints {
    pub(crate) fn add(&mut self, field: &str, text: &str) {
        self.0.push((field.to_owned(), text.to_owned()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `{"field": ["text"], …}`.
    pub(crate) fn detail(&self) -> String {
        let mut out = String::from("{");
        for (index, (field, text)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(field, &mut out);
            out.push_str(":[");
            write_text(text, &mut out);
            out.push(']');
        }
        out.push('}');
        out
    }
}

/// A map whose fields are being read; what is wrong with them is gathered.
pub(crate) struct Fields<'a> {
    map: &'a Json,
    pub(crate) complaints: Complaints,
}

impl<'a> Fields<'a> {
    /// Begins to read a map; anything else is one complaint.
    pub(crate) fn of(map: &'a Json) -> Self {
        let mut complaints = Complaints::default();
        if !matches!(map, Json::Map(_)) {
            let text = format!(
                "Invalid data. Expected a dictionary, but got {}.",
                map.type_name()
            );
            complaints.add("non_field_errors", &text);
        }
        Self { map, complaints }
    }

    /// A field that is there and not null (an empty form field is null).
    pub(crate) fn given(&self, name: &str) -> Option<&'a Json> {
        self.map.get(name).filter(|value| match value {
            Json::Null => false,
            Json::Form(values) => values.last().is_some_and(|value| !value.is_empty()),
            _ => true,
        })
    }

    /// The first of two spellings that is given: the old one, if both are (dossier 2.1).
    pub(crate) fn either(&self, old: &'static str, new: &'static str) -> (&'static str, bool) {
        let name = if self.given(old).is_some() { old } else { new };
        (name, self.given(name).is_some())
    }

    /// An integer between two bounds, in any spelling that `IntegerField` takes.
    pub(crate) fn integer(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.given(name)?;
        let Some(number) = integer(value) else {
            self.complaints.add(name, "A valid integer is required.");
            return None;
        };
        match u64::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let text = format!("Must be between {least} and {most}.");
                self.complaints.add(name, &text);
                None
            }
        }
    }

    /// A flag, in any spelling that `BooleanField` takes; absent is false.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let Some(value) = self.given(name) else {
            return false;
        };
        if NULL_WORDS.iter().any(|word| is_text(value, word)) {
            return false;
        }
        match boolean(value) {
            Some(flag) => flag,
            None => {
                self.complaints.add(name, "Must be a valid boolean.");
                false
            }
        }
    }

    /// A flag with an old and a new spelling. An old one that is null, in one of the words that a
    /// `BooleanField` with `allow_null` takes for it, says nothing.
    pub(crate) fn flag_of_two(&mut self, old: &'static str, new: &'static str) -> bool {
        let says_nothing = |value| NULL_WORDS.iter().any(|word| is_text(value, word));
        match self.given(old) {
            Some(value) if !says_nothing(value) => self.flag(old),
            _ => self.flag(new),
        }
    }

    /// A text; numbers count as text, as in `CharField`.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.given(name)?;
        let text = text(value);
        if text.is_none() {
            self.complaints.add(name, "Not a valid string.");
        }
        text.filter(|text| !text.is_empty())
    }

    /// A list. Only a form may give a single value where a list is wanted.
    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<Json>> {
        match self.given(name)? {
            Json::List(items) => Some(items.clone()),
            Json::Form(values) => Some(values.iter().cloned().map(Json::Text).collect()),
            other => {
                let text = format!(
                    "Expected a list of items but got type \"{}\".",
                    other.type_name()
                );
                self.complaints.add(name, &text);
                None
            }
        }
    }

    /// How many members the map has that are not null.
    pub(crate) fn given_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let members: &'a [(String, Json)] = match self.map {
            Json::Map(members) => members,
            _ => &[],
        };
        members
            .iter()
            .filter(|(_, value)| !matches!(value, Json::Null))
            .map(|(name, _)| name.as_str())
    }
}

/// DRF's `IntegerField`: the value's text, an all-zero fraction dropped, read by Python's `int`.
fn integer(value: &Json) -> Option<i128> {
    match value {
        Json::Integer(digits) => digits.parse().ok(),
        Json::Float(spelling) => {
            let number: f64 = spelling.parse().ok()?;
            // Python spells floats from 1e16 with an exponent, which `int` does not read.
            if !number.is_finite() || number.fract() != 0.0 || number.abs() >= 1e16 {
                return None;
            }
            format!("{number:.0}").parse().ok()
        }
        Json::Text(text) => integer_text(text),
        Json::Form(values) => integer_text(values.last()?),
        _ => None,
    }
}

fn integer_text(text: &str) -> Option<i128> {
    let trimmed = text.trim();
    let whole = match trimmed.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => trimmed,
    };
    let whole: String = whole.trim().chars().map(plain_digit).collect();
    let unsigned = whole.strip_prefix(['+', '-']).unwrap_or(&whole);
    // Python's `int` reads single underscores between digits.
    let grouped = !unsigned.is_empty()
        && unsigned
            .split('_')
            .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    if !grouped {
        return None;
    }
    whole.replace('_', "").parse().ok()
}

/// What a `BooleanField` with `allow_null` takes for null.
const NULL_WORDS: [&str; 2] = ["", "null"];

fn is_text(value: &Json, word: &str) -> bool {
    matches!(value, Json::Text(text) if text.eq_ignore_ascii_case(word))
}

/// Where the decimal digits of a script begin, ten in a row. Python's `int` reads them all.
const DIGIT_ZEROS: [u32; 37] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6,
    0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80,
    0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
    0xff10,
];

/// The digit in plain ASCII, if it is one in any script; anything else as it is.
fn plain_digit(letter: char) -> char {
    let code = u32::from(letter);
    DIGIT_ZEROS
        .iter()
        .filter_map(|zero| code.checked_sub(*zero))
        .find_map(|value| char::from_digit(value.min(10), 10))
        .unwrap_or(letter)
}

/// DRF's `BooleanField`.
fn boolean(value: &Json) -> Option<bool> {
    let text = match value {
        Json::Bool(flag) => return Some(*flag),
        Json::Integer(number) if number == "-0" => return Some(false),
        Json::Integer(number) => number.clone(),
        Json::Float(number) => {
            let number: f64 = number.parse().ok()?;
            return if number == 1.0 {
                Some(true)
            } else if number == 0.0 {
                Some(false)
            } else {
                None
            };
        }
        Json::Text(text) => text.clone(),
        Json::Form(values) => values.last()?.clone(),
        _ => return None,
    };
    match text.to_ascii_lowercase().as_str() {
        "t" | "y" | "yes" | "true" | "on" | "1" => Some(true),
        "f" | "n" | "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.trim().to_owned()),
        Json::Integer(number) | Json::Float(number) => Some(number.clone()),
        Json::Form(values) => values.last().map(|text| text.trim().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(json: &str) -> Result<Option<u64>, String> {
        let body = Json::read(format!("{{\"limit_by\":{json}}}").as_bytes()).unwrap();
        let mut fields = Fields::of(&body);
        let limit = fields.integer("limit_by", 1, 1_600);
        if fields.complaints.is_empty() {
            Ok(limit)
        } else {
            Err(fields.complaints.detail())
        }
    }

    #[test]
    fn an_integer_may_be_spelled_many_ways() {
        for spelling in [
            "25",
            "25.0",
            "2.5e1",
            "\"25\"",
            "\" 25 \"",
            "\"25.0\"",
            "\"+25\"",
            "\"2_5\"",
            "\"025\"",
            "\"\\u0662\\uff15\"",
            "\"25.\"",
        ] {
            assert_eq!(limit(spelling), Ok(Some(25)), "{spelling}");
        }
        assert_eq!(limit("null"), Ok(None));
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for spelling in [
            "25.5",
            "\"25.5\"",
            "true",
            "[25]",
            "{}",
            "\"\\u00b2\"",
            "NaN",
            "Infinity",
            "1e300",
            "\"1e1\"",
            "\"2__5\"",
            "\"0x19\"",
        ] {
            assert_eq!(
                limit(spelling),
                Err("{\"limit_by\":[\"A valid integer is required.\"]}".to_owned()),
                "{spelling}"
            );
        }
        for spelling in ["0", "-1", "1601", "99999999999999999999999"] {
            assert_eq!(
                limit(spelling),
                Err("{\"limit_by\":[\"Must be between 1 and 1600.\"]}".to_owned()),
                "{spelling}"
            );
        }
    }

    #[test]
    fn the_old_spelling_wins() {
        let body = Json::read(br#"{"full_data":false,"include_full_profile":true}"#).unwrap();
        assert!(!Fields::of(&body).flag_of_two("full_data", "include_full_profile"));
        let body = Json::read(br#"{"full_data":"yes","include_full_profile":false}"#).unwrap();
        assert!(Fields::of(&body).flag_of_two("full_data", "include_full_profile"));
        for nothing in ["null", r#""""#, r#""Null""#] {
            let text = format!(r#"{{"full_data":{nothing},"include_full_profile":1.0}}"#);
            let body = Json::read(text.as_bytes()).unwrap();
            assert!(Fields::of(&body).flag_of_two("full_data", "include_full_profile"));
        }
    }
}
