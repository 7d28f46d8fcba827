//! Replies as they leave: status, headers, and a body that may come in pieces or break off.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::truth::Delivery;

/// There is no (more of an) answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    /// The connection is to be closed; of HTTP/2 the stream is.
    #[error("the simulator cuts the connection")]
    Off,
    /// The same, and the stream's end is to say that nothing was done.
    #[error("the simulator refuses the stream")]
    Refused(#[source] h2::Error),
}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// How the body goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// At once, with its length.
    Whole,
    /// In pieces with a pause before each, without a length.
    Pieces { pause: Duration, chunk_bytes: usize },
    /// The first half of it, then the connection closes.
    Half,
    /// With a length that is not its own.
    Length(usize),
}

/// A reply before it is handed to the connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) manner: Manner,
}

impl Reply {
    /// A reply in JSON.
    pub(crate) fn json(status: StatusCode, body: String) -> Self {
        Self::of_type(status, body, HeaderValue::from_static("application/json"))
    }

    /// A reply in HTML.
    pub(crate) fn html(status: StatusCode, body: String) -> Self {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        Self::of_type(status, body, kind)
    }

    fn of_type(status: StatusCode, body: String, kind: HeaderValue) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, kind);
        Self {
            status,
            headers,
            body: Bytes::from(body),
            manner: Manner::Whole,
        }
    }

    /// Sets a header; a value that cannot be one is left out.
    pub(crate) fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// The response, which marks `delivery` once its last byte has been handed over.
    pub(crate) fn into_response(mut self, delivery: Delivery) -> Response<ReplyBody> {
        if self.body.is_empty() {
            self.headers.remove(CONTENT_TYPE);
            delivery.done();
        }
        let full = self.body.len();
        let (left, lies) = match self.manner {
            Manner::Whole | Manner::Pieces { .. } => (self.body, None),
            Manner::Half => (self.body.slice(..full / 2), Some(full)),
            Manner::Length(length) => (self.body, Some(length)),
        };
        if let Some(length) = lies {
            self.headers.insert(CONTENT_LENGTH, length.into());
        }
        let body = ReplyBody {
            left,
            manner: self.manner,
            pause: None,
            delivery,
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The body of a reply.
pub(crate) struct ReplyBody {
    left: Bytes,
    manner: Manner,
    pause: Option<Pin<Box<Sleep>>>,
    delivery: Delivery,
}

/// Lets what was written reach the client: what is still queued at the cut is thrown away.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

impl ReplyBody {
    fn breaks_off(&self) -> bool {
        matches!(self.manner, Manner::Half | Manner::Length(_))
    }

    /// Ready once a pause is over; the next call begins another.
    fn wait(&mut self, pause: Duration, context: &mut Context<'_>) -> Poll<()> {
        let waiting = self
            .pause
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        ready!(waiting.as_mut().poll(context));
        self.pause = None;
        Poll::Ready(())
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.left.is_empty() {
            if self.breaks_off() {
                ready!(self.wait(BEFORE_THE_CUT, context));
            }
            return Poll::Ready((self.manner == Manner::Half).then_some(Err(Cut::Off)));
        }
        let Manner::Pieces { pause, chunk_bytes } = self.manner else {
            let all = std::mem::take(&mut self.left);
            if self.manner == Manner::Whole {
                self.delivery.done();
            }
            return Poll::Ready(Some(Ok(Frame::data(all))));
        };
        ready!(self.wait(pause, context));
        let size = chunk_bytes.clamp(1, self.left.len());
        let piece = self.left.split_to(size);
        if self.left.is_empty() {
            self.delivery.done();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        // Where the body breaks off, the end must be looked at to be seen.
        self.left.is_empty() && !self.breaks_off()
    }

    fn size_hint(&self) -> SizeHint {
        match self.manner {
            Manner::Whole => SizeHint::with_exact(self.left.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
