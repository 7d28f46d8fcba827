//! Rules for single values: each gives the value, or complains and gives the default, so that
//! the rest can still be looked at.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

use crate::config::complaint::Complaints;
use crate::config::values::{ByteCount, Span};

/// Longer ids would tear tables and labels.
const ID_LENGTH_MAX: usize = 64;

/// What an id may be.
const ID_HINT: &str = "1 to 64 of the letters A-Z a-z 0-9 . _ -";

/// Whether a text may be the id of a team, key or budget: such texts stand in URLs, metric labels
/// and TOML without quoting.
pub fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// A span of time that must not be zero.
pub(super) fn span(
    complaints: &mut Complaints,
    path: &str,
    value: Option<Span>,
    default: Duration,
) -> Duration {
    match value.map(|span| span.0.unsigned_abs()) {
        None => default,
        Some(Duration::ZERO) => {
            complaints.error(
                path,
                "is zero",
                format!(
                    "write a time above zero, such as \"{}s\"",
                    default.as_secs()
                ),
            );
            default
        }
        Some(length) => length,
    }
}

/// A span of time that may be zero, up to a longest.
pub(super) fn span_up_to(
    complaints: &mut Complaints,
    path: &str,
    value: Option<Span>,
    default: SignedDuration,
    longest: SignedDuration,
) -> SignedDuration {
    match value.map(|span| span.0) {
        None => default,
        Some(length) if length > longest => {
            complaints.error(path, "is too long", format!("at most {longest:#}"));
            default
        }
        Some(length) => length,
    }
}

/// A number of bytes within bounds.
pub(super) fn bytes(
    complaints: &mut Complaints,
    path: &str,
    value: Option<ByteCount>,
    default: usize,
    bounds: RangeInclusive<usize>,
) -> usize {
    let Some(ByteCount(number)) = value else {
        return default;
    };
    match usize::try_from(number) {
        Ok(number) if bounds.contains(&number) => number,
        _ => {
            complaints.error(
                path,
                format!("{number} bytes are out of bounds"),
                format!("from {} to {} bytes", bounds.start(), bounds.end()),
            );
            default
        }
    }
}

/// A number of things within bounds.
pub(super) fn count(
    complaints: &mut Complaints,
    path: &str,
    value: Option<u32>,
    default: u32,
    bounds: RangeInclusive<u32>,
) -> u32 {
    match value {
        None => default,
        Some(number) if bounds.contains(&number) => number,
        Some(number) => {
            complaints.error(
                path,
                format!("{number} is out of bounds"),
                format!("from {} to {}", bounds.start(), bounds.end()),
            );
            default
        }
    }
}

/// An address and port to listen on.
pub(super) fn address(
    complaints: &mut Complaints,
    path: &str,
    value: Option<&str>,
    default: SocketAddr,
) -> SocketAddr {
    let Some(text) = value else {
        return default;
    };
    text.parse().unwrap_or_else(|_| {
        complaints.error(
            path,
            format!("{text:?} is no address with a port"),
            format!("write an IP address and a port, such as \"{default}\""),
        );
        default
    })
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    complaints: &mut Complaints,
    path: &str,
    value: Option<&str>,
    words: &[(&str, T)],
    default: T,
) -> T {
    let Some(text) = value else {
        return default;
    };
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return *meaning;
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    complaints.error(
        path,
        format!("{text:?} is not known here"),
        format!("write {}", one_of(&known)),
    );
    default
}

/// `a, b or c`
pub(super) fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
    }
}

/// The id of a team, key or budget: there, well formed, and not used before.
pub(super) fn id<'a>(
    complaints: &mut Complaints,
    item: &str,
    value: Option<&'a str>,
    used: &mut BTreeSet<&'a str>,
) -> Option<&'a str> {
    let path = format!("{item}.id");
    let Some(text) = value else {
        complaints.missing(path, "every one needs a permanent id of its own");
        return None;
    };
    if !is_id(text) {
        complaints.error(path, format!("{text:?} is no id"), ID_HINT);
        return None;
    }
    if !used.insert(text) {
        complaints.error(path, "is used twice", "give each one an id of its own");
        return None;
    }
    Some(text)
}
