//! Our side: what the entries since the last run say.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::balance_kind::{MOVEMENTS_MAX, Movement};
use super::ending;
use super::keeping::Judged;
use super::open::{ABSENT, Open, OpenCharge};
use super::prices::Expected;
use super::setting_aside::RowTimes;
use super::wording;
use crate::credits::Credits;
use crate::ids::{OperationName, TeamId};
use crate::ledger::store::Reader;
use crate::ledger::{Entry, EntryKind, Finding, HoldId, Match, MatchedBy, NoteKind, StoreError};
use crate::transaction::{Transaction, TransactionId};

/// Entries read at a time.
const PAGE: usize = 10_000;

/// What new entries are held against.
#[derive(Debug)]
pub(super) struct Sought {
    /// The rows that belong to no call.
    pub(super) rows: RowTimes,
    /// The calls that were open before.
    pub(super) calls: HashSet<HoldId>,
    /// What charges are expected.
    pub(super) expected: Expected,
}

/// What new entries say, beside what stays open.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Matches and findings that a crash left out.
    pub(super) left_out: Vec<Judged>,
    /// What moved the balance last: no more of it is ever looked at.
    pub(super) movements: VecDeque<Movement>,
    /// What was found of charges at prices that nobody expected, by its name.
    pub(super) unexpected: BTreeMap<Arc<str>, Finding>,
    /// Those of the open calls that have ended.
    pub(super) ended: HashSet<HoldId>,
}

impl News {
    fn moved(&mut self, movement: Movement) {
        if self.movements.len() == MOVEMENTS_MAX {
            self.movements.pop_front();
        }
        self.movements.push_back(movement);
    }
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

fn is_end(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Settled | EntryKind::Released)
}

impl Open {
    /// Looks at the entries since the last time.
    pub(super) fn read_entries(
        &mut self,
        reader: &dyn Reader,
        sought: &Sought,
    ) -> Result<News, StoreError> {
        let mut news = News::default();
        let restored = self.restored_from.take();
        let restored_from = restored.unwrap_or(0);
        loop {
            let page = reader.entries(self.seq, PAGE)?;
            let Some(last) = page.last() else {
                self.explained.clear();
                self.priced = self.priced.max(self.seq);
                return Ok(news);
            };
            self.seq = last.seq;
            for entry in page {
                if is_end(&entry) && entry.hold.get() <= restored_from {
                    self.recall(entry.hold, reader)?;
                }
                if restored.is_some() && self.was_found(&entry, reader)? {
                    self.explained.insert(entry.hold);
                }
                let kind = entry.evidence.as_ref().map(|note| note.kind);
                if kind == Some(NoteKind::Transaction) {
                    self.take_evidence(&entry, reader, &mut news)?;
                }
                if let Some(finding) = ending::allocated(&entry)
                    && !is_kept(&finding.name, finding.at, reader)?
                {
                    news.left_out.push(Judged::found(finding));
                }
                self.take_entry(&entry, sought, &mut news);
            }
            self.set_aside(&sought.rows);
        }
    }

    /// A job or a doubt ends long after the number of its hold was passed: what was known of it then is
    /// looked up.
    fn recall(&mut self, hold: HoldId, reader: &dyn Reader) -> Result<(), StoreError> {
        let is_found = self.charges.contains_key(&hold) || self.aside.has_found(hold);
        if is_found || !reader.matches_of(hold)?.is_empty() {
            self.explained.insert(hold);
        }
        let held = reader.entries(hold.get() - 1, 1)?.pop();
        let held = held.filter(|held| held.hold == hold);
        self.quotes.extend(held.map(|held| (hold, held.amount)));
        Ok(())
    }

    /// Whether a charge was found to have no row, so long ago that a start does not remember it.
    fn was_found(&self, entry: &Entry, reader: &dyn Reader) -> Result<bool, StoreError> {
        if entry.kind != EntryKind::Settled || entry.began_at >= self.found_from {
            return Ok(false);
        }
        is_kept(&wording::ours_only_name(entry.hold), entry.began_at, reader)
    }

