//! What reconciliation remembers across restarts, beside the records themselves.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::matching::{Known, Undecided};
use crate::account::PullReport;
use crate::ids::OperationName;
use crate::ledger::store::Reader;
use crate::ledger::{Record, StoreError};
use crate::transaction::TransactionSource;

/// Rows before this moment are from before the ledger, and nobody's business.
const START: &str = "reconciliation.start";
/// The list has been read completely up to here, by the account's clock.
const READ_UNTIL: &str = "reconciliation.read_until";
/// When the list was last read back over the whole overlap, by the account's clock.
const FULL_UNTIL: &str = "reconciliation.full_until";
/// Which list that was; and if another was read before it, from when on this one counts, and since when
/// it is read.
const SOURCE: &str = "reconciliation.source";
/// Entries up to this one are explained or found.
const SEQ: &str = "reconciliation.seq";
/// Charges up to this entry were held against the prices of their time.
const PRICED: &str = "reconciliation.priced";
/// Times of rows that could not be read.
const BLIND: &str = "reconciliation.blind";
/// What is known of the kinds of rows.
const KNOWN: &str = "reconciliation.kinds";
/// Operations whose charges the list has been seen to show.
const SHOWN: &str = "reconciliation.shown";
/// Which doubts are undecided, and why.
const UNDECIDED: &str = "reconciliation.undecided";

/// More unreadable rows than this count as one long time.
const BLIND_MAX: usize = 1_000;
/// The oldest undecided doubts are explained: the note is written after each run, and in a bad hour
/// there are thousands.
const UNDECIDED_MAX: usize = 200;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    pub(super) start: Timestamp,
    pub(super) read_until: Timestamp,
    /// Rows that came late are in as well, up to here less their lateness.
    pub(super) full_until: Timestamp,
    /// Which list is read.
    pub(super) source: TransactionSource,
    /// If another was read before: from when on this one counts, and since when it is read.
    pub(super) took_over: Option<(Timestamp, Timestamp)>,
    pub(super) seq: i64,
    pub(super) priced: i64,
    pub(super) known: Known,
    /// Operations of which a charge has been matched with a row: only of those does the list's
    /// silence say anything.
    pub(super) shown: BTreeSet<OperationName>,
    /// Times in which a row may be that could not be read: there, absence is no evidence.
    pub(super) blind: Vec<(Timestamp, Timestamp)>,
}

/// What the last run left undecided.
#[derive(Debug, Default, Serialize, Deserialize)]
struct UndecidedNotes {
    /// How many doubts.
    count: usize,
    /// The oldest of them, by their holds.
    oldest: Vec<UndecidedNote>,
}

/// A doubt that reconciliation could not decide, as the last run left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndecidedNote {
    /// The hold's number.
    pub hold: i64,
    /// What it waits for.
    pub why: String,
    /// Rows that could be its own.
    pub candidates: Vec<String>,
}

