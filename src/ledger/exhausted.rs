//! A no that is said again without asking the writer.
//!
//! A script that does not stop at its limit asks thousands of times a second, and each question
//! would wake the writer and make the calls of others wait. What is settled only grows within a
//! window (a correction that gives back makes every no void), so the same client asking for as much
//! of an exhausted budget a moment later gets the same answer. Only that one: room that others
//! merely hold may be free again at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};

use crate::credits::Credits;

use super::entry::Origin;
use super::request::{HoldError, HoldRequest};
use super::shortfall::Shortfall;

/// How long a no is said again: the figures in it are never older.
const GOOD_FOR: SignedDuration = SignedDuration::from_millis(100);

/// The last such no of each caller. Their number is bounded by the keys and operations configured.
#[derive(Debug, Default)]
pub(super) struct Exhausted {
    last: DashMap<Origin, No, RandomState>,
    /// How often budgets got more room than their entries say: each time, every no before it is void.
    lifted: AtomicU64,
}

#[derive(Debug)]
struct No {
    asked: Credits,
    shortfall: Arc<Shortfall>,
    said_at: Timestamp,
    until: Timestamp,
    lifted: u64,
}

/// What must not have changed between a question and its no.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    at: Timestamp,
    lifted: u64,
}

impl Exhausted {
    /// To be taken before the writer is asked.
    pub(super) fn asked(&self, now: Timestamp) -> Asked {
        Asked {
            at: now,
            lifted: self.lifted.load(Ordering::Acquire),
        }
    }

    /// The no this request would get from the writer as well.
    pub(super) fn find(&self, request: &HoldRequest, asked: Asked) -> Option<Arc<Shortfall>> {
        let no = self.last.get(&request.origin())?;
        let holds = no.asked == request.quote
            && no.lifted == asked.lifted
            && (no.said_at..no.until).contains(&asked.at);
        holds.then(|| Arc::clone(&no.shortfall))
    }

    /// Keeps what the writer said, if it can be said again.
    pub(super) fn keep(&self, origin: Origin, quote: Credits, asked: Asked, error: &HoldError) {
        let HoldError::Short(shortfall) = error else {
            return;
        };
        let exhausted = shortfall.budgets.iter().filter(|short| short.exhausted);
        // The end of a window, or of a rolling one's oldest step, gives room back.
        let resets = exhausted.map(|short| short.status.resets_at.unwrap_or(Timestamp::MAX));
        let Some(resets_at) = resets.min() else {
            return;
        };
        let late = asked.at.checked_add(GOOD_FOR).unwrap_or(Timestamp::MAX);
        let no = No {
            asked: quote,
            shortfall: Arc::clone(shortfall),
            said_at: asked.at,
            until: late.min(resets_at),
            lifted: asked.lifted,
        };
        self.last.insert(origin, no);
    }

    /// Budgets were changed or given more: nothing said before counts any more.
    pub(super) fn lift(&self) {
        self.lifted.fetch_add(1, Ordering::AcqRel);
    }
}
