//! Works the derived figures out anew from the entries, checks each hold's life, and whether the
//! records name what there is. What enters no figure is held against the digests written with it.
//!
//! Runs beside a writing guard: what is derived and may still change is read in one look, and the entries,
//! which never change, are then read in short pages up to the point that look reached. The sums of
//! past quarter hours change no more and are read as the entries come to them, so that memory does
//! not grow with the years. What is archived is read first, where it is at hand.

mod chain;
mod life;
mod report;
mod sums;

use std::collections::BTreeSet;

use ahash::AHashMap;
use jiff::Timestamp;

use crate::credits::Credits;

use super::archive::{Archived, sums_digest};
use super::digest::EntriesDigest;
use super::entry::{Entry, EntryKind, HoldId, Origin};
use super::store::{Derived, Marked, Reader, StoreError};
use super::window::{quarter_of, quarter_start};

use chain::ChainCheck;
use life::Life;
use sums::Sums;

pub use report::VerifyReport;

/// Entries read at a time.
const PAGE: usize = 8_192;
/// Entries that a start has time for: some hundredths of a second.
const NEWEST: i64 = 16_384;

/// See the module's words. `archives`: all there are, or none.
pub(super) fn verify(
    reader: &dyn Reader,
    archives: &[Box<dyn Reader>],
    progress: &mut dyn FnMut(i64, i64),
) -> Result<VerifyReport, StoreError> {
    let mut report = books(reader, archives, progress)?;
    let check = reader.check_records()?;
    report.transactions = check.transactions;
    report.matches = check.matches;
    report.findings = check.findings;
    for defect in check.defects {
        report.tell(defect);
    }
    Ok(report)
}

/// The same without records.
pub(super) fn books(
    reader: &dyn Reader,
    archives: &[Box<dyn Reader>],
    progress: &mut dyn FnMut(i64, i64),
) -> Result<VerifyReport, StoreError> {
    let known = reader.archives()?;
    let mut derived = reader.derived()?;
    let end = derived.tail.seq;
    let mut check = Check::new(reader, &mut derived);
    for defect in reader.defects()? {
        check.report.tell(defect);
    }
    check.report.archives = known.len();
    if archives.is_empty() {
        check.without(&known)?;
    }
    for (archived, archive) in known.iter().zip(archives) {
        check.archive(&**archive, archived, &mut |done| progress(done, end))?;
    }
    check.entries(reader, end, None, &mut |done| progress(done, end))?;
    if reader.archives()? != known {
        let moved = "entries were moved to an archive meanwhile: verify again";
        return Err(StoreError::Failed(moved.into()));
    }
    check.compare(derived)?;
    check.corrections(archives)?;
    Ok(check.report)
}

/// Checks the newest entries alone, and the sums they make: what a start has time for.
pub(super) fn newest(reader: &dyn Reader) -> Result<VerifyReport, StoreError> {
    let mut derived = reader.derived()?;
    derived.months.clear();
    derived.summed = 0;
    let end = derived.tail.seq;
    let mut check = Check::new(reader, &mut derived);
    let base = (end - NEWEST).max(reader.archived()?.seq);
    if base > 0 {
        check.base = base;
        check.expected_seq = base + 1;
        if let Some(chain) = &mut check.chain {
            chain.go_on_after(base, false, &mut check.report);
        }
        let first = reader.entries(base, 1)?.pop();
        // Of the quarter hour in which they begin there are more.
        let quarter = first.map_or(i64::MAX, |first| quarter_of(first.recorded_at) + 1);
        check.sums.go_on_from(quarter_start(quarter));
    }
    check.entries(reader, end, None, &mut |_| {})?;
    check
        .sums
        .compare_last(reader, &derived, &mut check.report)?;
    check.finish_chain();
    Ok(check.report)
}

/// What a hold began with, and every later entry must repeat.
#[derive(Debug)]
struct Begun {
    origin: Origin,
    quote: Credits,
    began_at: Timestamp,
    bound: Option<i64>,
    doubted: Option<i64>,
}

struct Check<'a> {
    reader: &'a dyn Reader,
    report: VerifyReport,
    expected_seq: i64,
    recorded_at: Timestamp,
    /// The last entry that is not read because its archive is not at hand.
    base: i64,
    /// By sequence number, from the one after the base: a byte for each entry there is.
    lives: Vec<Life>,
    /// The same of holds up to the base, as far as they are heard of.
    earlier: AHashMap<HoldId, Life>,
    open: AHashMap<HoldId, Begun>,
    /// Few: each is somebody's second look.
    corrected: Vec<Entry>,
    sums: Sums,
    mark: i64,
    open_at_mark: BTreeSet<Marked>,
    chain: Option<ChainCheck>,
}

