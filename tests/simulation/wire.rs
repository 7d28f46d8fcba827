//! Links between the guard and the others: bytes that take their time, arrive in order or not at all.
//!
//! A link has two lanes with bounded room, so that a slow reader stops a fast writer. It can be cut
//! (both ends hear of it), go silent (neither does), or wait out a partition, after which everything
//! arrives as if it had been sent again. Of the simulators that are libraries none has room, resets
//! and a look at what the other side's system says, which is what the guard goes by.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use generect_guard::proxy::socket::{Listen, Reading, Socket};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::power::Power;

/// Where the guard is called, and where it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Clients,
    Upstream,
}

/// What is on its way in a lane.
#[derive(Debug)]
enum Part {
    Bytes(Bytes),
    End,
    Reset,
}

#[derive(Debug)]
struct Flying {
    sent: u64,
    due: u64,
    part: Part,
}

/// One direction of a link.
#[derive(Debug, Default)]
struct Lane {
    flying: VecDeque<Flying>,
    arrived: VecDeque<u8>,
    used: usize,
    /// The writer has closed its side, and the reader has read that.
    end_sent: bool,
    end_arrived: bool,
    /// What either end sees from here on is a failure.
    read_fails: bool,
    write_fails: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Lane {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// A link. Lane 0 goes from who connected to who accepted, lane 1 back.
#[derive(Debug)]
pub struct Wire {
    pub number: u64,
    side: Side,
    lanes: [Lane; 2],
    room: usize,
    /// Nothing arrives any more, and nobody is told.
    silent: bool,
    ends_left: u8,
    /// How long the one that accepted lets bytes stay unacknowledged, in ticks.
    patience: Option<u64>,
}

impl Wire {
    /// What the `end` has sent stops existing, and it sees a failure.
    fn fail(&mut self, end: usize) {
        let (out, back) = (end, 1 - end);
        self.lanes[back].read_fails = true;
        self.lanes[back].arrived.clear();
        self.lanes[back].wake_reader();
        self.lanes[out].write_fails = true;
        self.lanes[out].wake_writer();
    }

    fn send(&mut self, lane: usize, now: u64, due: u64, part: Part) {
        let lane = &mut self.lanes[lane];
        let last = lane.flying.back().map_or(0, |flying| flying.due);
        lane.flying.push_back(Flying {
            sent: now,
            due: due.max(last),
            part,
        });
    }

    fn arrive(&mut self, lane: usize, now: u64) {
        while let Some(flying) = self.lanes[lane].flying.front() {
            if flying.due > now {
                break;
            }
            let Some(flying) = self.lanes[lane].flying.pop_front() else {
                break;
            };
            match flying.part {
                Part::Bytes(bytes) if self.lanes[lane].reader_gone => {
                    self.lanes[lane].used -= bytes.len();
                    // Who sends to a closed socket is told so.
                    self.send(1 - lane, now, now + 1, Part::Reset);
                }
                Part::Bytes(bytes) => self.lanes[lane].arrived.extend(bytes),
                Part::End => self.lanes[lane].end_arrived = true,
                Part::Reset => self.fail(1 - lane),
            }
            self.lanes[lane].wake_reader();
        }
    }

    fn has_stalled(&self, now: u64) -> bool {
        let oldest = self.lanes[1].flying.front();
        let waits = oldest.map_or(0, |oldest| now.saturating_sub(oldest.sent));
        self.patience.is_some_and(|patience| waits > patience)
    }
}

struct Waiting {
    due: u64,
    end: End,
    made: tokio::sync::oneshot::Sender<io::Result<()>>,
}

/// Where one side listens.
#[derive(Default)]
struct Port {
    waiting: VecDeque<Waiting>,
    accepted: VecDeque<End>,
    listener: Option<Waker>,
    listens: bool,
    /// Until then nothing of this side arrives.
    parted_until: u64,
}

/// Told what the guard sends, before anybody else sees it.
pub trait Eyes: Send {
    fn guard_sent(&mut self, side: Side, wire: u64, bytes: &[u8]);
    fn guard_gets(&mut self, side: Side, wire: u64, bytes: usize);
}

struct State {
    now: u64,
    random: StdRng,
    latency: (u64, u64),
    room: usize,
    next: u64,
    wires: Vec<Arc<Mutex<Wire>>>,
    ports: [Port; 2],
    power: Power,
    eyes: Arc<Mutex<dyn Eyes>>,
}

/// All links.
#[derive(Clone)]
pub struct Net(Arc<Mutex<State>>);

impl std::fmt::Debug for Net {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Net")
    }
}

impl Net {
    pub fn new(
        random: StdRng,
        latency: (u64, u64),
        room: usize,
        eyes: Arc<Mutex<dyn Eyes>>,
    ) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: 0,
            random,
            latency,
            room,
            next: 0,
            wires: Vec::new(),
            ports: Default::default(),
            power: Power::off(),
            eyes,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A guard runs from here on: its ends live as long as `power`.
    pub fn guard_runs(&self, power: Power) {
        let mut state = self.state();
        state.power = power;
        state.ports[Side::Clients as usize].listens = true;
    }

    /// The upstream listens, or refuses.
    pub fn upstream_listens(&self, listens: bool) {
        self.state().ports[Side::Upstream as usize].listens = listens;
    }

