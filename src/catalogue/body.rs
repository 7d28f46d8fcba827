//! A request body, read so strictly that no other parser can read it differently.
//!
//! The upstream's parser lets the last of two equal keys win and reads `NaN`; others take the
//! first, or refuse. What could be read in two ways has no one price, so here it is an error:
//! equal keys at any depth, lone surrogates, a byte order mark, numbers outside the grammar,
//! anything after the document.
//!
//! Only what a price can depend on is kept: the members of the outermost object and of the
//! objects directly inside it. Everything else is checked and passed over, so that memory stays
//! in proportion to the body.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::plain_length;

/// Nesting a body may have. Documented bodies have five levels; a parser that recurses needs an
/// end.
const DEPTH_MAX: usize = 64;
/// Depth of the objects whose members are kept.
const KEPT_DEPTH: usize = 2;
/// Members of an object that are compared pair by pair; above it they are sorted first.
const PAIRWISE_MAX: usize = 16;

/// A value and where in the body it stands.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) value: Value<'a>,
    pub(super) span: Range<usize>,
}

/// A value, as far as a price can depend on it.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// The digits as they stand.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// How many elements it has.
    Array(u64),
    /// The members, if the object is one of those that are kept.
    Object(Vec<Member<'a>>),
}

/// One member of an object.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) node: Node<'a>,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be read: {what} at byte {at}")]
pub(super) struct BodyError {
    what: &'static str,
    at: usize,
}

/// Reads a whole body.
pub(super) fn read(body: &[u8]) -> Result<Node<'_>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|error| BodyError {
        what: "invalid UTF-8",
        at: error.valid_up_to(),
    })?;
    let mut parser = Parser {
        text,
        bytes: body,
        at: 0,
        names: Vec::new(),
    };
    parser.blanks();
    if parser.at == body.len() {
        return parser.fail("no JSON document");
    }
    let root = parser.value(1)?;
    parser.blanks();
    if parser.at < body.len() {
        return parser.fail("something after the end of the document");
    }
    Ok(root)
}

/// The elements of an array that [`read`] found at `span`, each read like a body of its own.
pub(super) fn elements(body: &[u8], span: Range<usize>) -> Result<Vec<Node<'_>>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|error| BodyError {
        what: "invalid UTF-8",
        at: error.valid_up_to(),
    })?;
    let mut parser = Parser {
        text,
        bytes: body,
        at: span.start,
        names: Vec::new(),
    };
    let mut found = Vec::new();
    parser.array(|parser| {
        found.push(parser.value(1)?);
        Ok(())
    })?;
    Ok(found)
}

impl<'a> Node<'a> {
    /// The member of this name, if this is an object that has it.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Object(members) => members
                .iter()
                .find(|member| member.name == name)
                .map(|member| &member.node),
            _ => None,
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The names of all objects that are open, innermost last.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T, BodyError> {
        Err(BodyError { what, at: self.at })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Reads the value that starts here; it stands inside `depth - 1` containers.
    fn value(&mut self, depth: usize) -> Result<Node<'a>, BodyError> {
        if depth > DEPTH_MAX {
            return self.fail("nested too deeply");
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => {
                let mut count = 0;
                self.array(|parser| {
                    count += 1;
                    // Elements are never kept: those of a list of leads are many.
                    parser.value((depth + 1).max(KEPT_DEPTH + 1)).map(drop)
                })?;
                Value::Array(count)
            }
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            Some(_) => return self.fail("something that is not JSON"),
            None => return self.fail("the end, too early"),
        };
        let span = start..self.at;
        Ok(Node { value, span })
    }

