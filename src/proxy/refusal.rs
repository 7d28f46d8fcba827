//! Every "no" of the guard: its reason, status, waiting time and words.
//!
//! Refusals are made deep in the stack, beside the rule they come from, and answered at its edge
//! by [`answer_refusals`](super::answer_refusals). The body is the upstream's own error envelope
//! with added fields, so that clients written for Generect understand it (dossier section 1.1):
//! a 402 whose detail begins with `Insufficient funds` makes its SDK and its MCP server stop,
//! a 429 or 503 with a whole-second `Retry-After` makes the SDK wait (dossier section 6).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use super::memory::NoRoom;
use super::short::{AboveMax, Short};
use super::upstream::{NotTaken, SendError};
use crate::counted::counted;
use crate::credits::Credits;
use crate::identity::{Pause, Whose};
use crate::ids::{KeyId, OperationName};
use crate::ledger::{HoldError, HoldId};
use crate::proxy::slots::Standing;

/// The longest wait a refusal asks for: the SDK caps `Retry-After` there (dossier section 6.1).
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// The wait after which room held by other calls may be free again.
const BUSY_RETRY: Duration = Duration::from_secs(2);
/// The wait after a fault of the guard itself.
const FAULT_RETRY: Duration = Duration::from_secs(5);

/// A family whose slots are all taken.
#[derive(Clone, Debug)]
pub struct SlotsFull {
    /// Which operations share them, by the catalogue's name.
    pub family: Arc<str>,
    /// How full it is.
    pub standing: Standing,
    /// Whether the call waited as long as it may; otherwise too many wait already.
    pub waited: bool,
}

/// Somebody stopped the client's calls.
#[derive(Debug)]
pub struct Paused {
    /// Whose.
    pub whose: Whose,
    /// Who, when and why.
    pub pause: Pause,
}

