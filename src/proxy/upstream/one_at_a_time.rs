//! Connections of HTTP/1.1, each for one exchange at a time, and those of them that are at rest.

use std::time::Duration;

use http::header::HOST;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::origin::{Origin, origin_form};
use crate::proxy::body::OutgoingBody;
use crate::proxy::link::Link;

/// The longest piece of an answer that is read at once, and the longest head of one, in bytes. Of the
/// pieces of a long answer some wait for its client.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// One connection. Dropped in the middle of an exchange, it is cut: of an answered request that the upstream
/// does not read, hyper would keep the rest, and the connection, for ever.
pub(super) struct OneAtATime {
    sender: http1::SendRequest<OutgoingBody>,
    connection: AbortHandle,
}

/// Those at rest, the one used last at the end. Some are not quite at the end of their last exchange.
#[derive(Default)]
pub(super) struct AtRest(Vec<Resting>);

struct Resting {
    sender: OneAtATime,
    since: Instant,
}

impl OneAtATime {
    pub(super) async fn over(link: Link) -> hyper::Result<Self> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(PIECE_BYTES_MAX)
            .handshake(link)
            .await?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok(Self { sender, connection })
    }

    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        self.sender.ready().await
    }

    pub(super) fn send(
        &mut self,
        mut request: Request<OutgoingBody>,
        origin: &Origin,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<OutgoingBody>>>> + use<>
    {
        if request.uri().authority().is_some() {
            // Back from a connection of the other kind.
            *request.uri_mut() = origin_form(std::mem::take(request.uri_mut()));
        }
        request.headers_mut().insert(HOST, origin.host.clone());
        self.sender.try_send_request(request)
    }

    /// Whether it is at the end of its last exchange: all of the answer came, and all of the request left.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Drop for OneAtATime {
    fn drop(&mut self) {
        if !self.is_ready() {
            self.connection.abort();
        }
    }
}

impl AtRest {
    /// The one used last of those on which something can be sent.
    pub(super) fn take(&mut self, now: Instant, idle_timeout: Duration) -> Option<OneAtATime> {
        let mut place = self.0.len();
        while let Some(before) = place.checked_sub(1) {
            place = before;
            let resting = &self.0[place];
            if now.duration_since(resting.since) >= idle_timeout {
                // So did all before it.
                self.0.drain(..=place);
                return None;
            }
            if resting.sender.is_closed() {
                self.0.remove(place);
            } else if resting.sender.is_ready() {
                return Some(self.0.remove(place).sender);
            }
        }
        None
    }

    /// Lets `sender` rest, unless as many do as may.
    pub(super) fn add(&mut self, sender: OneAtATime, idle_max: usize) {
        if self.0.len() < idle_max {
            let since = Instant::now();
            self.0.push(Resting { sender, since });
        }
    }

    /// Lets go of those that rested too long, and of those that were closed meanwhile.
    pub(super) fn sweep(&mut self, now: Instant, idle_timeout: Duration) {
        self.0.retain(|resting| {
            !resting.sender.is_closed() && now.duration_since(resting.since) < idle_timeout
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