impl<'a> Check<'a> {
    fn new(reader: &'a dyn Reader, derived: &mut Derived) -> Self {
        let mut report = VerifyReport::default();
        Self {
            reader,
            chain: ChainCheck::new(derived.digests.take(), &mut report),
            report,
            expected_seq: 1,
            recorded_at: Timestamp::MIN,
            base: 0,
            lives: Vec::new(),
            earlier: AHashMap::new(),
            open: AHashMap::new(),
            corrected: Vec::new(),
            sums: Sums::up_to(derived),
            mark: derived.mark,
            open_at_mark: BTreeSet::new(),
        }
    }

    /// Goes on after what is archived. Of that only the sums are here, which must be as they were then.
    fn without(&mut self, archives: &[Archived]) -> Result<(), StoreError> {
        for archived in archives {
            let span = &archived.span;
            if sums_digest(self.reader, span)? != archived.sums {
                self.report.tell(format!(
                    "the sums of entries {} to {} are not what they were when these were archived",
                    span.first, span.last
                ));
            }
            self.base = span.last;
            self.report.unread += span.last - span.first + 1;
            self.expected_seq = span.last + 1;
            self.recorded_at = span.recorded_at;
            self.sums.go_on_from(span.before);
        }
        if let Some(chain) = &mut self.chain {
            chain.go_on_after(self.base, true, &mut self.report);
        }
        Ok(())
    }

    /// Reads an archive as if it were here.
    fn archive(
        &mut self,
        archive: &dyn Reader,
        archived: &Archived,
        progress: &mut dyn FnMut(i64),
    ) -> Result<(), StoreError> {
        let mut digest = EntriesDigest::default();
        self.entries(archive, archived.span.last, Some(&mut digest), progress)?;
        let sums = sums_digest(archive, &archived.span)?;
        if digest.finish() != archived.digest || sums != archived.sums {
            self.report.tell(format!(
                "the archive of entries {} to {} is not what it was when it was made",
                archived.span.first, archived.span.last
            ));
        }
        for defect in archive.defects()? {
            self.report.tell(format!("an archive: {defect}"));
        }
        Ok(())
    }

