//! The two ends of a client's connection that the guard asks of a system: accept, and the socket.
//!
//! In production both are tokio's. A simulation has its own, so that everything above, from the
//! first byte of a request to the last of its answer, is the guard itself.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::sources::Source;

/// Where clients connect.
pub trait Listen: Send + 'static {
    /// A client's connection.
    type Socket: Socket;

    /// The next connection.
    ///
    /// # Errors
    /// There was none to be had; the next may be.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Socket>> + Send;
}

/// A client's connection, before anything is read of it.
pub trait Socket: Send + 'static {
    /// The half that is read.
    type Reading: Reading;
    /// The half that is written.
    type Writing: AsyncWrite + fmt::Debug + Send + Unpin + 'static;

    /// Lets small answers leave at once, and gives up a client that acknowledges nothing for
    /// `patience`.
    fn prepare(&self, patience: Duration);

    /// Where it comes from, where the system says so.
    fn source(&self) -> Option<Source> {
        None
    }

    /// Says a few bytes if that is possible at once. They may not arrive: nobody waits for that.
    fn say_at_once(&self, _bytes: &[u8]) {}

    /// Both halves.
    fn split(self) -> (Self::Reading, Self::Writing);
}

/// The half of a connection that is read, and what the system knows of the client.
pub trait Reading: AsyncRead + fmt::Debug + Send + Unpin + 'static {
    /// Looks whether there is a byte without taking it: as many as there are, at most one. None is
    /// the client's orderly end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there yet; otherwise the connection has failed.
    fn peek(&self) -> io::Result<usize>;

    /// Whether the connection has failed.
    fn has_failed(&self) -> bool;
}

impl Listen for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

impl Socket for TcpStream {
    type Reading = OwnedReadHalf;
    type Writing = OwnedWriteHalf;

    fn prepare(&self, patience: Duration) {
        // Without it a small answer may wait for the peer's acknowledgement.
        let _ = self.set_nodelay(true);
        give_up_on_the_vanished(self, patience);
    }

    fn source(&self) -> Option<Source> {
        self.peer_addr().ok().map(Source::from)
    }

    fn say_at_once(&self, bytes: &[u8]) {
        let _ = SockRef::from(self).send(bytes);
    }

    fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }
}

impl Reading for OwnedReadHalf {
    fn peek(&self) -> io::Result<usize> {
        let mut byte = [MaybeUninit::uninit()];
        SockRef::from(self.as_ref()).peek(&mut byte)
    }

    fn has_failed(&self) -> bool {
        !matches!(self.as_ref().take_error(), Ok(None))
    }
}

/// A client whose machine is gone acknowledges nothing: without this its system would be asked again
/// and again for a quarter of an hour, and an answer would count as handed over that never arrived.
fn give_up_on_the_vanished(stream: &TcpStream, patience: Duration) {
    #[cfg(target_os = "linux")]
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(patience)) {
        tracing::debug!(%error, "a connection has no bound on what stays unacknowledged");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, patience);
}
