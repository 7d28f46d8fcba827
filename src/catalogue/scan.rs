//! A JSON scanner that is pushed pieces of a document and never keeps any.
//!
//! It checks the whole grammar and the encoding, wherever the pieces are cut, and tells a
//! [`Sink`] what it passes. Its memory is the same for any document: one bit for each open
//! container, which is why nesting has an end.

use super::text::{Utf8, plain_length};

/// Containers that may be open at a time: the bits of [`Scanner::objects`].
pub(super) const DEPTH_MAX: u8 = 128;

/// Hears what a [`Scanner`] passes.
pub(super) trait Sink {
    /// An object or array began; `depth` containers are open now.
    fn open(&mut self, is_object: bool, depth: u8);
    /// The innermost container ended; `depth` are still open.
    fn close(&mut self, depth: u8);
    /// A name or a string value began.
    fn text_start(&mut self, is_name: bool);
    /// The next bytes of it, decoded.
    fn text(&mut self, piece: &[u8]);
    /// It ended.
    fn text_end(&mut self, is_name: bool);
    /// A number began.
    fn number_start(&mut self);
    /// The next digits of it.
    fn number(&mut self, piece: &[u8]);
    /// It ended.
    fn number_end(&mut self);
    /// `true`, `false` or `null`.
    fn word(&mut self, word: Word);
}

/// A value that is a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    True,
    False,
    Null,
}

