//! The same as [`whose_answer`](crate::whose_answer) before an upstream that speaks HTTP/2, serves few calls
//! at a time on a connection, refuses or breaks off single calls, and lets go of connections or cuts them: besides, none
//! waits for ever.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::unfold;
use generect_guard::proxy::body::BodyError;
use generect_guard::proxy::memory::Memory;
use generect_guard::proxy::upstream::{SendError, Upstream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::net::TcpStream;

use crate::connections::until_open;
use crate::http2::{FOR_EVER, way};
use crate::many_callers::{Call, Knows, Seen, answered, some_body, upstream};
use crate::support::relay::{self, Identity};

type Random = Arc<Mutex<StdRng>>;

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
) -> Result<Response<Pieces>, BodyError> {
    let id = request.uri().path().trim_start_matches('/').to_owned();
    let draw = |below: u64| random.lock().unwrap().random_range(0..below);
    if draw(12) == 0 {
        // It is not looked at, and the caller is told so.
        return Err(h2::Error::from(h2::Reason::REFUSED_STREAM).into());
    }
    *seen.lock().unwrap().entry(id.clone()).or_default() += 1;
    let (way, before, between) = (draw(12), draw(8), draw(4));
    if way != 0 {
        // Else it is answered before it has been read.
        let _ = request.into_body().collect().await;
    }
    tokio::time::sleep(Duration::from_millis(before)).await;
    if way == 1 {
        return Err("broken off before the answer".into());
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
        Ok(Err(SendError::Unsent { .. } | SendError::Refused(_))) => return Knows::Unsent,
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
    let (address, seen) = upstream(seed, talk).await;
    let identity = Identity::new();
    let tls = relay::tls(&identity, &["h2"], address).await;
    let upstream = way(&identity, tls.address.port(), FOR_EVER);
    let call: Call = |upstream, id, random, memory| call(upstream, id, random, memory).boxed();
    let answered = answered(&upstream, seed, 60, &seen, call).await;
    assert!(answered > 200, "seed {seed}: {answered} were answered");
    drop(upstream);
    until_open(&tls, 0).await;
}
