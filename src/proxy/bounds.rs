//! Bounds on a request before anything is done for it.
//!
//! - Decides: draining, contradictory framing, too large a body (by its own word).
//! - Needs: [`Traced`]. The count and size of headers, and the time they may take, are bounded
//!   below this, where the bytes are read ([`server`](super::server)).
//! - Fails: `draining`, `bad_request`, `body_too_large`. A body that lies about its length or does
//!   not tell it is bounded again while it is read.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

use super::refusal::Refusal;
use super::{Answer, Decided, Traced, refuse};

/// Makes [`Bounds`].
#[derive(Clone, Debug)]
pub struct BoundsLayer {
    /// The largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Set when the guard shuts down.
    pub draining: CancellationToken,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Bounds<S> {
    inner: S,
    bounds: Arc<BoundsLayer>,
}

impl<S> Layer<S> for BoundsLayer {
    type Service = Bounds<S>;

    fn layer(&self, inner: S) -> Bounds<S> {
        Bounds {
            inner,
            bounds: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Traced> for Bounds<S>
where
    S: Service<Traced, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Decided<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, traced: Traced) -> Self::Future {
        match self.bounds.check(&traced) {
            Ok(()) => Decided::Right(self.inner.call(traced)),
            Err(refusal) => refuse(refusal),
        }
    }
}

impl BoundsLayer {
    fn check(&self, traced: &Traced) -> Result<(), Refusal> {
        if self.draining.is_cancelled() {
            return Err(Refusal::Draining);
        }
        let headers = traced.request.headers();
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        let coding = codings.next();
        if coding.is_some() && headers.contains_key(CONTENT_LENGTH) {
            return Err(Refusal::BadRequest(
                "Both Content-Length and Transfer-Encoding are given; send one.".into(),
            ));
        }
        // Any other coding, or one said twice, is read in more than one way: a proxy before the guard
        // may read it differently than the guard does.
        let strange =
            coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if strange || codings.next().is_some() {
            return Err(Refusal::BadRequest(
                "The body's Transfer-Encoding is not `chunked` alone; send that, or a Content-Length.".into(),
            ));
        }
        if headers.get_all(HOST).iter().count() > 1 {
            return Err(Refusal::BadRequest(
                "The request names more than one Host; send exactly one.".into(),
            ));
        }
        let told = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok());
        let length = told
            .and_then(|digits| digits.parse::<u64>().ok())
            .unwrap_or(0);
        if usize::try_from(length).map_or(true, |length| length > self.body_bytes_max) {
            return Err(Refusal::BodyTooLarge(self.body_bytes_max));
        }
        Ok(())
    }
}
