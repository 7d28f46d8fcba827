//! Reading JSON as Python's `json` does.
//!
//! Last of duplicate keys wins, `NaN` and `Infinity` are numbers, a lone surrogate is a character,
//! and anything after the document is an error.

use super::Json;

/// Deeper than this Python gives up (its recursion limit).
const DEPTH_MAX: usize = 900;

/// Reads a whole document, or says what Python would.
pub(super) fn read(bytes: &[u8]) -> Result<Json, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        format!(
            "'utf-8' codec can't decode byte 0x{:02x} in position {}",
            bytes.get(error.valid_up_to()).copied().unwrap_or_default(),
            error.valid_up_to()
        )
    })?;
    if text.starts_with('\u{feff}') {
        return Err("Unexpected UTF-8 BOM (decode using utf-8-sig)".to_owned());
    }
    let mut reader = Reader { text, at: 0 };
    reader.skip_blanks();
    let value = reader.value(0)?;
    reader.skip_blanks();
    if reader.at < text.len() {
        return Err(reader.complaint("Extra data"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn complaint(&self, what: &str) -> String {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!(
            "{what}: line {line} column {column} (char {})",
            before.chars().count()
        )
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > DEPTH_MAX {
            return Err("maximum recursion depth exceeded".to_owned());
        }
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => {
                self.at += 1;
                self.string().map(Json::Text)
            }
            Some(b'n') if self.word("null") => Ok(Json::Null),
            Some(b't') if self.word("true") => Ok(Json::Bool(true)),
            Some(b'f') if self.word("false") => Ok(Json::Bool(false)),
            Some(b'N') if self.word("NaN") => Ok(Json::Float("NaN".to_owned())),
            Some(b'I') if self.word("Infinity") => Ok(Json::Float("Infinity".to_owned())),
            Some(b'-') if self.word("-Infinity") => Ok(Json::Float("-Infinity".to_owned())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.complaint("Expecting value")),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            self.at = start;
            return Err(self.complaint("Expecting value"));
        }
        let mut whole = true;
        // A point or an exponent without digits is not part of the number; what follows is then
        // left over, and the caller stumbles over it.
        let before_fraction = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                self.at = before_fraction;
            } else {
                whole = false;
            }
        }
        let before_exponent = self.at;
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                self.at = before_exponent;
            } else {
                whole = false;
            }
        }
        let spelling = self.text[start..self.at].to_owned();
        Ok(if whole {
            Json::Integer(spelling)
        } else {
            Json::Float(spelling)
        })
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.word("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.word("]") {
                return Ok(Json::List(items));
            }
            if !self.word(",") {
                return Err(self.complaint("Expecting ',' delimiter"));
            }
            self.skip_blanks();
        }
    }

    fn map(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.skip_blanks();
        if self.word("}") {
            return Ok(Json::Map(members));
        }
        loop {
            if !self.word("\"") {
                return Err(self.complaint("Expecting property name enclosed in double quotes"));
            }
            let key = self.string()?;
            self.skip_blanks();
            if !self.word(":") {
                return Err(self.complaint("Expecting ':' delimiter"));
            }
            self.skip_blanks();
            let value = self.value(depth + 1)?;
            match members.iter_mut().find(|(known, _)| *known == key) {
                Some((_, slot)) => *slot = value,
                None => members.push((key, value)),
            }
            self.skip_blanks();
            if self.word("}") {
                return Ok(Json::Map(members));
            }
            if !self.word(",") {
                return Err(self.complaint("Expecting ',' delimiter"));
            }
            self.skip_blanks();
        }
    }

    /// Reads up to and past the closing quote; the opening one has been taken.
    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut start = self.at;
        loop {
            match self.peek() {
                None => return Err(self.complaint("Unterminated string")),
                Some(b'"') => {
                    out.push_str(&self.text[start..self.at]);
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(&self.text[start..self.at]);
                    self.at += 1;
                    self.escape(&mut out)?;
                    start = self.at;
                }
                Some(0..0x20) => return Err(self.complaint("Invalid control character at")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let Some(letter) = self.peek() else {
            return Err(self.complaint("Unterminated string"));
        };
        let plain = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                out.push(self.code_point()?);
                return Ok(());
            }
            _ => return Err(self.complaint("Invalid \\escape")),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    /// Four hex digits, or a pair of surrogates. A lone one, which Python keeps, becomes U+FFFD.
    fn code_point(&mut self) -> Result<char, String> {
        let first = self.four_hex()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            if let Ok(second) = self.four_hex()
                && (0xdc00..0xe000).contains(&second)
            {
                let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or('\u{fffd}'));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }

    fn four_hex(&mut self) -> Result<u32, String> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let read = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match read {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => Err(self.complaint("Invalid \\uXXXX escape")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json {
        super::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_last_of_duplicate_keys_wins() {
        let value = read(r#"{"a":1,"b":{"c":1,"c":2},"a":3}"#);
        assert_eq!(value.get("a"), Some(&Json::Integer("3".to_owned())));
        let inner = value.get("b").unwrap();
        assert_eq!(inner.get("c"), Some(&Json::Integer("2".to_owned())));
    }

    #[test]
    fn a_key_may_be_spelled_with_escapes() {
        let value = read("{\"limit\\u005fby\": 1, \"limit_by\": 2}");
        assert_eq!(value.get("limit_by"), Some(&Json::Integer("2".to_owned())));
    }

    #[test]
    fn what_python_reads_is_read() {
        assert_eq!(read("NaN"), Json::Float("NaN".to_owned()));
        assert_eq!(read("-Infinity"), Json::Float("-Infinity".to_owned()));
        assert_eq!(read("\"\\ud83d\\ude00\""), Json::Text("😀".to_owned()));
        assert_eq!(read("\"\\ud83d\""), Json::Text("\u{fffd}".to_owned()));
        assert_eq!(read(" [ ] "), Json::List(Vec::new()));
        assert_eq!(read("1e5"), Json::Float("1e5".to_owned()));
        assert_eq!(read("-0"), Json::Integer("-0".to_owned()));
    }

    #[test]
    fn what_python_refuses_is_refused() {
        let depth = "[".repeat(2_000);
        for text in [
            "",
            "{",
            "{\"a\"}",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "nan",
            "'a'",
            "\"a",
            "\"\u{1}\"",
            "\"\\x\"",
            "1 2",
            "\u{feff}{}",
            "tru",
            &depth,
        ] {
            assert!(super::read(text.as_bytes()).is_err(), "{text:.40}");
        }
        assert!(super::read(b"\"\xff\"").is_err());
    }
}
