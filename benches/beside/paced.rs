//! An open loop: calls are due at fixed times, whatever became of the ones before.
//!
//! A latency is counted from the moment the call was due, so that one which had to wait behind a
//! slow one is as slow as its client would find it. The runtime's timers tick in milliseconds, so a
//! thread keeps the time, and hands each due call to the connections.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::support::load::{Connection, Seen};
use crate::support::requests::Requests;

/// More than are ever used at once unless calls pile up.
const CONNECTIONS: usize = 64;
/// Until all connections stand.
const FIRST: Duration = Duration::from_millis(20);

/// Lets the threads that are started from now on sleep to the microsecond.
pub(crate) fn sleep_exactly() {
    // Without it every case is fifty microseconds later, the upstream's own too.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
}

/// Calls `address` so many times a second.
pub(crate) async fn call(
    address: SocketAddr,
    requests: &Requests,
    per_second: u32,
    span: Duration,
) -> Seen {
    let (tell, due) = unbounded_channel();
    let due = Rc::new(Mutex::new(due));
    let requests = Rc::new(requests.clone());
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(1 << 16)));
    let tasks = LocalSet::new();
    for number in 0..CONNECTIONS {
        let (due, requests) = (Rc::clone(&due), Rc::clone(&requests));
        let latencies = Rc::clone(&latencies);
        let mut connection = Connection::open(address).await;
        tasks.spawn_local(async move {
            let texts = requests.texts.iter().cycle();
            for text in texts.skip(number * requests.texts.len() / CONNECTIONS) {
                let next = due.lock().await.recv().await;
                let Some(due): Option<Instant> = next else {
                    break;
                };
                connection.call(text, requests.status).await;
                let nanos = u32::try_from(due.elapsed().as_nanos()).unwrap_or(u32::MAX);
                latencies.borrow_mut().push(nanos);
            }
        });
    }
    let started = Instant::now();
    let thread = std::thread::spawn(move || keep_time(&tell, per_second, span));
    tasks.await;
    let took = started.elapsed() - FIRST;
    thread.join().unwrap();
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    Seen { took, latencies }
}

fn keep_time(tell: &UnboundedSender<Instant>, per_second: u32, span: Duration) {
    let pause = Duration::from_secs(1) / per_second;
    let first = Instant::now() + FIRST;
    let mut due = first;
    while due - first < span {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if tell.send(due).is_err() {
            return;
        }
        due += pause;
    }
}
