//! A JSON value as Python's `json` has it. Numbers stay text until a field says what it wants.

use super::reader;

/// One JSON value. Numbers keep their spelling.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Digits with at most a minus: what Python reads as `int`.
    Integer(String),
    /// Everything else that is a number, `NaN` and `Infinity` too.
    Float(String),
    Text(String),
    List(Vec<Json>),
    /// In order of first appearance, without duplicates.
    Map(Vec<(String, Json)>),
    /// A form field: all its values; the last one where a single value is wanted.
    Form(Vec<String>),
}

impl Json {
    /// Reads a whole document.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        reader::read(bytes)
    }

    /// A member of a map; of anything else, nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// What Python calls the value's type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) | Self::Form(_) => "str",
            Self::List(_) => "list",
            Self::Map(_) => "dict",
        }
    }

    /// Writes the value back as JSON.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Integer(number) | Self::Float(number) => out.push_str(number),
            Self::Text(text) => write_text(text, out),
            Self::Form(values) => write_text(values.last().map_or("", String::as_str), out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Writes a JSON string with its quotes.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_written_is_the_value_read() {
        let text = r#"{"a":[1,2.5,null,true,"x\"\\\n"],"b":{}}"#;
        let mut out = String::new();
        Json::read(text.as_bytes()).unwrap().write(&mut out);
        assert_eq!(out, text);
    }
}
