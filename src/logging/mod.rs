//! The log: one line an event, on standard output, with the account's token taken out.
//!
//! Lines are JSON unless standard output is a terminal. Event fields stand flat in the line under
//! their dotted names (`team.id`). The registered [`Secrets`] are taken out of each line last: no part of the guard
//! writes the token, but a library, a panic text or a later change might, and a log is copied to
//! many places.

mod gathered;
mod json;
mod secrets;

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

use gathered::GatheredLines;
use json::JsonLines;

pub use gathered::{write_at_once, write_before_rest};
pub use secrets::{RedactedLine, Redactor, Secrets};

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, unless standard output is a terminal.
    #[default]
    Auto,
    /// JSON lines.
    Json,
    /// For people.
    Text,
}

/// What to log and how.
#[derive(Clone, Debug)]
pub struct LoggingSettings {
    /// How a line looks.
    pub format: Format,
    /// What passes: `info`, or directives such as `info,spend=info,hyper=warn`.
    pub filter: String,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter does not parse.
    #[error("{filter:?} is not a log filter such as \"info\" or \"info,hyper=warn\": {why}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something else in this process logs already.
    #[error("a log is already set up in this process")]
    Taken,
}

/// Sets up the log of the process, once. `rust_log` is the environment's `RUST_LOG`, which wins
/// over the settings; the caller reads it, since settings and environment are read in one place.
pub fn install(
    settings: &LoggingSettings,
    rust_log: Option<&str>,
    secrets: &Secrets,
) -> Result<(), LoggingError> {
    let filter = rust_log
        .filter(|text| !text.trim().is_empty())
        .unwrap_or(&settings.filter);
    let terminal = io::stdout().is_terminal();
    let json = match settings.format {
        Format::Auto => !terminal,
        Format::Json => true,
        Format::Text => false,
    };
    let (writer, secrets) = (GatheredLines::default, secrets.clone());
    let layer = if json {
        json_lines(writer, secrets)
    } else {
        text_lines(writer, secrets, terminal)
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(parse_filter(filter)?))
        .try_init()
        .map_err(|_| LoggingError::Taken)
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

fn json_lines<W>(writer: W, secrets: Secrets) -> Lines
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    JsonLines::new(writer, secrets, Clock::system()).boxed()
}

fn text_lines<W>(writer: W, secrets: Secrets, colours: bool) -> Lines
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .with_writer(Redactor::new(writer, secrets))
        .boxed()
}

fn parse_filter(text: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::builder()
        .parse(text)
        .map_err(|error| LoggingError::Filter {
            filter: text.to_owned(),
            why: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::secrets::REDACTED;
    use super::*;

    const TOKEN: &str = "5f2c0a71e9b84d36";

    type Sink = Arc<Mutex<Vec<u8>>>;

    #[derive(Clone)]
    struct Shared(Sink);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(secrets: &[&str], json: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let registered = Secrets::new();
        for secret in secrets {
            registered.register(secret);
        }
        let shared = Shared(Arc::clone(&sink));
        let writer = move || shared.clone();
        let layer = if json {
            json_lines(writer, registered)
        } else {
            text_lines(writer, registered, false)
        };
        let filter = parse_filter("info").unwrap();
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn dotted_fields_stand_flat_in_a_json_line() {
        let text = written(&[], true, || {
            tracing::info!(target: "spend", { team.id = "growth", upstream.status = 200, quote = %"0.02" }, "exchange ended");
            tracing::debug!("not at this level");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["team.id"], "growth");
        assert_eq!(line["upstream.status"], 200);
        assert_eq!(line["quote"], "0.02");
        assert_eq!(line["message"], "exchange ended");
        assert_eq!(line["target"], "spend");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_line_that_comes_while_another_is_written_down_is_whole_and_without_secrets() {
        let text = written(&[TOKEN], true, || {
            json::while_a_line_is_written(|| tracing::info!("inner {TOKEN}"));
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "inner [token]");
    }

    #[test]
    fn a_registered_secret_never_leaves_whatever_wrote_it() {
        for json in [true, false] {
            let text = written(&[TOKEN], json, || {
                tracing::info!(header = format!("Token {TOKEN}"), "sending {TOKEN}{TOKEN}");
                tracing::warn!(error = ?format!("bad header {TOKEN:?}"), "failed");
                tracing::info_span!("exchange", token = TOKEN)
                    .in_scope(|| tracing::info!("in a span"));
            });
            assert!(!text.contains(TOKEN), "{text}");
            assert!(text.contains("Token [token]"), "{text}");
            assert_eq!(text.lines().count(), 3, "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_written_escaped_is_found_too() {
        let odd = "a\"b\\c\u{1}d";
        let text = written(
            &[odd],
            true,
            || tracing::info!(value = odd, debug = ?odd, "x"),
        );
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["value"], REDACTED);
        assert!(!text.contains("b\\\\c"), "{text}");
    }

    #[test]
    fn a_secret_that_was_written_by_debug_into_what_is_written_by_debug_is_found_too() {
        let odd = "a\"b\\c";
        for json in [true, false] {
            let once = format!("bad header {odd:?}");
            let text = written(
                &[odd],
                json,
                || tracing::info!(once = %once, once.more = ?once, debug = ?odd, "x"),
            );
            assert_eq!(text.matches(REDACTED).count(), 3, "{text}");
        }
    }

    #[test]
    fn a_secret_in_two_pieces_is_found() {
        let sink = Sink::default();
        let secrets = Secrets::new();
        secrets.register(TOKEN);
        let shared = Shared(Arc::clone(&sink));
        let redactor = Redactor::new(move || shared.clone(), secrets);
        let mut line = redactor.make_writer();
        let (head, tail) = TOKEN.split_at(5);
        for piece in ["key ", head, tail, "\n"] {
            line.write_all(piece.as_bytes()).unwrap();
            line.flush().unwrap();
        }
        drop(line);
        assert_eq!(*sink.lock().unwrap(), b"key [token]\n");
    }

    #[test]
    fn of_two_secrets_the_longer_is_taken_out_whole() {
        let longer = format!("{TOKEN}ffff");
        let text = written(&[TOKEN, &longer], false, || {
            tracing::info!("{longer} {TOKEN}")
        });
        assert!(text.contains("[token] [token]"), "{text}");
        assert!(!text.contains("ffff"), "{text}");
    }

    #[test]
    fn a_filter_that_does_not_parse_says_so() {
        assert!(parse_filter("info,spend=info,hyper=warn").is_ok());
        let error = parse_filter("spend=loud").unwrap_err().to_string();
        assert!(error.contains("spend=loud"), "{error}");
    }
}
