//! The kinds of body an answer can have, and the two a request to the upstream can have.
//!
//! A streamed answer ends only by an explicit [`Piece::End`]: when its sender disappears without
//! one, the body fails and the connection is cut, so that half an answer never looks whole.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::sync::mpsc;

use super::alarm::Deadline;
use super::kept::ClaimedBody;
use super::memory::Room;
use super::redact::{KeptBack, Redactor};
use super::slots::Slot;
use super::unpack::Unpacker;
use super::upstream::Arriving;

/// Any error of a body, boxed at this one seam.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The answer stopped before its end; what was sent of it must not be taken for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off before its end")]
pub struct AnswerCut;

/// The upstream did not finish its answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the upstream did not finish its answer in time")]
pub struct AnswerLate;

/// One piece of a streamed answer.
#[derive(Debug)]
pub enum Piece {
    /// Bytes of the body.
    Data(Bytes),
    /// The body is complete.
    End,
}

/// The body of an answer to a client.
#[derive(Debug)]
pub enum AnswerBody {
    /// Known whole: refusals, and upstream answers that were kept, with the room they take.
    Full(Full<Bytes>, Option<Room>),
    /// Pieces handed over by the task that reads the upstream.
    Streamed(mpsc::Receiver<Piece>),
    /// Passed through as it comes, of an operation that is not settled.
    Passed(Box<Passed>),
    /// Any of these, whose client is waited for to have it.
    Claimed(Box<ClaimedBody>),
    /// Nothing (more) to say.
    Empty,
}

/// An upstream body on its way through, with a deadline to its last byte.
#[derive(Debug)]
pub struct Passed {
    body: Arriving,
    deadline: Deadline,
    unpacker: Unpacker,
    ended: bool,
    redactor: Redactor,
    kept_back: KeptBack,
    /// Free again at the end of the upstream's answer.
    slot: Option<Slot>,
}

impl AnswerBody {
    /// A body that is all here.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Full::new(bytes.into()), None)
    }

    /// An answer that was kept; `room` is given back when it has been handed over.
    pub fn kept(bytes: Bytes, room: Option<Room>) -> Self {
        Self::Full(Full::new(bytes), room)
    }

    /// Passes `body` through, failing when it is not complete by the `deadline`. At its end `slot` is free.
    pub fn passed(
        body: Arriving,
        deadline: Deadline,
        unpacker: Unpacker,
        redactor: Redactor,
        slot: Option<Slot>,
    ) -> Self {
        Self::Passed(Box::new(Passed {
            body,
            deadline,
            unpacker,
            ended: false,
            redactor,
            kept_back: KeptBack::default(),
            slot,
        }))
    }
}

impl Passed {
    /// The next piece, unpacked and with the token covered.
    fn poll_covered(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while !self.ended {
            let clear = match self.unpacker.unpacked()? {
                Some(clear) => clear,
                None => {
                    let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                        ready!(Pin::new(&mut self.deadline).poll(cx));
                        return Poll::Ready(Some(Err(AnswerLate.into())));
                    };
                    match frame.transpose()?.map(Frame::into_data) {
                        Some(Ok(packed)) => self.unpacker.take(packed),
                        Some(Err(_trailers)) => {}
                        None => return Poll::Ready(self.last().transpose()),
                    }
                    continue;
                }
            };
            let bytes = self.redactor.cover_next(&mut self.kept_back, clear);
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        Poll::Ready(None)
    }

    /// What is left when the upstream has said all.
    fn last(&mut self) -> Result<Option<Frame<Bytes>>, BodyError> {
        self.ended = true;
        self.slot = None;
        let clear = self.unpacker.end()?;
        let mut bytes = BytesMut::from(self.redactor.cover_next(&mut self.kept_back, clear));
        bytes.extend_from_slice(&self.redactor.end(&mut self.kept_back));
        Ok((!bytes.is_empty()).then(|| Frame::data(bytes.freeze())))
    }

    fn is_over(&self) -> bool {
        let nothing_waits = !self.unpacker.is_packed() && self.kept_back.is_empty();
        self.ended || (nothing_waits && self.body.is_end_stream())
    }

    /// Unknown while it is packed.
    fn size_hint(&self) -> SizeHint {
        if self.unpacker.is_packed() {
            SizeHint::default()
        } else {
            self.body.size_hint()
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Full(body, _) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Streamed(pieces) => {
                let frame = match ready!(pieces.poll_recv(cx)) {
                    Some(Piece::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Some(Piece::End) => None,
                    None => Some(Err(AnswerCut.into())),
                };
                *self = Self::Empty;
                Poll::Ready(frame)
            }
            Self::Passed(passed) => passed.poll_covered(cx),
            Self::Claimed(claimed) => Pin::new(&mut **claimed).poll_frame(cx),
            Self::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body, _) => body.is_end_stream(),
            Self::Streamed(_) => false,
            Self::Passed(passed) => passed.is_over(),
            Self::Claimed(claimed) => claimed.is_end_stream(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body, _) => body.size_hint(),
            Self::Streamed(_) => SizeHint::default(),
            Self::Passed(passed) => passed.size_hint(),
            Self::Claimed(claimed) => claimed.size_hint(),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}

/// The body of a request to the upstream. Clones share the bytes and the room.
#[derive(Clone, Debug)]
pub enum OutgoingBody {
    /// Read and, where it matters, priced and perhaps given a bound: exactly these bytes are sent. They keep the room
    /// they take until they are gone.
    Full(Full<Bytes>, Arc<Room>),
    /// There is none.
    Empty,
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Full(body, _) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body, _) => body.is_end_stream(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body, _) => body.size_hint(),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_streamed_answer_is_whole_only_after_its_end_piece() {
        let (sender, pieces) = mpsc::channel(4);
        sender.send(Piece::Data("half".into())).await.unwrap();
        drop(sender);
        assert!(AnswerBody::Streamed(pieces).collect().await.is_err());

        let (sender, pieces) = mpsc::channel(4);
        sender.send(Piece::Data("whole".into())).await.unwrap();
        sender.send(Piece::End).await.unwrap();
        drop(sender);
        let whole = AnswerBody::Streamed(pieces).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "whole");
    }
}
