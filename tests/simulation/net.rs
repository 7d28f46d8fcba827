//! All links, and who listens where: what is cut, parted, and arrives at which tick.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use rand::RngExt;
use rand::rngs::StdRng;

use crate::ends::End;
use crate::power::Power;
use crate::wire::{Eyes, Part, Side, Wire};

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
            let end = |me: usize, guards: bool| {
                let power = guards.then(|| state.power.clone());
                End::new(self, &wire, me, side, power)
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

    pub fn eyes(&self) -> Arc<Mutex<dyn Eyes>> {
        Arc::clone(&self.state().eyes)
    }

    /// When what is sent now arrives.
    pub fn arrival(&self) -> (u64, u64) {
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
