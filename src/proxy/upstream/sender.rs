//! One connection to the upstream, in the protocol it agreed on, and what it takes to send on it.

use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper_util::client::legacy::connect::Connection;
use tokio::time::Instant;

use super::many_at_a_time::ManyAtATime;
use super::one_at_a_time::OneAtATime;
use super::origin::Origin;
use crate::proxy::body::{BodyError, OutgoingBody};
use crate::proxy::link::Link;

/// The right to send a request on a connection.
pub(super) enum Sender {
    /// No one else has this connection.
    Http1(OneAtATime),
    /// Others may send on it as well.
    Http2(ManyAtATime),
}

impl Sender {
    /// Agrees on what is spoken over `link`, which lives for as long as a sender of it, or an answer
    /// that comes over it. That may take until `by`, which is so long (`within`) after it was begun to be made.
    pub(super) async fn over(link: Link, within: Duration, by: Instant) -> Result<Self, BodyError> {
        // How a connection ends is told to the exchange it had; nobody else waits for that.
        if link.connected().is_negotiated_h2() {
            ManyAtATime::over(link, within, by).await.map(Self::Http2)
        } else {
            Ok(Self::Http1(OneAtATime::over(link).await?))
        }
    }

    /// Waits until something can be sent.
    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::Http1(one) => one.ready().await,
            Self::Http2(many) => many.ready().await,
        }
    }

    /// Sends, and waits for the head of the answer. The error has the request where none of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<OutgoingBody>,
        origin: &Origin,
    ) -> Result<Response<Incoming>, TrySendError<Request<OutgoingBody>>> {
        match self {
            Self::Http1(one) => one.send(request, origin).await,
            Self::Http2(many) => many.send(request, origin).await,
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
