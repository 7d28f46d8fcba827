//! One observation of the account's balance.

use jiff::{SignedDuration, Timestamp};

use crate::credits::Credits;

/// What the account had left at some moment between `started_at` and `finished_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What was left, rounded down to the micro-credit. Negative if the account is overdrawn.
    /// Whether what running calls may still take is already off it is not documented.
    pub balance: Credits,
    /// Just before the question was sent. Whatever was charged before is in the balance.
    pub started_at: Timestamp,
    /// When the whole answer was here. Whatever was charged after is not in the balance.
    pub finished_at: Timestamp,
    /// How it came about.
    pub seen: Seen,
}

/// How a balance came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The account's page says so.
    Read,
    /// The upstream refused a call for want of funds: `balance` is what was last read, but at most
    /// zero. A rise after it is no sign of a top-up.
    Refused,
}

impl Reading {
    /// How old the reading is at `now`, from its start, since it may be as old as that. Never
    /// negative, also when the clock was set back.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.started_at)
            .max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_ages_from_its_start_and_is_never_younger_than_new() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let balance = Reading {
            balance: Credits::ZERO,
            started_at: at("2026-09-15T10:30:00Z"),
            finished_at: at("2026-09-15T10:30:02Z"),
            seen: Seen::Read,
        };
        assert_eq!(
            balance.age(at("2026-09-15T10:30:05Z")),
            SignedDuration::from_secs(5)
        );
        assert_eq!(
            balance.age(at("2026-09-15T10:29:00Z")),
            SignedDuration::ZERO
        );
    }
}