impl From<&Undecided> for UndecidedNote {
    fn from(doubt: &Undecided) -> Self {
        Self {
            hold: doubt.hold.get(),
            why: doubt.why.to_string(),
            candidates: doubt.candidates.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Notes {
    /// What the last run left; for a ledger that was never reconciled, its beginning.
    pub(super) fn read(
        reader: &dyn Reader,
        made_at: Timestamp,
        tolerance: SignedDuration,
        source: TransactionSource,
    ) -> Result<Self, StoreError> {
        let moment = |name: &str| -> Result<Option<Timestamp>, StoreError> {
            Ok(reader.note(name)?.and_then(|text| text.parse().ok()))
        };
        let number = |name: &str| -> Result<Option<i64>, StoreError> {
            Ok(reader.note(name)?.and_then(|text| text.parse().ok()))
        };
        let start = match moment(START)? {
            Some(start) => start,
            None => {
                let first = reader
                    .entries(0, 1)?
                    .pop()
                    .map_or(made_at, |first| first.began_at.min(made_at));
                first.checked_sub(tolerance).unwrap_or(first)
            }
        };
        let seq = number(SEQ)?.unwrap_or(0);
        let known = reader.note(KNOWN)?;
        let read_before = reader.note(SOURCE)?;
        let read_before = read_before.and_then(|text| serde_json::from_str(&text).ok());
        let read_before: (String, Option<(Timestamp, Timestamp)>) = read_before.unwrap_or_default();
        Ok(Self {
            shown: parsed(reader.note(SHOWN)?),
            blind: parsed(reader.note(BLIND)?),
            start,
            read_until: moment(READ_UNTIL)?.unwrap_or(start),
            full_until: moment(FULL_UNTIL)?.unwrap_or(start),
            source: TransactionSource::from_text(&read_before.0).unwrap_or(source),
            took_over: read_before.1,
            priced: number(PRICED)?.unwrap_or(seq),
            seq,
            // What is forgotten is learned again.
            known: known
                .and_then(|text| Known::from_text(&text).ok())
                .unwrap_or_default(),
        })
    }

    /// The list of `source` is read from `now` on. Both tell of the same charges: the second counts from
    /// where the first was complete.
    pub(super) fn read_from_now_on(
        &mut self,
        source: TransactionSource,
        rows_late: SignedDuration,
        now: Timestamp,
    ) {
        if source != self.source {
            let complete = self.read_until.min(self.full_until);
            let from = complete.checked_sub(rows_late).unwrap_or(Timestamp::MIN);
            self.took_over = Some((from.max(self.start), now));
            (self.read_until, self.full_until) = (complete, complete);
            self.source = source;
        }
    }

    /// Up to when the absence of a row counts. `None`: the list was never read to its end.
    pub(super) fn complete_until(&self, rows_late: SignedDuration) -> Option<Timestamp> {
        let until = self.full_until.checked_sub(rows_late).ok()?;
        (self.full_until > self.start).then_some(until)
    }

    /// Adds the times of rows that could not be read. One without a time may be of any.
    pub(super) fn cannot_read(&mut self, report: &PullReport) {
        let named = report.unreadable.iter();
        let all = (report.span.from, report.span.to);
        let mut times: Vec<_> = named.map(|row| row.at.map_or(all, |at| (at, at))).collect();
        if times.len() < report.unreadable_count {
            times.push(all);
        }
        for time in times {
            if !self.blind.contains(&time) {
                self.blind.push(time);
            }
        }
        if self.blind.len() > BLIND_MAX {
            let first = self.blind.iter().map(|(from, _)| *from).min();
            let last = self.blind.iter().map(|(_, to)| *to).max();
            self.blind = first.zip(last).into_iter().collect();
        }
    }

    /// Forgets the times of unreadable rows from before `old`.
    pub(super) fn forget(&mut self, old: Timestamp) {
        self.blind.retain(|(_, to)| *to >= old);
    }

    /// Whether a row of this time may be there that could not be read.
    pub(super) fn is_blind(&self, from: Timestamp, to: Timestamp) -> bool {
        let mut blind = self.blind.iter();
        blind.any(|(first, last)| *first <= to && from <= *last)
    }

    /// The beginning and how far the list was read, to be kept together.
    pub(super) fn records(&self) -> Vec<Record> {
        vec![
            note(START, self.start.to_string()),
            note(READ_UNTIL, self.read_until.to_string()),
            note(FULL_UNTIL, self.full_until.to_string()),
            written(BLIND, &self.blind),
            written(SOURCE, &(self.source.as_str(), self.took_over)),
        ]
    }

    /// What is known of the kinds of rows, if that is new.
    pub(super) fn learned(&mut self, known: &Known) -> Vec<Record> {
        if self.known == *known {
            return Vec::new();
        }
        self.known = known.clone();
        vec![written(KNOWN, known)]
    }

    /// The list has shown a charge of this operation.
    pub(super) fn show(&mut self, operation: &OperationName) -> Option<Record> {
        let is_new = self.shown.insert(operation.clone());
        is_new.then(|| written(SHOWN, &self.shown))
    }

    /// What a run that ended leaves for the next.
    pub(super) fn after_a_run(
        &self,
        (seq, priced): (i64, i64),
        mut undecided: Vec<UndecidedNote>,
    ) -> Vec<Record> {
        let count = undecided.len();
        undecided.sort_by_key(|doubt| doubt.hold);
        undecided.truncate(UNDECIDED_MAX);
        let undecided = UndecidedNotes {
            count,
            oldest: undecided,
        };
        vec![
            note(SEQ, seq.to_string()),
            note(PRICED, priced.to_string()),
            written(UNDECIDED, &undecided),
            written(BLIND, &self.blind),
        ]
    }
}

fn note(name: &str, value: String) -> Record {
    Record::Note {
        name: name.to_owned(),
        value: Some(value),
    }
}

/// Texts and numbers only: nothing in them can fail to be written.
fn written(name: &str, value: &impl Serialize) -> Record {
    note(name, serde_json::to_string(value).unwrap_or_default())
}

/// What is not there, or not readable, is nothing.
fn parsed<T: Default + serde::de::DeserializeOwned>(text: Option<String>) -> T {
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// What the last run said of the doubts it could not decide: of the oldest of them, by their holds.
///
/// # Errors
/// What the store says.
pub fn undecided(reader: &dyn Reader) -> Result<Vec<UndecidedNote>, StoreError> {
    Ok(parsed::<UndecidedNotes>(reader.note(UNDECIDED)?).oldest)
}

/// How many doubts the last run could not decide.
///
/// # Errors
/// What the store says.
pub fn undecided_count(reader: &dyn Reader) -> Result<usize, StoreError> {
    Ok(parsed::<UndecidedNotes>(reader.note(UNDECIDED)?).count)
}

/// How far the account's list has been read completely; `None`: it never was.
///
/// # Errors
/// What the store says.
pub fn read_until(reader: &dyn Reader) -> Result<Option<Timestamp>, StoreError> {
    let text = reader.note(READ_UNTIL)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Up to which entry charges are explained or found; `None`: the ledger was never reconciled.
///
/// # Errors
/// What the store says.
pub fn explained_up_to(reader: &dyn Reader) -> Result<Option<i64>, StoreError> {
    Ok(reader.note(SEQ)?.and_then(|text| text.parse().ok()))
}

/// Since when the account's list is the ledger's business, and how far it has been read; `None`: it
/// never was.
pub(super) fn span(reader: &dyn Reader) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let start = reader.note(START)?.and_then(|text| text.parse().ok());
    Ok(start.zip(read_until(reader)?))
}

/// The operations a kind of row has been seen to stand for, most often first.
///
/// # Errors
/// What the store says.
pub fn kinds(reader: &dyn Reader) -> Result<Vec<(String, Vec<OperationName>)>, StoreError> {
    let text = reader.note(KNOWN)?;
    let known = text
        .and_then(|text| Known::from_text(&text).ok())
        .unwrap_or_default();
    let kinds = known.kinds().map(|kind| {
        let mut names: Vec<_> = known.stands_for(kind).collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let names = names.into_iter().map(|(name, _)| name.clone()).collect();
        (kind.to_owned(), names)
    });
    Ok(kinds.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::store::{MemoryStore, Store};

    #[test]
    fn of_thousands_of_undecided_doubts_the_oldest_are_explained_and_all_are_counted() {
        let mut store = MemoryStore::new();
        let note = |hold| UndecidedNote {
            hold,
            why: "a test".into(),
            candidates: vec!["v1:txn_1".into(); 20],
        };
        let (source, none) = (TransactionSource::V1, SignedDuration::ZERO);
        let notes = Notes::read(store.reader(), Timestamp::UNIX_EPOCH, none, source).unwrap();
        let records = notes.after_a_run((0, 0), (1..=5_000).rev().map(note).collect());
        store.keep(&records).unwrap();
        let kept = undecided(store.reader()).unwrap();
        assert_eq!(kept.len(), UNDECIDED_MAX);
        assert_eq!((kept[0].hold, kept[199].hold), (1, 200));
        assert_eq!(undecided_count(store.reader()).unwrap(), 5_000);
    }

    #[test]
    fn the_times_of_unreadable_rows_are_forgotten_with_what_they_could_be() {
        let store = MemoryStore::new();
        let (source, none) = (TransactionSource::V1, SignedDuration::ZERO);
        let mut notes = Notes::read(store.reader(), Timestamp::UNIX_EPOCH, none, source).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        notes.blind = vec![(at(10), at(10)), (at(10), at(30)), (at(40), at(40))];
        notes.forget(at(20));
        assert!(notes.is_blind(at(15), at(25)));
        notes.forget(at(35));
        assert!(!notes.is_blind(at(0), at(39)));
        assert!(notes.is_blind(at(40), at(40)));
    }
}
