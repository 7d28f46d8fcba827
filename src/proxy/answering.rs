//! The answer to a billable call or to the poll of a job, from its head to its last byte: kept whole where it is
//! small, handed on as it comes where it is not, and settled before its client has the end of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode, header, response};
use http_body_util::BodyExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::answer;
use super::body::{AnswerBody, Piece};
use super::database_twin;
use super::exchange::Exchange;
use super::forward::{ForwardSettings, readable};
use super::kept::Keeping;
use super::memory::Room;
use super::outcome::{self, TestMode, Verdict};
use super::policy::Policy;
use super::redact::KeptBack;
use super::refusal::Refusal;
use super::settle::Settling;
use super::slots::Slot;
use super::unpack::Unpacker;
use super::upstream::Arriving;
use super::{Answer, Pledge};
use crate::catalogue::{ChargeReader, Class};
use crate::credits::Credits;
use crate::ids::JobId;
use crate::ledger::Ending;

/// Pieces of a streamed answer that may wait for the client: a quarter of a megabyte at most, for
/// nobody counts these bytes.
const PIECES_WAITING_MAX: usize = 4;

const GUARD_QUOTE: HeaderName = HeaderName::from_static("guard-quote");
pub(super) const GUARD_CHARGE: HeaderName = HeaderName::from_static("guard-charge");
pub(super) const GUARD_REMAINING: HeaderName = HeaderName::from_static("guard-remaining");
pub(super) const GUARD_BUDGET: HeaderName = HeaderName::from_static("guard-budget");

/// What the client gets: its answer, or a refusal.
pub(super) type Reply = oneshot::Sender<Result<Answer, Refusal>>;

/// An answer whose head is here.
pub(super) struct Answering {
    pub(super) settings: Arc<ForwardSettings>,
    pub(super) policy: Arc<Policy>,
    pub(super) settling: Settling,
    /// Free again when the upstream's answer has been read to its end.
    pub(super) slot: Option<Slot>,
    pub(super) head: response::Parts,
    pub(super) body: Arriving,
    pub(super) unpacker: Unpacker,
    pub(super) reader: Box<ChargeReader>,
    pub(super) keeping: Option<Keeping>,
    pub(super) sent: Instant,
}

/// Why an answer did not come whole.
struct Broken(String);

/// The part of an answer that was read before it was clear whether it can be kept.
enum Start {
    /// All of it; the room it takes is free again when it has been handed over.
    Whole(Bytes, Option<Room>),
    /// More than can be kept.
    Part(Vec<Bytes>),
}

impl Answering {
    /// To its end.
    pub(super) async fn run(mut self, reply: Reply) {
        match readable(&self.head) {
            Ok(unpacker) => self.unpacker = unpacker,
            Err(refusal) => {
                let status = self.head.status;
                self.break_off(format!("answered {status}: {}", refusal.reason()))
                    .await;
                let _ = reply.send(Err(refusal));
                return;
            }
        }
        let start = match self.start().await {
            Ok(start) => start,
            Err(Broken(why)) => {
                self.break_off(why).await;
                let _ = reply.send(Err(Refusal::UpstreamSilent));
                return;
            }
        };
        match start {
            Start::Whole(bytes, room) => self.answer_whole(bytes, room, reply).await,
            Start::Part(pieces) => self.answer_in_pieces(pieces, reply).await,
        }
    }

    /// Reads until the answer is whole or too large to keep.
    async fn start(&mut self) -> Result<Start, Broken> {
        let told = http_body::Body::size_hint(&self.body).exact();
        let told = told.filter(|_| !self.unpacker.is_packed());
        let kept_max = self.settings.answer_bytes_kept;
        let mut pieces = Vec::new();
        let mut length = 0;
        if told.is_some_and(|told| usize::try_from(told).map_or(true, |told| told > kept_max)) {
            return Ok(Start::Part(pieces));
        }
        let mut room = self.room();
        while let Some(chunk) = self.next().await? {
            length += chunk.len();
            let fits = length <= kept_max
                && room
                    .as_mut()
                    .is_some_and(|room| room.grow(chunk.len()).is_ok());
            pieces.push(chunk);
            if !fits {
                return Ok(Start::Part(pieces));
            }
        }
        Ok(Start::Whole(joined(pieces, length), room))
    }