    fn literal(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, BodyError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.fail("something that is not JSON");
        }
        self.at += word.len();
        Ok(value)
    }

    fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), BodyError>,
    ) -> Result<(), BodyError> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            element(self)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("no comma or end of an array"),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, BodyError> {
        let first_name = self.names.len();
        let mut members = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return self.fail("no name of a member");
            }
            let name = self.string()?;
            self.blanks();
            if self.peek() != Some(b':') {
                return self.fail("no colon after a name");
            }
            self.at += 1;
            self.blanks();
            let node = self.value(depth + 1)?;
            if depth <= KEPT_DEPTH {
                let name = name.clone();
                members.push(Member { name, node });
            }
            self.names.push(name);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.fail("no comma or end of an object"),
            }
        }
        if has_equal(&mut self.names[first_name..]) {
            return self.fail("an object that has the same name twice, ending");
        }
        self.names.truncate(first_name);
        self.at += 1;
        Ok(Value::Object(members))
    }

    fn number(&mut self) -> Result<&'a str, BodyError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), BodyError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fail("an incomplete number");
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads the string that starts here, decoded. Borrowed unless it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, BodyError> {
        self.at += 1;
        let mut decoded: Option<String> = None;
        loop {
            let start = self.at;
            self.at += plain_length(&self.bytes[start..]);
            let plain = &self.text[start..self.at];
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(plain),
                        Some(text) => Cow::Owned(text + plain),
                    });
                }
                Some(b'\\') => {
                    let text = decoded.get_or_insert_default();
                    text.push_str(plain);
                    let escaped = self.escape()?;
                    text.push(escaped);
                }
                Some(_) => return self.fail("a control character in a string"),
                None => return self.fail("the end inside a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, BodyError> {
        self.at += 1;
        let escaped = match self.peek() {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return self.fail("an unknown escape"),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, BodyError> {
        let high = self.four_hex()?;
        if let Some(letter) = char::from_u32(high) {
            return Ok(letter);
        }
        let paired = (0xd800..0xdc00).contains(&high) && self.bytes[self.at..].starts_with(b"\\u");
        if !paired {
            return self.fail("half a surrogate pair");
        }
        self.at += 1;
        let low = self.four_hex()?;
        if !(0xdc00..0xe000).contains(&low) {
            return self.fail("half a surrogate pair");
        }
        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        match char::from_u32(code) {
            Some(letter) => Ok(letter),
            None => self.fail("half a surrogate pair"),
        }
    }

    /// Reads `uXXXX`.
    fn four_hex(&mut self) -> Result<u32, BodyError> {
        let mut code = 0;
        for offset in 1..=4 {
            let digit = self.bytes.get(self.at + offset);
            match digit.and_then(|byte| char::from(*byte).to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.fail("an unknown escape"),
            }
        }
        self.at += 5;
        Ok(code)
    }
}

/// Whether two of the names are equal. May reorder them.
fn has_equal(names: &mut [Cow<'_, str>]) -> bool {
    if names.len() <= PAIRWISE_MAX {
        let mut rest: &[Cow<'_, str>] = names;
        while let [first, others @ ..] = rest {
            if others.contains(first) {
                return true;
            }
            rest = others;
        }
        return false;
    }
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":{n}")).collect();
        let many_twice = format!("{{{},\"k7\":0}}", many.join(","));
        for body in [
            r#"{"limit_by":1,"limit_by":2}"#,
            r#"{"limit_by":1,"limit\u005fby":2}"#,
            r#"{"a":{"b":[{"c":1,"d":2,"c":3}]}}"#,
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":-Infinity}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":1e}"#,
            r#"{"a":0x1}"#,
            r#"{'a':1}"#,
            r#"{"a":1,}"#,
            r#"{"a":1}{"#,
            r#"{"a":1} x"#,
            r#"{"a":"\ud800"}"#,
            r#"{"\ud800":1}"#,
            r#"{"a":"\udc00\ud800"}"#,
            r#"{"a":"\ud800\u0041"}"#,
            r#"{"a":"\x41"}"#,
            r#"{"a":"\u12g4"}"#,
            "{\"a\":\"\n\"}",
            "\u{feff}{}",
            "{\u{a0}}",
            "",
            "  ",
            "[",
            "{\"a\"",
            "{\"a\":",
            "tru",
            many_twice.as_str(),
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_err());
        assert!(read(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
    }

    #[test]
    fn equal_names_in_different_objects_are_no_repetition() {
        assert!(read(br#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#).is_ok());
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
        assert!(read(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn members_are_found_by_their_decoded_name() {
        let root = read(br#"{"lead_search_criteria":{"l\u0069mit_by": 25 }}"#).unwrap();
        let within = root.member("lead_search_criteria").unwrap();
        let bound = within.member("limit_by").unwrap();
        assert!(matches!(bound.value, Value::Number("25")));
    }

    #[test]
    fn elements_are_read_again_where_they_are_needed() {
        let body = br#"{"leads": [ {"posts":true} , 3, [] ]}"#;
        let root = read(body).unwrap();
        let span = root.member("leads").unwrap().span.clone();
        let found = elements(body, span).unwrap();
        assert_eq!(found.len(), 3);
        assert!(matches!(
            found[0].member("posts").unwrap().value,
            Value::Bool(true)
        ));
    }

    proptest! {
        #[test]
        fn what_is_read_here_reads_the_same_elsewhere(body in "[{}\\[\\]\",:0-9a-u\\\\ .eE+-]{0,24}") {
            if read(body.as_bytes()).is_ok() {
                let other = serde_json::from_str::<serde_json::Value>(&body);
                let out_of_range = matches!(&other, Err(error) if error.to_string().contains("out of range"));
                prop_assert!(other.is_ok() || out_of_range, "{body}");
            }
        }

        #[test]
        fn no_bytes_make_reading_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&body);
        }
    }
}
