//! The layers as hyper calls them: one copy of them for each connection.
//!
//! A layer is never waited for: each says at once that it is ready. So a request goes straight in, and the
//! layers need not be copied for it to wait with.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::Arrived;
use super::connection::Connection;
use super::trace::TracedBody;

/// See the module.
pub(super) struct Served<S> {
    layers: Mutex<S>,
    peer: Arc<dyn Connection>,
    begun: Arc<AtomicBool>,
    shutdown: Arc<CancellationToken>,
}

impl<S> Served<S> {
    /// `begun` is set with the first request of the connection that `peer` stands for; from `shutdown` on
    /// each answer says that it closes.
    pub(super) fn new(
        layers: S,
        peer: Arc<dyn Connection>,
        begun: Arc<AtomicBool>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            layers: Mutex::new(layers),
            peer,
            begun,
            shutdown: Arc::new(shutdown),
        }
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Served<S>
where
    S: Service<Arrived, Response = Response<TracedBody>, Error = Infallible>,
{
    type Response = Response<TracedBody>;
    type Error = Infallible;
    type Future = Serving<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.begun.store(true, Ordering::Relaxed);
        let arrived = Arrived {
            // Handed from layer to layer, which would move all of it each time.
            request: Box::new(request),
            peer: Arc::clone(&self.peer),
        };
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        Serving {
            answer: layers.call(arrived),
            shutdown: Arc::clone(&self.shutdown),
        }
    }
}

pin_project! {
    /// An answer on its way.
    pub(super) struct Serving<F> {
        #[pin]
        answer: F,
        shutdown: Arc<CancellationToken>,
    }
}

impl<F> Future for Serving<F>
where
    F: Future<Output = Result<Response<TracedBody>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut answer) = ready!(this.answer.poll(cx));
        if this.shutdown.is_cancelled() {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        Poll::Ready(Ok(answer))
    }
}
