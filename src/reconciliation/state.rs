//! What a reconciler remembers between its runs.

use jiff::{SignedDuration, Timestamp};

use super::allocated::AllocatedKept;
use super::notes::Notes;
use super::open::{Open, REMEMBERED};
use super::restore::Told;
use super::twins::Twins;

/// A difference of clocks below this is the second that the account's clock is told to.
const SKEW_MIN: SignedDuration = SignedDuration::from_secs(3);

/// See the module.
pub(super) struct State {
    pub(super) notes: Notes,
    pub(super) open: Open,
    /// Rows of the list that was read before this one.
    pub(super) twins: Twins,
    /// Whether the list was last seen to look at the times it is asked for.
    pub(super) is_bounded: bool,
    /// Findings that were told already.
    pub(super) told: Told,
    /// What was ended by nearness, as far as it was asked for.
    pub(super) allocated: AllocatedKept,
    /// How far the account's clock is ahead of ours.
    pub(super) skew: SignedDuration,
}

impl State {
    /// An answer of the account told its time.
    pub(super) fn tell_skew(&mut self, skew: Option<SignedDuration>) {
        if let Some(skew) = skew {
            let is_rounding = skew.abs() < SKEW_MIN;
            self.skew = if is_rounding {
                SignedDuration::ZERO
            } else {
                skew
            };
        }
    }

    pub(super) fn by_our_clock(&self, at: Timestamp) -> Timestamp {
        at.checked_sub(self.skew).unwrap_or(at)
    }

    /// Forgets what nothing will explain any more. `doubts_from`: the earliest time of what is in
    /// doubt; unreadable rows of it still count.
    pub(super) fn forget(&mut self, now: Timestamp, doubts_from: Option<Timestamp>) {
        let old = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        self.open.forget(old);
        self.told.retain(|_, at| *at >= old);
        let seen_before = doubts_from.map_or(old, |from| from.min(old));
        self.notes.forget(seen_before);
    }
}
