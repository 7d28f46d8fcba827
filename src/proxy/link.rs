//! One connection to the upstream.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Version;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a connection of another kind must be.
pub trait Given: Read + Write + fmt::Debug + Send + Unpin {}

impl<T: Read + Write + fmt::Debug + Send + Unpin> Given for T {}

/// See the module.
#[expect(
    clippy::large_enum_variant,
    reason = "made once a connection, and read without another step"
)]
#[derive(Debug)]
pub enum Link {
    /// Over the network, in TLS or in the clear.
    Network(MaybeHttpsStream<TokioIo<TcpStream>>),
    /// The same through a proxy, which may be reached in TLS or in the clear in its turn.
    Tunnel(Box<MaybeHttpsStream<MaybeHttpsStream<TokioIo<TcpStream>>>>),
    /// Over something else, on which this protocol was agreed: that of a simulation.
    Given(Box<dyn Given>, Version),
}

/// Does the same with each kind.
macro_rules! each {
    ($link:expr, $stream:ident => $does:expr) => {
        match $link.get_mut() {
            Link::Network($stream) => $does,
            Link::Tunnel($stream) => $does,
            Link::Given($stream, _) => $does,
        }
    };
}

impl Read for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl Write for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Network(stream) => stream.is_write_vectored(),
            Self::Tunnel(stream) => stream.is_write_vectored(),
            Self::Given(stream, _) => stream.is_write_vectored(),
        }
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        match self {
            Self::Network(stream) => stream.connected(),
            Self::Tunnel(stream) => stream.connected(),
            Self::Given(_, Version::HTTP_2) => Connected::new().negotiated_h2(),
            Self::Given(..) => Connected::new(),
        }
    }
}
