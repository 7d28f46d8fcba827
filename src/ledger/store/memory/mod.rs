//! A ledger that lives as long as the process: for tests, and the plainest statement of what a
//! store means. Everything derived is worked out from the entries when it is asked for.

mod records;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::TeamId;
use crate::ledger::archive::{ArchiveSpan, Archived};
use crate::ledger::entry::{Entry, EntryKind, HoldId, NoteKind, Origin};
use crate::ledger::record::Record;
use crate::ledger::window::quarter_of;

use super::{BeganSum, Derived, OpenHold, Reader, Spend, Store, StoreError, SumRow, Tail};

use records::Records;

/// Entries and records in memory. Clones share them, so that one can be read beside the writer and opened again
/// after its end.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    entries: Arc<Mutex<Vec<Entry>>>,
    records: Arc<Mutex<Records>>,
}

impl MemoryStore {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn select(&self, wanted: impl Fn(&Entry) -> bool, limit: usize) -> Vec<Entry> {
        let all = self.all();
        let chosen = all.iter().filter(|entry| wanted(entry));
        chosen.take(limit).cloned().collect()
    }
}

impl Store for MemoryStore {
    fn reader(&self) -> &dyn Reader {
        self
    }

    fn append(&mut self, batch: &[Entry]) -> Result<(), StoreError> {
        let mut all = self.all();
        let next = all.last().map_or(1, |entry| entry.seq + 1);
        for (seq, entry) in (next..).zip(batch) {
            if entry.seq != seq {
                return Err(StoreError::Failed(format!(
                    "entry {} does not continue the ledger at {seq}",
                    entry.seq
                )));
            }
        }
        all.extend_from_slice(batch);
        Ok(())
    }

    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let entries = self.all();
        self.records().keep(records, &entries)
    }

    fn reread(&mut self) -> Result<Tail, StoreError> {
        self.tail()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Reader for MemoryStore {
    fn tail(&self) -> Result<Tail, StoreError> {
        let all = self.all();
        Ok(Tail {
            seq: all.last().map_or(0, |entry| entry.seq),
            recorded_at: all.last().map(|entry| entry.recorded_at),
        })
    }

    fn entries(&self, after_seq: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(self.select(|entry| entry.seq > after_seq, limit))
    }

    fn entries_recorded(
        &self,
        from: Timestamp,
        to: Timestamp,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let wanted =
            |entry: &Entry| entry.seq > after_seq && (from..to).contains(&entry.recorded_at);
        Ok(self.select(wanted, limit))
    }

    fn each_of_team(
        &self,
        team: &TeamId,
        first: i64,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        // A copy, so that whoever looks does not hold up whoever writes.
        let theirs = self.select(
            |entry| entry.seq >= first && entry.team == *team,
            usize::MAX,
        );
        let _ = theirs.into_iter().rev().try_for_each(visit);
        Ok(())
    }

    fn open_holds(&self) -> Result<Vec<OpenHold>, StoreError> {
        let mut open: BTreeMap<HoldId, OpenHold> = BTreeMap::new();
        for entry in self.all().iter() {
            match entry.kind {
                EntryKind::Held => {
                    open.insert(entry.hold, opened(entry));
                }
                EntryKind::Bound => {
                    if let Some(hold) = open.get_mut(&entry.hold) {
                        hold.job.clone_from(&entry.job);
                        hold.bound_at = Some(entry.recorded_at);
                    }
                }
                EntryKind::Doubted => {
                    if let Some(hold) = open.get_mut(&entry.hold) {
                        hold.doubted_at = Some(entry.recorded_at);
                    }
                }
                EntryKind::Settled | EntryKind::Released => {
                    open.remove(&entry.hold);
                }
                EntryKind::Corrected | EntryKind::Granted => {}
            }
        }
        Ok(open.into_values().collect())
    }

    fn began_sums(&self, from: Option<i64>, together: bool) -> Result<Vec<BeganSum>, StoreError> {
        let mut sums: BTreeMap<(i64, Origin), Credits> = BTreeMap::new();
        let first = from.unwrap_or(i64::MIN);
        for entry in self.all().iter().filter(|entry| entry.kind.charges()) {
            let quarter = quarter_of(entry.began_at);
            if quarter >= first {
                let place = if together { first } else { quarter };
                let sum = sums.entry((place, entry.origin())).or_default();
                *sum = sum.saturating_add(entry.amount);
            }
        }
        let sum = |((quarter, origin), settled)| BeganSum {
            quarter,
            origin,
            settled,
        };
        Ok(sums.into_iter().map(sum).collect())
    }

    fn each_charge(
        &self,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Origin, Timestamp, Credits),
    ) -> Result<(), StoreError> {
        for entry in self.all().iter().filter(|entry| entry.kind.charges()) {
            if (from..to).contains(&entry.began_at) {
                visit(&entry.origin(), entry.began_at, entry.amount);
            }
        }
        Ok(())
    }

    fn grants(&self, from: Option<Timestamp>) -> Result<Vec<Entry>, StoreError> {
        let wanted = |entry: &Entry| {
            entry.kind == EntryKind::Granted && from.is_none_or(|from| from <= entry.recorded_at)
        };
        Ok(self.select(wanted, usize::MAX))
    }

    fn bound(&self, from: Timestamp) -> Result<Vec<Entry>, StoreError> {
        let wanted = |entry: &Entry| entry.kind == EntryKind::Bound && from <= entry.began_at;
        Ok(self.select(wanted, usize::MAX))
    }

    fn recorded_seconds(&self, from: Timestamp) -> Result<Vec<(i64, Credits)>, StoreError> {
        let mut seconds: BTreeMap<i64, Credits> = BTreeMap::new();
        for entry in self.all().iter().filter(|entry| entry.kind.charges()) {
            if from <= entry.recorded_at && !entry.amount.is_negative() {
                let second = entry.recorded_at.as_microsecond().div_euclid(1_000_000);
                let sum = seconds.entry(second).or_default();
                *sum = sum.saturating_add(entry.amount);
            }
        }
        Ok(seconds.into_iter().collect())
    }

    fn ending_of(&self, hold: HoldId) -> Result<Option<Entry>, StoreError> {
        let ends = |entry: &Entry| {
            entry.hold == hold && matches!(entry.kind, EntryKind::Settled | EntryKind::Released)
        };
        Ok(self.select(ends, 1).pop())
    }

    fn released_on(&self, from: Timestamp, reason: &str) -> Result<Vec<Entry>, StoreError> {
        let wanted = |entry: &Entry| {
            entry.kind == EntryKind::Released
                && from <= entry.recorded_at
                && entry.evidence.as_ref().is_some_and(|note| match note.kind {
                    NoteKind::Operator => true,
                    NoteKind::Reason => note.text.starts_with(reason),
                    _ => false,
                })
        };
        Ok(self.select(wanted, usize::MAX))
    }

    fn corrections_of(&self, hold: HoldId) -> Result<Vec<Entry>, StoreError> {
        let wanted = |entry: &Entry| entry.kind == EntryKind::Corrected && entry.hold == hold;
        Ok(self.select(wanted, usize::MAX))
    }

    fn spend(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Spend>, StoreError> {
        let mut sums: BTreeMap<Origin, (u64, Credits)> = BTreeMap::new();
        for entry in self.all().iter().filter(|entry| entry.kind.charges()) {
            if (from..to).contains(&entry.recorded_at) {
                let (calls, settled) = sums.entry(entry.origin()).or_default();
                *calls += u64::from(entry.kind == EntryKind::Settled);
                *settled = settled.saturating_add(entry.amount);
            }
        }
        let spend = |(origin, (calls, settled)): (Origin, _)| Spend {
            team: origin.team,
            key: origin.key,
            operation: origin.operation,
            calls,
            settled,
        };
        Ok(sums.into_iter().map(spend).collect())
    }

    fn derived(&self) -> Result<Derived, StoreError> {
        let tail = self.tail()?;
        let newest = tail.recorded_at.map_or(i64::MIN, quarter_of);
        let mut derived = Derived {
            tail,
            newest: Vec::new(),
            summed: 0,
            months: Vec::new(),
            mark: 0,
            marked: Vec::new(),
            digests: None,
        };
        self.each_sum(newest, i64::MAX, &mut |sum| derived.newest.push(sum))?;
        Ok(derived)
    }

    fn each_sum(
        &self,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(SumRow),
    ) -> Result<(), StoreError> {
        let mut sums: BTreeMap<(i64, i64, Origin), (i64, Credits)> = BTreeMap::new();
        for entry in self.all().iter().filter(|entry| entry.kind.charges()) {
            let place = (
                quarter_of(entry.recorded_at),
                quarter_of(entry.began_at),
                entry.origin(),
            );
            let (calls, settled) = sums.entry(place).or_default();
            *calls += i64::from(entry.kind == EntryKind::Settled);
            *settled = settled.saturating_add(entry.amount);
        }
        for ((recorded, began, origin), (calls, settled)) in sums {
            if (from..to).contains(&recorded) {
                visit(SumRow {
                    began,
                    recorded,
                    origin,
                    calls,
                    settled,
                });
            }
        }
        Ok(())
    }

    fn defects(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn archives(&self) -> Result<Vec<Archived>, StoreError> {
        Ok(Vec::new())
    }

    fn in_one_view(
        &self,
        read: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        read()
    }

    fn backup(&self, _: &Path, _: &mut dyn FnMut(i64, i64)) -> Result<(), StoreError> {
        Err(no_file())
    }

    fn write_archive(
        &self,
        _: &Path,
        _: &ArchiveSpan,
        _: &mut dyn FnMut(i64, i64),
    ) -> Result<(), StoreError> {
        Err(no_file())
    }
}

fn no_file() -> StoreError {
    StoreError::Failed("a ledger in memory has no file to copy".into())
}

/// The hold that a held entry opens.
pub(super) fn opened(entry: &Entry) -> OpenHold {
    OpenHold {
        hold: entry.hold,
        origin: entry.origin(),
        quote: entry.amount,
        began_at: entry.began_at,
        fingerprint: entry.fingerprint,
        job: None,
        bound_at: None,
        doubted_at: None,
    }
}
