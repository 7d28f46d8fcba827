//! What is not explained yet: rows without a call, charges without a row.
//!
//! Kept in memory between runs, so that a run looks only at what is new. It can be made anew from
//! the ledger's file at any time: that is what a start does.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::balance_kind::Movement;
use super::unit::Units;
use crate::credits::Credits;
use crate::ids::{KeyId, OperationName, TeamId};
use crate::ledger::store::Reader;
use crate::ledger::{
    Entry, EntryKind, Finding, FindingKind, HoldId, KeptRow, Match, MatchedBy, NoteKind, Record,
    StoreError,
};
use crate::transaction::{Transaction, TransactionId, TransactionStatus};

/// Entries read at a time.
const PAGE: usize = 10_000;
/// How long what was found stays open to a late explanation.
pub(super) const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Why a doubt is released that has no row. Recognised again when its row comes after all.
pub(super) const ABSENT: &str = "the account's list is complete for its time and has no row for it";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) rows: BTreeMap<TransactionId, OpenRow>,
    pub(super) charges: BTreeMap<HoldId, OpenCharge>,
    /// Calls that ended without a charge although nobody had seen their answer.
    pub(super) given_up: BTreeMap<HoldId, OpenCharge>,
    /// Holds whose entries are read again after a restart and need no look.
    explained: BTreeSet<HoldId>,
    /// The entry after which reading was taken up again, until that is done.
    restored_from: Option<i64>,
    /// Entries up to this one were looked at.
    pub(super) seq: i64,
    /// What is held for jobs that run.
    jobs: BTreeMap<HoldId, Credits>,
    /// What was held for calls that have not ended.
    quotes: BTreeMap<HoldId, Credits>,
    /// Rows that are not as they were when they were matched: when they were written, and by how much
    /// more they take now.
    changed: BTreeMap<TransactionId, (Timestamp, Credits)>,
    pub(super) times: Times,
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
    /// The finding it is part of.
    pub(super) finding: Option<Arc<str>>,
    /// When it was last read; the beginning of time if that was before the last start.
    pub(super) asked_at: Timestamp,
}

