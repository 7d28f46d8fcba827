//! The lives of holds, as the entries tell them one by one.

use std::collections::BTreeSet;

use ahash::AHashMap;
use jiff::Timestamp;

use crate::credits::Credits;
use crate::ledger::entry::{Entry, EntryKind, HoldId, Origin};
use crate::ledger::store::{Marked, Reader, StoreError};

use super::VerifyReport;
use super::life::Life;

/// What a hold began with, and every later entry must repeat.
#[derive(Debug)]
struct Begun {
    origin: Origin,
    quote: Credits,
    began_at: Timestamp,
    bound: Option<i64>,
    doubted: Option<i64>,
}

/// Every hold that was heard of.
#[derive(Default)]
pub(super) struct Holds {
    /// The last entry that is not read because its archive is not at hand.
    base: i64,
    /// By sequence number, from the one after the base: a byte for each entry there is.
    lives: Vec<Life>,
    /// The same of holds up to the base, as far as they are heard of.
    earlier: AHashMap<HoldId, Life>,
    open: AHashMap<HoldId, Begun>,
    /// Few: each is somebody's second look.
    corrected: Vec<Entry>,
}

impl Holds {
    /// The entries up to `base` are not read.
    pub(super) fn go_on_after(&mut self, base: i64) {
        self.base = base;
    }

    /// How many have not ended.
    pub(super) fn open(&self) -> i64 {
        i64::try_from(self.open.len()).unwrap_or(i64::MAX)
    }

    /// Those, as the list of open holds should have them.
    pub(super) fn marked(&self) -> BTreeSet<Marked> {
        let marked = |(hold, begun): (&HoldId, &Begun)| Marked {
            hold: *hold,
            bound: begun.bound,
            doubted: begun.doubted,
        };
        self.open.iter().map(marked).collect()
    }

    /// Takes the next entry.
    pub(super) fn entry(&mut self, entry: &Entry, report: &mut VerifyReport) {
        let length = usize::try_from(entry.seq - self.base).unwrap_or_default();
        if self.lives.len() < length {
            self.lives.resize(length, Life::NoHold);
        }
        let hold = entry.hold;
        let life = self.life_of(hold);
        let next = match (entry.kind, life) {
            (EntryKind::Held, Life::NoHold) if hold.get() == entry.seq => {
                report.holds += 1;
                let begun = Begun {
                    origin: entry.origin(),
                    quote: entry.amount,
                    began_at: entry.began_at,
                    bound: None,
                    doubted: None,
                };
                self.open.insert(hold, begun);
                Life::Held
            }
            (EntryKind::Granted, Life::NoHold) if hold.get() == entry.seq => return,
            (EntryKind::Bound, Life::Held | Life::Doubted | Life::Unknown) => life,
            (EntryKind::Doubted, Life::Held | Life::Unknown) => Life::Doubted,
            (EntryKind::Settled, Life::Held | Life::Doubted | Life::Unknown) => Life::Settled,
            (EntryKind::Released, Life::Held | Life::Doubted | Life::Unknown) => Life::Released,
            (EntryKind::Corrected, Life::Settled | Life::Released | Life::Unknown) => {
                self.corrected.push(entry.clone());
                return;
            }
            (kind, life) => {
                report.tell(format!(
                    "entry {}: hold {hold} cannot be {kind}, {}",
                    entry.seq,
                    life.in_words()
                ));
                return;
            }
        };
        self.repeats_what_began(entry, report);
        if matches!(next, Life::Settled | Life::Released) {
            self.open.remove(&hold);
        }
        match self.place(hold) {
            Some(place) => self.lives[place] = next,
            None => drop(self.earlier.insert(hold, next)),
        }
    }

    /// Where the life of a hold stands that is not of an archive which is not at hand.
    fn place(&self, hold: HoldId) -> Option<usize> {
        let index = usize::try_from(hold.get() - self.base - 1).ok();
        index.filter(|index| *index < self.lives.len())
    }

    fn life_of(&self, hold: HoldId) -> Life {
        match self.place(hold) {
            Some(place) => self.lives[place],
            None if (1..=self.base).contains(&hold.get()) => {
                self.earlier.get(&hold).copied().unwrap_or(Life::Unknown)
            }
            None => Life::NoHold,
        }
    }

    fn repeats_what_began(&mut self, entry: &Entry, report: &mut VerifyReport) {
        let Some(begun) = self.open.get_mut(&entry.hold) else {
            return;
        };
        let seq = entry.seq;
        if begun.origin != entry.origin() || begun.began_at != entry.began_at {
            report.tell(another_call(entry));
        }
        if entry.kind != EntryKind::Settled && begun.quote != entry.amount {
            report.tell(format!(
                "entry {seq} tells another quote than its hold {}",
                entry.hold
            ));
        }
        if entry.kind == EntryKind::Doubted {
            begun.doubted = Some(seq);
        }
        if entry.kind == EntryKind::Bound {
            if entry.job.is_none() {
                report.tell(format!("entry {seq} is bound to no job"));
            }
            if begun.bound.replace(seq).is_some() {
                report.tell(format!("entry {seq}: hold {} is bound twice", entry.hold));
            }
        }
    }

    /// A correction is one of the same call, and takes back no more than was charged.
    pub(super) fn check_corrections(
        &mut self,
        reader: &dyn Reader,
        archives: &[Box<dyn Reader>],
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let mut charged: AHashMap<HoldId, (Entry, i128)> = AHashMap::new();
        for entry in std::mem::take(&mut self.corrected) {
            let hold = entry.hold;
            if !charged.contains_key(&hold)
                && let Some(ended) = ending_of(hold, reader, archives)?
            {
                let settles = ended.kind == EntryKind::Settled;
                let charge = if settles { ended.amount.micros() } else { 0 };
                charged.insert(hold, (ended, i128::from(charge)));
            }
            let Some((ended, total)) = charged.get_mut(&hold) else {
                continue; // Told already: its hold never ended.
            };
            *total += i128::from(entry.amount.micros());
            if *total < 0 {
                report.tell(format!(
                    "entry {}: hold {hold} is corrected to less than nothing",
                    entry.seq
                ));
            }
            if ended.origin() != entry.origin() || ended.began_at != entry.began_at {
                report.tell(another_call(&entry));
            }
        }
        Ok(())
    }
}

fn ending_of(
    hold: HoldId,
    reader: &dyn Reader,
    archives: &[Box<dyn Reader>],
) -> Result<Option<Entry>, StoreError> {
    for archive in archives {
        if archive.tail()?.seq >= hold.get()
            && let Some(ended) = archive.ending_of(hold)?
        {
            return Ok(Some(ended));
        }
    }
    reader.ending_of(hold)
}

fn another_call(entry: &Entry) -> String {
    format!(
        "entry {} tells another team, key, operation or beginning than its hold {}",
        entry.seq, entry.hold
    )
}