impl Word {
    const fn letters(self) -> &'static [u8] {
        match self {
            Self::True => b"true",
            Self::False => b"false",
            Self::Null => b"null",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value must come.
    Value,
    /// After `[`: a value or `]`.
    FirstValue,
    /// After `{`: a name or `}`.
    FirstName,
    /// After a comma in an object.
    Name,
    Colon,
    /// After a value in a container.
    After,
    Text,
    Escape,
    Hex,
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    Word,
    /// After the outermost value.
    Done,
    Failed,
}

/// Where in a document the scanner stands.
pub(super) struct Scanner {
    state: State,
    is_name: bool,
    depth: u8,
    /// One bit for each open container, set for an object; the innermost is the lowest.
    objects: u128,
    word: Word,
    /// Letters of the word, or hexadecimal digits, read so far.
    read: u8,
    code: u16,
    utf8: Utf8,
    failure: &'static str,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Value,
            is_name: false,
            depth: 0,
            objects: 0,
            word: Word::Null,
            read: 0,
            code: 0,
            utf8: Utf8::default(),
            failure: "",
        }
    }

    /// Passes over the next piece.
    pub(super) fn feed(&mut self, chunk: &[u8], sink: &mut impl Sink) {
        if self.state != State::Failed && !self.utf8.accepts(chunk) {
            self.fail("invalid UTF-8");
        }
        let mut at = 0;
        while at < chunk.len() {
            at = match self.state {
                State::Failed => return,
                State::Text => self.in_text(chunk, at, sink),
                State::Escape => self.in_escape(chunk[at], at, sink),
                State::Hex => self.in_hex(chunk[at], at, sink),
                State::Word => self.in_word(chunk[at], at, sink),
                State::Minus
                | State::Zero
                | State::Whole
                | State::Point
                | State::Fraction
                | State::Exponent
                | State::ExponentSign
                | State::ExponentDigits => self.in_number(chunk, at, sink),
                _ => self.between(chunk, at, sink),
            };
        }
    }

    /// Whether a whole document has passed.
    pub(super) fn finish(mut self, sink: &mut impl Sink) -> Result<(), &'static str> {
        if self.depth == 0 && self.number_may_end() {
            sink.number_end();
            self.state = State::Done;
        }
        match self.state {
            // A character that is cut stands in a string, and a string that is cut is not done.
            State::Done => Ok(()),
            State::Failed => Err(self.failure),
            _ => Err("cut short"),
        }
    }

    fn fail(&mut self, what: &'static str) {
        self.state = State::Failed;
        self.failure = what;
    }

    /// Between tokens. What mostly follows at once is taken at once: a comma by a name, a name by
    /// its colon.
    #[inline]
    fn between(&mut self, chunk: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let byte = chunk[at];
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return at + 1;
        }
        match self.state {
            State::Value | State::FirstValue => self.begin(byte, sink),
            State::FirstName | State::Name if byte == b'"' => self.begin_name(sink),
            State::FirstName if byte == b'}' => self.close(sink),
            State::Colon if byte == b':' => self.state = State::Value,
            State::After => {
                let in_object = self.objects & 1 == 1;
                match (byte, in_object) {
                    (b',', true) if chunk.get(at + 1) == Some(&b'"') => {
                        self.begin_name(sink);
                        return at + 2;
                    }
                    (b',', true) => self.state = State::Name,
                    (b',', false) => self.state = State::Value,
                    (b'}', true) | (b']', false) => self.close(sink),
                    _ => self.fail("not JSON"),
                }
            }
            State::Done => self.fail("something after the end of the document"),
            _ => self.fail("not JSON"),
        }
        at + 1
    }

    #[inline]
    fn begin_name(&mut self, sink: &mut impl Sink) {
        self.is_name = true;
        self.state = State::Text;
        sink.text_start(true);
    }

    /// The first byte of a value.
    #[inline]
    fn begin(&mut self, byte: u8, sink: &mut impl Sink) {
        match byte {
            b'"' => {
                self.is_name = false;
                self.state = State::Text;
                sink.text_start(false);
            }
            b'{' | b'[' => {
                if self.depth == DEPTH_MAX {
                    return self.fail("nested too deeply");
                }
                let is_object = byte == b'{';
                self.depth += 1;
                self.objects = self.objects << 1 | u128::from(is_object);
                self.state = if is_object {
                    State::FirstName
                } else {
                    State::FirstValue
                };
                sink.open(is_object, self.depth);
            }
            b']' if self.state == State::FirstValue => self.close(sink),
            b'-' | b'0'..=b'9' => {
                self.state = match byte {
                    b'-' => State::Minus,
                    b'0' => State::Zero,
                    _ => State::Whole,
                };
                sink.number_start();
                sink.number(&[byte]);
            }
            b't' => self.begin_word(Word::True),
            b'f' => self.begin_word(Word::False),
            b'n' => self.begin_word(Word::Null),
            _ => self.fail("not JSON"),
        }
    }

    fn begin_word(&mut self, word: Word) {
        self.word = word;
        self.read = 1;
        self.state = State::Word;
    }

    #[inline]
    fn close(&mut self, sink: &mut impl Sink) {
        self.depth -= 1;
        self.objects >>= 1;
        self.value_ended();
        sink.close(self.depth);
    }

    #[inline]
    fn value_ended(&mut self) {
        self.state = if self.depth == 0 {
            State::Done
        } else {
            State::After
        };
    }

    #[inline]
    fn in_text(&mut self, chunk: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let rest = &chunk[at..];
        let length = plain_length(rest);
        if length > 0 {
            sink.text(&rest[..length]);
        }
        match rest.get(length) {
            Some(b'"') if self.is_name => {
                sink.text_end(true);
                if rest.get(length + 1) == Some(&b':') {
                    self.state = State::Value;
                    return at + length + 2;
                }
                self.state = State::Colon;
            }
            Some(b'"') => {
                self.value_ended();
                sink.text_end(false);
            }
            Some(b'\\') => self.state = State::Escape,
            Some(_) => self.fail("a control character in a string"),
            None => return chunk.len(),
        }
        at + length + 1
    }

    fn in_escape(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> usize {
        let decoded = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.read = 0;
                self.code = 0;
                self.state = State::Hex;
                return at + 1;
            }
            _ => {
                self.fail("an unknown escape");
                return at + 1;
            }
        };
        sink.text(&[decoded]);
        self.state = State::Text;
        at + 1
    }

    fn in_hex(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> usize {
        let Some(digit) = char::from(byte).to_digit(16) else {
            self.fail("an unknown escape");
            return at + 1;
        };
        self.code = self.code << 4 | digit as u16;
        self.read += 1;
        if self.read == 4 {
            self.state = State::Text;
            self.tell_code(sink);
        }
        at + 1
    }

    /// Tells the character of a `\u` escape. Half a surrogate pair is told as a replacement
    /// character, and so is each half of a whole one: such a text is JSON, and none that is
    /// looked for here.
    fn tell_code(&mut self, sink: &mut impl Sink) {
        let letter = char::from_u32(u32::from(self.code));
        let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
        sink.text(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn in_word(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> usize {
        let letters = self.word.letters();
        if letters.get(usize::from(self.read)) != Some(&byte) {
            self.fail("not JSON");
            return at + 1;
        }
        self.read += 1;
        if usize::from(self.read) == letters.len() {
            self.value_ended();
            sink.word(self.word);
        }
        at + 1
    }

    fn number_may_end(&self) -> bool {
        matches!(
            self.state,
            State::Zero | State::Whole | State::Fraction | State::ExponentDigits
        )
    }

    /// Follows a number to its end, or to the end of the chunk.
    #[inline]
    fn in_number(&mut self, chunk: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        for (offset, byte) in chunk[at..].iter().enumerate() {
            let next = match (self.state, byte) {
                (State::Minus, b'0') => State::Zero,
                (State::Minus, b'1'..=b'9') => State::Whole,
                (State::Zero | State::Whole, b'.') => State::Point,
                (State::Whole, b'0'..=b'9') => State::Whole,
                (State::Point | State::Fraction, b'0'..=b'9') => State::Fraction,
                (State::Zero | State::Whole | State::Fraction, b'e' | b'E') => State::Exponent,
                (State::Exponent, b'+' | b'-') => State::ExponentSign,
                (State::Exponent | State::ExponentSign | State::ExponentDigits, b'0'..=b'9') => {
                    State::ExponentDigits
                }
                _ => {
                    sink.number(&chunk[at..at + offset]);
                    if self.number_may_end() {
                        self.value_ended();
                        sink.number_end();
                        // What ended it is the next token.
                        return at + offset;
                    }
                    self.fail("an incomplete number");
                    return chunk.len();
                }
            };
            self.state = next;
        }
        sink.number(&chunk[at..]);
        chunk.len()
    }
}
