//! Accepts connections, serves them, and drains.
//!
//! HTTP/1.1 only. Header count, header size and the time a head may take are bounded here, where
//! the bytes are read; a head that is too large is answered 431 by hyper ([`first_words`](super::first_words)
//! says it in our words), one that takes too long is not answered: the connection is closed.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use ::metrics::{Counter, counter};
use http::Response;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::Arrived;
use super::connection::ClientStream;
use super::first_words::FirstWords;
use super::framing::WatchedStream;
use super::served::Served;
use super::socket::{Listen, Socket};
use super::sources::{OpenBySource, OpenOne, Seldom};
use super::stalled::StalledStream;
use super::trace::TracedBody;
use crate::metrics;

/// After a failed accept (out of file descriptors, mostly) some time for things to get better.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// At the end, how long the first head of a connection may still take: one that is on its way is told
/// that the guard stops; a connection that says nothing does not hold up the end.
const LAST_HEAD: Duration = Duration::from_secs(1);

/// Header fields that hyper takes if it is told nothing.
const HYPER_HEADERS_MAX: usize = 100;

/// Bounds on connections and on the heads of requests.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// Header fields of a request at most.
    pub headers_max: usize,
    /// Bytes of a request's head at most. hyper asks for 8 KiB at least.
    pub header_bytes_max: usize,
    /// From the first byte of a connection, or the end of the last exchange, to a whole head.
    pub header_read_timeout: Duration,
    /// A client that takes no byte of its answer for so long is cut off.
    pub stalled_client_timeout: Duration,
    /// Connections open at one time.
    pub connections_max: usize,
    /// Of these, connections of one source.
    pub connections_per_source_max: usize,
    /// At the end, how long connections that do nothing are kept: a request that is on its way on one
    /// of them is answered, and the answer says that the connection closes.
    pub idle_at_end: Duration,
}

/// Sent, if that is possible at once, to a source that has too many connections. No request of it was read.
const TURNED_AWAY: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nguard-refusal: overloaded\r\n",
    "retry-after: 5\r\nconnection: close\r\n\r\n",
    r#"{"status":"error","status_code":503,"detail":"Too many connections from your address are open (server.connections_per_source_max). Keep and reuse fewer of them. Nothing was read. Try again shortly.","code":"overloaded"}"#,
);

/// Serves `listener` until `shutdown`, then stops accepting and lets each connection finish what it
/// is doing. Returns when no connection is left; the caller sets the deadline.
pub async fn serve<L, S>(
    listener: L,
    service: S,
    settings: ServerSettings,
    shutdown: CancellationToken,
) where
    L: Listen,
    S: Service<Arrived, Response = Response<TracedBody>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let builder = builder(&settings);
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let by_source = BySource::new(settings.connections_per_source_max);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((socket, place)) = accepted else {
            continue;
        };
        let Some(of_source) = by_source.admit(&socket) else {
            continue;
        };
        let (builder, service, shutdown) = (builder.clone(), service.clone(), shutdown.clone());
        connections.spawn(async move {
            socket.prepare(settings.stalled_client_timeout);
            let stream = ClientStream::new(socket);
            serve_connection(stream, service, builder, (settings, shutdown)).await;
            drop((place, of_source));
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn builder(settings: &ServerSettings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(settings.header_read_timeout)
        .max_header_size(settings.header_bytes_max)
        // A head is measured when it is whole: until then this is what bounds it.
        .max_buf_size(settings.header_bytes_max);
    // Told this number, hyper would make room for them anew with each head.
    if settings.headers_max != HYPER_HEADERS_MAX {
        builder.max_headers(settings.headers_max);
    }
    builder
}

/// The next connection, once there is a place for it.
async fn accept<L: Listen>(
    listener: &L,
    places: &Arc<Semaphore>,
) -> Option<(L::Socket, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok(socket) => Some((socket, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_RETRY).await;
            None
        }
    }
}

/// Closes connections unread, so that one source cannot take the places of all others.
struct BySource {
    open: OpenBySource,
    turned_away: Counter,
    line: Seldom,
}

impl BySource {
    fn new(each_max: usize) -> Self {
        Self {
            open: OpenBySource::new(each_max),
            turned_away: counter!(metrics::TURNED_AWAY),
            line: Seldom::default(),
        }
    }

    /// Counts a connection, as long as it is open, for its source if that is known. `None`: the source
    /// has as many as it may have, and was told so.
    fn admit(&self, socket: &impl Socket) -> Option<Option<OpenOne>> {
        let Some(source) = socket.source() else {
            return Some(None);
        };
        if let Some(one) = self.open.open(source) {
            return Some(Some(one));
        }
        self.turned_away.increment(1);
        if self.line.is_time() {
            tracing::warn!(%source, "{source} has as many connections open as one source may have (server.connections_per_source_max); further ones are closed unread");
        }
        socket.say_at_once(TURNED_AWAY.as_bytes());
        None
    }
}

async fn serve_connection<C, S>(
    stream: ClientStream<C>,
    service: S,
    mut builder: http1::Builder,
    (settings, shutdown): (ServerSettings, CancellationToken),
) where
    C: Socket,
    S: Service<Arrived, Response = Response<TracedBody>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let begun = Arc::new(AtomicBool::new(false));
    let peer = stream.connection();
    builder.timer(peer.alarm().clone());
    let service = Served::new(service, peer, Arc::clone(&begun), shutdown.clone());
    let stream = StalledStream::new(stream, settings.stalled_client_timeout);
    let stream = FirstWords::new(WatchedStream::new(stream), Arc::clone(&begun));
    let io = TokioIo::new(stream);
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    let ended = match until(connection.as_mut(), &shutdown).await {
        Some(ended) => ended,
        None => last_exchange(connection, &begun, &settings).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// What `work` comes to, or `None` if `shutdown` comes first. Both wake the same task: once that is arranged,
/// to look at a flag is enough, with each of the many wakes of a connection.
async fn until<W: Future>(
    mut work: Pin<&mut W>,
    shutdown: &CancellationToken,
) -> Option<W::Output> {
    let mut cancelled = pin!(shutdown.cancelled());
    let mut is_arranged = false;
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let is_cancelled = if std::mem::replace(&mut is_arranged, true) {
            shutdown.is_cancelled()
        } else {
            cancelled.as_mut().poll(cx).is_ready()
        };
        if is_cancelled {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Lets a connection do what it has begun, and what is on its way to it.
async fn last_exchange<C>(
    mut connection: Pin<&mut C>,
    begun: &AtomicBool,
    settings: &ServerSettings,
) -> hyper::Result<()>
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let idle = tokio::time::sleep(settings.idle_at_end);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = idle => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection.as_mut() => ended,
        // hyper would wait for the first head as long as for any other.
        () = tokio::time::sleep(LAST_HEAD) => if begun.load(Ordering::Relaxed) {
            connection.await
        } else {
            Ok(())
        },
    }
}
