//! A paid answer as its client would have been given it.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{StatusCode, response};

use crate::credits::Credits;

/// What an answer takes beside its body and headers.
const FRAME_BYTES: usize = 256;
/// What one header takes beside its text.
const HEADER_BYTES: usize = 64;

/// See the module.
#[derive(Clone, Debug)]
pub struct KeptAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, without its length.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
    /// What was charged for it; zero for an accepted job, whose charge comes later.
    pub charge: Credits,
}

impl KeptAnswer {
    /// Of the head that was sent, or would have been, and the pieces of the body. All of it is copied but
    /// the names, which stand alone: what comes from the wire is a part of a buffer that may be a
    /// thousand times as large.
    pub fn new(head: &response::Parts, pieces: &[Bytes], charge: Credits) -> Self {
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            if *name != CONTENT_LENGTH
                && let Some(value) = copied(value)
            {
                headers.append(name, value);
            }
        }
        Self {
            status: head.status,
            headers,
            body: Bytes::from(pieces.concat()),
            charge,
        }
    }

    /// What it takes in memory, in bytes, about.
    pub fn bytes(&self) -> usize {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len() + value.len() + HEADER_BYTES
        };
        self.body.len() + self.headers.iter().map(header).sum::<usize>() + FRAME_BYTES
    }
}

fn copied(value: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn a_kept_answer_holds_on_to_nothing_but_itself() {
        let mut buffer = vec![b' '; 512 * 1024];
        buffer[..14].copy_from_slice(b"x-rarely: told");
        let buffer = Bytes::from(buffer);
        let mut head = http::Response::new(()).into_parts().0;
        let name = HeaderName::from_bytes(&buffer[..8]).unwrap();
        let value = HeaderValue::from_maybe_shared(buffer.slice(10..14)).unwrap();
        head.headers.append(name.clone(), value.clone());
        head.headers.append(name, value);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(4));
        let kept = KeptAnswer::new(
            &head,
            &[buffer.slice(10..12), buffer.slice(12..14)],
            Credits::ZERO,
        );
        drop(head);
        assert!(buffer.is_unique(), "the buffer is free again");
        assert_eq!(kept.body, "told");
        let told: Vec<_> = kept.headers.iter().collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter()
                .all(|(name, value)| *name == "x-rarely" && *value == "told")
        );
        assert!(kept.bytes() < 1024);
    }
}
