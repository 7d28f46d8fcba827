//! What reconciliation does with the account's list, held against the account's own books.
//!
//! A doubt may get the row of another call: of one of the same key and operation, or of one that is
//! settled to the same amount and gets the doubt's in exchange. Nobody can tell these apart, and no
//! sum of a key and an operation differs. So from the first that is ended by the list their calls are
//! looked at together; and not before the end where the list does not say enough, or a clock was
//! wrong.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::ledger::{Entry, EntryKind, Finding, FindingKind, Match, MatchedBy};
use generect_guard::ledger::{NoteKind, Record};
use generect_guard::simulator::RowWritten;
use generect_guard::transaction::{Transaction, TransactionStatus};

use crate::shadow::{Shadow, Stands};

/// A key, and operations that the list has one word for: `email_find` is the bulk one's too.
pub type Group = (String, String);

fn word_of(operation: &str) -> &str {
    operation.trim_end_matches("_bulk")
}

/// What is on disk beside the entries.
#[derive(Debug, Default)]
pub struct Kept {
    /// Not looked at yet.
    news: Vec<Record>,
    rows: BTreeMap<String, Transaction>,
    owners: BTreeMap<String, i64>,
    /// The holds that have rows by more than their nearness.
    shown: BTreeSet<i64>,
    findings: BTreeMap<String, Finding>,
    /// Whose calls were ended by what the list says, or lacks.
    pub groups: BTreeSet<Group>,
    /// So many doubts were ended by rows, and by their absence.
    pub ended: (usize, usize),
}

impl Kept {
    /// How many findings of each kind are open.
    pub fn findings(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for found in self.findings.values() {
            *counts.entry(found.kind.as_str()).or_default() += 1;
        }
        counts
    }
}

impl Shadow {
    /// These records are on disk.
    pub(crate) fn keeps(&mut self, records: &[Record]) {
        self.kept.news.extend_from_slice(records);
    }

    /// Whether there are records to be looked at.
    pub(crate) fn has_news(&self) -> bool {
        !self.kept.news.is_empty()
    }

    /// Looks at them, beside the rows that the account has.
    pub(crate) fn looks_at_records(&mut self, written: &[RowWritten]) {
        for record in std::mem::take(&mut self.kept.news) {
            if self.tells {
                eprintln!("{}: {record:?}", self.now);
            }
            match record {
                Record::Transaction(row) => self.stored(row, written),
                Record::Matched(found) => self.tied(&found),
                Record::Unmatched(row) => {
                    self.kept.owners.remove(&*row.id);
                }
                Record::Found(finding) => {
                    let name = finding.name.to_string();
                    self.kept.findings.insert(name, finding);
                }
                Record::Closed { name, .. } => {
                    self.kept.findings.remove(&*name);
                }
                Record::Note { .. } | Record::Changed(_) | Record::Saved(_) => {}
            }
        }
    }

    /// A row is in the ledger: the account has it, and it says what the account says.
    fn stored(&mut self, row: Transaction, written: &[RowWritten]) {
        let id = row.id.id.to_string();
        let Some(truly) = written.iter().find(|written| written.id == id) else {
            return self.breaks("each row once", &format!("the account has no row {id}"));
        };
        let says_so = row.status == TransactionStatus::Pending || row.amount == truly.amount;
        if !says_so {
            let how = format!(
                "row {id} is of {}, and is kept as {}",
                truly.amount, row.amount
            );
            self.breaks("each row once", &how);
        }
        self.trace.note(&[7, row.amount.micros()]);
        self.kept.rows.insert(id, row);
    }

    /// A row is a hold's: no other hold has it.
    fn tied(&mut self, found: &Match) {
        let (id, hold) = (found.transaction.id.to_string(), found.hold.get());
        if found.how != MatchedBy::Allocated {
            self.kept.shown.insert(hold);
        }
        if self.is_clear && self.strangers.have_row(&id) {
            let how = format!("hold {hold} has row {id}, which no call made");
            self.breaks("8 who pays", &how);
        }
        if let Some(other) = self.kept.owners.insert(id.clone(), hold)
            && other != hold
        {
            let how = format!("row {id} is of hold {other} and of hold {hold}");
            self.breaks("4 counted once", &how);
        }
    }

    pub(crate) fn group(&self, print: u64) -> Group {
        let known = &self.calls[&print];
        (known.key.clone(), word_of(&known.operation).to_owned())
    }

    /// An entry that rests on the account's list.
    pub(crate) fn reconciles(&mut self, entry: &Entry) {
        let Some(note) = &entry.evidence else { return };
        let by_row = note.kind == NoteKind::Transaction;
        let by_absence = note.kind == NoteKind::Reason
            && note.text.starts_with("the account's list is complete")
            && entry.kind == EntryKind::Released;
        if by_row || by_absence {
            self.kept.ended.0 += usize::from(by_row);
            self.kept.ended.1 += usize::from(by_absence);
            let word = word_of(entry.operation.as_str()).to_owned();
            let group = (entry.key.to_string(), word);
            self.kept.groups.insert(group);
        }
    }

