//! The listening side: accepts, serves HTTP/1.1 and HTTP/2 in the clear, and listens badly on
//! demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exchange::Service;
use super::faults::{Listening, ListeningEnds};

/// Waiting connections of a socket that is opened again.
const BACKLOG: u32 = 1_024;
/// How often a half-sent preface is looked at, and how long in all.
const PREFACE_LOOKS_MAX: u32 = 1_000;

/// Runs until `stop`: every connection in its own task.
pub(crate) async fn run(
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    mut ends: ListeningEnds,
    stop: CancellationToken,
) {
    let tracker = TaskTracker::new();
    let mut listener = Some(listener);
    loop {
        let how = *ends.wanted.borrow_and_update();
        match how {
            Listening::Refusing => listener = None,
            _ if listener.is_none() => listener = reopened(address),
            _ => {}
        }
        ends.applied.send_replace(how);
        let accepting = match &listener {
            Some(listener) if how != Listening::Ignoring => Some(listener),
            _ => None,
        };
        tokio::select! {
            () = stop.cancelled() => break,
            changed = ends.wanted.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            accepted = accept(accepting) => {
                let Some(stream) = accepted else { continue };
                service.arrivals.connection();
                if how == Listening::Dropping {
                    continue;
                }
                let service = Arc::clone(&service);
                let cut = service.faults.connections();
                let stop = stop.clone();
                tracker.spawn(async move {
                    tokio::select! {
                        biased;
                        () = cut.cancelled() => {}
                        () = stop.cancelled() => {}
                        () = serve(stream, service) => {}
                    }
                });
            }
        }
    }
    tracker.close();
    tracker.wait().await;
}

/// The next connection; without a listener, never one. `None`: accepting failed, try again.
async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    match listener.accept().await {
        Ok((stream, _)) => Some(stream),
        Err(_) => {
            // Out of file descriptors, most likely: give the others time to close.
            tokio::time::sleep(Duration::from_millis(10)).await;
            None
        }
    }
}

/// The same address once more. If it cannot be had, the loop tries again at the next change.
fn reopened(address: SocketAddr) -> Option<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .ok()?;
    socket.set_reuseaddr(true).ok()?;
    socket.bind(address).ok()?;
    socket.listen(BACKLOG).ok()
}

async fn serve(stream: TcpStream, service: Arc<Service>) {
    // Without it a small answer may wait for an acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(version2) = speaks_http2(&stream).await else {
        return;
    };
    if !version2 {
        return serve_http1(stream, service).await;
    }
    let respond = service_fn(move |request| Arc::clone(&service).answer(request));
    let builder = http2::Builder::new(TokioExecutor::new());
    // How a connection ends is the business of faults and clients; there is nobody to tell.
    let _ = (builder.serve_connection(TokioIo::new(stream), respond)).await;
}

/// Serves HTTP/1.1 on any connection, until either side ends it.
pub(crate) async fn serve_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    service: Arc<Service>,
) {
    let respond = service_fn(move |request| Arc::clone(&service).answer(request));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), respond)
        .await;
}

/// Whether the client begins with the HTTP/2 preface. `None`: it left without a word.
async fn speaks_http2(stream: &TcpStream) -> Option<bool> {
    let mut start = [0_u8; 3];
    for _ in 0..PREFACE_LOOKS_MAX {
        let read = stream.peek(&mut start).await.ok()?;
        if read == 0 {
            return None;
        }
        if read == start.len() || !b"PRI".starts_with(&start[..read]) {
            return Some(start == *b"PRI");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}