    /// The guard's machine has gone. Every other link of it is cut, the others go silent.
    pub fn guard_died(&self) {
        let mut state = self.state();
        let now = state.now;
        let port = &mut state.ports[Side::Clients as usize];
        port.listens = false;
        let unheard = std::mem::take(&mut port.accepted);
        let wires = state.wires.clone();
        for wire in wires {
            let told = state.random.random_bool(0.5);
            let wire = &mut *wire.lock().unwrap();
            let guards = match wire.side {
                Side::Clients => 1,
                Side::Upstream => 0,
            };
            wire.lanes[1 - guards].reader_gone = true;
            if told {
                wire.send(guards, now, now + 3, Part::Reset);
            } else {
                wire.silent = true;
            }
        }
        // An end that goes looks at the network.
        drop(state);
        drop(unheard);
    }

    /// Nothing of `side` arrives before `until`.
    pub fn part(&self, side: Side, until: u64) {
        let mut state = self.state();
        let port = &mut state.ports[side as usize];
        port.parted_until = port.parted_until.max(until);
    }

    /// The network is well from here on, and nobody waits for a link that went silent.
    pub fn heal(&self) {
        let mut state = self.state();
        for wire in &state.wires {
            let wire = &mut *wire.lock().unwrap();
            if wire.silent {
                wire.fail(0);
                wire.fail(1);
            }
        }
        for port in &mut state.ports {
            port.parted_until = 0;
        }
        state.ports[Side::Upstream as usize].listens = true;
    }

    /// Cuts one link of `side`, or has it go silent.
    pub fn hurt_one(&self, side: Side, silent: bool) {
        let mut state = self.state();
        let of_side = |wire: &&Arc<Mutex<Wire>>| wire.lock().unwrap().side == side;
        let wires: Vec<_> = state.wires.iter().filter(of_side).cloned().collect();
        if wires.is_empty() {
            return;
        }
        let chosen = state.random.random_range(0..wires.len());
        let wire = &mut *wires[chosen].lock().unwrap();
        if silent {
            wire.silent = true;
        } else {
            wire.fail(0);
            wire.fail(1);
        }
    }

    /// Everything that is due at `now` arrives.
    pub fn deliver(&self, now: u64) {
        let mut state = self.state();
        state.now = now;
        let unwanted: Vec<End> = (state.ports.iter_mut())
            .flat_map(|port| port.deliver(now))
            .collect();
        let parted = state.ports.each_ref().map(|port| port.parted_until > now);
        let wires = state.wires.clone();
        state
            .wires
            .retain(|wire| wire.lock().unwrap().ends_left > 0);
        drop(state);
        drop(unwanted);
        for wire in wires {
            let wire = &mut *wire.lock().unwrap();
            if wire.has_stalled(now) {
                wire.fail(1);
            }
            if !wire.silent && !parted[wire.side as usize] {
                wire.arrive(0, now);
                wire.arrive(1, now);
            }
        }
    }

    /// A link to whoever listens there.
    pub async fn connect(&self, side: Side) -> io::Result<End> {
        let (mine, made) = {
            let state = &mut *self.state();
            if side == Side::Upstream && !state.power.works() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            let (least, most) = state.latency;
            let due = state.now + state.random.random_range(least..=most);
            state.next += 1;
            let wire = Arc::new(Mutex::new(Wire {
                number: state.next,
                side,
                lanes: Default::default(),
                room: state.room,
                silent: false,
                ends_left: 2,
                patience: None,
            }));
            state.wires.push(Arc::clone(&wire));
            let end = |me: usize, guards: bool| End {
                net: self.clone(),
                wire: Arc::clone(&wire),
                me,
                side,
                power: guards.then(|| state.power.clone()),
                is_whole: true,
            };
            let (mine, theirs) = (
                end(0, side == Side::Upstream),
                end(1, side == Side::Clients),
            );
            let (sender, made) = tokio::sync::oneshot::channel();
            state.ports[side as usize].waiting.push_back(Waiting {
                due,
                end: theirs,
                made: sender,
            });
            (mine, made)
        };
        match made.await {
            Ok(Ok(())) => Ok(mine),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    /// The next link to `side`.
    fn poll_accept(&self, side: Side, cx: &mut Context<'_>) -> Poll<End> {
        let port = &mut self.state().ports[side as usize];
        match port.accepted.pop_front() {
            Some(end) => Poll::Ready(end),
            None => {
                port.listener = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub async fn accept(&self, side: Side) -> End {
        std::future::poll_fn(|cx| self.poll_accept(side, cx)).await
    }

    /// When what is sent now arrives.
    fn arrival(&self) -> (u64, u64) {
        let state = &mut *self.state();
        let (least, most) = state.latency;
        (
            state.now,
            state.now + state.random.random_range(least..=most),
        )
    }
}

impl Port {
    /// Connects whom it is time for; gives the ends that nobody wants.
    fn deliver(&mut self, now: u64) -> Vec<End> {
        let mut unwanted = Vec::new();
        if self.parted_until > now {
            return unwanted;
        }
        while self.waiting.front().is_some_and(|first| first.due <= now) {
            let Some(Waiting { end, made, .. }) = self.waiting.pop_front() else {
                break;
            };
            if !self.listens {
                let _ = made.send(Err(io::ErrorKind::ConnectionRefused.into()));
                unwanted.push(end);
            } else if made.send(Ok(())).is_err() {
                unwanted.push(end);
            } else {
                self.accepted.push_back(end);
                if let Some(listener) = self.listener.take() {
                    listener.wake();
                }
            }
        }
        unwanted
    }
}

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
    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }

    fn is_dead(&self) -> bool {
        self.power.as_ref().is_some_and(|power| !power.is_on())
    }

    fn see(&self, look: impl FnOnce(&mut dyn Eyes, u64)) {
        let number = self.wire().number;
        let eyes = Arc::clone(&self.net.state().eyes);
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
