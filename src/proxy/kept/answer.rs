//! A paid answer as its client would have been given it.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
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
    /// The names of its headers, without its length, each with the length of its value.
    fields: Box<[(HeaderName, usize)]>,
    /// Their values, one behind another.
    values: Bytes,
    /// All of its body.
    pub body: Bytes,
    /// What was charged for it; zero for an accepted job, whose charge comes later.
    pub charge: Credits,
}

impl KeptAnswer {
    /// Of the head that was sent, or would have been, and the pieces of the body. All of it is copied but
    /// the names, which stand alone: what comes from the wire is a part of a buffer that may be a
    /// thousand times as large. The copies share one buffer of just their size, and headers are made of
    /// them only for an answer that is given again, which few are.
    pub fn new(head: &response::Parts, pieces: &[Bytes], charge: Credits) -> Self {
        let fields = || {
            head.headers
                .iter()
                .filter(|(name, _)| *name != CONTENT_LENGTH)
        };
        let values = fields().map(|(_, value)| value.len()).sum::<usize>();
        let body = pieces.iter().map(Bytes::len).sum::<usize>();
        let mut copied = BytesMut::with_capacity(values + body);
        let copy = |(name, value): (&HeaderName, &HeaderValue)| {
            copied.extend_from_slice(value.as_bytes());
            (name.clone(), value.len())
        };
        let fields = fields().map(copy).collect();
        for piece in pieces {
            copied.extend_from_slice(piece);
        }
        let mut body = copied.freeze();
        let values = body.split_to(values);
        Self {
            status: head.status,
            fields,
            values,
            body,
            charge,
        }
    }

    /// Its headers, without its length.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.fields.len());
        let mut rest = self.values.clone();
        for (name, length) in &self.fields {
            let value = HeaderValue::from_maybe_shared(rest.split_to(*length));
            // The bytes of a value are those of a value.
            headers.append(name, value.unwrap_or(HeaderValue::from_static("")));
        }
        headers
    }

    /// What it takes in memory, in bytes, about.
    pub fn bytes(&self) -> usize {
        let names = |(name, _): &(HeaderName, usize)| name.as_str().len() + HEADER_BYTES;
        let names = self.fields.iter().map(names).sum::<usize>();
        names + self.values.len() + self.body.len() + FRAME_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_answer_holds_on_to_nothing_but_itself() {
        let mut buffer = vec![b' '; 512 * 1024];
        buffer[..14].copy_from_slice(b"x-rarely: told");
        let buffer = Bytes::from(buffer);
        let mut head = http::Response::new(()).into_parts().0;
        let name = HeaderName::from_bytes(&buffer[..8]).unwrap();
        let value = HeaderValue::from_maybe_shared(buffer.slice(10..14)).unwrap();
        head.headers.append("x-before", "first".parse().unwrap());
        head.headers.append(name.clone(), value.clone());
        head.headers.append("x-after", "last".parse().unwrap());
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
        let headers = kept.headers();
        let told = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let rarely = ("x-rarely", &b"told"[..]);
        let ends = [("x-before", &b"first"[..]), ("x-after", &b"last"[..])];
        assert_eq!(told.collect::<Vec<_>>(), [ends[0], rarely, rarely, ends[1]]);
        assert!(kept.bytes() < 1024);
    }
}
