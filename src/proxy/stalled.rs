//! Closes a connection whose client takes no byte of its answer for too long.
//!
//! It stands below hyper, because hyper does not ask for more of an answer while it cannot write
//! what it has: a body that fails, or a timer in it, would not be noticed. Without it a client that
//! stops reading keeps its connection, its place among them, and its answer's memory for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A connection that fails when it cannot be written to for `patience`.
#[derive(Debug)]
pub struct StalledStream<T> {
    stream: T,
    patience: Duration,
    /// Runs from the moment the peer's window is full until it takes a byte.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> StalledStream<T> {
    /// Watches the writes to `stream`.
    pub fn new(stream: T, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
        }
    }

    fn watch<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let timer = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        timer.as_mut().poll(cx).map(|()| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client took no byte of its answer for too long",
            ))
        })
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StalledStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StalledStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(written, cx)
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_given_up_after_the_patience() {
        let (ours, _theirs) = duplex(64);
        let mut ours = StalledStream::new(ours, PATIENCE);
        let began = Instant::now();
        let error = ours.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_that_reads_on_gets_everything() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = StalledStream::new(ours, PATIENCE);
        let reader = tokio::spawn(async move {
            let mut some = [0; 50];
            for _ in 0..20 {
                tokio::time::sleep(PATIENCE * 9 / 10).await;
                theirs.read_exact(&mut some).await.unwrap();
            }
        });
        ours.write_all(&[0; 1000]).await.unwrap();
        reader.await.unwrap();
    }
}
