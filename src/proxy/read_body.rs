//! Reads a request's body whole: within its bounds of size and time, taking room as bytes arrive.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::body::BodyError;
use super::memory::{Memory, NoRoom, Room};
use super::refusal::Refusal;
use crate::ids::TeamId;

/// What one body may be.
#[derive(Clone, Debug)]
pub struct BodyBounds {
    /// The largest body of a request, in bytes.
    pub bytes_max: usize,
    /// The longest a body may take to arrive.
    pub read_timeout: Duration,
    /// Room for all bodies kept at one time.
    pub memory: Arc<Memory>,
}

/// Why a body is not here whole.
enum Unread {
    NoRoom(NoRoom),
    Broken(BodyError),
}

impl BodyBounds {
    /// The whole body of a team's request, and the room it takes.
    ///
    /// # Errors
    /// `overloaded`, `body_too_large`, `unreadable_body`.
    pub(super) async fn read(
        &self,
        request: &mut Request<Incoming>,
        team: &TeamId,
    ) -> Result<(Bytes, Room), Refusal> {
        let mut room = self.memory.of(team);
        let reading = collect(request.body_mut(), self.bytes_max, &mut room);
        let why = match tokio::time::timeout(self.read_timeout, reading).await {
            Ok(Ok(bytes)) => return Ok((bytes, room)),
            Ok(Err(Unread::NoRoom(no))) => return Err(Refusal::NoRoom(no)),
            Ok(Err(Unread::Broken(error))) if error.is::<LengthLimitError>() => {
                return Err(Refusal::BodyTooLarge(self.bytes_max));
            }
            Ok(Err(Unread::Broken(_))) => "The body broke off before its end.".into(),
            Err(_) => format!(
                "The body did not arrive within {:?} (server.body_read_timeout).",
                self.read_timeout
            ),
        };
        Err(Refusal::BrokenBody(why))
    }
}

/// All bytes of a body; without a copy when they came in one piece.
async fn collect(body: &mut Incoming, bytes_max: usize, room: &mut Room) -> Result<Bytes, Unread> {
    let told = body.size_hint().exact();
    let mut body = Limited::new(body, bytes_max);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Unread::Broken)?.into_data() else {
            continue;
        };
        room.grow(data.len()).map_err(Unread::NoRoom)?;
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            // What was told is believed only up to the bound, and untouched memory is not taken.
            let told = told.and_then(|length| usize::try_from(length).ok());
            rest.reserve(told.unwrap_or_default().min(bytes_max));
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}
