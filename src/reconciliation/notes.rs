//! What reconciliation remembers across restarts, beside the records themselves.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::matching::{Known, Undecided};
use crate::account::PullReport;
use crate::ids::OperationName;
use crate::ledger::store::Reader;
use crate::ledger::{Record, StoreError};

/// Rows before this moment are from before the ledger, and nobody's business.
const START: &str = "reconciliation.start";
/// The list has been read completely up to here, by the account's clock.
const READ_UNTIL: &str = "reconciliation.read_until";
/// When the list was last read back over the whole overlap, by the account's clock.
const FULL_UNTIL: &str = "reconciliation.full_until";
/// Entries up to this one are explained or found.
const SEQ: &str = "reconciliation.seq";
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

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    pub(super) start: Timestamp,
    pub(super) read_until: Timestamp,
    /// Rows that came late are in as well, up to here less their lateness.
    pub(super) full_until: Timestamp,
    pub(super) seq: i64,
    pub(super) known: Known,
    /// Operations of which a charge has been matched with a row: only of those does the list's
    /// silence say anything.
    pub(super) shown: BTreeSet<OperationName>,
    /// Times in which a row may be that could not be read: there, absence is no evidence.
    pub(super) blind: Vec<(Timestamp, Timestamp)>,
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
    ) -> Result<Self, StoreError> {
        let moment = |name: &str| -> Result<Option<Timestamp>, StoreError> {
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
        let seq = reader.note(SEQ)?.and_then(|text| text.parse().ok());
        let known = reader.note(KNOWN)?;
        let blind = reader.note(BLIND)?;
        let shown = reader.note(SHOWN)?;
        Ok(Self {
            shown: shown
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
            blind: blind
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
            start,
            read_until: moment(READ_UNTIL)?.unwrap_or(start),
            full_until: moment(FULL_UNTIL)?.unwrap_or(start),
            seq: seq.unwrap_or(0),
            // What is forgotten is learned again.
            known: known
                .and_then(|text| Known::from_text(&text).ok())
                .unwrap_or_default(),
        })
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
            // Texts only: nothing in them can fail to be written.
            note(
                BLIND,
                serde_json::to_string(&self.blind).unwrap_or_default(),
            ),
        ]
    }
}

/// What a run that ended leaves for the next.
pub(super) fn after_a_run(
    seq: i64,
    known: &Known,
    shown: &BTreeSet<OperationName>,
    undecided: &[UndecidedNote],
) -> Vec<Record> {
    let mut records = vec![note(SEQ, seq.to_string())];
    // Texts and numbers only: nothing in them can fail to be written.
    records.extend(known.to_text().ok().map(|text| note(KNOWN, text)));
    records.extend(
        serde_json::to_string(shown)
            .ok()
            .map(|text| note(SHOWN, text)),
    );
    records.extend(
        serde_json::to_string(undecided)
            .ok()
            .map(|text| note(UNDECIDED, text)),
    );
    records
}

fn note(name: &str, value: String) -> Record {
    Record::Note {
        name: name.to_owned(),
        value: Some(value),
    }
}

/// What the last run said of the doubts it could not decide.
///
/// # Errors
/// What the store says.
pub fn undecided(reader: &dyn Reader) -> Result<Vec<UndecidedNote>, StoreError> {
    let text = reader.note(UNDECIDED)?;
    Ok(text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default())
}

/// How far the account's list has been read completely; `None`: it never was.
///
/// # Errors
/// What the store says.
pub fn read_until(reader: &dyn Reader) -> Result<Option<Timestamp>, StoreError> {
    let text = reader.note(READ_UNTIL)?;
    Ok(text.and_then(|text| text.parse().ok()))
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
