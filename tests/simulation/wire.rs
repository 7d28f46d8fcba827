//! Links between the guard and the others: bytes that take their time, arrive in order or not at all.
//!
//! A link has two lanes with bounded room, so that a slow reader stops a fast writer. It can be cut
//! (both ends hear of it), go silent (neither does), or wait out a partition, after which everything
//! arrives as if it had been sent again. Of the simulators that are libraries none has room, resets
//! and a look at what the other side's system says, which is what the guard goes by.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;

/// Where the guard is called, and where it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Clients,
    Upstream,
}

/// What is on its way in a lane.
#[derive(Debug)]
pub enum Part {
    Bytes(Bytes),
    End,
    Reset,
}

#[derive(Debug)]
pub struct Flying {
    pub sent: u64,
    pub due: u64,
    pub part: Part,
}

/// One direction of a link.
#[derive(Debug, Default)]
pub struct Lane {
    pub flying: VecDeque<Flying>,
    pub arrived: VecDeque<u8>,
    pub used: usize,
    /// The writer has closed its side, and the reader has read that.
    pub end_sent: bool,
    pub end_arrived: bool,
    /// What either end sees from here on is a failure.
    pub read_fails: bool,
    pub write_fails: bool,
    pub reader_gone: bool,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
}

impl Lane {
    pub fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    pub fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// A link. Lane 0 goes from who connected to who accepted, lane 1 back.
#[derive(Debug)]
pub struct Wire {
    pub number: u64,
    pub side: Side,
    pub lanes: [Lane; 2],
    pub room: usize,
    /// Nothing arrives any more, and nobody is told.
    pub silent: bool,
    pub ends_left: u8,
    /// How long the one that accepted lets bytes stay unacknowledged, in ticks.
    pub patience: Option<u64>,
}

impl Wire {
    /// What the `end` has sent stops existing, and it sees a failure.
    pub fn fail(&mut self, end: usize) {
        let (out, back) = (end, 1 - end);
        self.lanes[back].read_fails = true;
        self.lanes[back].arrived.clear();
        self.lanes[back].wake_reader();
        self.lanes[out].write_fails = true;
        self.lanes[out].wake_writer();
    }

    pub fn send(&mut self, lane: usize, now: u64, due: u64, part: Part) {
        let lane = &mut self.lanes[lane];
        let last = lane.flying.back().map_or(0, |flying| flying.due);
        lane.flying.push_back(Flying {
            sent: now,
            due: due.max(last),
            part,
        });
    }

    pub fn arrive(&mut self, lane: usize, now: u64) {
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

    pub fn has_stalled(&self, now: u64) -> bool {
        let oldest = self.lanes[1].flying.front();
        let waits = oldest.map_or(0, |oldest| now.saturating_sub(oldest.sent));
        self.patience.is_some_and(|patience| waits > patience)
    }
}

/// Told what the guard sends, before anybody else sees it.
pub trait Eyes: Send {
    fn guard_sent(&mut self, side: Side, wire: u64, bytes: &[u8]);
    fn guard_gets(&mut self, side: Side, wire: u64, bytes: usize);
}
