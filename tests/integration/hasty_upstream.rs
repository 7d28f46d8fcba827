//! An upstream that answers before it has read its request. The connection is at the end of that exchange
//! only when the rest has been read too, which may be never: no call waits for that, and none gets it before.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use generect_guard::proxy::body::OutgoingBody;
use generect_guard::proxy::memory::Memory;
use generect_guard::proxy::upstream::{Upstream, UpstreamSettings};
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

use crate::connections::settings;

/// More than the two systems between keep of what nobody reads.
const LARGE_BYTES: usize = 64 << 20;
/// Nothing here takes so long, unless it takes for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

/// What it did, and what it is to do with the large request it has answered.
#[derive(Default)]
struct Hasty {
    connections: AtomicUsize,
    /// The connection each request came on, counted from one.
    heard: Mutex<Vec<usize>>,
    reads_on: Notify,
    closes: Notify,
}

impl Hasty {
    async fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let hasty = Arc::new(Self::default());
        let serving = Arc::clone(&hasty);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = serving.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(number, stream).await });
            }
        });
        (hasty, base_url)
    }

    async fn serve(&self, number: usize, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(length) = next_head(&mut stream).await? {
            self.heard.lock().unwrap().push(number);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                .await?;
            if length == 0 {
                continue;
            }
            tokio::select! {
                () = self.reads_on.notified() => {}
                () = self.closes.notified() => return Ok(()),
            }
            let mut rest = (&mut stream).take(length);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
        }
        Ok(())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The connection that the last request came on.
    fn last(&self) -> Option<usize> {
        self.heard.lock().unwrap().last().copied()
    }
}

/// How long the body is that comes after the head. `None` at the end of the connection.
async fn next_head(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<u64>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(Some(length));
        }
        if let Some(told) = line.strip_prefix("content-length: ") {
            length = told.trim().parse().unwrap();
        }
    }
}

/// Its bytes, whose end is told.
struct Large(
    Vec<u8>,
    #[expect(dead_code, reason = "its end is what it is for")] oneshot::Sender<()>,
);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Sends a large request, whose answer is here long before it has left. Says when its bytes are gone.
async fn send_large(upstream: &Upstream) -> oneshot::Receiver<()> {
    let (gone, when_gone) = oneshot::channel();
    let bytes = Bytes::from_owner(Large(vec![b'l'; LARGE_BYTES], gone));
    let room = Arc::new(Memory::new(0, 0)).of(&"team".into());
    send(
        upstream,
        OutgoingBody::Full(Full::new(bytes), Arc::new(room)),
    )
    .await;
    when_gone
}

async fn send(upstream: &Upstream, body: OutgoingBody) {
    let request = Box::new(Request::post("/").body(body).unwrap());
    let answer = tokio::time::timeout(FOR_EVER, upstream.send(request));
    let answer = answer.await.unwrap().unwrap();
    let body = tokio::time::timeout(FOR_EVER, answer.into_body().collect());
    assert_eq!(body.await.unwrap().unwrap().to_bytes(), "{}");
}

#[tokio::test]
async fn the_next_call_passes_over_a_connection_whose_request_is_not_read() {
    let (hasty, base_url) = Hasty::start().await;
    let upstream = Upstream::new(settings(&base_url, 8)).unwrap();
    let when_gone = send_large(&upstream).await;
    send(&upstream, OutgoingBody::Empty).await;
    assert_eq!(hasty.last(), Some(2));
    hasty.reads_on.notify_one();
    when_gone.await.unwrap_err();
    // It is free again a moment after its bytes have gone: of as many calls at one time as there are
    // connections, one has it.
    while !hasty.heard.lock().unwrap()[2..].contains(&1) {
        let calls = (0..hasty.connections()).map(|_| send(&upstream, OutgoingBody::Empty));
        futures_util::future::join_all(calls).await;
    }
}

#[tokio::test]
async fn one_that_was_closed_over_its_unread_request_leaves_its_place_to_the_next() {
    let (hasty, base_url) = Hasty::start().await;
    let upstream = Upstream::new(settings(&base_url, 1)).unwrap();
    let when_gone = send_large(&upstream).await;
    hasty.closes.notify_one();
    when_gone.await.unwrap_err();
    // It is the only place, so whoever comes next rests there, and is used from then on.
    for _ in 0..20 {
        send(&upstream, OutgoingBody::Empty).await;
    }
    let connections = hasty.connections();
    assert!(connections < 10, "{connections} connections for 20 calls");
}

#[tokio::test]
async fn one_whose_request_is_never_read_is_not_kept_for_longer_than_it_may_rest() {
    let (hasty, base_url) = Hasty::start().await;
    let upstream = Upstream::new(UpstreamSettings {
        pool_idle_timeout: Duration::from_millis(300),
        ..settings(&base_url, 1)
    });
    let upstream = upstream.unwrap();
    let rests = send_large(&upstream).await;
    // For this one there is no place to rest.
    let is_over = send_large(&upstream).await;
    for when_gone in [is_over, rests] {
        let gone = tokio::time::timeout(FOR_EVER, when_gone).await;
        gone.unwrap().unwrap_err();
    }
    assert_eq!(hasty.connections(), 2);
}
