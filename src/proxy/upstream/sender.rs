//! One connection to the upstream, in the protocol it agreed on, and what it takes to send on it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::task::AbortHandle;

use crate::proxy::body::OutgoingBody;
use crate::proxy::link::Link;

/// The longest piece of an answer that is read at once, and the longest head of one, in bytes. Of the
/// pieces of a long answer some wait for its client.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// What the upstream may send of one answer over HTTP/2 before its client takes it, in bytes.
const ANSWER_WINDOW_BYTES: u32 = 256 << 10;
/// The same of all answers of a connection: as good as no bound, which would let a few clients that
/// read slowly stop the answers of all others.
const CONNECTION_WINDOW_BYTES: u32 = (1 << 31) - 1;

/// While answers are awaited over HTTP/2 and nothing comes for so long, a sign of life is asked for, and
/// waited for as long. One connection has all calls: if it died without a word, every new one would end in
/// doubt until the system gives it up, which can take a quarter of an hour.
const SIGN_OF_LIFE_WITHIN: Duration = Duration::from_secs(30);

/// One connection: of HTTP/1.1, for one exchange at a time. Dropped in the middle of one, it is cut: of an
/// answered request that the upstream does not read, hyper would keep the rest, and the connection, for ever.
pub(super) struct OneAtATime {
    sender: http1::SendRequest<OutgoingBody>,
    connection: AbortHandle,
}

/// One connection: of HTTP/2, for as many exchanges at a time as the upstream says. The pool has one of it, and
/// each exchange a clone, by which they are counted: one more than the upstream serves hyper would have
/// wait, and nobody knew that it had not left.
#[derive(Clone)]
pub(super) struct ManyAtATime {
    sender: http2::SendRequest<OutgoingBody>,
    /// Gone when it has ended.
    connection: Weak<Mutex<Http2Connection>>,
    exchanges: Arc<()>,
}

type Http2Connection = http2::Connection<Link, OutgoingBody, TokioExecutor>;

/// The right to send a request on a connection.
pub(super) enum Sender {
    /// No one else has this connection.
    Http1(OneAtATime),
    /// Others may send on it as well.
    Http2(ManyAtATime),
}

impl Sender {
    /// Agrees on what is spoken over `link`, which lives for as long as a sender of it, or an answer
    /// that comes over it.
    pub(super) async fn over(link: Link) -> hyper::Result<Self> {
        // How a connection ends is told to the exchange it had; nobody else waits for that.
        if link.connected().is_negotiated_h2() {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .initial_stream_window_size(ANSWER_WINDOW_BYTES)
                .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .keep_alive_interval(SIGN_OF_LIFE_WITHIN)
                .keep_alive_timeout(SIGN_OF_LIFE_WITHIN)
                // Before the upstream has said how many.
                .initial_max_send_streams(1)
                .handshake(link)
                .await?;
            let kept = Arc::new(Mutex::new(connection));
            let many = ManyAtATime {
                sender,
                connection: Arc::downgrade(&kept),
                exchanges: Arc::default(),
            };
            tokio::spawn(poll_fn(move |cx| Pin::new(&mut *locked(&kept)).poll(cx)));
            Ok(Self::Http2(many))
        } else {
            let (sender, connection) = http1::Builder::new()
                .max_buf_size(PIECE_BYTES_MAX)
                .handshake(link)
                .await?;
            let connection = tokio::spawn(connection).abort_handle();
            Ok(Self::Http1(OneAtATime { sender, connection }))
        }
    }

