//! Reading a body byte by byte: the grammar of JSON and no more than that, in one pass.

use std::borrow::Cow;

use super::{BodyError, Member, Node, Value};
use crate::catalogue::text::plain_length;

/// Nesting a body may have. Documented bodies have five levels; a parser that recurses needs an
/// end.
pub(super) const DEPTH_MAX: usize = 64;
/// Depth of the objects whose members are kept.
const KEPT_DEPTH: usize = 2;
/// Members of an object that are compared pair by pair; above it they are sorted first.
const PAIRWISE_MAX: usize = 16;

/// How far a body has been read.
pub(super) struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The names of all objects that are open, innermost last.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Parser<'a> {
    /// Will read what starts at `at`.
    pub(super) fn starting(body: &'a [u8], at: usize) -> Result<Self, BodyError> {
        let text = std::str::from_utf8(body).map_err(|error| BodyError {
            what: "invalid UTF-8",
            at: error.valid_up_to(),
        })?;
        Ok(Self {
            text,
            bytes: body,
            at,
            names: Vec::new(),
        })
    }

    /// Reads one value and nothing after it.
    pub(super) fn document(mut self) -> Result<Node<'a>, BodyError> {
        self.blanks();
        if self.at == self.bytes.len() {
            return self.fail("no JSON document");
        }
        let root = self.value(1)?;
        self.blanks();
        if self.at < self.bytes.len() {
            return self.fail("something after the end of the document");
        }
        Ok(root)
    }

    /// Reads an array, each element like a document of its own; what follows it is not looked at.
    pub(super) fn elements(mut self) -> Result<Vec<Node<'a>>, BodyError> {
        let mut found = Vec::new();
        self.array(|parser| {
            found.push(parser.value(1)?);
            Ok(())
        })?;
        Ok(found)
    }

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
