//! What was paid for and never reached its client, for when the client asks again.
//!
//! - Decides: whether a charged call is the repeat of one whose client left: the same key, operation
//!   and body. Then it is given that one's answer, or waits for it while it is still under way:
//!   nothing is held, nothing is sent, nothing is charged. Identical calls whose clients are all still
//!   there are separate calls, always. With an `Idempotency-Key` of the client's, every further call
//!   under it is the same call, as long as its answer is kept. A call that was never made, and that
//!   the ledger has just said no to, is told so again.
//! - Needs: [`Quoted`].
//! - Leaves: [`Quoted`], with the place where its answer goes.
//! - Fails: `idempotency_conflict`, `call_in_doubt`, `bad_request` (no readable idempotency key),
//!   `slots_full` (said to the call it waited for), and what the ledger says again.
//!
//! `table.rs` and `group.rs` have the rules; [`connection`](super::connection) knows which answers have arrived.

mod answer;
mod body;
mod claim;
mod foresee;
mod group;
mod shelf;
mod table;
#[cfg(test)]
mod table_tests;

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Either};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use tower::{Layer, Service};

pub use body::ClaimedBody;
pub use claim::{Claim, Keeping};
pub use shelf::Shelf;
pub use table::{Bounds, Mark};

use answer::KeptAnswer;
use shelf::Came;
use table::Seen;

use super::answering::{GUARD_BUDGET, GUARD_CHARGE, GUARD_REMAINING};
use super::body::AnswerBody;
use super::quote_body::CallDigest;
use super::refusal::Refusal;
use super::savings::Savings;
use super::{Answer, Quoted, hold_credits, settle};
use crate::credits::Credits;
use crate::identity::Client;
use crate::ledger::{HoldId, Ledger, SavedBy};
use crate::metrics::outcome;

/// A client's own name for a call, so that it is made once.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// On an answer that was paid for before.
const GUARD_REPLAYED: HeaderName = HeaderName::from_static("guard-replayed");

/// Makes [`KeptAnswers`].
#[derive(Clone, Debug)]
pub struct KeptAnswersLayer {
    /// The kept answers.
    pub shelf: Arc<Shelf>,
    /// Asked whether a doubt has ended.
    pub ledger: Ledger,
    /// Told what was not charged again.
    pub savings: Savings,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct KeptAnswers<S> {
    inner: S,
    settings: Arc<KeptAnswersLayer>,
}

impl<S> Layer<S> for KeptAnswersLayer {
    type Service = KeptAnswers<S>;

    fn layer(&self, inner: S) -> KeptAnswers<S> {
        KeptAnswers {
            inner,
            settings: Arc::new(self.clone()),
        }
    }
}

impl<S> Service<Quoted> for KeptAnswers<S>
where
    S: Service<Quoted, Response = Answer, Error = Refusal> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Either<S::Future, BoxFuture<'static, Result<Answer, Refusal>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut quoted: Quoted) -> Self::Future {
        let Some(digest) = quoted.digest.filter(|_| self.settings.shelf.keeps()) else {
            return Either::Left(self.inner.call(quoted));
        };
        if let Some(refusal) = self.settings.no_again(&quoted, digest) {
            settle::log_refused(&quoted, &refusal);
            return Either::Right(Box::pin(std::future::ready(Err(refusal))));
        }
        let spare = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let settings = Arc::clone(&self.settings);
        Either::Right(Box::pin(async move {
            let peer = Arc::clone(&quoted.peer);
            let found = settings.find(&quoted, digest).await;
            let found = found.inspect_err(|refusal| settle::log_refused(&quoted, refusal))?;
            match found {
                Found::Before(answer, claim) => Ok(ClaimedBody::wrap(answer, claim, peer)),
                Found::New(claim, keeping) => {
                    quoted.keeping = Some(keeping);
                    let answer = inner.call(quoted).await?;
                    Ok(ClaimedBody::wrap(answer, claim, peer))
                }
            }
        }))
    }
}

enum Found {
    /// It is a call of its own.
    New(Claim, Keeping),
    /// It was made before, and this came of it.
    Before(Answer, Claim),
}

impl KeptAnswersLayer {
    /// What the ledger has just said to the same call, unless that call was made before: an answer that
    /// was paid for is given though the budget is spent since. A script that does not stop at its
    /// limit is to take no more time from the others than it must.
    fn no_again(&self, quoted: &Quoted, digest: CallDigest) -> Option<Refusal> {
        let (quote, _) = quoted.quote.as_ref()?;
        let no = self.ledger.no_again(&hold_credits::request(quoted)?)?;
        // One that cannot be read is refused below.
        let mark = mark(&quoted.client, digest, quoted.request.headers()).ok()?;
        let was_made = self.shelf.knows(mark);
        (!was_made).then(|| hold_credits::refusal(no, quoted, quote))
    }