/// The guard's own no.
#[derive(Debug)]
pub enum Refusal {
    /// No key, an unknown key, or two different ones.
    UnknownKey(&'static str),
    /// The same, from a source that keeps on trying.
    UnknownKeyTooOften {
        /// What is wrong with the key.
        why: &'static str,
        /// Until the next one is looked at as the first was.
        wait: Duration,
    },
    /// The key was one, and has ended.
    KeyExpired {
        /// Which key.
        key: KeyId,
        /// When it ended.
        at: Timestamp,
    },
    /// The team or the key is paused.
    Paused(Box<Paused>),
    /// The operation is known, but not for this client.
    OperationNotAllowed(String),
    /// Method and path name nothing in the catalogue.
    UnknownOperation(String),
    /// What the call can take cannot be read from its body.
    UnreadableBody(String),
    /// The body did not arrive whole.
    BrokenBody(String),
    /// The body is larger than the guard takes, in bytes.
    BodyTooLarge(usize),
    /// The request's headers contradict each other or are too many.
    BadRequest(String),
    /// A header of the guard's own cannot be read.
    UnreadableHeader(String),
    /// The call can take more than its client allows.
    AboveMaxCharge(Box<AboveMax>),
    /// Budgets or the account are short.
    Short(Box<Short>),
    /// The same call was sent before and its outcome is not known.
    CallInDoubt {
        /// The hold of the earlier call.
        hold: HoldId,
        /// When its outcome became unknown.
        doubted_at: Timestamp,
    },
    /// Its idempotency key stands for another call.
    IdempotencyConflict,
    /// A rate of the client's is used up for now.
    RateExceeded {
        /// Which rate.
        rate: String,
        /// When the next call fits.
        wait: Duration,
    },
    /// The upstream serves no more calls of this family at a time, and the call could not wait.
    SlotsFull(SlotsFull),
    /// The account is low and this priority is slowed.
    AccountSlowed {
        /// The balance under which it is slowed.
        below: Credits,
        /// When the next call fits.
        wait: Duration,
    },
    /// No budget covers the call any more, or its key pays for another.
    RulesChanged,
    /// Holds cannot be written.
    LedgerUnavailable(String),
    /// The books cannot be read.
    LedgerUnreadable(String),
    /// A bound of the guard's own is reached.
    Overloaded(&'static str),
    /// There is no room for the call's body.
    NoRoom(NoRoom),
    /// The guard is shutting down.
    Draining,
    /// The upstream kept failing; billable calls wait.
    UpstreamFailing(Duration),
    /// Nothing was sent, or the upstream did nothing with it.
    UpstreamUnreachable(NotTaken),
    /// It was sent, and no (whole) answer came.
    UpstreamSilent,
    /// It answered with a redirect, which is never passed on.
    UpstreamRedirected(StatusCode),
    /// It answered with something that cannot be looked through, which is never passed on.
    UpstreamUnreadable(String),
}

impl Refusal {
    /// Puts a hold that was not made into words.
    pub fn from_hold(
        error: HoldError,
        operation: OperationName,
        asked: Credits,
        items: u64,
    ) -> Self {
        match error {
            HoldError::Short(shortfall) => Self::Short(Box::new(Short {
                shortfall,
                operation,
                asked,
                items,
            })),
            HoldError::InDoubt { hold, doubted_at } => Self::CallInDoubt { hold, doubted_at },
            HoldError::Uncovered => Self::RulesChanged,
            HoldError::Unavailable(why) => Self::LedgerUnavailable(why),
            HoldError::Overloaded => Self::Overloaded("too many calls are waiting for the ledger"),
            HoldError::Closed => Self::Draining,
        }
    }

    /// Puts the want of an answer into words.
    pub fn unanswered(error: &SendError) -> Self {
        match error {
            SendError::Unsent { how, .. } => Self::UpstreamUnreachable(*how),
            SendError::Refused(_) => Self::UpstreamUnreachable(NotTaken::Refused),
            SendError::Unanswered(_) => Self::UpstreamSilent,
        }
    }

    /// One word for body, log and metric alike.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownKey(_) | Self::UnknownKeyTooOften { .. } | Self::KeyExpired { .. } => {
                "unknown_key"
            }
            Self::Paused(_) => "paused",
            Self::OperationNotAllowed(_) => "operation_not_allowed",
            Self::UnknownOperation(_) => "unknown_operation",
            Self::UnreadableBody(_) | Self::BrokenBody(_) => "unreadable_body",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::BadRequest(_) => "bad_request",
            Self::UnreadableHeader(_) => "unreadable_header",
            Self::AboveMaxCharge(_) => "above_max_charge",
            Self::Short(short) => short.reason(),
            Self::CallInDoubt { .. } => "call_in_doubt",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::RateExceeded { .. } => "rate_exceeded",
            Self::SlotsFull(_) => "slots_full",
            Self::AccountSlowed { .. } => "account_slowed",
            Self::RulesChanged => "rules_changed",
            Self::LedgerUnavailable(_) | Self::LedgerUnreadable(_) => "ledger_unavailable",
            Self::Overloaded(_) | Self::NoRoom(_) => "overloaded",
            Self::Draining => "draining",
            Self::UpstreamFailing(_) => "upstream_failing",
            Self::UpstreamUnreachable(_) => "upstream_unreachable",
            Self::UpstreamSilent => "upstream_silent",
            Self::UpstreamRedirected(_) => "upstream_redirected",
            Self::UpstreamUnreadable(_) => "upstream_unreadable",
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnknownKey(_) | Self::KeyExpired { .. } => StatusCode::UNAUTHORIZED,
            Self::OperationNotAllowed(_) | Self::UnknownOperation(_) | Self::Paused(_) => {
                StatusCode::FORBIDDEN
            }
            // No 402: clients take that for an account without funds, and stop altogether.
            Self::UnreadableBody(_)
            | Self::BrokenBody(_)
            | Self::BadRequest(_)
            | Self::UnreadableHeader(_)
            | Self::AboveMaxCharge(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::IdempotencyConflict => StatusCode::CONFLICT,
            Self::Short(short) => short.status(),
            Self::UnknownKeyTooOften { .. }
            | Self::RateExceeded { .. }
            | Self::SlotsFull(_)
            | Self::AccountSlowed { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::RulesChanged
            | Self::LedgerUnavailable(_)
            | Self::LedgerUnreadable(_)
            | Self::Overloaded(_)
            | Self::NoRoom(_)
            | Self::Draining
            | Self::UpstreamFailing(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamUnreachable(_)
            | Self::UpstreamRedirected(_)
            | Self::UpstreamUnreadable(_) => StatusCode::BAD_GATEWAY,
            Self::UpstreamSilent | Self::CallInDoubt { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Whether nothing is read behind the request: what contradicts itself once may do so again, and
    /// where a body was not read to its end nobody knows where the next request begins.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_) | Self::BodyTooLarge(_) | Self::BrokenBody(_) | Self::NoRoom(_)
        )
    }

    /// How long to wait before trying again, where trying again can help. Whole seconds, 1 to 30.
    pub fn retry_after(&self) -> Option<Duration> {
        let wait = match self {
            Self::Short(short) if short.status() != StatusCode::PAYMENT_REQUIRED => BUSY_RETRY,
            Self::UnknownKeyTooOften { wait, .. }
            | Self::RateExceeded { wait, .. }
            | Self::AccountSlowed { wait, .. } => *wait,
            Self::SlotsFull(full) => full.standing.expected.unwrap_or(FAULT_RETRY),
            Self::UpstreamFailing(wait) => *wait,
            Self::RulesChanged => Duration::from_secs(1),
            Self::LedgerUnavailable(_)
            | Self::LedgerUnreadable(_)
            | Self::Overloaded(_)
            | Self::NoRoom(_)
            | Self::Draining => FAULT_RETRY,
            _ => return None,
        };
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Some(Duration::from_secs(
            whole.clamp(1, RETRY_AFTER_MAX.as_secs()),
        ))
    }

    /// The sentence a person reads: what happened, to what, and what to do next.
    pub fn detail(&self) -> String {
        match self {
            Self::UnknownKey(why) => format!(
                "{why}. Send one key of your team's as `Authorization: Token <key>`; the platform owner makes keys with `generect-guard key new`."
            ),
            Self::UnknownKeyTooOften { why, .. } => format!(
                "{why}, and too many calls like it came from your address (server.unknown_keys_per_second); calls with a known key go on. Send one key of your team's as `Authorization: Token <key>`; the platform owner makes keys with `generect-guard key new`."
            ),
            Self::KeyExpired { key, at } => format!(
                "Key {key} has expired at {at}. Ask the platform owner for a new one (`generect-guard key new`), or to let this one live longer (its `expires`)."
            ),
            Self::Paused(paused) => paused.detail(),
            Self::OperationNotAllowed(why)
            | Self::UnknownOperation(why)
            | Self::UnreadableBody(why)
            | Self::BrokenBody(why)
            | Self::BadRequest(why)
            | Self::UnreadableHeader(why) => why.clone(),
            Self::AboveMaxCharge(above) => above.detail(),
            Self::BodyTooLarge(limit) => format!(
                "The body is larger than {limit} bytes (server.body_bytes_max). Send fewer items a call."
            ),
            Self::Short(short) => short.detail(),
            Self::CallInDoubt { hold, doubted_at } => format!(
                "This very call was sent before (hold {hold}) and its outcome has been unknown since {doubted_at}: it may have been charged, so it is not sent again. Wait for the doubt to end, or ask the platform owner to end it: `generect-guard resolve {hold} --charge CREDITS --reason WHY`, or `generect-guard resolve {hold} --release --reason WHY` if nothing was charged."
            ),
            Self::IdempotencyConflict => "This Idempotency-Key was used by your key for a call of another operation or with another body, so neither its answer nor a new call can be meant. Send a new Idempotency-Key for a new call; repeat a call with the same bytes.".into(),
            Self::RateExceeded { rate, .. } => {
                format!("The rate {rate} is used up for the moment. Try again after the time in Retry-After.")
            }
            Self::SlotsFull(full) => full.detail(),
            Self::AccountSlowed { below, .. } => format!(
                "The account's balance is below {} and calls of this priority are slowed. Try again after the time in Retry-After.",
                below.counted()
            ),
            Self::RulesChanged => "The guard's settings were changed while this call was under way, and no budget covers it any more, or its key is another's now. Nothing was sent. Try again: the new settings decide then.".into(),
            Self::LedgerUnavailable(_) => "The ledger cannot be written at the moment, so nothing can be held and billable calls are not sent. Free calls go on. Try again shortly.".into(),
            Self::LedgerUnreadable(_) => "The guard's books cannot be read at the moment. Calls go on as long as they can be written. Try again shortly.".into(),
            Self::Overloaded(what) => format!("The guard is at a bound of its own: {what}. Try again shortly."),
            Self::NoRoom(what) => format!("The guard is at a bound of its own: {what}. Try again shortly."),
            Self::Draining => "The guard is shutting down and takes no new calls. Try again shortly.".into(),
            Self::UpstreamFailing(_) => "The upstream has been failing, so billable calls are held back for a moment: each would leave its budget in doubt. Try again after the time in Retry-After.".into(),
            Self::UpstreamUnreachable(NotTaken::NoConnection) => "No connection to the upstream could be made. Nothing was sent and nothing is held; it is safe to try again.".into(),
            Self::UpstreamUnreachable(NotTaken::ServesNone) => "The upstream says that it serves no calls at the moment (SETTINGS_MAX_CONCURRENT_STREAMS of its HTTP/2 is 0). Nothing was sent and nothing is held; it is safe to try again, a little later.".into(),
            Self::UpstreamUnreachable(NotTaken::Refused) => "The upstream refused the call and says that it did nothing with it (REFUSED_STREAM of its HTTP/2). Nothing is held; it is safe to try again.".into(),
            Self::UpstreamSilent => "The call was sent and no whole answer came back. If it was billable it may have been charged: then its hold is in doubt, and the same call is not sent again for some minutes.".into(),
            Self::UpstreamRedirected(status) => format!(
                "The upstream answered with a redirect ({status}), which is never passed on. If the call was billable, its hold is in doubt."
            ),
            Self::UpstreamUnreadable(why) => format!(
                "The upstream's answer cannot be read and is not passed on: {why}. If the call was billable, its hold is in doubt, and the same call is not sent again for some minutes."
            ),
        }
    }

    /// What only the log may say.
    pub fn hidden_detail(&self) -> Option<&str> {
        match self {
            Self::LedgerUnavailable(why) | Self::LedgerUnreadable(why) => Some(why),
            _ => None,
        }
    }
}

impl Paused {
    fn detail(&self) -> String {
        let Self { whose, pause } = self;
        let option = match whose {
            Whose::Team(team) => format!("--team {team}"),
            Whose::Key(key) => format!("--key {key}"),
        };
        format!(
            "Calls of {whose} have been paused since {} by {}: {}. Ask them or the platform owner to let them go on (`generect-guard resume {option} --reason …`).",
            pause.at,
            pause.who,
            pause.reason.trim_end_matches('.')
        )
    }
}

impl SlotsFull {
    fn detail(&self) -> String {
        let Self {
            family, standing, ..
        } = self;
        let what = if self.waited {
            "this call waited for one as long as it may (slots.wait_max)"
        } else {
            "no more calls may wait (slots.queue_max)"
        };
        let long = match standing.expected {
            Some(wait) => format!("about {} s", wait.as_secs().max(1)),
            None => "unknown: none was freed in the last minute".into(),
        };
        format!(
            "All slots of {family} are taken: the upstream serves {} at a time, for all teams together, and {what}. {} waiting; the wait is {long}. Nothing was sent or held. Try again after the time in Retry-After.",
            counted(standing.cap, "such call", "such calls"),
            counted(standing.waiting, "of them is", "of them are"),
        )
    }
}
