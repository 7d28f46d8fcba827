//! The list that was read before: after a change of source the other tells the same charges again,
//! under other ids.
//!
//! A charge has one moment in both lists (dossier section 3.3). What the first was complete for is
//! passed over in the second; near the end of its reading each row of the second is held against
//! those of the first of its second, so that one that came late is still taken, and no other twice. A
//! row that the first left pending is final only in the second, which takes its place there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::notes::Notes;
use super::open::{Open, REMEMBERED};
use crate::credits::Credits;
use crate::ledger::StoreError;
use crate::ledger::store::Reader;
use crate::transaction::{Transaction, TransactionId};

/// Rows read at a time.
const PAGE: usize = 10_000;
/// One list may round a moment where the other cuts it.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// Rows from before are told by the first list.
    from: Option<Timestamp>,
    /// What rows of the first list took that no row of the second was held against yet, by second.
    left: BTreeMap<i64, Vec<Credits>>,
    /// Rows of the first list that never became final there, by second.
    waiting: BTreeMap<i64, Vec<TransactionId>>,
    /// Rows of the second that the first has told.
    told: BTreeSet<TransactionId>,
}

impl Twins {
    /// The rows of the first list that the second may tell again.
    pub(super) fn restore(
        reader: &dyn Reader,
        notes: &Notes,
        open: &Open,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let Some((from, changed_at)) = notes.took_over else {
            return Ok(Self::default());
        };
        let mut twins = Self {
            from: Some(from),
            ..Self::default()
        };
        if now.duration_since(changed_at) > REMEMBERED {
            return Ok(twins);
        }
        let others = open.rows.values().map(|open| &open.row);
        let waiting = others.filter(|row| row.id.source != notes.source && !row.status.is_final());
        let mut seconds = BTreeSet::new();
        for row in waiting {
            let of_second = twins.waiting.entry(row.at.as_second()).or_default();
            of_second.push(row.id.clone());
            seconds.insert(row.at.as_second());
        }
        let near = |at: Timestamp, span| at.checked_add(span).unwrap_or(at);
        // Rows of a clock ahead of ours were read too.
        let end = near(changed_at, SignedDuration::from_hours(2));
        let begin = near(from, -SECOND);
        twins.add(reader, notes, begin, end)?;
        for second in seconds {
            let at = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
            if at < begin {
                twins.add(reader, notes, at, near(at, SECOND).min(begin))?;
            }
        }
        Ok(twins)
    }

    fn add(
        &mut self,
        reader: &dyn Reader,
        notes: &Notes,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        let mut after: Option<(Timestamp, TransactionId)> = None;
        loop {
            let last = after.as_ref().map(|(at, id)| (*at, id));
            let page = reader.transactions(from, to, last, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some((last.at, last.id.clone()));
            let first = page.iter().filter(|row| row.id.source != notes.source);
            for row in first.filter(|row| row.status.is_final()) {
                let second = self.left.entry(row.at.as_second()).or_default();
                second.push(row.amount);
            }
        }
    }

    /// Leaves out the rows that the first list has told. `at`: when one was written by our clock;
    /// `is_known`: whether it was taken before. Gives the rows of the first whose place others take.
    pub(super) fn leave_out(
        &mut self,
        rows: &mut Vec<Transaction>,
        at: impl Fn(&Transaction) -> Timestamp,
        is_known: impl Fn(&Transaction) -> bool,
    ) -> Vec<TransactionId> {
        let Some(from) = self.from else {
            return Vec::new();
        };
        // Those whose twin is certain first: an amount may be in another unit there.
        for row in rows.iter().filter(|row| !is_known(row)) {
            let second = row.at.as_second();
            let mut near = [second, second - 1, second + 1].into_iter();
            if !self.told.contains(&row.id)
                && near.any(|second| self.pair(second, Some(row.amount)))
            {
                self.told.insert(row.id.clone());
            }
        }
        let mut replaced = Vec::new();
        rows.retain(|row| {
            if is_known(row) {
                return true;
            }
            if self.told.contains(&row.id) {
                return false;
            }
            let second = row.at.as_second();
            if let Some(waited) = self.waiting.get_mut(&second).and_then(Vec::pop) {
                replaced.push(waited);
                return true;
            }
            if at(row) < from {
                return false;
            }
            let is_told = self.pair(second, None);
            if is_told {
                self.told.insert(row.id.clone());
            }
            !is_told
        });
        replaced
    }

    /// Takes one row of a second out, of this amount or any. Says whether there was one.
    fn pair(&mut self, second: i64, amount: Option<Credits>) -> bool {
        let Some(left) = self.left.get_mut(&second) else {
            return false;
        };
        let place = left
            .iter()
            .position(|left| amount.is_none_or(|amount| amount == *left));
        place.map(|place| left.swap_remove(place)).is_some()
    }
}