    fn take_entry(&mut self, entry: &Entry, sought: &Sought, news: &mut News) {
        if is_end(entry) && sought.calls.contains(&entry.hold) {
            news.ended.insert(entry.hold);
        }
        match entry.kind {
            EntryKind::Held => {
                self.quotes.insert(entry.hold, entry.amount);
            }
            EntryKind::Bound => {
                self.jobs.insert(entry.hold, entry.amount);
                news.moved(Movement::job_began(entry.recorded_at, entry.amount));
            }
            EntryKind::Settled => self.take_charge(entry, sought, news),
            EntryKind::Released => {
                self.quotes.remove(&entry.hold);
                if is_given_up(entry) && !self.explained.contains(&entry.hold) {
                    let is_job = self.is_job(entry.hold, &entry.operation);
                    let call = OpenCharge::of(entry, is_job);
                    self.given_up.entry(entry.hold).or_insert(call);
                }
                if let Some(quote) = self.jobs.remove(&entry.hold) {
                    let ended = Movement::job_ended(entry.recorded_at, quote, Credits::ZERO);
                    news.moved(ended);
                }
            }
            EntryKind::Doubted | EntryKind::Corrected | EntryKind::Granted => {}
        }
    }

    fn take_charge(&mut self, entry: &Entry, sought: &Sought, news: &mut News) {
        let kind = entry.evidence.as_ref().map(|note| note.kind);
        let is_job = self.is_job(entry.hold, &entry.operation);
        let quote = self.quotes.remove(&entry.hold);
        news.moved(match self.jobs.remove(&entry.hold) {
            Some(quote) => Movement::job_ended(entry.recorded_at, quote, entry.amount),
            None => Movement::charged(entry.recorded_at, entry.amount),
        });
        if kind == Some(NoteKind::Transaction) || entry.amount <= Credits::ZERO {
            return;
        }
        if kind == Some(NoteKind::Stated) && entry.seq > self.priced {
            let stated = StatedCharge::of(entry, quote);
            sought.expected.check(&stated, &mut news.unexpected);
        }
        if !self.explained.contains(&entry.hold) {
            let charge = OpenCharge::of(entry, is_job);
            self.charges.insert(entry.hold, charge);
        }
    }

    /// The rows an entry rests on are its hold's. They are matched already, unless the process died
    /// between the entry and its records.
    fn take_evidence(
        &mut self,
        entry: &Entry,
        reader: &dyn Reader,
        news: &mut News,
    ) -> Result<(), StoreError> {
        let known = reader.matches_of(entry.hold)?;
        let is_known = |id: &TransactionId| known.iter().any(|known| known.transaction == *id);
        let is_job = self.is_job(entry.hold, &entry.operation);
        let how = match entry.kind {
            _ if ending::is_allocated(entry) => MatchedBy::Allocated,
            EntryKind::Settled if is_job => MatchedBy::Job,
            _ => MatchedBy::Doubt,
        };
        let mut left_out = Vec::new();
        let mut found = Vec::new();
        let mut rows = Vec::new();
        for transaction in ending::rows_of(entry) {
            let Some(row) = reader.transaction(&transaction)? else {
                continue;
            };
            if is_known(&transaction) {
                continue;
            }
            if entry.kind == EntryKind::Corrected {
                let call = OpenCharge::of(entry, is_job);
                let late = wording::late(entry.hold, call, &row, entry.recorded_at);
                found.push(wording::charged(late));
            }
            left_out.push(Match {
                transaction,
                hold: entry.hold,
                how,
            });
            rows.push(row);
        }
        if !left_out.is_empty() {
            found.extend(self.changed_since(entry, &rows));
            let mut tied = self.tie(left_out, "it decided a call");
            tied.found = found;
            news.left_out.push(tied);
        }
        Ok(())
    }

    /// What is found if the rows an entry rests on take another sum by now: they were read again before
    /// anybody knew whose they are.
    fn changed_since(&mut self, entry: &Entry, rows: &[Transaction]) -> Option<Finding> {
        let taken: Credits = rows.iter().map(Transaction::taken).sum();
        let more = taken.saturating_sub(entry.amount);
        let first = rows.first().filter(|_| more != Credits::ZERO)?;
        self.changed.insert(first.id.clone(), (first.at, more));
        Some(wording::changed_since(
            entry.hold,
            first,
            more,
            entry.recorded_at,
        ))
    }
}

/// Whether a finding about this moment is in the ledger, explained or not.
fn is_kept(name: &Arc<str>, at: Timestamp, reader: &dyn Reader) -> Result<bool, StoreError> {
    let after = at.checked_add(SignedDuration::from_micros(1));
    let kept = reader.findings(at, after.unwrap_or(Timestamp::MAX), false, None, PAGE)?;
    Ok(kept.iter().any(|kept| kept.finding.name == *name))
}

/// Whether a call was released although nobody had seen its answer.
pub(super) fn is_given_up(entry: &Entry) -> bool {
    entry.evidence.as_ref().is_some_and(|note| {
        note.kind == NoteKind::Operator
            || (note.kind == NoteKind::Reason && note.text.starts_with(ABSENT))
    })
}
