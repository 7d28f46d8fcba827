//! Works the derived figures out anew from the entries, checks each hold's life, and whether the
//! records name what there is. What enters no figure is held against the digests of the entries.
//!
//! Runs beside a writing guard: what is derived and may still change is read in one look, and the entries,
//! which never change, are then read in short pages up to the point that look reached. The sums of
//! past quarter hours change no more and are read as the entries come to them, so that memory does
//! not grow with the years. What is archived is read first, where it is at hand.

mod chain;
mod holds;
mod life;
mod marked;
mod report;
mod sums;

use jiff::Timestamp;

use super::archive::{Archived, sums_digest};
use super::digest::EntriesDigest;
use super::entry::{Entry, EntryKind};
use super::store::{Derived, Reader, StoreError};
use super::window::{quarter_of, quarter_start};

use chain::ChainCheck;
use holds::Holds;
use marked::MarkCheck;
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
    let Check { holds, report, .. } = &mut check;
    holds.check_corrections(reader, archives, report)?;
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
        check.holds.go_on_after(base);
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

struct Check<'a> {
    reader: &'a dyn Reader,
    report: VerifyReport,
    expected_seq: i64,
    recorded_at: Timestamp,
    holds: Holds,
    sums: Sums,
    marks: MarkCheck,
    /// The last entry that must have a digest.
    mark: i64,
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
            holds: Holds::default(),
            sums: Sums::up_to(derived),
            marks: MarkCheck::of(derived),
            mark: derived.mark,
        }
    }

    /// Goes on after what is archived. Of that only the sums are here, which must be as they were then.
    fn without(&mut self, archives: &[Archived]) -> Result<(), StoreError> {
        let mut base = 0;
        for archived in archives {
            let span = &archived.span;
            if sums_digest(self.reader, span)? != archived.sums {
                self.report.tell(format!(
                    "the sums of entries {} to {} are not what they were when these were archived",
                    span.first, span.last
                ));
            }
            base = span.last;
            self.report.unread += span.last - span.first + 1;
            self.expected_seq = span.last + 1;
            self.recorded_at = span.recorded_at;
            self.sums.go_on_from(span.before);
        }
        self.holds.go_on_after(base);
        if let Some(chain) = &mut self.chain {
            chain.go_on_after(base, true, &mut self.report);
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
        self.holds.entry(entry, &mut self.report);
        self.sums.add(entry);
        self.marks.reached(seq, &self.holds);
    }

    fn finish_chain(&mut self) {
        if let Some(chain) = self.chain.take() {
            chain.finish(self.mark, &mut self.report);
        }
    }

    fn compare(&mut self, derived: Derived) -> Result<(), StoreError> {
        self.finish_chain();
        self.report.open = self.holds.open();
        self.sums
            .compare_last(self.reader, &derived, &mut self.report)?;
        self.marks.compare(derived, &mut self.report);
        Ok(())
    }
}
