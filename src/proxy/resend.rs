//! Sends again what certainly was not sent.
//!
//! Where no connection could be made, or hyper gave the request back, nothing was charged and nothing
//! can be: it is tried again a few times, within the time a connection may take. The call's hold stays
//! meanwhile. Whatever may have been sent is never sent again here, whatever came of it.

use std::num::NonZeroU32;
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Instant;

use super::body::OutgoingBody;
use super::exchange::Exchange;
use super::upstream::{Arriving, SendError, Upstream};

/// How often and for how long what was not sent is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Tries in all; one is none again.
    pub tries: NonZeroU32,
    /// Before the second try; doubles from try to try.
    pub pause: Duration,
    /// No try is begun later than this after the first.
    pub within: Duration,
}

impl Patience {
    /// Sends `request`, and again as long as it was not sent and patience lasts.
    ///
    /// # Errors
    /// That of the last try.
    pub async fn send(
        self,
        upstream: &Upstream,
        mut request: Box<Request<OutgoingBody>>,
        exchange: &Exchange,
    ) -> Result<Response<Arriving>, SendError> {
        let began = Instant::now();
        let mut pause = self.pause;
        for tried in 1..self.tries.get() {
            let (how, why, back) = match upstream.send(request).await {
                Err(SendError::Unsent { how, why, request }) => (how, why, request),
                sent => return sent,
            };
            if began.elapsed() + pause > self.within {
                let request = back;
                return Err(SendError::Unsent { how, why, request });
            }
            request = back;
            exchange.facts().upstream_tries = Some(tried + 1);
            tracing::debug!(request.id = %exchange.request_id, "not sent, and tried again: {why}");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        upstream.send(request).await
    }
}
