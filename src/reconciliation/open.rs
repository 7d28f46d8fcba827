//! What is not explained yet: rows without a call, charges without a row.
//!
//! Kept in memory between runs, so that a run looks only at what is new. It can be made anew from
//! the ledger's file at any time: that is what a start does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::aside::Aside;
use super::keeping::Judged;
use super::unit::Units;
use super::wording;
use crate::credits::Credits;
use crate::ids::{KeyId, OperationName, TeamId};
use crate::ledger::{Entry, Finding, HoldId, KeptRow, Match, MatchedBy, NoteKind, Record};
use crate::transaction::{Transaction, TransactionId, TransactionStatus};

/// How long what was found stays open to a late explanation.
pub(super) const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Why a doubt is released that has no row. Recognised again when its row comes after all.
pub(super) const ABSENT: &str = "the account's list is complete for its time and has no row for it";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) rows: BTreeMap<TransactionId, OpenRow>,
    /// Those that a row may be near, and as many others as are kept.
    pub(super) charges: BTreeMap<HoldId, OpenCharge>,
    /// The other charges.
    pub(super) aside: Aside,
    /// How many charges are kept in memory although no row is near them.
    pub(super) kept_max: usize,
    /// How many charges were left when others were set aside last.
    pub(super) left_open: usize,
    /// How far the account's clock was ahead then.
    pub(super) set_aside_by: SignedDuration,
    /// Calls that ended without a charge although nobody had seen their answer.
    pub(super) given_up: BTreeMap<HoldId, OpenCharge>,
    /// Holds whose entries are read again after a restart and need no look.
    pub(super) explained: BTreeSet<HoldId>,
    /// The entry after which reading was taken up again, until that is done.
    pub(super) restored_from: Option<i64>,
    /// What was found of earlier moments is in the ledger, and was not restored.
    pub(super) found_from: Timestamp,
    /// Entries up to this one were looked at.
    pub(super) seq: i64,
    /// Charges up to this entry were held against the prices of their time.
    pub(super) priced: i64,
    /// What is held for jobs that run.
    pub(super) jobs: BTreeMap<HoldId, Credits>,
    /// What was held for calls that have not ended.
    pub(super) quotes: BTreeMap<HoldId, Credits>,
    /// Rows that are not as they were when they were matched: when they were written, and by how much
    /// more they take now.
    pub(super) changed: BTreeMap<TransactionId, (Timestamp, Credits)>,
    pub(super) times: Times,
    /// Operations whose calls begin jobs.
    pub(super) submits: BTreeSet<OperationName>,
    /// Whether the list is in the unit that the settings say.
    pub(super) units: Units,
}

/// What is known of how calls and rows lie in time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// How far the account's clock and ours, and a row's time and its call's, may be apart.
    pub(super) tolerance: SignedDuration,
    /// The longest a call may take.
    pub(super) call_lasts: SignedDuration,
}

impl Times {
    /// The earliest that a row of a call can have been written.
    pub(super) fn from(self, began_at: Timestamp) -> Timestamp {
        began_at
            .checked_sub(self.tolerance)
            .unwrap_or(Timestamp::MIN)
    }

    /// The latest, given when its answer was there; `None`: nobody saw one.
    pub(super) fn to(self, began_at: Timestamp, answered_at: Option<Timestamp>) -> Timestamp {
        let last = began_at
            .checked_add(self.call_lasts)
            .unwrap_or(Timestamp::MAX);
        let end = answered_at.unwrap_or(last);
        end.checked_add(self.tolerance).unwrap_or(Timestamp::MAX)
    }
}

/// A row that belongs to no call yet.
#[derive(Clone, Debug)]
pub(super) struct OpenRow {
    pub(super) row: Transaction,
    /// What was found of it.
    pub(super) finding: Option<FoundOf>,
    /// When it was last read; the beginning of time if that was before the last start.
    pub(super) asked_at: Timestamp,
    /// Whether no charge that is set aside was held against it yet.
    pub(super) is_new: bool,
}

/// What was found of a row.
#[derive(Clone, Debug)]
pub(super) enum FoundOf {
    /// It is nobody's.
    Theirs,
    /// It came late.
    Late(Box<Finding>),
}

impl FoundOf {
    /// The name of what was found.
    pub(super) fn name(&self, row: &TransactionId) -> Arc<str> {
        match self {
            Self::Theirs => wording::theirs_only_name(row),
            Self::Late(late) => Arc::clone(&late.name),
        }
    }
}

impl OpenRow {
    /// A row as the ledger has it.
    pub(super) fn stored(row: Transaction) -> Self {
        Self {
            row,
            finding: None,
            asked_at: Timestamp::MIN,
            is_new: true,
        }
    }
}

