//! Closes a connection whose request says two things about where its body ends.
//!
//! A request with both `Content-Length` and `Transfer-Encoding` is how requests are smuggled
//! (RFC 9112, section 6.1). hyper lets the second win and forgets the first, so by the time a
//! layer sees the request nothing is left to see. This reader stands below hyper, watches the
//! lines go by, and fails the read that completes such a pair: no byte of it gets further.
//!
//! It knows no more than lines: both names between two empty lines are a pair. In a body of valid
//! JSON no line can begin with either name, so it never mistakes one for a head.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Long enough to tell the two names, with their colon, from every other line.
const LINE_START_BYTES: usize = "transfer-encoding:".len();

/// A connection whose requests' framing is watched.
#[derive(Debug)]
pub struct WatchedStream<T> {
    stream: T,
    watch: Watch,
}

impl<T> WatchedStream<T> {
    /// Watches `stream` from its first byte.
    pub fn new(stream: T) -> Self {
        Self {
            stream,
            watch: Watch::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Watch {
    line: [u8; LINE_START_BYTES],
    /// Bytes of the present line seen so far, counted no further than `LINE_START_BYTES`.
    seen: usize,
    length_given: bool,
    coding_given: bool,
}

impl Watch {
    /// Reads on; `false` once one head has named both.
    fn read(&mut self, bytes: &[u8]) -> bool {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let part = &bytes[from..end];
            if self.seen == 0 {
                self.end_line(part);
            } else {
                self.keep(part);
                let (line, seen) = (self.line, std::mem::take(&mut self.seen));
                self.end_line(&line[..seen]);
            }
            from = end + 1;
        }
        self.keep(&bytes[from..]);
        !(self.length_given && self.coding_given)
    }

    /// Keeps the start of a line whose end is not here yet.
    fn keep(&mut self, part: &[u8]) {
        let room = (LINE_START_BYTES - self.seen).min(part.len());
        self.line[self.seen..self.seen + room].copy_from_slice(&part[..room]);
        self.seen += room;
    }

    fn end_line(&mut self, line: &[u8]) {
        if line.is_empty() || line == b"\r" {
            // The end of a head that did not contradict itself.
            if !(self.length_given && self.coding_given) {
                self.length_given = false;
                self.coding_given = false;
            }
        } else if starts_with(line, b"content-length") {
            self.length_given = true;
        } else if starts_with(line, b"transfer-encoding") {
            self.coding_given = true;
        }
    }
}

fn starts_with(line: &[u8], name: &[u8]) -> bool {
    line.len() > name.len()
        && line[0].eq_ignore_ascii_case(&name[0])
        && line[..name.len()].eq_ignore_ascii_case(name)
        && matches!(line[name.len()], b':' | b' ' | b'\t')
}

impl<T: AsyncRead + Unpin> AsyncRead for WatchedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if self.watch.read(&buffer.filled()[before..]) {
            return Poll::Ready(Ok(()));
        }
        buffer.set_filled(before);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a request gave both Content-Length and Transfer-Encoding",
        )))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WatchedStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTRANSFER-encoding : chunked\r\n\r\n";
    const ONE_EACH: &str = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    const ALIKE: &str = "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encodings: x\r\nX: transfer-encoding: chunked\r\n\r\n{}";

    fn fine_in_chunks_of(size: usize, text: &str) -> bool {
        let mut watch = Watch::default();
        text.as_bytes().chunks(size).all(|chunk| watch.read(chunk))
    }

    #[test]
    fn a_head_that_gives_both_lengths_is_caught_at_every_chunking() {
        for size in 1..BOTH.len() {
            assert!(!fine_in_chunks_of(size, BOTH), "in chunks of {size}");
        }
    }

    #[test]
    fn two_requests_that_give_one_each_pass_at_every_chunking() {
        for size in 1..ONE_EACH.len() {
            assert!(fine_in_chunks_of(size, ONE_EACH), "in chunks of {size}");
            assert!(fine_in_chunks_of(size, ALIKE), "in chunks of {size}");
        }
    }
}
