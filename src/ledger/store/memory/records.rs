//! Records in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::ids::{OperationName, TeamId};
use crate::ledger::change::{KeptChange, SavedBy, Saving};
use crate::ledger::entry::{Entry, EntryKind, HoldId};
use crate::ledger::record::{FindingKind, Match, Record};
use crate::ledger::store::records::in_credits;
use crate::ledger::store::{
    After, Closing, FoundSum, KeptFinding, KeptRow, RecordReader, RecordsCheck, StoreError,
    TakenSum,
};
use crate::ledger::window::at_micros;
use crate::transaction::{Transaction, TransactionId, TransactionStatus};

use super::MemoryStore;

const DAY_MICROS: i64 = 86_400_000_000;

/// Everything kept, each under its name.
#[derive(Debug, Default)]
pub(super) struct Records {
    transactions: BTreeMap<TransactionId, Transaction>,
    matches: BTreeMap<TransactionId, Match>,
    findings: BTreeMap<Arc<str>, KeptFinding>,
    notes: BTreeMap<String, String>,
    changes: Vec<KeptChange>,
    savings: BTreeMap<(Timestamp, TeamId, OperationName, SavedBy), Saving>,
}

impl Records {
    /// Keeps all of `records`, or none if one names what is not there.
    pub(super) fn keep(&mut self, records: &[Record], entries: &[Entry]) -> Result<(), StoreError> {
        let mut new = BTreeSet::new();
        for record in records {
            let (row, hold) = match record {
                Record::Transaction(row) => {
                    new.insert(&row.id);
                    continue;
                }
                Record::Matched(matched) => (Some(&matched.transaction), Some(matched.hold)),
                Record::Found(finding) => (finding.transaction.as_ref(), finding.hold),
                Record::Unmatched(_)
                | Record::Closed { .. }
                | Record::Note { .. }
                | Record::Changed(_)
                | Record::Saved(_) => continue,
            };
            if let Some(id) = row
                && !new.contains(id)
                && !self.transactions.contains_key(id)
            {
                let why = format!("it names row {id}, which was never kept");
                return Err(StoreError::NotKept(why));
            }
            if let Some(hold) = hold
                && !was_made(hold, entries)
            {
                let why = format!("it names hold {hold}, which was never made");
                return Err(StoreError::NotKept(why));
            }
        }
        for record in records.iter().cloned() {
            self.put(record);
        }
        Ok(())
    }

    fn put(&mut self, record: Record) {
        match record {
            Record::Transaction(mut row) => {
                row.at = cut(row.at);
                self.transactions.insert(row.id.clone(), row);
            }
            Record::Matched(matched) => {
                self.matches.insert(matched.transaction.clone(), matched);
            }
            Record::Unmatched(id) => {
                self.matches.remove(&id);
            }
            Record::Found(mut finding) => {
                (finding.at, finding.found_at) = (cut(finding.at), cut(finding.found_at));
                let closed = None;
                let name = Arc::clone(&finding.name);
                self.findings.insert(name, KeptFinding { finding, closed });
            }
            Record::Closed { name, at, why } => {
                if let Some(kept) = self.findings.get_mut(&name) {
                    let at = cut(at);
                    // The first explanation stays.
                    kept.closed.get_or_insert(Closing { at, why });
                }
            }
            Record::Note { name, value } => {
                match value {
                    Some(value) => self.notes.insert(name, value),
                    None => self.notes.remove(&name),
                };
            }
            Record::Changed(mut change) => {
                let is_it = |kept: &KeptChange| kept.change.name == change.name;
                if !self.changes.iter().any(is_it) {
                    change.at = cut(change.at);
                    let number = i64::try_from(self.changes.len() + 1).unwrap_or(i64::MAX);
                    self.changes.push(KeptChange { number, change });
                }
            }
            Record::Saved(mut saving) => {
                saving.day = cut(saving.day);
                let (team, operation) = (saving.team.clone(), saving.operation.clone());
                let place = (saving.day, team, operation, saving.how);
                self.savings.insert(place, saving);
            }
        }
    }

    /// The rows of a span that are wanted, oldest first.
    fn select(&self, wanted: impl Fn(&Transaction) -> bool) -> Vec<Transaction> {
        let mut rows = self
            .transactions
            .values()
            .filter(|row| wanted(row))
            .cloned()
            .collect::<Vec<_>>();
        rows.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        rows
    }
}

fn was_made(hold: HoldId, entries: &[Entry]) -> bool {
    let index = usize::try_from(hold.get() - 1).ok();
    let entry = index.and_then(|index| entries.get(index));
    entry.is_some_and(|entry| entry.kind == EntryKind::Held)
}

/// To the microsecond, which is what a ledger keeps.
fn cut(at: Timestamp) -> Timestamp {
    at_micros(at.as_microsecond())
}