/// A charge of ours that has no row yet.
#[derive(Clone, Debug)]
pub(super) struct OpenCharge {
    pub(super) team: TeamId,
    /// Not known for one that is restored from a finding.
    pub(super) key: Option<KeyId>,
    pub(super) operation: OperationName,
    /// What was charged; for a call that was given up, the most it could be.
    pub(super) amount: Credits,
    pub(super) began_at: Timestamp,
    /// When its end was recorded, or later.
    pub(super) ended_at: Timestamp,
    /// The entry that settled it; not known for one that is restored from a finding.
    pub(super) settled_by: Option<i64>,
    /// Whether its answer was there when it ended. Else somebody decided, at any time later.
    pub(super) is_answered: bool,
    /// Whether a person decided.
    pub(super) by_operator: bool,
    /// Whether it may have been a job, which is charged at any time up to its end.
    pub(super) is_job: bool,
    /// Whether it was found: that it has no row, or if it was given up, that one came late.
    pub(super) is_found: bool,
}

impl OpenCharge {
    pub(super) fn of(entry: &Entry, is_job: bool) -> Self {
        let kind = entry.evidence.as_ref().map(|note| note.kind);
        Self {
            team: entry.team.clone(),
            key: Some(entry.key.clone()),
            operation: entry.operation.clone(),
            amount: entry.amount,
            began_at: entry.began_at,
            ended_at: entry.recorded_at,
            settled_by: Some(entry.seq),
            is_answered: !matches!(kind, Some(NoteKind::Operator | NoteKind::Reason)),
            by_operator: kind == Some(NoteKind::Operator),
            is_job,
            is_found: false,
        }
    }

    /// The latest that its row can have been written.
    pub(super) fn to(&self, times: Times) -> Timestamp {
        let is_known = self.is_answered || self.is_job;
        times.to(self.began_at, is_known.then_some(self.ended_at))
    }
}

impl Open {
    /// Whether a call of this operation, or of this hold, may be a job.
    pub(super) fn is_job(&self, hold: HoldId, operation: &OperationName) -> bool {
        self.jobs.contains_key(&hold) || self.submits.contains(operation)
    }

    /// Rows are a hold's from now on. What was found of them, and of the hold's charge, is explained.
    pub(super) fn tie(
        &mut self,
        rows: impl IntoIterator<Item = Match>,
        why: &'static str,
    ) -> Judged {
        let mut tied = Judged::default();
        for found in rows {
            let row = self.rows.remove(&found.transaction);
            let charge = self.charges.remove(&found.hold);
            let of_row = row.and_then(|row| row.finding);
            let is_found = charge.is_some_and(|charge| charge.is_found);
            let findings = [
                of_row.map(|of| of.name(&found.transaction)),
                is_found.then(|| wording::ours_only_name(found.hold)),
            ];
            let findings = findings.into_iter().flatten();
            tied.closed.extend(findings.map(|name| (name, why)));
            tied.records.push(Record::Matched(found));
        }
        tied
    }

    /// A row that came late is that of a call that was given up, as far as anybody can tell.
    pub(super) fn found_late(&mut self, late: &Finding) {
        let Some((row, hold)) = late.transaction.as_ref().zip(late.hold) else {
            return;
        };
        if let Some(row) = self.rows.get_mut(row) {
            row.finding = Some(FoundOf::Late(Box::new(late.clone())));
        }
        if let Some(call) = self.given_up.get_mut(&hold) {
            call.is_found = true;
        }
    }

    /// It is, and the call is charged for it.
    pub(super) fn booked_late(&mut self, row: &TransactionId, hold: HoldId) -> Judged {
        self.given_up.remove(&hold);
        if let Some(row) = self.rows.get_mut(row) {
            row.finding = None;
        }
        let found = Match {
            transaction: row.clone(),
            hold,
            how: MatchedBy::Doubt,
        };
        self.tie([found], "it came late")
    }

    /// Takes a row as it was read now; `kept`: as the ledger has it. `None`: there is nothing new
    /// about it.
    pub(super) fn take_row(
        &mut self,
        row: Transaction,
        kept: Option<&KeptRow>,
        now: Timestamp,
    ) -> Option<Seen> {
        if let Some(open) = self.rows.get_mut(&row.id) {
            open.asked_at = now;
        }
        let before = kept.map(|kept| kept.row.clone());
        if before.as_ref() == Some(&row) {
            return None;
        }
        let owner = kept.and_then(|kept| kept.hold);
        let open = self.rows.remove(&row.id);
        let finding = open.and_then(|open| open.finding);
        let is_taken = row.taken() > Credits::ZERO;
        let (found, explained) = if is_taken {
            (finding, None)
        } else {
            (None, finding)
        };
        if let Some(FoundOf::Late(gone)) = &explained
            && let Some(call) = gone.hold.and_then(|hold| self.given_up.get_mut(&hold))
        {
            call.is_found = false;
        }
        if owner.is_none() && may_be_ours(&row) {
            let open = OpenRow {
                row: row.clone(),
                finding: found.clone(),
                asked_at: now,
                is_new: true,
            };
            self.rows.insert(row.id.clone(), open);
        }
        let changed = match (&before, owner) {
            (Some(before), Some(_)) => self.changed_by(&row, before),
            _ => None,
        };
        Some(Seen {
            found: found.map(|found| wording::again(&row, found, now)),
            explained: explained.map(|gone| gone.name(&row.id)),
            row,
            before,
            owner,
            changed,
        })
    }