impl OpenRow {
    fn stored(row: Transaction, finding: Option<Arc<str>>) -> Self {
        Self {
            row,
            finding,
            asked_at: Timestamp::MIN,
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
    /// When its answer was there; `None` if nobody had seen it and somebody decided later.
    pub(super) answered_at: Option<Timestamp>,
    /// The finding it is part of.
    pub(super) finding: Option<Arc<str>>,
}

impl Open {
    /// Works it out from the ledger: entries after `seq`, rows that nobody owns, open findings.
    pub(super) fn restore(
        reader: &dyn Reader,
        seq: i64,
        from: Timestamp,
        times: Times,
    ) -> Result<Self, StoreError> {
        let mut open = Self {
            seq,
            restored_from: Some(seq),
            times,
            ..Self::default()
        };
        for row in reader.open_transactions(from)? {
            // What was given back is nobody's and stays so.
            if row.status != TransactionStatus::Error {
                open.rows.insert(row.id.clone(), OpenRow::stored(row, None));
            }
        }
        open.explained = reader.matched_after(seq)?;
        for found in open_findings(reader, from)? {
            open.restore_found(reader, &found)?;
        }
        Ok(open)
    }

    fn restore_found(&mut self, reader: &dyn Reader, found: &Finding) -> Result<(), StoreError> {
        let finding = Some(Arc::clone(&found.name));
        match (found.kind, &found.transaction, found.hold) {
            (FindingKind::TheirsOnly, Some(id), _) => {
                if let Some(row) = reader.transaction(id)? {
                    self.rows.insert(id.clone(), OpenRow::stored(row, finding));
                }
            }
            (FindingKind::OursOnly, _, Some(hold)) => {
                let (Some(team), Some(operation)) = (&found.team, &found.operation) else {
                    return Ok(());
                };
                let charge = OpenCharge {
                    team: team.clone(),
                    key: None,
                    operation: operation.clone(),
                    amount: Credits::ZERO.saturating_sub(found.drift),
                    began_at: found.at,
                    answered_at: None,
                    finding,
                };
                self.charges.insert(hold, charge);
                self.explained.insert(hold);
            }
            (FindingKind::AmountDiffers, Some(row), _) if *found.name == *changed(row) => {
                self.changed.insert(row.clone(), (found.at, found.drift));
            }
            (FindingKind::Unit, ..) => self.units.restore(&found.name),
            _ => {}
        }
        Ok(())
    }

    /// Looks at the entries since the last time.
    pub(super) fn read_entries(&mut self, reader: &dyn Reader) -> Result<News, StoreError> {
        let mut news = News::default();
        let restored_from = self.restored_from.take().unwrap_or(0);
        loop {
            let page = reader.entries(self.seq, PAGE)?;
            let Some(last) = page.last() else {
                self.explained.clear();
                return Ok(news);
            };
            self.seq = last.seq;
            for entry in page {
                if entry.kind == EntryKind::Settled && entry.hold.get() <= restored_from {
                    self.skip_if_matched(entry.hold, reader)?;
                }
                self.take_entry(&entry, &mut news);
            }
        }
    }

    /// A job or a doubt ends long after the number of its hold was passed.
    fn skip_if_matched(&mut self, hold: HoldId, reader: &dyn Reader) -> Result<(), StoreError> {
        if !reader.matches_of(hold)?.is_empty() {
            self.explained.insert(hold);
        }
        Ok(())
    }

    fn take_entry(&mut self, entry: &Entry, news: &mut News) {
        let note = entry.evidence.as_ref();
        let rests_on = note.map(|note| note.kind);
        if matches!(entry.kind, EntryKind::Settled | EntryKind::Released) {
            news.ended.insert(entry.hold);
        }
        match entry.kind {
            EntryKind::Held => {
                self.quotes.insert(entry.hold, entry.amount);
            }
            EntryKind::Bound => {
                self.jobs.insert(entry.hold, entry.amount);
                let began = Movement::job_began(entry.recorded_at, entry.amount);
                news.movements.push(began);
            }
            EntryKind::Settled => {
                news.movements.push(self.movement(entry));
                let quote = self.quotes.remove(&entry.hold);
                if rests_on == Some(NoteKind::Transaction) {
                    self.take_evidence(entry, news);
                } else if entry.amount > Credits::ZERO && !self.explained.contains(&entry.hold) {
                    self.charges.insert(entry.hold, OpenCharge::of(entry));
                    if rests_on == Some(NoteKind::Stated) {
                        news.stated.push(StatedCharge::of(entry, quote));
                    }
                }
            }
            EntryKind::Corrected if rests_on == Some(NoteKind::Transaction) => {
                self.take_evidence(entry, news);
            }
            EntryKind::Released => {
                self.quotes.remove(&entry.hold);
                let quote = self.jobs.remove(&entry.hold);
                news.movements.extend(
                    quote.map(|quote| Movement::job_ended(entry.recorded_at, quote, Credits::ZERO)),
                );
                let unseen = note.is_some_and(|note| {
                    note.kind == NoteKind::Operator || note.text.starts_with(ABSENT)
                });
                if unseen {
                    self.given_up.insert(entry.hold, OpenCharge::of(entry));
                }
            }
            _ => {}
        }
    }

    /// The rows an entry rests on are its hold's. They are matched already, unless the process died
    /// between the entry and its records.
    fn take_evidence(&mut self, entry: &Entry, news: &mut News) {
        let ids = entry.evidence.as_ref().map(|note| note.text.as_str());
        for id in ids.unwrap_or_default().split_whitespace() {
            if let Ok(id) = id.parse() {
                let record = self.owned(id, entry.hold, MatchedBy::Doubt);
                news.records.push(record);
            }
        }
    }

    fn movement(&mut self, entry: &Entry) -> Movement {
        match self.jobs.remove(&entry.hold) {
            Some(quote) => Movement::job_ended(entry.recorded_at, quote, entry.amount),
            None => Movement::charged(entry.recorded_at, entry.amount),
        }
    }

    /// A row belongs to a hold from now on.
    pub(super) fn owned(
        &mut self,
        transaction: TransactionId,
        hold: HoldId,
        how: MatchedBy,
    ) -> Record {
        self.rows.remove(&transaction);
        Record::Matched(Match {
            transaction,
            hold,
            how,
        })
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
        let mut explained = None;
        if row.status == TransactionStatus::Error {
            explained = finding;
        } else if owner.is_none() {
            let open = OpenRow {
                row: row.clone(),
                finding,
                asked_at: now,
            };
            self.rows.insert(row.id.clone(), open);
        }
        let changed = match (&before, owner) {
            (Some(before), Some(_)) => self.changed_by(&row, before),
            _ => None,
        };
        Some(Seen {
            row,
            owner,
            explained,
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
        let old =
            |finding: &Option<Arc<str>>, at: Timestamp| finding.is_some() && at < found_before;
        self.rows.retain(|_, open| !old(&open.finding, open.row.at));
        self.charges
            .retain(|_, charge| !old(&charge.finding, charge.began_at));
        self.given_up
            .retain(|_, call| call.began_at >= found_before);
        self.changed.retain(|_, (at, _)| *at >= found_before);
    }

    /// Entries up to this one need not be read again after a restart.
    pub(super) fn settled_up_to(&self) -> i64 {
        let unexplained = self.charges.iter();
        let first = unexplained
            .filter(|(_, charge)| charge.finding.is_none())
            .map(|(hold, _)| hold.get() - 1)
            .min();
        first.unwrap_or(self.seq).min(self.seq)
    }
}

/// All findings about moments from `from` on that nothing explains yet.
pub(super) fn open_findings(
    reader: &dyn Reader,
    from: Timestamp,
) -> Result<Vec<Finding>, StoreError> {
    let mut found: Vec<Finding> = Vec::new();
    loop {
        let after = found.last().map(|last| (last.at, last.name.as_ref()));
        let page = reader.findings(from, Timestamp::MAX, true, after, PAGE)?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page.into_iter().map(|kept| kept.finding));
    }
}

/// What new entries say, beside what stays open.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Matches that a crash left out.
    pub(super) records: Vec<Record>,
    /// What moved the balance.
    pub(super) movements: Vec<Movement>,
    /// Charges that answers stated.
    pub(super) stated: Vec<StatedCharge>,
    /// Holds that have ended.
    pub(super) ended: HashSet<HoldId>,
}

/// A charge that an answer stated.
#[derive(Clone, Debug)]
pub(super) struct StatedCharge {
    pub(super) hold: HoldId,
    pub(super) team: TeamId,
    pub(super) operation: OperationName,
    pub(super) charge: Credits,
    /// What was held for it, where that is still known.
    pub(super) quote: Option<Credits>,
    pub(super) began_at: Timestamp,
}

/// The name of the finding that a row has changed after its match.
pub(super) fn changed(row: &TransactionId) -> String {
    format!("changed:{row}")
}

impl StatedCharge {
    fn of(entry: &Entry, quote: Option<Credits>) -> Self {
        Self {
            hold: entry.hold,
            team: entry.team.clone(),
            operation: entry.operation.clone(),
            charge: entry.amount,
            quote,
            began_at: entry.began_at,
        }
    }
}

/// A row that is new, or not as it was.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) row: Transaction,
    pub(super) owner: Option<HoldId>,
    /// The finding that its change explains.
    pub(super) explained: Option<Arc<str>>,
    /// If its match is older than its change: how much more it takes now than it did then.
    pub(super) changed: Option<Credits>,
}

impl OpenCharge {
    fn of(entry: &Entry) -> Self {
        let kind = entry.evidence.as_ref().map(|note| note.kind);
        Self {
            team: entry.team.clone(),
            key: Some(entry.key.clone()),
            operation: entry.operation.clone(),
            amount: entry.amount,
            began_at: entry.began_at,
            answered_at: (kind != Some(NoteKind::Operator)).then_some(entry.recorded_at),
            finding: None,
        }
    }
}