impl MemoryStore {
    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordReader for MemoryStore {
    fn open_transactions(&self, from: Timestamp) -> Result<Vec<Transaction>, StoreError> {
        let records = self.records();
        let findings = records.findings.values();
        let named = findings
            .filter_map(|kept| kept.finding.transaction.as_ref())
            .collect::<BTreeSet<_>>();
        let open = |row: &Transaction| {
            row.at >= from && !records.matches.contains_key(&row.id) && !named.contains(&row.id)
        };
        Ok(records.select(open))
    }

    fn kept_rows(&self, ids: &[TransactionId]) -> Result<Vec<KeptRow>, StoreError> {
        let records = self.records();
        let kept = ids.iter().filter_map(|id| records.transactions.get(id));
        let kept = kept.map(|row| KeptRow {
            row: row.clone(),
            hold: records.matches.get(&row.id).map(|matched| matched.hold),
        });
        Ok(kept.collect())
    }

    fn transaction(&self, id: &TransactionId) -> Result<Option<Transaction>, StoreError> {
        Ok(self.records().transactions.get(id).cloned())
    }

    fn transactions(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: After<'_, TransactionId>,
        limit: usize,
    ) -> Result<Vec<Transaction>, StoreError> {
        let mut rows = self.records().select(|row| {
            (from..to).contains(&row.at) && after.is_none_or(|after| (row.at, &row.id) > after)
        });
        rows.truncate(limit);
        Ok(rows)
    }

    fn matches_of(&self, hold: HoldId) -> Result<Vec<Match>, StoreError> {
        let records = self.records();
        let of = records.matches.values().filter(|one| one.hold == hold);
        Ok(of.cloned().collect())
    }

    fn matched_after(&self, seq: i64) -> Result<BTreeSet<HoldId>, StoreError> {
        let records = self.records();
        let holds = records.matches.values().map(|one| one.hold);
        Ok(holds.filter(|hold| hold.get() > seq).collect())
    }

    fn findings(
        &self,
        from: Timestamp,
        to: Timestamp,
        open_only: bool,
        after: After<'_, str>,
        limit: usize,
    ) -> Result<Vec<KeptFinding>, StoreError> {
        let records = self.records();
        let wanted = |kept: &&KeptFinding| {
            let finding = &kept.finding;
            (from..to).contains(&finding.at)
                && !(open_only && kept.closed.is_some())
                && after.is_none_or(|after| (finding.at, &*finding.name) > after)
        };
        let found = records.findings.values().filter(wanted);
        let mut found = found.cloned().collect::<Vec<_>>();
        found.sort_by_key(|kept| (kept.finding.at, Arc::clone(&kept.finding.name)));
        found.truncate(limit);
        Ok(found)
    }

    fn found(&self, from: Timestamp, to: Timestamp) -> Result<Vec<FoundSum>, StoreError> {
        let records = self.records();
        let mut sums: BTreeMap<FindingKind, (u64, u64, i128, i128)> = BTreeMap::new();
        for kept in records.findings.values() {
            if (from..to).contains(&kept.finding.at) {
                let micros = i128::from(kept.finding.drift.micros());
                let (findings, open, drift, open_drift) =
                    sums.entry(kept.finding.kind).or_default();
                *findings += 1;
                *drift += micros;
                if kept.closed.is_none() {
                    *open += 1;
                    *open_drift += micros;
                }
            }
        }
        let sum = |(kind, (findings, open, drift, open_drift))| FoundSum {
            kind,
            findings,
            open,
            drift: in_credits(drift),
            open_drift: in_credits(open_drift),
        };
        Ok(sums.into_iter().map(sum).collect())
    }

    fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.records().notes.get(name).cloned())
    }

    fn changes(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<KeptChange>, StoreError> {
        let records = self.records();
        let wanted =
            |kept: &&KeptChange| kept.number > after && (from..to).contains(&kept.change.at);
        let found = records.changes.iter().filter(wanted);
        Ok(found.take(limit).cloned().collect())
    }

    fn savings(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Saving>, StoreError> {
        let records = self.records();
        let found = records.savings.values();
        let wanted = found.filter(|saving| (from..to).contains(&saving.day));
        Ok(wanted.cloned().collect())
    }

    fn taken_by_kind(&self, from: Timestamp, to: Timestamp) -> Result<Vec<TakenSum>, StoreError> {
        let rows = self.records().select(|row| {
            (from..to).contains(&row.at)
                && row.status == TransactionStatus::Success
                && row.amount.is_negative()
        });
        let mut sums: BTreeMap<_, (u64, i128)> = BTreeMap::new();
        for row in rows {
            let day = row.at.as_microsecond().div_euclid(DAY_MICROS);
            let place = (day, row.id.source, row.kind);
            let (rows, taken) = sums.entry(place).or_default();
            *rows += 1;
            *taken -= i128::from(row.amount.micros());
        }
        let sum = |((day, source, kind), (rows, taken)): ((i64, _, _), _)| TakenSum {
            day: at_micros(day.saturating_mul(DAY_MICROS)),
            source,
            kind,
            rows,
            taken: in_credits(taken),
        };
        Ok(sums.into_iter().map(sum).collect())
    }

    /// Counts only: nobody else can write here, and what does not agree is never kept.
    fn check_records(&self) -> Result<RecordsCheck, StoreError> {
        let records = self.records();
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        Ok(RecordsCheck {
            transactions: count(records.transactions.len()),
            matches: count(records.matches.len()),
            findings: count(records.findings.len()),
            defects: Vec::new(),
        })
    }
}
