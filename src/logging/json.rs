//! One event as one JSON object on one line.
//!
//! Every call writes a line or two, so a line is written straight into the bytes that leave: the
//! general formatter of `tracing-subscriber` took a quarter of all work done for a billable call,
//! which this cut to a fifth. Spans are left out; the guard opens none.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write as _};
use std::io::Write;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};

use crate::clock::Clock;

use super::Secrets;

/// Times are written to the microsecond, of which the second is kept at hand.
const SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
const TIMES: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
/// A line that was longer gives its room back.
const LINE_BYTES_KEPT: usize = 4096;
/// The fields that stand for an event's origin in a library that uses the `log` crate.
const LOG_FIELDS: &str = "log.";
const LOG_TARGET: &str = "log.target";

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What a thread keeps from line to line.
#[derive(Default)]
struct Scratch {
    text: String,
    second: Second,
}

/// The last second that was written, and its text up to the point.
#[derive(Default)]
struct Second {
    at: Option<i64>,
    text: String,
}

impl Second {
    /// Adds a time to `out`: the same text as [`TIMES`] gives.
    fn push(&mut self, out: &mut String, time: Timestamp) {
        let Ok(mut micros) = u32::try_from(time.subsec_microsecond()) else {
            // Before 1970. Writing into a string does not fail; a time that has no text leaves none.
            let _ = TIMES.print_timestamp(&time, out);
            return;
        };
        if self.at != Some(time.as_second()) {
            self.at = Some(time.as_second());
            self.text.clear();
            let _ = SECONDS.print_timestamp(&time, &mut self.text);
            self.text.truncate(self.text.trim_end_matches('Z').len());
        }
        out.push_str(&self.text);
        let mut digits = *b".000000Z";
        for digit in digits[1..7].iter_mut().rev() {
            *digit += (micros % 10) as u8;
            micros /= 10;
        }
        digits.iter().for_each(|digit| out.push(char::from(*digit)));
    }
}

/// Writes each event to what `M` makes, without the secrets: `timestamp`, `level`, the event's fields
/// under their own names, `target`.
pub(super) struct JsonLines<M> {
    out: M,
    secrets: Secrets,
    clock: Clock,
}

impl<M> JsonLines<M> {
    pub(super) fn new(out: M, secrets: Secrets, clock: Clock) -> Self {
        Self {
            out,
            secrets,
            clock,
        }
    }

    fn write(&self, event: &Event<'_>, scratch: &mut Scratch)
    where
        M: for<'a> MakeWriter<'a>,
    {
        let metadata = event.metadata();
        scratch.text.clear();
        let mut line = Line {
            text: &mut scratch.text,
            target: None,
        };
        line.text.push_str("{\"timestamp\":\"");
        scratch.second.push(line.text, self.clock.now());
        line.text.push_str("\",\"level\":\"");
        line.text.push_str(metadata.level().as_str());
        line.text.push('"');
        event.record(&mut line);
        let target = line.target.take();
        line.text_of("target", target.as_deref().unwrap_or(metadata.target()));
        line.text.push_str("}\n");
        let redacted = self.secrets.redact(scratch.text.as_bytes());
        let bytes = redacted.as_deref().unwrap_or(scratch.text.as_bytes());
        // A failure to write is dropped: there is nowhere left to report it.
        let _ = self.out.make_writer().write_all(bytes);
        scratch.text.shrink_to(LINE_BYTES_KEPT);
    }
}

impl<S, M> Layer<S> for JsonLines<M>
where
    S: Subscriber,
    M: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let written = SCRATCH.try_with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => {
                self.write(event, &mut scratch);
                true
            }
            // A value that logs while it is written down.
            Err(_) => false,
        });
        if !matches!(written, Ok(true)) {
            self.write(event, &mut Scratch::default());
        }
    }
}

/// What happens if a value logs while it is written down.
#[cfg(test)]
pub(super) fn while_a_line_is_written(log: impl FnOnce()) {
    SCRATCH.with_borrow_mut(|_| log());
}

