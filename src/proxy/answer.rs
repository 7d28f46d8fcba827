//! Reads an upstream answer as it passes: its charge, plain or gzipped, in constant memory.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, SET_COOKIE,
};

use super::redact::Redactor;
use crate::catalogue::{self, Charge, ChargeReader, Operation, Prices};
use crate::credits::Credits;

/// Marks every answer to a test key (dossier section 1.2).
pub const X_GENERECT_MODE: HeaderName = HeaderName::from_static("x-generect-mode");

/// Reads one answer's body, chunk by chunk.
pub enum AnswerReader {
    /// As it is.
    Plain(Box<ChargeReader>),
    /// Unpacked on the way; a bomb costs time but no memory.
    Gzip(Box<MultiGzDecoder<Sink>>, Option<String>),
    /// In a coding that we neither asked for nor read.
    Unknown(String),
}

/// Feeds what is written to it to the reader of charges.
pub struct Sink(ChargeReader);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.feed(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AnswerReader {
    /// A reader for an answer to `operation` with these headers.
    pub fn new(operation: &Operation, headers: &HeaderMap) -> Self {
        let reader = Box::new(ChargeReader::new(operation));
        let mut codings = headers.get_all(CONTENT_ENCODING).iter().map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .trim()
                .to_ascii_lowercase()
        });
        match (codings.next(), codings.next()) {
            (None, _) => Self::Plain(reader),
            (Some(coding), None) if coding == "identity" => Self::Plain(reader),
            (Some(coding), None) if coding == "gzip" || coding == "x-gzip" => {
                Self::Gzip(Box::new(MultiGzDecoder::new(Sink(*reader))), None)
            }
            (Some(coding), _) => Self::Unknown(coding),
        }
    }

    /// Reads the next chunk.
    pub fn feed(&mut self, chunk: &[u8]) {
        match self {
            Self::Plain(reader) => reader.feed(chunk),
            Self::Gzip(decoder, broken @ None) => {
                *broken = decoder
                    .write_all(chunk)
                    .err()
                    .map(|error| error.to_string());
            }
            Self::Gzip(..) | Self::Unknown(_) => {}
        }
    }

    /// What the whole answer says.
    pub fn finish(self, prices: &Prices, quote: Credits) -> catalogue::Answer {
        match self {
            Self::Plain(reader) => reader.finish(prices, quote),
            Self::Gzip(decoder, None) => match decoder.finish() {
                Ok(sink) => sink.0.finish(prices, quote),
                Err(error) => unreadable(format!("broken gzip: {error}")),
            },
            Self::Gzip(_, Some(error)) => unreadable(format!("broken gzip: {error}")),
            Self::Unknown(coding) => unreadable(format!("content coding {coding:.40}")),
        }
    }
}

fn unreadable(why: String) -> catalogue::Answer {
    catalogue::Answer {
        charge: Charge::Unreadable(why),
        job: None,
        status: None,
        funds_empty: false,
    }
}

/// Whether the answer says that it comes from test mode.
pub fn says_test(headers: &HeaderMap) -> bool {
    headers
        .get(X_GENERECT_MODE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"test"))
}

/// Fields that speak of one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The upstream's headers as a client may see them: nothing of the connection, no cookies of the
/// account's session, nothing in the guard's own name, and no token.
pub fn passed_headers(mut headers: HeaderMap, redactor: &Redactor) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().filter(|name| *name != CONTENT_LENGTH) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(SET_COOKIE);
    let ours: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| {
            name.as_str().starts_with("guard-") || redactor.is_in(value.as_bytes())
        })
        .map(|(name, _)| name.clone())
        .collect();
    for name in ours {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sees_nothing_of_the_connection_the_session_or_the_token() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-private, close"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "sessionid=1"),
            ("guard-charge", "0"),
            ("x-echo", "Token the-token"),
            ("content-type", "application/json"),
            ("x-ratelimit-limit", "50"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let passed = passed_headers(headers, &Redactor::new("the-token"));
        let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-ratelimit-limit"]);
    }
}
