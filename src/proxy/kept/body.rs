//! An answer's body that knows when its last byte has gone, and tells the client's connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};

use super::claim::Claim;
use crate::proxy::Answer;
use crate::proxy::body::{AnswerBody, BodyError};
use crate::proxy::connection::Connection;

/// See the module. Dropped before its end, its client has left.
#[derive(Debug)]
pub struct ClaimedBody {
    body: AnswerBody,
    claim: Option<Claim>,
    peer: Arc<dyn Connection>,
    /// Bytes that are still to come, where their number stands in the head: nobody asks for more
    /// than that.
    left: Option<u64>,
}

impl ClaimedBody {
    /// The answer, for the client that waits for it at `peer`.
    pub fn wrap(answer: Answer, claim: Claim, peer: Arc<dyn Connection>) -> Answer {
        let length = answer.headers().get(CONTENT_LENGTH);
        let left = length.and_then(|length| length.to_str().ok()?.parse().ok());
        answer.map(|body| {
            AnswerBody::Claimed(Box::new(Self {
                body,
                claim: Some(claim),
                peer,
                left,
            }))
        })
    }

    fn is_over(&self) -> bool {
        self.left == Some(0) || self.body.is_end_stream()
    }

    /// The last byte has gone to whoever writes it.
    fn hand_over(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.peer.await_delivery(claim);
        }
    }
}

impl Body for ClaimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.hand_over(),
            Some(Ok(frame)) => {
                let more = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(more));
                if self.is_over() {
                    self.hand_over();
                }
            }
            Some(Err(_)) => self.claim = None,
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

impl Drop for ClaimedBody {
    fn drop(&mut self) {
        // One without a byte is never asked for any.
        if self.is_over() {
            self.hand_over();
        }
    }
}
