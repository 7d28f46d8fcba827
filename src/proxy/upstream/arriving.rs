//! The body of the upstream's answer, on a connection that is free again at its end.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::Pool;
use super::sender::Sender;

/// See the module. Dropped before its end, it takes its connection along if that was its alone: hyper
/// closes one on which more of an answer comes than anybody reads.
pub struct Arriving {
    body: Incoming,
    /// `None` if it has been given back.
    connection: Option<(Sender, Arc<Pool>)>,
}

impl Arriving {
    pub(super) fn new(body: Incoming, sender: Sender, pool: &Arc<Pool>) -> Self {
        let connection = Some((sender, Arc::clone(pool)));
        Self { body, connection }
    }

    fn give_back(&mut self) {
        if let Some((sender, pool)) = self.connection.take() {
            pool.give_back(sender);
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.give_back();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // An answer without a body is not read at all, and of a short one hyper has the end already.
        let is_free = |(sender, _): &(Sender, _)| sender.is_free();
        if self.body.is_end_stream() || self.connection.as_ref().is_some_and(is_free) {
            self.give_back();
        }
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Arriving")
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
