//! The ends of links, as tokio and the guard want them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use generect_guard::proxy::socket::{Listen, Reading, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::Net;
use crate::power::Power;
use crate::wire::{Eyes, Part, Side, Wire};

/// One end of a link.
#[derive(Debug)]
pub struct End {
    net: Net,
    wire: Arc<Mutex<Wire>>,
    me: usize,
    side: Side,
    /// Of the guard's ends: with its power they go.
    power: Option<Power>,
    /// Neither half has been given away.
    is_whole: bool,
}

impl End {
    pub fn new(
        net: &Net,
        wire: &Arc<Mutex<Wire>>,
        me: usize,
        side: Side,
        power: Option<Power>,
    ) -> Self {
        Self {
            net: net.clone(),
            wire: Arc::clone(wire),
            me,
            side,
            power,
            is_whole: true,
        }
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }

    fn is_dead(&self) -> bool {
        self.power.as_ref().is_some_and(|power| !power.is_on())
    }

    fn see(&self, look: impl FnOnce(&mut dyn Eyes, u64)) {
        let number = self.wire().number;
        let eyes = self.net.eyes();
        look(&mut *eyes.lock().unwrap(), number);
    }

    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Pending;
        }
        let wire = &mut *self.wire();
        let lane = &mut wire.lanes[1 - self.me];
        if lane.read_fails {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let size = lane.arrived.len().min(buffer.remaining());
        if size > 0 {
            let bytes: Vec<u8> = lane.arrived.drain(..size).collect();
            buffer.put_slice(&bytes);
            lane.used -= size;
            lane.wake_writer();
        } else if !lane.end_arrived && buffer.remaining() > 0 {
            lane.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (now, due) = self.net.arrival();
        let size = {
            let wire = &mut *self.wire();
            let room = wire.room;
            let lane = &mut wire.lanes[self.me];
            if lane.write_fails || lane.end_sent {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let size = bytes.len().min(room.saturating_sub(lane.used));
            if size == 0 && !bytes.is_empty() {
                lane.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            size
        };
        let bytes = &bytes[..size];
        if let Some(power) = &self.power {
            if !power.works() {
                return Poll::Pending;
            }
            self.see(|eyes, wire| eyes.guard_sent(self.side, wire, bytes));
        }
        let wire = &mut *self.wire();
        wire.lanes[self.me].used += size;
        wire.send(
            self.me,
            now,
            due,
            Part::Bytes(Bytes::copy_from_slice(bytes)),
        );
        Poll::Ready(Ok(size))
    }

    fn end_writing(&self) {
        let (now, due) = self.net.arrival();
        let wire = &mut *self.wire();
        if !wire.lanes[self.me].end_sent && !self.is_dead() {
            wire.lanes[self.me].end_sent = true;
            wire.send(self.me, now, due, Part::End);
        }
    }

    fn close_reading(&self) {
        let (now, due) = self.net.arrival();
        let wire = &mut *self.wire();
        let lane = &mut wire.lanes[1 - self.me];
        lane.reader_gone = true;
        let unread = !lane.arrived.is_empty();
        if unread && !self.is_dead() {
            // A socket that is closed before everything was read breaks the connection off.
            wire.send(self.me, now, due, Part::Reset);
        }
    }

    fn let_go(&self) {
        let wire = &mut *self.wire();
        wire.ends_left = wire.ends_left.saturating_sub(1);
        let lane = &mut wire.lanes[1 - self.me];
        lane.wake_writer();
    }

    fn peer(&self) -> Self {
        Self {
            net: self.net.clone(),
            wire: Arc::clone(&self.wire),
            me: self.me,
            side: self.side,
            power: self.power.clone(),
            is_whole: false,
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.is_whole {
            self.close_reading();
            self.end_writing();
            self.let_go();
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = End::poll_read(&self, cx, buffer);
        let bytes = buffer.filled().len() - before;
        if self.power.is_some() && read.is_ready() {
            self.see(|eyes, wire| eyes.guard_gets(self.side, wire, bytes));
        }
        read
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        End::poll_write(&self, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_writing();
        Poll::Ready(Ok(()))
    }
}

/// Where the guard is called.
pub struct Listener(pub Net);

impl Listen for Listener {
    type Socket = End;

    async fn accept(&self) -> io::Result<End> {
        Ok(self.0.accept(Side::Clients).await)
    }
}

/// The half that the guard reads.
#[derive(Debug)]
pub struct ReadingEnd(End);

/// The half that the guard writes.
#[derive(Debug)]
pub struct WritingEnd(End);

impl Drop for ReadingEnd {
    fn drop(&mut self) {
        self.0.close_reading();
        self.0.let_go();
    }
}

impl Drop for WritingEnd {
    fn drop(&mut self) {
        self.0.end_writing();
    }
}

impl Socket for End {
    type Reading = ReadingEnd;
    type Writing = WritingEnd;

    fn prepare(&self, patience: Duration) {
        self.wire().patience = Some(u64::try_from(patience.as_millis()).unwrap());
    }

    fn split(mut self) -> (ReadingEnd, WritingEnd) {
        self.is_whole = false;
        (ReadingEnd(self.peer()), WritingEnd(self.peer()))
    }
}

impl Reading for ReadingEnd {
    fn peek(&self) -> io::Result<usize> {
        let wire = self.0.wire();
        let lane = &wire.lanes[1 - self.0.me];
        if lane.read_fails {
            Err(io::ErrorKind::ConnectionReset.into())
        } else if !lane.arrived.is_empty() {
            Ok(1)
        } else if lane.end_arrived {
            Ok(0)
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    fn has_failed(&self) -> bool {
        self.0.wire().lanes[1 - self.0.me].read_fails
    }
}

impl AsyncRead for ReadingEnd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.0), cx, buffer)
    }
}

impl AsyncWrite for WritingEnd {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.0), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}
