//! Puts into the guard's own words what hyper says by itself.
//!
//! A head that cannot be read (400) or is too long (431, 414) is answered by hyper, bare, and the
//! connection closed: no layer ever sees it. As long as no request of a connection has reached the
//! layers, whatever is written to it is that. Afterwards an answer's bytes cannot be told from hyper's
//! with certainty, and nothing is touched.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection between hyper and its client, before hyper has said anything, and then.
#[derive(Debug)]
pub struct FirstWords<T> {
    stream: T,
    /// Whether a request has reached the layers.
    begun: Arc<AtomicBool>,
    said: Said,
}

#[derive(Debug)]
enum Said {
    /// Nothing yet.
    Nothing,
    /// This is said in hyper's place.
    Ours(Bytes),
    /// Whatever comes is passed on.
    Theirs,
}

impl<T: AsyncWrite + Unpin> FirstWords<T> {
    /// `begun` is set as soon as a request reaches the layers.
    pub fn new(stream: T, begun: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            begun,
            said: Said::Nothing,
        }
    }

    /// Takes hyper's first words if they are its own.
    fn take(&mut self, words: &[io::IoSlice<'_>]) -> Option<usize> {
        if !matches!(self.said, Said::Nothing) {
            return None;
        }
        self.said = Said::Theirs;
        if self.begun.load(Ordering::Relaxed) {
            return None;
        }
        let words: Vec<&[u8]> = words.iter().map(|slice| &**slice).collect();
        let words = words.concat();
        self.said = Said::Ours(in_our_words(&words)?);
        Some(words.len())
    }

    fn poll_say(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Said::Ours(rest) = &mut self.said {
            while rest.has_remaining() {
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                rest.advance(written);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The same with the error envelope; `None`: it is no answer that hyper gives by itself.
fn in_our_words(words: &[u8]) -> Option<Bytes> {
    let rest = words.strip_prefix(b"HTTP/1.1 ")?;
    let (status, line, detail) = match rest.get(..3)? {
        b"400" => (
            400,
            "400 Bad Request",
            "The head of the request cannot be read as HTTP/1.1. Look at its first line and its header fields.",
        ),
        b"414" => (
            414,
            "414 URI Too Long",
            "The request's path is too long. No operation of the API has such a one.",
        ),
        b"431" => (
            431,
            "431 Request Header Fields Too Large",
            "The head of the request is too large, or has too many fields (server.header_bytes_max, server.header_count_max). Send fewer or shorter header fields.",
        ),
        _ => return None,
    };
    let body = json!({
        "status": "error",
        "status_code": status,
        "detail": format!("{detail} Nothing of it was passed on."),
        "code": "bad_request",
    })
    .to_string();
    let length = body.len();
    let whole = format!(
        "HTTP/1.1 {line}\r\ncontent-type: application/json\r\nguard-refusal: bad_request\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    Some(whole.into())
}

impl<T: AsyncRead + Unpin> AsyncRead for FirstWords<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FirstWords<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &self.said {
            Said::Theirs => Pin::new(&mut self.stream).poll_write(cx, bytes),
            _ => self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)]),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_say(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_say(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(taken) = self.take(slices) {
            return Poll::Ready(Ok(taken));
        }
        ready!(self.poll_say(cx))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                          content-length: 0\r\ndate: Sat, 21 Nov 2026 06:47:31 GMT\r\n\r\n";

    /// What a client reads of these writes, the first of them before a request or behind one.
    async fn read(begun: bool, writes: &[&[u8]]) -> Vec<u8> {
        let (ours, mut theirs) = duplex(16);
        let mut ours = FirstWords::new(ours, Arc::new(AtomicBool::new(begun)));
        let reader = tokio::spawn(async move {
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).await.unwrap();
            read
        });
        for bytes in writes {
            ours.write_all(bytes).await.unwrap();
        }
        ours.shutdown().await.unwrap();
        reader.await.unwrap()
    }

    #[tokio::test]
    async fn what_hyper_says_before_any_request_is_said_in_our_words() {
        let told = String::from_utf8(read(false, &[BARE]).await).unwrap();
        let (head, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&body["status_code"], &body["code"]),
            (&json!(431), &json!("bad_request"))
        );
    }

    #[tokio::test]
    async fn an_answer_is_passed_on_whatever_it_says() {
        for writes in [&[BARE][..], &[b"HTTP/1.1 200 OK\r\n\r\n", BARE]] {
            assert_eq!(read(true, writes).await, writes.concat());
        }
        let unknown: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\n\r\n";
        assert_eq!(
            read(false, &[unknown, BARE]).await,
            [unknown, BARE].concat()
        );
    }
}