/// A line that is being written.
struct Line<'a> {
    text: &'a mut String,
    /// Where an event of the `log` crate comes from.
    target: Option<String>,
}

impl Line<'_> {
    /// Names are written as they stand in the code: plain words and points.
    fn name(&mut self, name: &'static str, then: &str) {
        self.text.push_str(",\"");
        self.text.push_str(name);
        self.text.push_str(then);
    }

    fn text_of(&mut self, name: &'static str, value: &str) {
        self.name(name, "\":\"");
        push_escaped(self.text, value);
        self.text.push('"');
    }

    fn plain(&mut self, field: &Field, value: &str) {
        self.name(field.name(), "\":");
        self.text.push_str(value);
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == LOG_TARGET {
            self.target = Some(value.to_owned());
        } else if !field.name().starts_with(LOG_FIELDS) {
            self.text_of(field.name(), value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, if value { "true" } else { "false" });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, itoa::Buffer::new().format(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if !field.name().starts_with(LOG_FIELDS) {
            self.plain(field, itoa::Buffer::new().format(value));
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.plain(field, itoa::Buffer::new().format(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.plain(field, itoa::Buffer::new().format(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.plain(field, &value.to_string());
        } else {
            self.plain(field, "null");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name().starts_with(LOG_FIELDS) {
            return;
        }
        self.name(field.name(), "\":\"");
        let _ = write!(Escaped(self.text), "{value:?}");
        self.text.push('"');
    }
}

/// Escapes what is formatted into it.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

fn is_special(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

/// Whether there is nothing to escape. Eight bytes at a time: most texts are an id or a name.
fn is_plain(text: &str) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let mut marks = 0;
    for eight in eights {
        let word = u64::from_ne_bytes(*eight);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        // A byte's top bit is set where it is zero, or below 0x20. A borrow can mark the byte above a
        // true mark, and never one where there is none.
        marks |= (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
    }
    marks & TOPS == 0 && !rest.iter().copied().any(is_special)
}

/// Adds `text` as it stands inside a JSON string (RFC 8259, section 7).
fn push_escaped(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        // All three kinds are one byte long, so both cuts fall between characters.
        let (before, from) = rest.split_at(at);
        let (escaped, after) = from.split_at(1);
        out.push_str(before);
        match escaped {
            "\"" => out.push_str("\\\""),
            "\\" => out.push_str("\\\\"),
            "\n" => out.push_str("\\n"),
            "\r" => out.push_str("\\r"),
            "\t" => out.push_str("\\t"),
            other => {
                let code = other.bytes().next().unwrap_or_default();
                let _ = write!(out, "\\u{code:04x}");
            }
        }
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_reads_back_as_it_was(text in any::<String>()) {
            let mut json = String::from("\"");
            push_escaped(&mut json, &text);
            json.push('"');
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn any_times_are_written_as_the_library_writes_them(
            times in proptest::collection::vec((-2_i64..2, 0_i32..1_000_000), 1..8),
            year in -5_i64..60,
        ) {
            let mut second = Second::default();
            for (seconds, micros) in times {
                let time = Timestamp::new(year * 31_556_952 + seconds, micros * 1_000).unwrap();
                let mut text = String::new();
                second.push(&mut text, time);
                let mut whole = String::new();
                TIMES.print_timestamp(&time, &mut whole).unwrap();
                prop_assert_eq!(text, whole);
            }
        }
    }

    #[test]
    fn a_special_character_is_seen_wherever_it_stands() {
        for length in 0..40 {
            let plain = "x\u{7f}é~ #"
                .repeat(6)
                .chars()
                .take(length)
                .collect::<String>();
            assert!(is_plain(&plain), "{plain}");
            for special in ['"', '\\', '\0', '\u{1f}', '\n'] {
                for behind in ["", "x", "longer than a word"] {
                    assert!(
                        !is_plain(&format!("{plain}{special}{behind}")),
                        "{plain}{special:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_control_character_is_escaped() {
        let text: String = (0..=0x7f_u8).map(char::from).collect();
        let mut json = String::from("\"");
        push_escaped(&mut json, &text);
        json.push('"');
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
