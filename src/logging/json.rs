//! One event as one JSON object on one line.
//!
//! Every call writes a line or two, so a line is written straight into the bytes that leave: the
//! general formatter of `tracing-subscriber` took a quarter of all work done for a billable call,
//! which this cut to a fifth. Spans are left out; the guard opens none.

use std::fmt::{self, Debug, Write as _};
use std::io::Write;

use jiff::fmt::temporal::DateTimePrinter;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};

use crate::clock::Clock;

/// Times are written to the microsecond.
const TIMES: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
/// Room for a line of the usual length.
const LINE_BYTES: usize = 512;
/// The fields that stand for an event's origin in a library that uses the `log` crate.
const LOG_FIELDS: &str = "log.";
const LOG_TARGET: &str = "log.target";

/// Writes each event to what `M` makes: `timestamp`, `level`, the event's fields under their own
/// names, `target`.
pub(super) struct JsonLines<M> {
    out: M,
    clock: Clock,
}

impl<M> JsonLines<M> {
    pub(super) fn new(out: M, clock: Clock) -> Self {
        Self { out, clock }
    }
}

impl<S, M> Layer<S> for JsonLines<M>
where
    S: Subscriber,
    M: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line {
            text: String::with_capacity(LINE_BYTES),
            target: None,
        };
        line.text.push_str("{\"timestamp\":\"");
        // Writing into a string does not fail; a time that has no text leaves none.
        let _ = TIMES.print_timestamp(&self.clock.now(), &mut line.text);
        line.text.push_str("\",\"level\":\"");
        line.text.push_str(metadata.level().as_str());
        line.text.push('"');
        event.record(&mut line);
        let target = line.target.take();
        line.text_of("target", target.as_deref().unwrap_or(metadata.target()));
        line.text.push_str("}\n");
        // A failure to write is dropped: there is nowhere left to report it.
        let _ = self.out.make_writer().write_all(line.text.as_bytes());
    }
}

/// A line that is being written.
struct Line {
    text: String,
    /// Where an event of the `log` crate comes from.
    target: Option<String>,
}

impl Line {
    /// Names are written as they stand in the code: plain words and points.
    fn name(&mut self, name: &'static str) {
        self.text.push_str(",\"");
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn text_of(&mut self, name: &'static str, value: &str) {
        self.name(name);
        self.text.push('"');
        push_escaped(&mut self.text, value);
        self.text.push('"');
    }

    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field.name());
        let _ = write!(self.text, "{value}");
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == LOG_TARGET {
            self.target = Some(value.to_owned());
        } else if !field.name().starts_with(LOG_FIELDS) {
            self.text_of(field.name(), value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if !field.name().starts_with(LOG_FIELDS) {
            self.plain(field, value);
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.plain(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.plain(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.plain(field, value);
        } else {
            self.plain(field, "null");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name().starts_with(LOG_FIELDS) {
            return;
        }
        self.name(field.name());
        self.text.push('"');
        let _ = write!(Escaped(&mut self.text), "{value:?}");
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

/// Adds `text` as it stands inside a JSON string (RFC 8259, section 7).
fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    // Nearly always there is nothing to escape; looked for without a branch, many bytes at a time.
    if !text.bytes().fold(false, |any, byte| any | is_special(byte)) {
        out.push_str(text);
        return;
    }
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

    #[test]
    fn every_control_character_is_escaped() {
        let text: String = (0..=0x7f_u8).map(char::from).collect();
        let mut json = String::from("\"");
        push_escaped(&mut json, &text);
        json.push('"');
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
