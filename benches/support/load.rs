//! The load: raw sockets, a closed loop on each connection, as little work of its own as can be.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::requests::Requests;

/// Connections of the load.
const CONNECTIONS: usize = 32;
const BUFFER_BYTES: usize = 16 * 1_024;

/// When a load ends.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Time(Duration),
    Calls(u64),
}

/// What a load saw.
pub(crate) struct Seen {
    pub(crate) took: Duration,
    /// Of each call, in nanoseconds, sorted.
    pub(crate) latencies: Vec<u32>,
}

impl Seen {
    pub(crate) fn calls(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.len()).unwrap())
    }

    /// The latency that so many thousandths of the calls stay under, in microseconds.
    pub(crate) fn latency(&self, thousandths: usize) -> f64 {
        let at = (self.latencies.len() - 1) * thousandths / 1_000;
        f64::from(self.latencies[at]) / 1_000.0
    }
}

/// Calls `address` from all connections.
pub(crate) async fn drive(address: SocketAddr, requests: &Requests, until: Until) -> Seen {
    let (span, calls) = match until {
        Until::Time(span) => (span, u64::MAX),
        Until::Calls(calls) => (Duration::MAX, calls),
    };
    let requests = Rc::new(requests.clone());
    let left = Rc::new(Cell::new(calls));
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(1 << 18)));
    let started = Instant::now();
    let tasks = LocalSet::new();
    for number in 0..CONNECTIONS {
        let (requests, left) = (Rc::clone(&requests), Rc::clone(&left));
        let latencies = Rc::clone(&latencies);
        tasks.spawn_local(async move {
            let mut connection = Connection::open(address).await;
            let texts = requests.texts.iter().cycle();
            let mut before = Instant::now();
            for text in texts.skip(number * requests.texts.len() / CONNECTIONS) {
                if left.get() == 0 || before - started >= span {
                    break;
                }
                left.set(left.get() - 1);
                connection.call(text, requests.status).await;
                let now = Instant::now();
                let nanos = u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX);
                latencies.borrow_mut().push(nanos);
                before = now;
            }
        });
    }
    tasks.await;
    let took = started.elapsed();
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    Seen { took, latencies }
}

/// Whether the admin listener says that the guard is ready.
pub(crate) async fn is_ready(admin: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(admin).await else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    let asked = stream.write_all(request).await;
    asked.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    /// One request; its whole answer, which must have this status.
    pub(crate) async fn call(&mut self, request: &[u8], status: u16) -> &[u8] {
        self.stream.write_all(request).await.unwrap();
        let mut read = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| read < whole) {
            let more = self.stream.read(&mut self.buffer[read..]).await.unwrap();
            assert!(more > 0, "the connection was closed within an answer");
            read += more;
            whole = whole.or_else(|| answer_length(&self.buffer[..read], status));
        }
        &self.buffer[..read]
    }
}

/// The bytes of an answer, once its head is here.
fn answer_length(bytes: &[u8], status: u16) -> Option<usize> {
    let head = memmem::find(bytes, b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..head]).unwrap();
    let is = text.get(9..12).and_then(|digits| digits.parse().ok());
    let told = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().unwrap())
    });
    assert_eq!(is, Some(status), "{}", String::from_utf8_lossy(bytes));
    Some(head + 4 + told.unwrap())
}
