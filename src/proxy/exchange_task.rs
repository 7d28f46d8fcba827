//! A billable exchange, or the poll of a job, from sending to its end, in a task of its own.
//!
//! Whatever happens to the client, this runs on: it reads the upstream's answer to the last byte,
//! tells the ledger, and only then lets go.

use std::sync::Arc;

use http::Request;
use tokio::time::Instant;

use super::Admitted;
use super::answering::{Answering, Reply, end_unanswered};
use super::body::OutgoingBody;
use super::forward::{ForwardSettings, note_status};
use super::kept::Keeping;
use super::policy::Policy;
use super::refusal::Refusal;
use super::settle::Settling;
use super::slots::Slot;
use super::unpack::Unpacker;
use super::upstream::SendError;
use crate::catalogue::ChargeReader;
use crate::ledger::Ending;

/// See the module.
pub(super) struct ExchangeTask {
    settings: Arc<ForwardSettings>,
    request: Box<Request<OutgoingBody>>,
    policy: Arc<Policy>,
    settling: Settling,
    slot: Option<Slot>,
    keeping: Option<Keeping>,
    reply: Reply,
}

impl ExchangeTask {
    pub(super) fn new(settings: Arc<ForwardSettings>, admitted: Admitted, reply: Reply) -> Self {
        let settling = Settling {
            exchange: admitted.exchange,
            operation: admitted.operation,
            pledge: admitted.pledge,
            forward: Arc::clone(&settings),
        };
        Self {
            settings,
            request: admitted.request,
            policy: admitted.policy,
            settling,
            slot: admitted.slot,
            keeping: admitted.keeping,
            reply,
        }
    }

    pub(super) async fn run(self) {
        let Self {
            settings,
            request,
            policy,
            settling,
            slot,
            keeping,
            reply,
        } = self;
        let sent = Instant::now();
        settling.exchange.note_own_time(sent);
        let sending = (settings.patience).send(&settings.upstream, request, &settling.exchange);
        let answered = tokio::time::timeout(settings.response_timeout, sending);
        let (ending, refusal) = match answered.await {
            Ok(Ok(response)) => {
                let (head, body) = response.into_parts();
                note_status(&settling.exchange, head.status, sent);
                if let Some(slot) = &slot {
                    slot.hear(&head.headers);
                }
                let reader = Box::new(ChargeReader::new(&settling.operation));
                let answering = Answering {
                    settings,
                    policy,
                    settling,
                    slot,
                    head,
                    body,
                    unpacker: Unpacker::default(),
                    reader,
                    keeping,
                    sent,
                };
                return answering.run(reply).await;
            }
            Ok(Err(error)) => unanswered(error, &settings),
            Err(_) => {
                let why = format!("no answer within {:?}", settings.response_timeout);
                (Ending::Doubted { why }, Refusal::UpstreamSilent)
            }
        };
        end_unanswered(&settings, settling, ending).await;
        // Whoever else waits for this answer is told before the one it was sent for.
        drop(keeping);
        let _ = reply.send(Err(refusal));
    }
}

/// What the ledger and the client are told of a call that has no answer. A part of why may be the upstream's
/// words: the names in a certificate that is another's.
fn unanswered(error: SendError, settings: &ForwardSettings) -> (Ending, Refusal) {
    let refusal = Refusal::unanswered(&error);
    let covered = |why: String| settings.redactor.cover_text(&why);
    let ending = match error {
        SendError::Unsent { why, .. } | SendError::Refused(why) => {
            Ending::Released { why: covered(why) }
        }
        SendError::Unanswered(why) => Ending::Doubted { why: covered(why) },
    };
    (ending, refusal)
}
