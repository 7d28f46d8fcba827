//! The same as [`whose_answer`](crate::whose_answer) before an upstream that speaks HTTP/2, serves few calls
//! at a time on a connection, breaks off single calls, and lets go of connections or cuts them: besides, none
//! waits for ever.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::unfold;
use generect_guard::proxy::memory::Memory;
use generect_guard::proxy::upstream::{SendError, Upstream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::net::{TcpListener, TcpStream};

use crate::connections::until_open;
use crate::http2::{FOR_EVER, way};
use crate::support::relay::{self, Identity};
use crate::whose_answer::{Knows, some_body};

/// How often the upstream has begun to read each call.
type Seen = Arc<Mutex<HashMap<String, usize>>>;
type Random = Arc<Mutex<StdRng>>;

/// How many calls are made at a time, and one after another.
const CALLERS: u64 = 12;
const TURNS: usize = 60;

async fn upstream(seed: u64) -> (std::net::SocketAddr, Seen) {
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

/// Serves one connection, which it cuts, or lets go of, after some time, or keeps.
async fn talk(stream: TcpStream, mut random: StdRng, seen: Seen) {
    let streams_max = random.random_range(1..4);
    let (lasts, then) = (random.random_range(0..150), random.random_range(0..3));
    let random = Arc::new(Mutex::new(random));
    let service =
        service_fn(move |request| answer(request, Arc::clone(&random), Arc::clone(&seen)));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(streams_max);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(Duration::from_millis(lasts)) => {}
    }
    if then == 1 {
        connection.as_mut().graceful_shutdown();
    }
    if then > 0 {
        let _ = connection.await;
    }
}

type Pieces = StreamBody<
    std::pin::Pin<Box<dyn futures_util::Stream<Item = io::Result<Frame<Bytes>>> + Send>>,
>;

async fn answer(
    request: Request<Incoming>,
    random: Random,
    seen: Seen,
) -> io::Result<Response<Pieces>> {
    let id = request.uri().path().trim_start_matches('/').to_owned();
    *seen.lock().unwrap().entry(id.clone()).or_default() += 1;
    let draw = |below: u64| random.lock().unwrap().random_range(0..below);
    let (way, before, between) = (draw(12), draw(8), draw(4));
    if way != 0 {
        // Else it is answered before it has been read.
        let _ = request.into_body().collect().await;
    }
    tokio::time::sleep(Duration::from_millis(before)).await;
    if way == 1 {
        return Err(io::Error::other("broken off before the answer"));
    }
    let body = format!("the answer to {id}");
    let cut = body.len() / 2;
    let pieces = [body[..cut].to_owned(), body[cut..].to_owned()];
    let stream = unfold(0, move |sent| {
        let piece = pieces.get(sent).cloned();
        async move {
            let piece = piece?;
            tokio::time::sleep(Duration::from_millis(between)).await;
            let frame = match (way, sent) {
                (2, 1) => Err(io::Error::other("broken off in the answer")),
                _ => Ok(Frame::data(Bytes::from(piece))),
            };
            Some((frame, sent + 1))
        }
    });
    let answer = Response::builder().header("x-id", id);
    Ok(answer.body(StreamBody::new(Box::pin(stream) as _)).unwrap())
}

async fn call(upstream: &Upstream, id: &str, random: &mut StdRng, memory: &Arc<Memory>) -> Knows {
    let body = some_body(random, memory);
    let request = Request::post(format!("/{id}")).body(body).unwrap();
    let sending = upstream.send(Box::new(request));
    let sent = match [0, 1, 3][random.random_range(0..3)] {
        leaves if random.random_range(0..4) == 0 => {
            tokio::time::timeout(Duration::from_millis(leaves), sending).await
        }
        _ => Ok(tokio::time::timeout(FOR_EVER, sending).await.unwrap()),
    };
    let answer = match sent {
        Err(_) | Ok(Err(SendError::Unanswered(_))) => return Knows::Nothing,
        Ok(Err(SendError::Unsent { .. })) => return Knows::Unsent,
        Ok(Ok(answer)) => answer,
    };
    assert_eq!(answer.headers()["x-id"], id);
    if random.random_range(0..6) == 0 {
        return Knows::Answered;
    }
    let read = tokio::time::timeout(FOR_EVER, answer.into_body().collect()).await;
    if let Ok(body) = read.unwrap() {
        assert_eq!(body.to_bytes(), format!("the answer to {id}"));
    }
    Knows::Answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http2_no_call_gets_anothers_answer_and_none_is_sent_twice_or_waits_for_ever() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (address, seen) = upstream(seed).await;
    let identity = Identity::new();
    let tls = relay::tls(&identity, &["h2"], address).await;
    let upstream = way(&identity, tls.address.port(), FOR_EVER);
    let memory = Arc::new(Memory::new(1 << 20, 1 << 10));
    let callers = (0..CALLERS).map(|caller| {
        let (upstream, memory) = (upstream.clone(), Arc::clone(&memory));
        tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed.wrapping_add(caller));
            let mut known = Vec::new();
            for turn in 0..TURNS {
                let id = format!("{caller}-{turn}");
                let knows = call(&upstream, &id, &mut random, &memory).await;
                known.push((id, knows));
            }
            known
        })
    });
    let known = join_all(callers).await.into_iter();
    let known: Vec<_> = known.flat_map(Result::unwrap).collect();
    let mut answered = 0;
    for (id, knows) in known {
        let times = seen.lock().unwrap().get(&id).copied().unwrap_or(0);
        assert!(times <= 1, "seed {seed}: {id} was sent {times} times");
        match knows {
            Knows::Unsent => assert_eq!(times, 0, "seed {seed}: {id} was sent"),
            Knows::Answered => answered += 1,
            Knows::Nothing => {}
        }
    }
    assert!(answered > 200, "seed {seed}: {answered} were answered");
    drop(upstream);
    until_open(&tls, 0).await;
}