    /// What a group was charged, what is settled of it and what is still open.
    pub(crate) fn sums_of(&self, group: &Group) -> (i64, i64, i64) {
        let calls = self.calls.values();
        let calls =
            calls.filter(|known| known.key == group.0 && word_of(&known.operation) == group.1);
        let (mut charged, mut settled, mut open) = (0, 0, 0);
        for known in calls {
            charged += known.charged;
            for hold in &known.holds {
                match self.holds[hold].stands {
                    Stands::Settled(charge) => settled += charge,
                    Stands::Live | Stands::InDoubt(_) => open += self.holds[hold].quote,
                    Stands::Released => {}
                }
            }
        }
        (charged, settled, open)
    }

    /// The operations of which the list has shown a charge.
    fn shown(&self) -> BTreeSet<&str> {
        let shown = self.kept.shown.iter();
        let held = shown.filter_map(|hold| self.holds.get(hold));
        let calls = held.map(|held| &self.calls[&held.print]);
        calls.map(|call| call.operation.as_str()).collect()
    }

    pub(crate) fn has_overrun(&self, group: &Group) -> bool {
        let mut calls = self.calls.values();
        calls.any(|known| {
            known.overrun && known.key == group.0 && word_of(&known.operation) == group.1
        })
    }

    /// Everything was read and judged: the account's list, the books and the findings are one sum.
    pub(crate) fn is_reconciled(&mut self, written: &[RowWritten]) {
        if !self.is_forward {
            // Rows from before the ledger are nobody's business, and some calls are from then now.
            return;
        }
        let mut wrong = Vec::new();
        for row in written {
            let says = self.kept.rows.get(&row.id);
            let says = says.map(|row| (row.amount, row.status.as_str()));
            if says != Some((row.amount, row.status)) {
                wrong.push(format!("{row:?} is kept as {says:?}"));
            }
        }
        let shown = self.shown();
        for (number, held) in &self.holds {
            let call = &self.calls[&held.print];
            let is_open = matches!(held.stands, Stands::Live | Stands::InDoubt(_));
            // What the list has never shown it may not show at all: a person decides.
            if is_open && shown.contains(call.operation.as_str()) {
                wrong.push(format!(
                    "hold {number} of {call:?} is {:?} for ever",
                    held.stands
                ));
            }
        }
        let groups: BTreeSet<_> = self.calls.keys().map(|print| self.group(*print)).collect();
        let sums = groups.iter().map(|group| self.sums_of(group));
        let (charged, settled) = sums.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        let drifts = self
            .kept
            .findings
            .values()
            .filter(|found| tells_of_sums(found));
        let drift: i64 = drifts.map(|found| found.drift.micros()).sum();
        let others = self.strangers.sum();
        if settled + drift != charged + others {
            let how =
                format!("charged {charged}, by others {others}, settled {settled}, found {drift}");
            wrong.push(format!("{how}: {:#?}", self.kept.findings));
        }
        if self.is_clear {
            wrong.extend(self.strangers.not_found(self.kept.findings.values()));
        }
        for how in wrong {
            self.breaks("reconciliation", &how);
        }
        if self.is_clear {
            self.groups_agree(&groups);
        }
    }

    /// Where the list says enough, each doubt was ended by what is true of it, or a finding about a hold of its
    /// group says by how much not, or that this is not certain.
    fn groups_agree(&mut self, groups: &BTreeSet<Group>) {
        let (mut drifts, mut uncertain) = (BTreeMap::new(), BTreeSet::new());
        for found in self.kept.findings.values() {
            let held = found.hold.and_then(|hold| self.holds.get(&hold.get()));
            let Some(group) = held.map(|held| self.group(held.print)) else {
                continue;
            };
            if found.kind == FindingKind::Allocated {
                uncertain.insert(group);
            } else if tells_of_sums(found) {
                *drifts.entry(group).or_default() += found.drift.micros();
            }
        }
        for group in groups.difference(&uncertain) {
            let (charged, settled, _) = self.sums_of(group);
            let found: i64 = drifts.get(group).copied().unwrap_or(0);
            if settled + found != charged && !self.has_overrun(group) {
                let how = format!("charged {charged}, settled {settled}, found {found}");
                self.breaks("reconciliation", &format!("{group:?}: {how}"));
            }
        }
    }
}

/// Findings that say by how much the account's sum is another than the books'.
fn tells_of_sums(found: &Finding) -> bool {
    use FindingKind::{AmountDiffers, Late, OursOnly, TheirsOnly};
    matches!(found.kind, AmountDiffers | Late | OursOnly | TheirsOnly)
}