    /// Waits until something can be sent.
    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::Http1(one) => one.sender.ready().await,
            Self::Http2(many) => many.sender.ready().await,
        }
    }

    /// Sends, and waits for the head of the answer. The error has the request where none of it was sent.
    pub(super) async fn send(
        &mut self,
        mut request: Request<OutgoingBody>,
        origin: &Origin,
    ) -> Result<Response<Incoming>, TrySendError<Request<OutgoingBody>>> {
        match self {
            Self::Http1(one) => {
                if request.uri().authority().is_some() {
                    // Back from a connection of the other kind.
                    *request.uri_mut() = origin_form(std::mem::take(request.uri_mut()));
                }
                request.headers_mut().insert(HOST, origin.host.clone());
                one.sender.try_send_request(request).await
            }
            Self::Http2(many) => {
                request.headers_mut().remove(HOST);
                *request.uri_mut() = origin.absolute(std::mem::take(request.uri_mut()));
                many.sender.try_send_request(request).await
            }
        }
    }

    /// Whether others can have it, although the answer of this exchange was not read to its end.
    pub(super) fn is_free(&self) -> bool {
        match self {
            Self::Http1(one) => one.is_ready(),
            Self::Http2(_) => true,
        }
    }
}

impl OneAtATime {
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

impl ManyAtATime {
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether the upstream serves one exchange more on it than there are.
    pub(super) fn has_room(&self) -> bool {
        let connection = self.connection.upgrade();
        connection.is_some_and(|kept| self.exchanges() < locked(&kept).current_max_send_streams())
    }

    /// How many there are, as the pool's own sees it: all clones but itself.
    pub(super) fn exchanges(&self) -> usize {
        Arc::strong_count(&self.exchanges) - 1
    }
}

fn locked(connection: &Mutex<Http2Connection>) -> MutexGuard<'_, Http2Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose connections they are, as each protocol names it.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    scheme: Scheme,
    authority: Authority,
    /// The authority without the port that goes without saying.
    host: HeaderValue,
}

impl Origin {
    /// `None` if `base_url` has no scheme or no host.
    pub(super) fn of(base_url: Uri) -> Option<Self> {
        let parts = base_url.into_parts();
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let host = match authority.port_u16() {
            Some(port) if port == usual_port(&scheme) => authority.host(),
            _ => authority.as_str(),
        };
        let host = HeaderValue::from_str(host).ok()?;
        Some(Self {
            scheme,
            authority,
            host,
        })
    }

    /// Where connections lead to, with the port: an egress proxy is told no scheme.
    pub(super) fn destination(&self) -> Uri {
        let to = format!("{}:{}", self.authority.host(), self.port());
        let mut parts = self.absolute(Uri::default()).into_parts();
        parts.authority = to.parse().ok().or(parts.authority);
        Uri::from_parts(parts).unwrap_or_default()
    }

    fn port(&self) -> u16 {
        let usual = usual_port(&self.scheme);
        self.authority.port_u16().unwrap_or(usual)
    }

    /// The same path and query, with scheme and authority: what HTTP/2 wants (RFC 9113, section 8.3.1).
    fn absolute(&self, uri: Uri) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_of(uri));
        // All three are there, so they are a URI.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

fn usual_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

/// The path and query alone: what HTTP/1.1 wants (RFC 9112, section 3.2.1).
fn origin_form(uri: Uri) -> Uri {
    Uri::from(path_of(uri))
}

fn path_of(uri: Uri) -> PathAndQuery {
    let path = uri.into_parts().path_and_query;
    path.unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_names_the_port_only_where_it_is_an_unusual_one() {
        for (base_url, host) in [
            ("https://api.example.com", "api.example.com"),
            ("https://api.example.com:443/", "api.example.com"),
            ("https://api.example.com:80", "api.example.com:80"),
            ("http://api.example.com:80", "api.example.com"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            let origin = Origin::of(base_url.parse().unwrap()).unwrap();
            assert_eq!(origin.host, host, "{base_url}");
            let absolute = origin.absolute("/api/v1/a/?b=c".parse().unwrap());
            assert_eq!(absolute.authority(), Some(&origin.authority), "{base_url}");
            assert_eq!(absolute.path_and_query().unwrap(), "/api/v1/a/?b=c");
            assert_eq!(origin_form(absolute), "/api/v1/a/?b=c");
        }
        assert!(Origin::of("/api/".parse().unwrap()).is_none());
    }
}