    /// How much more a matched row takes now than when it was matched, if that is new.
    fn changed_by(&mut self, row: &Transaction, before: &Transaction) -> Option<Credits> {
        let more = row.taken().saturating_sub(before.taken());
        if more == Credits::ZERO {
            return None;
        }
        let was = self.changed.remove(&row.id);
        let by = was.map_or(more, |(_, was)| was.saturating_add(more));
        if by != Credits::ZERO {
            self.changed.insert(row.id.clone(), (row.at, by));
        }
        Some(by)
    }

    /// Forgets what is too old to be explained any more.
    pub(super) fn forget(&mut self, found_before: Timestamp) {
        // A row that is still not final then is nobody's, and stands in no one's way.
        self.rows.retain(|_, open| {
            let waits = open.finding.is_none() && open.row.status.is_final();
            waits || open.row.at >= found_before
        });
        self.charges
            .retain(|_, charge| !charge.is_found || charge.began_at >= found_before);
        self.aside.forget(found_before);
        self.given_up
            .retain(|_, call| call.ended_at >= found_before);
        self.changed.retain(|_, (at, _)| *at >= found_before);
    }

    /// Entries up to this one need not be read again after a restart.
    pub(super) fn settled_up_to(&self) -> i64 {
        let unexplained = self.charges.iter();
        let first = unexplained
            .filter(|(_, charge)| !charge.is_found)
            .map(|(hold, _)| *hold)
            .chain(self.aside.first_unfound());
        let first = first.map(|hold| hold.get() - 1).min();
        first.unwrap_or(self.seq).min(self.seq)
    }
}

/// Whether a call of ours may stand behind a row: it took something, or still may.
pub(super) fn may_be_ours(row: &Transaction) -> bool {
    match row.status {
        TransactionStatus::Success => row.charge() > Credits::ZERO,
        TransactionStatus::Error => false,
        TransactionStatus::Pending | TransactionStatus::Unknown => true,
    }
}

/// A row that is new, or not as it was.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) row: Transaction,
    pub(super) before: Option<Transaction>,
    pub(super) owner: Option<HoldId>,
    /// What was found of it, as the row says it now.
    pub(super) found: Option<Finding>,
    /// The name of the finding that its change explains.
    pub(super) explained: Option<Arc<str>>,
    /// If its match is older than its change: how much more it takes now than it did then.
    pub(super) changed: Option<Credits>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::TransactionSource;

    fn row(number: i64, status: TransactionStatus, micros: i64) -> Transaction {
        Transaction {
            id: TransactionId {
                source: TransactionSource::V1,
                id: number.to_string().into(),
            },
            at: Timestamp::from_second(1_790_000_000 + number).unwrap(),
            kind: "platform".into(),
            amount: Credits::from_micros(micros),
            status,
        }
    }

    /// Rows that never end, took nothing, or gave something are not kept for ever; those that may yet
    /// be somebody's are.
    #[test]
    fn rows_that_nothing_will_explain_are_forgotten() {
        use TransactionStatus::{Error, Pending, Success, Unknown};
        for (status, micros, kept, later) in [
            (Success, 0, 0, 0),
            (Success, 500, 0, 0),
            (Error, -500, 0, 0),
            (Pending, -500, 100, 50),
            (Unknown, 0, 100, 50),
            (Success, -500, 100, 100),
        ] {
            let mut open = Open::default();
            for number in 0..100 {
                let row = row(number, status, micros);
                open.take_row(row, None, Timestamp::MAX).unwrap();
            }
            assert_eq!(open.rows.len(), kept, "{status:?} {micros}");
            open.forget(Timestamp::from_second(1_790_000_050).unwrap());
            assert_eq!(open.rows.len(), later, "{status:?} {micros}");
            for open in open.rows.values_mut() {
                open.finding = Some(FoundOf::Theirs);
            }
            open.forget(Timestamp::from_second(1_790_000_090).unwrap());
            assert_eq!(open.rows.len(), later.min(10), "{status:?} {micros}");
        }
    }
}
