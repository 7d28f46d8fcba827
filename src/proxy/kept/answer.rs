//! A paid answer as its client would have been given it.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderMap};
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
    /// Of the head that was sent, or would have been.
    pub fn new(head: &response::Parts, body: Bytes, charge: Credits) -> Self {
        let mut headers = head.headers.clone();
        headers.remove(CONTENT_LENGTH);
        Self {
            status: head.status,
            headers,
            body,
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

/// Many pieces as one.
pub fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole.freeze()
}
