//! The proxy: what happens to a call between a team's service and the upstream.
//!
//! [`stack`] is the page to read first: one line a layer, in the order a request meets them.
//! Each layer's file says what it decides, what it needs, what it leaves for the next and how it
//! fails. Requests change their type on the way ([`Traced`], [`Identified`], [`Classified`],
//! [`Quoted`], [`Slotted`], [`Admitted`], [`Sealed`]), so that a layer cannot be left out or put in the wrong
//! place: only what has passed the layer before fits into the next.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;

use crate::catalogue::{Operation, OwnPage, Quote};
use crate::identity::Client;
use crate::ids::JobId;
use crate::ledger::{Fingerprint, Hold};

pub mod alarm;
pub mod answer;
pub mod answer_refusals;
mod answering;
pub mod ask;
pub mod attach_token;
pub mod authenticate;
pub mod body;
pub mod bounds;
pub mod breaker;
pub mod breaker_probe;
mod budget_row;
pub mod classify;
pub mod connection;
pub mod database_twin;
pub mod exchange;
mod exchange_task;
pub mod first_words;
pub mod forward;
pub mod framing;
pub mod hold_credits;
pub mod job_poller;
pub mod kept;
pub mod link;
pub mod may_call;
pub mod memory;
pub mod meters;
pub mod normalise_path;
pub mod outcome;
pub mod policy;
pub mod quote_body;
pub mod rates;
pub mod read_body;
pub mod redact;
pub mod refusal;
mod refusal_body;
pub mod resend;
pub mod savings;
mod served;
pub mod server;
pub mod settle;
mod shadow;
pub mod short;
pub mod slots;
pub mod slowing;
pub mod socket;
pub mod sources;
pub mod stack;
pub mod stalled;
pub mod team_view;
pub mod throttle;
pub mod trace;
pub mod unknown_keys;
pub mod unpack;
pub mod upstream;

use alarm::Alarm;
use ask::Wishes;
use body::{AnswerBody, OutgoingBody};
use connection::Connection;
use exchange::Exchange;
use kept::Keeping;
use policy::Policy;
use quote_body::CallDigest;
use refusal::Refusal;
use slots::Slot;

/// What the stack answers with.
pub type Answer = Response<AnswerBody>;

/// The future of a layer that decides at once: its own no, or the next layer's future.
pub type Decided<F> = futures_util::future::Either<std::future::Ready<Result<Answer, Refusal>>, F>;

/// The layer's own no, as a future.
fn refuse<F>(refusal: Refusal) -> Decided<F> {
    Decided::Left(std::future::ready(Err(refusal)))
}

/// A request as a client sent it, and the connection it came on.
#[derive(Debug)]
pub struct Arrived {
    /// Its head, and its body as it comes.
    pub request: Box<Request<Incoming>>,
    /// Where its client can be seen.
    pub peer: Arc<dyn Connection>,
}

/// A request with its record. Left by trace.
#[derive(Debug)]
pub struct Traced {
    /// As it came.
    pub request: Box<Request<Incoming>>,
    /// Where its client can be seen.
    pub peer: Arc<dyn Connection>,
    /// What is gathered about it.
    pub exchange: Arc<Exchange>,
}

/// A request whose sender is known. Left by authenticate; only a secret makes one.
#[derive(Debug)]
pub struct Identified {
    /// As it came, but for the path once it is normalised.
    pub request: Box<Request<Incoming>>,
    /// Where its client can be seen.
    pub peer: Arc<dyn Connection>,
    /// What is gathered about it.
    pub exchange: Arc<Exchange>,
    /// Who pays.
    pub client: Arc<Client>,
    /// When their key ends, by those rules.
    pub key_ends: Option<Timestamp>,
    /// The rules in force when the call arrived; they stay its rules to the end.
    pub policy: Arc<Policy>,
}

/// A request whose operation is known and open to its client. Left by classify.
#[derive(Debug)]
pub struct Classified {
    /// The request and its sender.
    pub identified: Identified,
    /// What it asks the upstream to do.
    pub operation: Arc<Operation>,
    /// The job it asks about, if it is a poll.
    pub job: Option<JobId>,
    /// The page of the team's own books that answers it in the upstream's place, if one does.
    pub own_page: Option<OwnPage>,
    /// What its client asks of the guard for it.
    pub wishes: Wishes,
}

/// A request whose quote is known, with the bytes that say so. Left by quote body.
#[derive(Debug)]
pub struct Quoted {
    /// The request without its body.
    pub request: Box<Request<OutgoingBody>>,
    /// Where its client can be seen.
    pub peer: Arc<dyn Connection>,
    /// What is gathered about it.
    pub exchange: Arc<Exchange>,
    /// Who pays.
    pub client: Arc<Client>,
    /// When their key ends.
    pub key_ends: Option<Timestamp>,
    /// The rules in force when it arrived.
    pub policy: Arc<Policy>,
    /// What it asks the upstream to do.
    pub operation: Arc<Operation>,
    /// The job it asks about.
    pub job: Option<JobId>,
    /// The most it can take. `None`: it takes nothing and nothing is held.
    pub quote: Option<(Quote, Fingerprint)>,
    /// What its client asks of the guard for it.
    pub wishes: Wishes,
    /// Client, operation and body in one, of a call that is charged as it was asked for.
    pub digest: Option<CallDigest>,
    /// Where its answer is kept until its client has it. Left by kept answers.
    pub keeping: Option<Keeping>,
}

/// A request that the upstream has room for. Left by wait for a slot.
#[derive(Debug)]
pub struct Slotted {
    /// The request and its quote.
    pub quoted: Quoted,
    /// Its place among the calls in flight. `None`: the upstream has no cap on such calls.
    pub slot: Option<Slot>,
}

/// A request that may leave: its quote is on disk, or it is free. Left by hold credits.
#[derive(Debug)]
pub struct Admitted {
    /// What will be sent.
    pub request: Box<Request<OutgoingBody>>,
    /// What is gathered about it.
    pub exchange: Arc<Exchange>,
    /// The rules in force.
    pub policy: Arc<Policy>,
    /// What it asks the upstream to do.
    pub operation: Arc<Operation>,
    /// What its end must be told to.
    pub pledge: Pledge,
    /// Free again when the exchange with the upstream has ended.
    pub slot: Option<Slot>,
    /// Where its answer is kept until its client has it.
    pub keeping: Option<Keeping>,
    /// The timer of the task that its client's connection is served in.
    pub alarm: Alarm,
}

/// What waits for the end of an exchange.
#[derive(Debug)]
pub enum Pledge {
    /// A free operation: nothing.
    Nothing,
    /// A hold, which must end.
    Hold(Hold),
    /// A poll of this job, whose answer may show the end of the job's hold.
    Job(JobId),
}

/// A request of which only what may go on is sent, with the account's token and nothing of the client's
/// credentials. Left by attach token.
#[derive(Debug)]
pub struct Sealed(Admitted);
