//! A client's connection, and which of its answers have reached it.
//!
//! An answer whose last byte was handed to hyper has not been sent; one that was sent has not been
//! read. What can be known is what the client's system says: a next request, or an orderly close,
//! comes from a client that has read everything; a reset comes from one that closed its socket
//! before it had. So every answer that must not be lost waits here, as a [`Claim`], from its last
//! byte until one of these is seen.
//!
//! This stands below hyper and above the socket, because only there all of it goes by.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::alarm::Alarm;
use super::kept::Claim;
use super::socket::{Reading, Socket};
use super::sources::Source;

/// How long a client may take to close its side after we have closed ours.
const CLOSING: Duration = Duration::from_millis(250);
/// After a client's orderly close, the time in which its system refuses bytes that came too late.
const RESETTING: Duration = Duration::from_millis(3);

/// What is known of a connection, whatever it is made of.
pub trait Connection: fmt::Debug + Send + Sync {
    /// Where it comes from, where its system says so.
    fn source(&self) -> Option<Source> {
        None
    }

    /// The timer of the task it is served in.
    fn alarm(&self) -> &Alarm;

    /// Whether the client still wants something of this connection, as far as its system says so at
    /// this very moment.
    fn is_there(&self) -> bool;

    /// The last byte of an answer went to hyper.
    fn await_delivery(&self, claim: Claim);
}

/// A connection that is watched.
#[derive(Debug)]
struct Watched<R> {
    source: Option<Source>,
    alarm: Alarm,
    /// Gone when the connection is.
    reading: Mutex<Option<R>>,
    /// Answers whose last byte went to hyper, and whether it went on to the socket.
    claims: Mutex<Vec<(Claim, bool)>>,
    /// Whether there are any: looked at with every byte.
    has_claims: AtomicBool,
    /// The client has closed its side.
    ended: AtomicBool,
    /// The connection has failed.
    broken: AtomicBool,
}

impl<R: Reading> Connection for Watched<R> {
    fn source(&self) -> Option<Source> {
        self.source
    }

    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn is_there(&self) -> bool {
        if self.ended.load(Ordering::Acquire) || self.broken.load(Ordering::Acquire) {
            return false;
        }
        let reading = lock(&self.reading);
        let Some(half) = &*reading else {
            return false;
        };
        match half.peek() {
            Ok(read) => read > 0,
            Err(error) if is_passing(&error) => true,
            Err(_) => {
                // An error is told once: whoever reads next would take this for an orderly end.
                self.broken.store(true, Ordering::Release);
                false
            }
        }
    }

    fn await_delivery(&self, claim: Claim) {
        let is_open = lock(&self.reading).is_some();
        if !is_open {
            return;
        }
        lock(&self.claims).push((claim, false));
        self.has_claims.store(true, Ordering::Release);
    }
}

impl<R: Reading> Watched<R> {
    /// Everything hyper had was written to the socket.
    fn flushed(&self) {
        if !self.has_claims.load(Ordering::Acquire) {
            return;
        }
        for (claim, written) in lock(&self.claims).iter_mut() {
            if !*written {
                *written = true;
                claim.handed();
            }
        }
    }

    /// The client said something more: it has read what was written before.
    fn heard(&self) {
        if !self.has_claims.load(Ordering::Acquire) {
            return;
        }
        let mut claims = lock(&self.claims);
        let read: Vec<_> = claims.extract_if(.., |(_, written)| *written).collect();
        self.has_claims.store(!claims.is_empty(), Ordering::Release);
        drop(claims);
        for (claim, _) in read {
            claim.delivered();
        }
    }

    /// Nothing more will be seen.
    fn close(&self) {
        let reading = lock(&self.reading).take();
        let claims = std::mem::take(&mut *lock(&self.claims));
        self.has_claims.store(false, Ordering::Release);
        if claims.is_empty() {
            return;
        }
        let failed = reading.is_none_or(|half| half.has_failed());
        let failed = failed || self.broken.load(Ordering::Acquire);
        for (claim, written) in claims {
            if written && !failed {
                claim.delivered();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// The bytes of a connection.
#[derive(Debug)]
pub struct ClientStream<S: Socket> {
    connection: Arc<Watched<S::Reading>>,
    writing: S::Writing,
    /// Our side is closed.
    is_shut: bool,
    /// Runs from either's close of the connection while answers wait for the client's.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<S: Socket> ClientStream<S> {
    /// Watches `socket` from its first byte.
    pub fn new(socket: S) -> Self {
        let source = socket.source();
        let (reading, writing) = socket.split();
        let connection = Watched {
            source,
            alarm: Alarm::for_this_task(),
            reading: Mutex::new(Some(reading)),
            claims: Mutex::default(),
            has_claims: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        };
        Self {
            connection: Arc::new(connection),
            writing,
            is_shut: false,
            closing: None,
        }
    }

    /// What is known of it.
    pub fn connection(&self) -> Arc<dyn Connection> {
        Arc::<Watched<S::Reading>>::clone(&self.connection)
    }

    fn watch<R>(&self, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if matches!(written, Poll::Ready(Err(_))) {
            self.connection.broken.store(true, Ordering::Release);
        }
        written
    }

    /// Waits for what the client says to our close, if it matters.
    fn poll_last_words(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = |stream: &Self| match stream.connection.ended.load(Ordering::Acquire) {
            true => RESETTING,
            false => CLOSING,
        };
        let has_claims = |stream: &Self| stream.connection.has_claims.load(Ordering::Acquire);
        if !has_claims(self) {
            return Poll::Ready(());
        }
        if self.closing.is_none() {
            self.closing = Some(Box::pin(tokio::time::sleep(patience(self))));
        }
        while !self.connection.ended.load(Ordering::Acquire) {
            let mut scratch = [0; 512];
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *self).poll_read(cx, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if has_claims(self) => {
                    self.closing = Some(Box::pin(tokio::time::sleep(patience(self))));
                }
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        match &mut self.closing {
            Some(closing) => closing.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

impl<S: Socket> AsyncRead for ClientStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut *lock(&self.connection.reading) {
            Some(half) => Pin::new(half).poll_read(cx, buffer),
            None => Poll::Ready(Ok(())),
        };
        ready!(self.watch(read))?;
        if buffer.filled().len() > before {
            self.connection.heard();
        } else {
            self.connection.ended.store(true, Ordering::Release);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for ClientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writing).poll_write(cx, bytes);
        self.watch(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.writing).poll_flush(cx);
        ready!(self.watch(flushed))?;
        self.connection.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            // A client that closes its side may break off the rest a moment later. Our own end, told
            // before that, would make an orderly one of it.
            if self.connection.ended.load(Ordering::Acquire) {
                ready!(self.poll_last_words(cx));
            }
            let shut = Pin::new(&mut self.writing).poll_shutdown(cx);
            ready!(self.watch(shut))?;
            self.is_shut = true;
        }
        self.poll_last_words(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writing).poll_write_vectored(cx, slices);
        self.watch(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.writing.is_write_vectored()
    }
}

impl<S: Socket> Drop for ClientStream<S> {
    fn drop(&mut self) {
        self.connection.close();
    }
}
