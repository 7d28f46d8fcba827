//! Serves the pages: few connections, small requests, no patience.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::admin::routes::{AdminState, router};

/// A load balancer, a scraper or two and an operator. More wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 64;
/// A request's head must be here by then; it also ends an idle connection.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Our requests have no body and few headers.
const HEADERS_MAX: usize = 64;
/// The whole head of a request, and what is buffered of an answer.
const BUFFER_BYTES_MAX: usize = 16 * 1024;
/// A connection is closed after this, however busy: a scraper connects again.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// How long running answers may take to leave at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause after a failed accept (no file descriptors left, say), instead of a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers on `listener` until `shutdown`. Cancel it last, after the proxy has drained: until then
/// `/readyz` must go on saying that the guard is draining.
pub async fn serve(listener: TcpListener, state: AdminState, shutdown: CancellationToken) {
    let router = router(state);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    let accepting = accept_all(&listener, &router, &places, &connections, &shutdown);
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait())
        .await
        .is_err()
    {
        tracing::debug!("admin connections were cut off at shutdown");
    }
}

async fn accept_all(
    listener: &TcpListener,
    router: &Router,
    places: &Arc<Semaphore>,
    connections: &TaskTracker,
    shutdown: &CancellationToken,
) {
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(answer(stream, router.clone(), shutdown.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "the admin listener could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, from its first request to its last.
async fn answer(
    stream: TcpStream,
    router: Router,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answered = router.clone().call(request);
        async move { answered.await.map_err(|never: Infallible| never) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leave(&shutdown) => {
            connection.as_mut().graceful_shutdown();
            // A reader that stalls in the middle of an answer is cut off.
            match tokio::time::timeout(DRAIN_TIMEOUT, connection).await {
                Ok(ended) => ended,
                Err(_) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an admin connection ended early");
    }
}

/// The shutdown, or the end of a connection's life.
async fn leave(shutdown: &CancellationToken) {
    let age = tokio::time::sleep(CONNECTION_AGE_MAX);
    shutdown.run_until_cancelled(age).await;
}
