//! From a team's entries, newest first, to the rows of its transactions.
//!
//! A call is one row: pending while it is held (in doubt included), success with its charge,
//! error with what was given back. Going back in time the end of a call is met before its
//! beginning, so it is remembered until then.

use std::ops::ControlFlow;

use ahash::AHashMap;
use jiff::Timestamp;

use super::query::TransactionsQuery;
use crate::credits::Credits;
use crate::ids::{KeyId, OperationName};
use crate::ledger::{Entry, EntryKind, HoldId};

/// Where a call stands, in the upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Held.
    Pending,
    /// Settled.
    Success,
    /// Released.
    Error,
}

impl Status {
    const ALL: [Self; 3] = [Self::Pending, Self::Success, Self::Error];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Error => "error",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) hold: HoldId,
    pub(super) began_at: Timestamp,
    pub(super) operation: OperationName,
    pub(super) key: KeyId,
    /// Below zero: it was taken, is set aside, or was given back.
    pub(super) credits: Credits,
    pub(super) status: Status,
}

/// What is known of a call whose beginning is not met yet.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// What was charged, corrections included; `None` if nothing ever was.
    charge: Option<Credits>,
}

/// Gathers the page that a query asks for.
#[derive(Debug)]
pub(super) struct Page {
    query: TransactionsQuery,
    ends: AHashMap<HoldId, End>,
    /// Matching rows before the page that are still to be passed over.
    before: usize,
    rows: Vec<Row>,
}

impl Page {
    pub(super) fn new(query: TransactionsQuery) -> Self {
        Self {
            before: query.offset,
            query,
            ends: AHashMap::new(),
            rows: Vec::new(),
        }
    }

    /// Takes the next older entry of the team. Breaks when no older one is needed.
    pub(super) fn take(&mut self, entry: Entry) -> ControlFlow<()> {
        match entry.kind {
            EntryKind::Settled | EntryKind::Corrected => {
                let end = self.ends.entry(entry.hold).or_default();
                let known = end.charge.unwrap_or(Credits::ZERO);
                end.charge = Some(known.saturating_add(entry.amount));
            }
            EntryKind::Released => {
                self.ends.entry(entry.hold).or_default();
            }
            EntryKind::Held => return self.begin(entry),
            EntryKind::Bound | EntryKind::Doubted | EntryKind::Granted => {}
        }
        ControlFlow::Continue(())
    }

