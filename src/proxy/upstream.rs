//! The way to the upstream: one pooled client, TLS or plain, perhaps through an egress proxy.
//!
//! A request that hyper gives back unsent on a reused connection is sent again by the pool, which
//! repeats nothing, for nothing had been sent. What else was certainly not sent is tried again by
//! [`resend`](super::resend).

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::timeout::TimeoutLayer;
use tower::util::{BoxCloneSyncService, MapResponseLayer, Oneshot};
use tower::{Layer, Service, ServiceExt};

use super::body::{BodyError, OutgoingBody};
use super::link::Link;

/// The longest piece of an answer that is read at once, and the longest head of one, in bytes. Of the
/// pieces of a long answer some wait for its client.
const PIECE_BYTES_MAX: usize = 64 << 10;

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
    /// An HTTP proxy that all connections go through, by `CONNECT`.
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
pub struct Upstream {
    client: Client<Shared, OutgoingBody>,
    scheme: http::uri::Scheme,
    authority: http::uri::Authority,
}

/// A connector that is cloned by its pointer: the pool clones it for every call, needed or not.
#[derive(Clone, Debug)]
struct Shared(Arc<Connector>);

impl Service<Uri> for Shared {
    type Response = Link;
    type Error = BodyError;
    type Future = Oneshot<Connector, Uri>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Connector::clone(&self.0).oneshot(uri)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Certainly nothing was sent.
    #[error("not sent: {0}")]
    Unsent(String),
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
        let parts = settings.base_url.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(BadBaseUrl);
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(settings.pool_idle_timeout)
            .pool_max_idle_per_host(settings.idle_connections_max)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_max_buf_size(PIECE_BYTES_MAX)
            .build(Shared(Arc::new(connector)));
        Ok(Self {
            client,
            scheme,
            authority,
        })
    }

    /// Sends `request`, whose URI is a path and query, and waits for the answer's head.
    pub async fn send(
        &self,
        mut request: Request<OutgoingBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        *request.uri_mut() =
            Uri::from_parts(parts).map_err(|error| SendError::Unsent(error.to_string()))?;
        *request.version_mut() = http::Version::HTTP_11;
        self.client
            .request(request)
            .await
            .map_err(|error| describe(&error))
    }
}

fn connector(settings: &UpstreamSettings) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(settings.tls.clone())
        .https_or_http()
        .enable_all_versions();
    let within = TimeoutLayer::new(settings.connect_timeout);
    let made = MapResponseLayer::new(Link::Network);
    match settings.proxy.clone() {
        None => Connector::new(made.layer(within.layer(https.wrap_connector(tcp)))),
        Some(proxy) => {
            let tunnel = https.wrap_connector(Tunnel::new(proxy, tcp));
            Connector::new(made.layer(within.layer(tunnel)))
        }
    }
}

/// Tells "certainly nothing was sent" from everything else. When in doubt, it was sent.
fn describe(error: &legacy::Error) -> SendError {
    let mut words = error.to_string();
    let mut unsent = error.is_connect();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        words += &format!(": {cause}");
        // hyper hands a request back with this error when its connection closed first.
        unsent |= cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_canceled);
        source = cause.source();
    }
    if unsent {
        SendError::Unsent(words)
    } else {
        SendError::Unanswered(words)
    }
}
