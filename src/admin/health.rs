//! Alive and ready: two different questions. A guard that is alive but not ready must not be
//! restarted for it, only left alone by the load balancer.

use jiff::SignedDuration;
use serde::Serialize;

/// What the guard is asked when somebody wants to know whether it is ready. Each is answered at
/// once, from memory.
pub struct Conditions {
    /// Whether the ledger's last commit succeeded.
    pub ledger_writable: Question<bool>,
    /// Whether nothing was found wrong with the ledger's file.
    pub ledger_sound: Question<bool>,
    /// What is known of the account.
    pub reading: Question<ReadingState>,
    /// Whether the guard is shutting down and takes no new calls.
    pub draining: Question<bool>,
}

type Question<T> = Box<dyn Fn() -> T + Send + Sync>;

/// What is known of the account, and whether it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingState {
    /// Young enough.
    Fresh {
        /// How old it is.
        age: SignedDuration,
    },
    /// Too old, or there is none yet.
    Stale {
        /// How old the last one is, `None` if there never was one.
        age: Option<SignedDuration>,
        /// Whether billable calls are allowed all the same, by configuration.
        allowed: bool,
    },
}

impl Conditions {
    /// Asks all of them.
    pub(super) fn report(&self) -> Report {
        let conditions = [
            ledger((self.ledger_writable)()),
            sound((self.ledger_sound)()),
            reading((self.reading)()),
            drain((self.draining)()),
        ];
        Report {
            ready: conditions.iter().all(|condition| condition.met),
            conditions,
        }
    }
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) ready: bool,
    conditions: [Condition; 4],
}

#[derive(Debug, Serialize)]
struct Condition {
    name: &'static str,
    met: bool,
    detail: String,
}

fn ledger(writable: bool) -> Condition {
    let detail = if writable {
        "the last commit succeeded"
    } else {
        "the last commit failed: billable calls are refused"
    };
    Condition {
        name: "ledger_writable",
        met: writable,
        detail: detail.to_owned(),
    }
}

fn sound(sound: bool) -> Condition {
    let detail = if sound {
        "nothing was found wrong with its file"
    } else {
        "its file is damaged: billable calls are refused; the log says what and what to do"
    };
    Condition {
        name: "ledger_sound",
        met: sound,
        detail: detail.to_owned(),
    }
}

fn reading(state: ReadingState) -> Condition {
    let (met, detail) = match state {
        ReadingState::Fresh { age } => (true, format!("{} s old", age.as_secs())),
        ReadingState::Stale { age, allowed } => {
            let known = age.map_or_else(
                || "the balance was never read".to_owned(),
                |age| format!("the last reading is {} s old", age.as_secs()),
            );
            let then = if allowed {
                "calls are allowed all the same"
            } else {
                "billable calls are refused"
            };
            (allowed, format!("{known}: {then}"))
        }
    };
    Condition {
        name: "account_reading",
        met,
        detail,
    }
}

fn drain(draining: bool) -> Condition {
    let detail = if draining {
        "shutting down: no new calls"
    } else {
        "taking calls"
    };
    Condition {
        name: "not_draining",
        met: !draining,
        detail: detail.to_owned(),
    }
}
