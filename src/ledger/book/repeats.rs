//! Which calls must not be repeated yet, because the same call is in doubt.

use std::collections::VecDeque;

use ahash::AHashMap;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::entry::{Fingerprint, HoldId};

/// Doubts younger than the window, by fingerprint.
#[derive(Debug)]
pub(super) struct Repeats {
    window: SignedDuration,
    /// Nearly always one; more when the same call was under way more than once. The youngest last.
    doubts: AHashMap<Fingerprint, Vec<(HoldId, Timestamp)>>,
    /// In the order they were put in doubt, so that the old ones are found without a search.
    by_age: VecDeque<(Timestamp, Fingerprint)>,
}

impl Repeats {
    pub(super) fn new(window: SignedDuration) -> Self {
        Self {
            window,
            doubts: AHashMap::new(),
            by_age: VecDeque::new(),
        }
    }

    fn is_young(&self, doubted_at: Timestamp, now: Timestamp) -> bool {
        now.duration_since(doubted_at) < self.window
    }

    /// A hold was put in doubt. Must be told in the order of the doubts.
    pub(super) fn doubted(&mut self, fingerprint: Fingerprint, hold: HoldId, at: Timestamp) {
        self.doubts.entry(fingerprint).or_default().push((hold, at));
        self.by_age.push_back((at, fingerprint));
        self.forget_old(at);
    }

    /// A hold in doubt has ended: its call may be made again, unless a twin of it is in doubt too.
    pub(super) fn ended(&mut self, fingerprint: Fingerprint, hold: HoldId) {
        self.keep(fingerprint, |(of, _)| *of != hold);
    }

    /// The doubt that stands in the way of this call at `now`.
    pub(super) fn find(
        &self,
        fingerprint: Fingerprint,
        now: Timestamp,
    ) -> Option<(HoldId, Timestamp)> {
        let (hold, at) = *self.doubts.get(&fingerprint)?.last()?;
        self.is_young(at, now).then_some((hold, at))
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some((at, fingerprint)) = self.by_age.front().copied()
            && !self.is_young(at, now)
        {
            self.by_age.pop_front();
            // The same call may be in doubt again since.
            self.keep(fingerprint, |(_, of)| *of > at);
        }
    }

    fn keep(&mut self, fingerprint: Fingerprint, wanted: impl Fn(&(HoldId, Timestamp)) -> bool) {
        if let Some(doubts) = self.doubts.get_mut(&fingerprint) {
            doubts.retain(wanted);
            if doubts.is_empty() {
                self.doubts.remove(&fingerprint);
            }
        }
    }
}
