//! A client's connection that is made of bytes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use generect_guard::proxy::socket::{Listen, Reading, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What a client says, how, and where it is written down what it hears.
#[derive(Debug)]
pub struct Client {
    pub says: Vec<u8>,
    /// Bytes that arrive at a time.
    pub pieces: usize,
    /// Closes its side behind the last byte; otherwise it only says no more.
    pub leaves: bool,
    pub heard: Arc<Mutex<Vec<u8>>>,
    /// Set when the guard has closed the connection.
    pub closed: CancellationToken,
}

/// Where one client connects, and no other.
pub struct Door(pub Mutex<Option<Client>>);

impl Listen for Door {
    type Socket = Client;

    async fn accept(&self) -> io::Result<Client> {
        let client = self.0.lock().unwrap().take();
        match client {
            Some(client) => Ok(client),
            None => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
pub struct Saying {
    says: Vec<u8>,
    said: usize,
    pieces: usize,
    leaves: bool,
}

#[derive(Debug)]
pub struct Hearing {
    heard: Arc<Mutex<Vec<u8>>>,
    _closed: DropGuard,
}

impl Socket for Client {
    type Reading = Saying;
    type Writing = Hearing;

    fn prepare(&self, _: Duration) {}

    fn split(self) -> (Saying, Hearing) {
        let saying = Saying {
            says: self.says,
            said: 0,
            pieces: self.pieces.max(1),
            leaves: self.leaves,
        };
        let hearing = Hearing {
            heard: self.heard,
            _closed: self.closed.drop_guard(),
        };
        (saying, hearing)
    }
}

impl Reading for Saying {
    fn peek(&self) -> io::Result<usize> {
        match (self.said < self.says.len(), self.leaves) {
            (true, _) => Ok(1),
            (false, true) => Ok(0),
            (false, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn has_failed(&self) -> bool {
        false
    }
}

impl AsyncRead for Saying {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.says.len() - self.said;
        if left == 0 && !self.leaves {
            return Poll::Pending;
        }
        let size = left.min(self.pieces).min(buffer.remaining());
        buffer.put_slice(&self.says[self.said..self.said + size]);
        self.said += size;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Hearing {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.heard.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
