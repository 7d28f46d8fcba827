//! The upstream's first word on a connection of HTTP/2: how many calls it serves on it at a time.
//!
//! It comes unasked (RFC 9113, section 3.4) and is waited for. Of calls beyond that number hyper says nothing: they
//! wait, and before an upstream that serves none each would do so until its time was over, in doubt.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::sync::Notify;

use crate::proxy::link::Link;

/// In the place of a number that was not said yet: SETTINGS have no such number.
pub(super) const UNSAID: usize = usize::MAX - 1;

/// Why a connection cannot be used although it was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoGreeting {
    #[error("the connection ended before the upstream had begun to speak HTTP/2")]
    Ended,
    #[error("the upstream did not begin to speak HTTP/2 within {0:?} (upstream.connect_timeout)")]
    Silent(Duration),
}

/// The upstream serves nobody.
#[derive(Debug, thiserror::Error)]
#[error("the upstream serves no calls at the moment: its SETTINGS_MAX_CONCURRENT_STREAMS is 0")]
pub(super) struct ServesNone;

/// A connection, of which somebody is told when it is read on: then what was read before has been seen to.
pub(super) struct Overheard {
    link: Link,
    read_on: Arc<Notify>,
}

impl Overheard {
    pub(super) fn new(link: Link, read_on: &Arc<Notify>) -> Self {
        let read_on = Arc::clone(read_on);
        Self { link, read_on }
    }

    fn link(self: Pin<&mut Self>) -> Pin<&mut Link> {
        Pin::new(&mut self.get_mut().link)
    }
}

impl Read for Overheard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.read_on.notify_one();
        self.link().poll_read(cx, buffer)
    }
}

impl Write for Overheard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.link().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.link().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.link.is_write_vectored()
    }
}