    /// Room of the team's that called, without bytes yet.
    fn room(&self) -> Option<Room> {
        let facts = self.settling.exchange.facts();
        let client = facts.client.as_ref();
        client.map(|client| self.settings.memory.of(&client.team.id))
    }

    /// The next bytes in the clear, seen by the reader of charges.
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let deadline = self.sent + self.settings.response_timeout;
        let broken = |error: io::Error| Broken(format!("the answer is broken gzip: {error}"));
        loop {
            if let Some(clear) = self.unpacker.unpacked().map_err(broken)? {
                if self.unpacker.is_packed() {
                    // A bomb keeps one task busy, not the whole thread.
                    tokio::task::yield_now().await;
                }
                if clear.is_empty() {
                    continue;
                }
                self.reader.feed(&clear);
                return Ok(Some(clear));
            }
            let frame = tokio::time::timeout_at(deadline, self.body.frame()).await;
            let late = |_| {
                Broken(format!(
                    "no whole answer within {:?}",
                    self.settings.response_timeout
                ))
            };
            let Some(frame) = frame.map_err(late)? else {
                self.slot = None;
                let rest = self.unpacker.end().map_err(broken)?;
                self.reader.feed(&rest);
                return Ok((!rest.is_empty()).then_some(rest));
            };
            let frame = frame.map_err(|error| Broken(format!("the answer broke off: {error}")))?;
            if let Ok(packed) = frame.into_data() {
                self.unpacker.take(packed);
            }
        }
    }

    /// A small answer: settled, then handed over whole, with its charge in a header.
    async fn answer_whole(mut self, bytes: Bytes, room: Option<Room>, reply: Reply) {
        let redactor = self.settings.redactor.clone();
        let keeping = self.keeping.take();
        let (head, exchange) = self.settle().await;
        let mut head = answer::passed_head(head, &redactor);
        head.headers.remove(header::CONTENT_LENGTH);
        let bytes = redactor.cover(bytes);
        let body = AnswerBody::kept(bytes.clone(), room);
        let (head, body) = with_guard_headers(head, body, &exchange).into_parts();
        if let Some(keeping) = keeping {
            keeping.answered(&head, bytes);
        }
        let _ = reply.send(Ok(Answer::from_parts(head, body)));
    }

    /// A large answer: handed on as it comes, and settled before its end is. Its last piece waits for
    /// that: a client that counts bytes has the whole answer with it.
    async fn answer_in_pieces(mut self, pieces: Vec<Bytes>, reply: Reply) {
        let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
        let head = answer::passed_head(self.head.clone(), &self.settings.redactor);
        let answer = with_guard_headers(
            head,
            AnswerBody::Streamed(receiver),
            &self.settling.exchange,
        );
        let mut client = Client {
            pieces: reply.send(Ok(answer)).is_ok().then_some(sender),
            stall: self.settings.stalled_client_timeout,
            until: self.sent + self.settings.response_timeout * 3 / 4,
        };
        let redactor = self.settings.redactor.clone();
        let mut keeping = self.keeping.take();
        let mut kept_back = KeptBack::default();
        let mut last = Bytes::new();
        let mut pieces = pieces.into_iter();
        loop {
            let piece = match pieces.next() {
                Some(piece) => piece,
                None => match self.next().await {
                    Ok(Some(piece)) => piece,
                    Ok(None) => break,
                    // Without its end piece the client sees a cut connection.
                    Err(Broken(why)) => return self.break_off(why).await,
                },
            };
            let piece = redactor.cover_next(&mut kept_back, piece);
            if !piece.is_empty() {
                let before = std::mem::replace(&mut last, piece);
                if let Some(keeping) = &mut keeping {
                    keeping.add(&before);
                }
                client.hand_over(Piece::Data(before)).await;
            }
        }
        let (head, exchange) = self.settle().await;
        let rest = redactor.end(&mut kept_back);
        // Before its last piece goes: then it is known whether it arrived.
        if let Some(mut keeping) = keeping {
            keeping.add(&last);
            let head = answer::passed_head(head, &redactor);
            let (head, _) = with_guard_headers(head, AnswerBody::Empty, &exchange).into_parts();
            keeping.answered(&head, rest.clone());
        }
        for piece in [Piece::Data(last), Piece::Data(rest), Piece::End] {
            client.hand_over(piece).await;
        }
    }

    /// The answer ended before its end: what it was charged is unknown.
    async fn break_off(self, why: String) {
        self.settling.exchange.facts().upstream_time = Some(self.sent.elapsed());
        end_unanswered(&self.settings, self.settling, Ending::Doubted { why }).await;
    }

    /// The answer is whole: tells the ledger what it says. Gives back its head.
    async fn settle(self) -> (response::Parts, Arc<Exchange>) {
        let Self {
            head,
            settings,
            policy,
            settling,
            reader,
            sent,
            ..
        } = self;
        let exchange = Arc::clone(&settling.exchange);
        exchange.facts().upstream_time = Some(sent.elapsed());
        let test = TestMode::of(settings.token_is_test, answer::says_test(&head.headers));
        if test == TestMode::Contradictory {
            tracing::warn!(
                request.id = %exchange.request_id,
                "the token and the answer disagree on test mode; counted as charged"
            );
        }
        let mut said = reader.finish(&policy.prices, settling.quote());
        // The token is no job's id: it would stand in the books, and in all that is made of them.
        let shows_token = |job: &mut JobId| settings.redactor.is_in(job.as_str().as_bytes());
        said.job.take_if(shows_token);
        if said.funds_empty || head.status == StatusCode::PAYMENT_REQUIRED {
            settings.funds_gone.mark_empty();
        }
        let class = settling.operation.class;
        if class == Class::Poll {
            if let Some(ending) = outcome::of_poll(head.status, test, &said) {
                settling.end_job(ending);
            }
        } else {
            settings.breaker.record(head.status.is_server_error());
            settling
                .end(outcome::of_answer(class, head.status, test, &said))
                .await;
        }
        (head, exchange)
    }
}

