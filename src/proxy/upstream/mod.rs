//! The way to the upstream: a pool of connections, TLS or plain, perhaps through an egress proxy.
//!
//! A request that hyper gives back unsent on a reused connection is sent on another at once, which
//! repeats nothing, for nothing had been sent. What else was certainly not sent is tried again by
//! [`resend`](super::resend).

mod arriving;
mod awaiting;
mod greeting;
mod many_at_a_time;
mod one_at_a_time;
mod origin;
mod pool;
mod queue;
mod sender;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tower::Layer;
use tower::timeout::TimeoutLayer;
use tower::util::{BoxCloneSyncService, MapResponseLayer};

use self::awaiting::Awaiting;
use self::greeting::ServesNone;
use self::origin::Origin;
use self::pool::{Pool, Taken};
use super::body::{BodyError, OutgoingBody};
use super::link::Link;

pub use self::arriving::Arriving;

/// Makes connections to the upstream.
pub type Connector = BoxCloneSyncService<Uri, Link, BodyError>;

/// What there is to say about reaching the upstream.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Scheme, host and port; a path is not part of it.
    pub base_url: Uri,
    /// To a ready connection, TLS included.
    pub connect_timeout: Duration,
    /// After this an idle connection is closed.
    pub pool_idle_timeout: Duration,
    /// Idle connections kept at most.
    pub idle_connections_max: usize,
    /// An HTTP proxy that all connections go through, by `CONNECT`, perhaps with a name and a password.
    pub proxy: Option<Uri>,
    /// Roots and versions of TLS.
    pub tls: rustls::ClientConfig,
}

/// The base URL lacks a scheme or a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upstream.base_url needs a scheme and a host, such as https://api.generect.com")]
pub struct BadBaseUrl;

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Upstream(Arc<Pool>);

/// Why the upstream has done nothing with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// There was no connection to send it on.
    NoConnection,
    /// It said that it serves no requests at the moment.
    ServesNone,
    /// It refused this one.
    Refused,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Certainly nothing was sent.
    #[error("not sent: {why}")]
    Unsent {
        /// What was in the way.
        how: NotTaken,
        /// The same at length.
        why: String,
        /// What was not sent.
        request: Box<Request<OutgoingBody>>,
    },
    /// It was sent, and the upstream says that it did nothing with it.
    #[error("refused by the upstream: {0}")]
    Refused(String),
    /// Something may have been sent.
    #[error("sent, and no answer came: {0}")]
    Unanswered(String),
}

impl Upstream {
    /// A client without connections; they are made when there is something to send.
    ///
    /// # Errors
    /// [`BadBaseUrl`].
    pub fn new(settings: UpstreamSettings) -> Result<Self, BadBaseUrl> {
        let connector = connector(&settings);
        Self::over(connector, &settings)
    }

    /// The same over connections that `connector` makes: what the settings say of making them is its
    /// own business.
    ///
    /// # Errors
    /// [`BadBaseUrl`].
    pub fn over(connector: Connector, settings: &UpstreamSettings) -> Result<Self, BadBaseUrl> {
        let origin = Origin::of(settings.base_url.clone()).ok_or(BadBaseUrl)?;
        Ok(Self(Pool::new(connector, origin, settings)))
    }

    /// Sends `request`, whose URI is a path and query, and waits for the answer's head.
    ///
    /// # Errors
    /// [`SendError`]: that nothing was sent, or that nobody knows.
    pub async fn send(
        &self,
        mut request: Box<Request<OutgoingBody>>,
    ) -> Result<Response<Arriving>, SendError> {
        loop {
            // Before its connection, so that it is dropped after it.
            let awaiting = Awaiting::of(&self.0);
            let Taken { mut sender, is_new } = match self.0.take().await {
                Ok(taken) => taken,
                Err(error) => return Err(unsent(&*error, request)),
            };
            if let Err(error) = sender.ready().await {
                if is_new {
                    return Err(unsent(&error, request));
                }
                continue;
            }
            let mut error = match sender.send(*request, &self.0.origin).await {
                Ok(response) => {
                    awaiting.answered();
                    return Ok(response.map(|body| Arriving::new(body, sender, &self.0)));
                }
                Err(error) => error,
            };
            // hyper hands a request back of which it wrote nothing.
            request = match error.take_message() {
                Some(back) if !is_new => Box::new(back),
                Some(back) => return Err(unsent(&error.into_error(), Box::new(back))),
                None => return Err(unanswered(&error.into_error())),
            };
        }
    }
}

fn connector(settings: &UpstreamSettings) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let tls = || {
        HttpsConnectorBuilder::new()
            .with_tls_config(settings.tls.clone())
            .https_or_http()
    };
    let within = TimeoutLayer::new(settings.connect_timeout);
    if let Some(proxy) = &settings.proxy {
        let to_proxy = tls().enable_http1().wrap_connector(tcp);
        let through = tls().enable_all_versions();
        let through = through.wrap_connector(tunnel(proxy, to_proxy));
        let made = MapResponseLayer::new(|stream| Link::Tunnel(Box::new(stream)));
        return Connector::new(made.layer(within.layer(through)));
    }
    let direct = tls().enable_all_versions().wrap_connector(tcp);
    let made = MapResponseLayer::new(Link::Network);
    Connector::new(made.layer(within.layer(direct)))
}

/// The way through `proxy`, to which its name and password are shown if it has them.
fn tunnel<C>(proxy: &Uri, to_proxy: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.clone(), to_proxy);
    let known = Matcher::builder().all(proxy.to_string()).build();
    let known = known.intercept(&Uri::from_static("https://upstream"));
    match known.as_ref().and_then(Intercept::basic_auth) {
        Some(shown) => tunnel.with_auth(shown.clone()),
        None => tunnel,
    }
}

fn unsent(error: &(dyn Error + 'static), request: Box<Request<OutgoingBody>>) -> SendError {
    let how = if error.is::<ServesNone>() {
        NotTaken::ServesNone
    } else {
        NotTaken::NoConnection
    };
    let why = describe(error);
    SendError::Unsent { how, why, request }
}

fn unanswered(error: &hyper::Error) -> SendError {
    let why = describe(error);
    if is_refused(error) {
        SendError::Refused(why)
    } else {
        SendError::Unanswered(why)
    }
}

/// Whether the upstream says that it closed the request's stream before it did anything with it (RFC 9113,
/// section 8.7): only what it said itself, and of this very stream.
///
/// It says the same by a GOAWAY of the streams above the last it names (section 6.8). That is not taken for it:
/// hyper has one error for such a stream and for one below, which was written, and perhaps served, just
/// before the GOAWAY was seen.
fn is_refused(error: &hyper::Error) -> bool {
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        cause.is_reset() && cause.is_remote() && cause.reason() == Some(h2::Reason::REFUSED_STREAM)
    })
}

/// What happened, and all that led to it.
fn describe(error: &(dyn Error + 'static)) -> String {
    let mut words = in_our_words(error);
    let mut source = error.source();
    while let Some(cause) = source {
        words += ": ";
        words += &in_our_words(cause);
        source = cause.source();
    }
    words
}

/// An error without the text with which an upstream lets go of a connection of HTTP/2: that may be long, and the
/// token may stand in it, and from here it goes into the books.
fn in_our_words(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<h2::Error>() {
        Some(end) if end.is_go_away() && end.is_remote() => {
            let why = end.reason().unwrap_or(h2::Reason::NO_ERROR);
            format!("the upstream let go of the connection: {why}")
        }
        _ => error.to_string(),
    }
}