    fn begin(&mut self, entry: Entry) -> ControlFlow<()> {
        let (status, amount) = match self.ends.remove(&entry.hold) {
            None => (Status::Pending, entry.amount),
            Some(End { charge: None }) => (Status::Error, entry.amount),
            Some(End { charge: Some(sum) }) => (Status::Success, sum),
        };
        let row = Row {
            hold: entry.hold,
            began_at: entry.began_at,
            operation: entry.operation,
            key: entry.key,
            credits: Credits::ZERO.saturating_sub(amount),
            status,
        };
        if self.query.wants(&row) {
            if self.before > 0 {
                self.before -= 1;
            } else {
                self.rows.push(row);
            }
        }
        if self.is_full() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Whether the page has all the rows it may have.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= self.query.limit
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn entry(seq: i64, hold: i64, kind: EntryKind, amount: i64) -> Entry {
        let noon: Timestamp = "2026-11-15T12:00:00Z".parse().unwrap();
        let second = |number: i64| noon + SignedDuration::from_secs(number);
        Entry {
            seq,
            kind,
            hold: hold.to_string().parse().unwrap(),
            began_at: second(hold),
            recorded_at: second(seq),
            team: "growth".into(),
            key: "crm".into(),
            operation: "email_find".into(),
            amount: Credits::from_micros(amount),
            job: None,
            budget: None,
            fingerprint: None,
            evidence: None,
        }
    }

    /// Number, amount below zero, status of each row, newest first.
    fn page(entries: &[Entry], query: &str) -> Vec<(i64, i64, &'static str)> {
        let mut page = Page::new(TransactionsQuery::read(Some(query)));
        let _ = entries
            .iter()
            .rev()
            .cloned()
            .try_for_each(|entry| page.take(entry));
        let rows = page.into_rows().into_iter();
        rows.map(|row| (row.hold.get(), row.credits.micros(), row.status.as_str()))
            .collect()
    }

    #[test]
    fn a_call_is_one_row_however_it_went() {
        use EntryKind::{Bound, Corrected, Doubted, Held, Released, Settled};
        let entries = [
            entry(1, 1, Held, 100),
            entry(2, 2, Held, 200),
            entry(3, 3, Held, 300),
            entry(4, 4, Held, 400),
            entry(5, 5, Held, 500),
            entry(6, 1, Settled, 60),
            entry(7, 2, Released, 200),
            entry(8, 3, Doubted, 300),
            entry(9, 4, Bound, 400),
            entry(10, 5, Released, 500),
            entry(11, 1, Corrected, -10),
            entry(12, 5, Corrected, 7),
        ];
        let all = [
            (5, -7, "success"),
            (4, -400, "pending"),
            (3, -300, "pending"),
            (2, -200, "error"),
            (1, -50, "success"),
        ];
        assert_eq!(page(&entries, ""), all);
        assert_eq!(page(&entries, "limit=2&offset=1"), all[1..3]);
        assert_eq!(page(&entries, "status=success"), [all[0], all[4]]);
        assert_eq!(page(&entries, "status=success&offset=1"), [all[4]]);
        assert_eq!(page(&entries[..11], "limit=1"), [(5, -500, "error")]);
    }

    #[test]
    fn a_full_page_asks_for_no_older_entry() {
        let mut page = Page::new(TransactionsQuery::read(Some("limit=2&offset=1")));
        for hold in [9, 8] {
            assert!(
                page.take(entry(hold, hold, EntryKind::Held, 1))
                    .is_continue()
            );
        }
        assert!(page.take(entry(7, 7, EntryKind::Held, 1)).is_break());
        assert!(page.is_full());
    }

    /// What becomes of each of some calls, step by step: (call, step).
    fn history() -> impl Strategy<Value = Vec<Entry>> {
        prop::collection::vec((0..12_usize, 0..5_u8, 0..40_i64), 1..60).prop_map(|steps| {
            let mut holds: BTreeMap<usize, (i64, bool)> = BTreeMap::new();
            let mut entries: Vec<Entry> = Vec::new();
            for (call, step, amount) in steps {
                let seq = i64::try_from(entries.len()).unwrap() + 1;
                let kind = match (holds.get(&call), step) {
                    (None, _) => EntryKind::Held,
                    (Some((_, false)), 0) => EntryKind::Released,
                    (Some((_, false)), 1 | 2) => EntryKind::Settled,
                    (Some((_, false)), _) => EntryKind::Doubted,
                    (Some((_, true)), _) => EntryKind::Corrected,
                };
                let hold = holds.entry(call).or_insert((seq, false));
                hold.1 |= matches!(kind, EntryKind::Released | EntryKind::Settled);
                entries.push(entry(seq, hold.0, kind, amount));
            }
            entries
        })
    }

    proptest! {
        #[test]
        fn pages_put_together_are_what_the_entries_say_read_forwards(
            entries in history(), limit in 1..7_usize,
        ) {
            let mut calls: BTreeMap<i64, (i64, &'static str)> = BTreeMap::new();
            for entry in &entries {
                let amount = entry.amount.micros();
                let call = calls.entry(entry.hold.get()).or_default();
                *call = match (entry.kind, *call) {
                    (EntryKind::Held, _) => (-amount, "pending"),
                    (EntryKind::Released, _) => (call.0, "error"),
                    (EntryKind::Settled, _) | (EntryKind::Corrected, (_, "error")) => (-amount, "success"),
                    (EntryKind::Corrected, (before, _)) => (before - amount, "success"),
                    (_, before) => before,
                };
            }
            let expected: Vec<_> = calls
                .into_iter()
                .rev()
                .map(|(hold, (amount, status))| (hold, amount, status))
                .collect();
            let mut found = Vec::new();
            loop {
                let next = page(&entries, &format!("limit={limit}&offset={}", found.len()));
                if next.is_empty() {
                    break;
                }
                found.extend(next);
            }
            prop_assert_eq!(found, expected);
        }
    }
}