/// The way to the client of a large answer.
struct Client {
    /// `None` once it has gone or was cut off.
    pieces: Option<mpsc::Sender<Piece>>,
    /// How long it may take for one piece.
    stall: Duration,
    /// Until when it is waited for at all. A client that reads slowly must not use up the time the
    /// upstream's answer has, or a call that was answered would be in doubt.
    until: Instant,
}

impl Client {
    /// Gives a piece to the client, unless it has gone or takes too long.
    async fn hand_over(&mut self, piece: Piece) {
        if matches!(&piece, Piece::Data(bytes) if bytes.is_empty()) {
            return;
        }
        let Some(pieces) = &self.pieces else { return };
        let until = self.until.min(Instant::now() + self.stall);
        let taken = tokio::time::timeout_at(until, pieces.send(piece)).await;
        if !matches!(taken, Ok(Ok(()))) {
            self.pieces = None;
        }
    }
}

fn joined(mut pieces: Vec<Bytes>, length: usize) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole.freeze()
}

/// The upstream's answer, with what the guard has to say about it.
fn with_guard_headers(mut head: response::Parts, body: AnswerBody, exchange: &Exchange) -> Answer {
    let headers = &mut head.headers;
    let facts = exchange.facts();
    let mut tell = |name: HeaderName, text: Option<&str>| {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    };
    tell(GUARD_QUOTE, facts.quote.map(Credits::text).as_deref());
    tell(GUARD_CHARGE, facts.charge.map(Credits::text).as_deref());
    if let Some(tightest) = &facts.tightest {
        tell(GUARD_REMAINING, Some(&tightest.remaining.text()));
        tell(GUARD_BUDGET, Some(tightest.budget.as_str()));
    }
    drop(facts);
    database_twin::tell(&mut head.headers, exchange);
    answer::tell_wait(&mut head);
    Answer::from_parts(head, body)
}

/// Ends a call that has no whole answer.
pub(super) async fn end_unanswered(settings: &ForwardSettings, settling: Settling, ending: Ending) {
    let (Ending::Doubted { why } | Ending::Released { why }) = &ending else {
        return;
    };
    tracing::warn!(request.id = %settling.exchange.request_id, operation = %settling.operation.name, "{why}");
    if matches!(settling.pledge, Pledge::Hold(_)) {
        settings.breaker.record(true);
    }
    settling.end(Verdict::End(ending)).await;
}