    async fn find(&self, quoted: &Quoted, digest: CallDigest) -> Result<Found, Refusal> {
        let mark = mark(&quoted.client, digest, quoted.request.headers())?;
        loop {
            let ticket = match self.shelf.look(mark, digest, &quoted.peer).await {
                Seen::New(ticket) => {
                    let claim = Claim::new(&self.shelf, ticket);
                    let keeping = Keeping::new(&self.shelf, ticket, &quoted.exchange);
                    return Ok(Found::New(claim, keeping));
                }
                Seen::Known(ticket) => ticket,
                Seen::Conflict => return Err(Refusal::IdempotencyConflict),
                Seen::Doubted(hold) => {
                    self.wait_out(mark, hold).await?;
                    continue;
                }
                Seen::Unsure(..) => continue,
            };
            let claim = Claim::new(&self.shelf, ticket);
            match self.shelf.wait(ticket).await {
                Came::Answer(answer, waited) => {
                    let how = match (mark, waited) {
                        (Mark::Named(_), _) => SavedBy::Idempotent,
                        (Mark::Call(_), true) => SavedBy::Joined,
                        (Mark::Call(_), false) => SavedBy::Replayed,
                    };
                    self.note(quoted, &answer, how, waited);
                    return Ok(Found::Before(replay(&answer), claim));
                }
                Came::Refused(full) => return Err(Refusal::SlotsFull(full)),
                // It took nothing, or nobody knows: then the ledger refuses it. Made again.
                Came::Nothing => {}
                // Nobody reads it: its client's system said that there is nobody.
                Came::Lost => {
                    let why = "The connection was closed before the answer.";
                    return Err(Refusal::BadRequest(why.into()));
                }
            }
        }
    }

    /// A call that may have been made is not made again under its idempotency key, however long its
    /// outcome stays unknown.
    async fn wait_out(&self, mark: Mark, hold: HoldId) -> Result<(), Refusal> {
        if let Some(refusal) = in_doubt(hold, &self.ledger).await? {
            return Err(refusal);
        }
        self.shelf.forget_doubt(mark, hold);
        Ok(())
    }

    fn note(&self, quoted: &Quoted, answer: &KeptAnswer, how: SavedBy, waited: bool) {
        let mut facts = quoted.exchange.facts();
        // Nothing is sent, so there is nothing it is sent as.
        if let Some(asked) = facts.asked.take() {
            facts.operation = Some(asked.operation);
        }
        let operation = facts.operation.as_ref();
        let operation = operation.unwrap_or(&quoted.operation.name);
        let team = &quoted.client.team.id;
        self.savings.add(team, operation, how, answer.charge);
        facts.outcome = Some(if waited {
            outcome::JOINED
        } else {
            outcome::REPLAYED
        });
        facts.charge = Some(Credits::ZERO);
        facts.saved = Some(answer.charge);
        drop(facts);
        settle::log_spend(&quoted.exchange);
    }
}

/// The no to the repeat of a call whose outcome is still unknown; `None`: its doubt has ended.
async fn in_doubt(hold: HoldId, ledger: &Ledger) -> Result<Option<Refusal>, Refusal> {
    let open = ledger.open_calls().await;
    let open = open.map_err(|error| Refusal::LedgerUnreadable(error.to_string()))?;
    let call = open.iter().find(|call| call.hold == hold);
    Ok(call.map(|call| Refusal::CallInDoubt {
        hold,
        // Its doubt may still be on its way to the books.
        doubted_at: call.doubted_at.unwrap_or(call.began_at),
    }))
}

/// Under what a call is found again.
fn mark(client: &Client, digest: CallDigest, headers: &HeaderMap) -> Result<Mark, Refusal> {
    let Some(name) = idempotency_key(headers)? else {
        return Ok(Mark::Call(digest));
    };
    // No operation has this name.
    let digest = CallDigest::of(client, IDEMPOTENCY_KEY.as_str(), name);
    Ok(Mark::Named(digest))
}

/// The name that its client gave a call.
///
/// # Errors
/// [`Refusal::BadRequest`]: there is one that cannot be read, or there are several.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let mut names = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(name) = names.next() else {
        return Ok(None);
    };
    let name = name.as_bytes();
    let is_readable = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&name.len())
        && name.iter().all(u8::is_ascii_graphic);
    if !is_readable || names.next().is_some() {
        return Err(Refusal::BadRequest(format!(
            "An Idempotency-Key is 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters without a space, given once. Send such a one, or none."
        )));
    }
    Ok(Some(name))
}

/// The answer, marked. What stood in a budget when it was first given is not so now.
fn replay(answer: &KeptAnswer) -> Answer {
    let mut replayed = Answer::new(AnswerBody::full(answer.body.clone()));
    *replayed.status_mut() = answer.status;
    let headers = replayed.headers_mut();
    *headers = answer.headers();
    headers.remove(GUARD_REMAINING);
    headers.remove(GUARD_BUDGET);
    headers.insert(GUARD_CHARGE, HeaderValue::from_static("0"));
    headers.insert(GUARD_REPLAYED, HeaderValue::from_static("true"));
    replayed
}