    /// Reads on, up to entry `end`.
    fn entries(
        &mut self,
        from: &dyn Reader,
        end: i64,
        mut digest: Option<&mut EntriesDigest>,
        progress: &mut dyn FnMut(i64),
    ) -> Result<(), StoreError> {
        let mut after = self.expected_seq - 1;
        while after < end {
            let mut page = from.entries(after, PAGE)?;
            page.retain(|entry| entry.seq <= end);
            let Some(last) = page.last() else {
                let missing = format!("entries end at {after}, but {end} were told of");
                self.report.tell(missing);
                break;
            };
            after = last.seq;
            for entry in &page {
                self.entry(entry);
                if let Some(digest) = &mut digest {
                    digest.entry(entry);
                }
            }
            self.sums
                .compare_past(self.reader, self.recorded_at, &mut self.report)?;
            progress(after);
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) {
        self.report.entries += 1;
        let seq = entry.seq;
        if seq != self.expected_seq {
            let expected = self.expected_seq;
            self.report
                .tell(format!("entry {seq} stands where {expected} should"));
        }
        let length = usize::try_from(seq - self.base).unwrap_or_default();
        if self.lives.len() < length {
            self.lives.resize(length, Life::NoHold);
        }
        self.expected_seq = seq + 1;
        if entry.recorded_at < self.recorded_at {
            self.report.tell(format!(
                "entry {seq} was recorded before the one ahead of it"
            ));
        }
        self.recorded_at = self.recorded_at.max(entry.recorded_at);
        if entry.began_at > entry.recorded_at {
            self.report
                .tell(format!("entry {seq} was recorded before its call began"));
        }
        // What corrects or grants may take back.
        let may_take = matches!(entry.kind, EntryKind::Corrected | EntryKind::Granted);
        if entry.amount.is_negative() && !may_take {
            self.report.tell(format!(
                "entry {seq} has an amount below zero: {}",
                entry.amount
            ));
        }
        if let Some(chain) = &mut self.chain {
            chain.entry(entry, &mut self.report);
        }
        self.life(entry);
        self.sums.add(entry);
        if seq == self.mark {
            let marked = |(hold, begun): (&HoldId, &Begun)| Marked {
                hold: *hold,
                bound: begun.bound,
                doubted: begun.doubted,
            };
            self.open_at_mark = self.open.iter().map(marked).collect();
        }
    }

    fn life(&mut self, entry: &Entry) {
        let hold = entry.hold;
        let life = self.life_of(hold);
        let next = match (entry.kind, life) {
            (EntryKind::Held, Life::NoHold) if hold.get() == entry.seq => {
                self.report.holds += 1;
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
                self.report.tell(format!(
                    "entry {}: hold {hold} cannot be {kind}, {}",
                    entry.seq,
                    life.in_words()
                ));
                return;
            }
        };
        self.repeats_what_began(entry);
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

    fn repeats_what_began(&mut self, entry: &Entry) {
        let Some(begun) = self.open.get_mut(&entry.hold) else {
            return;
        };
        let seq = entry.seq;
        if begun.origin != entry.origin() || begun.began_at != entry.began_at {
            self.report.tell(another_call(entry));
        }
        if entry.kind != EntryKind::Settled && begun.quote != entry.amount {
            self.report.tell(format!(
                "entry {seq} tells another quote than its hold {}",
                entry.hold
            ));
        }
        if entry.kind == EntryKind::Doubted {
            begun.doubted = Some(seq);
        }
        if entry.kind == EntryKind::Bound {
            if entry.job.is_none() {
                self.report.tell(format!("entry {seq} is bound to no job"));
            }
            if begun.bound.replace(seq).is_some() {
                self.report
                    .tell(format!("entry {seq}: hold {} is bound twice", entry.hold));
            }
        }
    }

    /// A correction is one of the same call, and takes back no more than was charged.
    fn corrections(&mut self, archives: &[Box<dyn Reader>]) -> Result<(), StoreError> {
        let mut charged: AHashMap<HoldId, (Entry, i128)> = AHashMap::new();
        for entry in std::mem::take(&mut self.corrected) {
            let hold = entry.hold;
            if !charged.contains_key(&hold)
                && let Some(ended) = self.ending_of(hold, archives)?
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
                self.report.tell(format!(
                    "entry {}: hold {hold} is corrected to less than nothing",
                    entry.seq
                ));
            }
            if ended.origin() != entry.origin() || ended.began_at != entry.began_at {
                self.report.tell(another_call(&entry));
            }
        }
        Ok(())
    }

    fn ending_of(
        &self,
        hold: HoldId,
        archives: &[Box<dyn Reader>],
    ) -> Result<Option<Entry>, StoreError> {
        for archive in archives {
            if archive.tail()?.seq >= hold.get()
                && let Some(ended) = archive.ending_of(hold)?
            {
                return Ok(Some(ended));
            }
        }
        self.reader.ending_of(hold)
    }

    fn finish_chain(&mut self) {
        if let Some(chain) = self.chain.take() {
            chain.finish(self.mark, &mut self.report);
        }
    }

    fn compare(&mut self, derived: Derived) -> Result<(), StoreError> {
        self.finish_chain();
        self.report.open = i64::try_from(self.open.len()).unwrap_or(i64::MAX);
        self.sums
            .compare_last(self.reader, &derived, &mut self.report)?;
        if derived.mark > derived.tail.seq {
            self.report.tell(format!(
                "the list of open holds claims to stand at entry {}, after the last one",
                derived.mark
            ));
        }
        let marked = derived.marked.into_iter().collect::<BTreeSet<_>>();
        let mark = self.mark;
        for unknown in marked.difference(&self.open_at_mark) {
            self.report.tell(format!(
                "the list of open holds says of entry {mark}: {}; the entries do not",
                in_words(unknown)
            ));
        }
        let left_out = self
            .open_at_mark
            .iter()
            .filter(|open| !marked.contains(open));
        for open in left_out {
            self.report.tell(format!(
                "the entries say of entry {mark}: {}; the list of open holds does not",
                in_words(open)
            ));
        }
        Ok(())
    }
}

fn another_call(entry: &Entry) -> String {
    format!(
        "entry {} tells another team, key, operation or beginning than its hold {}",
        entry.seq, entry.hold
    )
}

fn in_words(marked: &Marked) -> String {
    let about = |entry: Option<i64>| entry.map_or("none".to_owned(), |seq| format!("entry {seq}"));
    format!(
        "hold {} is open (bound: {}, in doubt: {})",
        marked.hold,
        about(marked.bound),
        about(marked.doubted)
    )
}
