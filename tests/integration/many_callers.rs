//! Many callers at one time before an upstream of a test's own, and what must be true of their calls: none is
//! sent twice, and of what is said to be unsent the upstream has not seen a byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use generect_guard::proxy::body::OutgoingBody;
use generect_guard::proxy::memory::Memory;
use generect_guard::proxy::upstream::Upstream;
use http_body_util::Full;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::net::{TcpListener, TcpStream};

/// How many calls are made at a time.
const CALLERS: u64 = 12;

/// How often the upstream has begun to read each call.
pub type Seen = Arc<Mutex<HashMap<String, usize>>>;

/// What a call knows of itself when it has ended or left.
#[derive(Debug, PartialEq)]
pub enum Knows {
    Answered,
    Unsent,
    Nothing,
}

/// Makes one call of this id.
pub type Call =
    for<'a> fn(&'a Upstream, &'a str, &'a mut StdRng, &'a Arc<Memory>) -> BoxFuture<'a, Knows>;

/// An upstream that has each of its connections served by `talk`, which draws from what the seed gives it.
pub async fn upstream<F>(
    seed: u64,
    talk: impl Fn(TcpStream, StdRng, Seen) -> F + Send + 'static,
) -> (SocketAddr, Seen)
where
    F: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let random = StdRng::seed_from_u64(seed ^ (connection << 32));
            tokio::spawn(talk(stream, random, Arc::clone(&noted)));
        }
    });
    (address, seen)
}

/// None, or one of the lengths that differ.
pub fn some_body(random: &mut StdRng, memory: &Arc<Memory>) -> OutgoingBody {
    match random.random_range(0..3) {
        0 => OutgoingBody::Empty,
        size => {
            let bytes = Bytes::from(vec![b'{'; size * 400]);
            OutgoingBody::Full(Full::new(bytes), Arc::new(memory.of(&"growth".into())))
        }
    }
}

/// Has every caller make so many calls one after another, and gives how many were answered.
pub async fn answered(
    upstream: &Upstream,
    seed: u64,
    turns: usize,
    seen: &Seen,
    call: Call,
) -> usize {
    let memory = Arc::new(Memory::new(1 << 20, 1 << 10));
    let callers = (0..CALLERS).map(|caller| {
        let (upstream, memory) = (upstream.clone(), Arc::clone(&memory));
        tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed.wrapping_add(caller));
            let mut known = Vec::new();
            for turn in 0..turns {
                let id = format!("{caller}-{turn}");
                let knows = call(&upstream, &id, &mut random, &memory).await;
                known.push((id, knows));
            }
            known
        })
    });
    let known = join_all(callers).await.into_iter();
    let known: Vec<_> = known.flat_map(Result::unwrap).collect();
    let seen = seen.lock().unwrap();
    let mut answered = 0;
    for (id, knows) in known {
        let times = seen.get(&id).copied().unwrap_or(0);
        assert!(times <= 1, "seed {seed}: {id} was sent {times} times");
        match knows {
            Knows::Unsent => assert_eq!(times, 0, "seed {seed}: {id} was sent"),
            Knows::Answered => answered += 1,
            Knows::Nothing => {}
        }
    }
    answered
}
