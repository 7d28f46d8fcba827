//! The digests, worked out anew as the entries come by.

use std::iter::Peekable;
use std::vec::IntoIter;

use crate::ledger::digest::{Digested, EntriesDigest};
use crate::ledger::entry::Entry;

use super::VerifyReport;

/// See the module's words.
pub(super) struct ChainCheck {
    /// Where the span at hand begins; the entries up to here are passed over.
    before: Digested,
    span: EntriesDigest,
    rest: Peekable<IntoIter<Digested>>,
    /// The last digest there is.
    end: i64,
}

impl ChainCheck {
    /// With all digests of a ledger; one that has none yet is not checked.
    pub(super) fn new(digests: Option<Vec<Digested>>, report: &mut VerifyReport) -> Option<Self> {
        let digests = digests?;
        let end = digests.last().map_or(0, |digested| digested.last);
        let mut rest = digests.into_iter().peekable();
        let Some(first) = rest.next() else {
            report.tell("the digests of all entries are gone".to_owned());
            return None;
        };
        if !first.digest.is_empty() {
            let last = first.last;
            report.tell(format!(
                "where the digests of entries begin is gone: nothing shows that entries 1 to {last} are as they \
                 were written"
            ));
        }
        Some(Self {
            span: EntriesDigest::after(&first.digest),
            before: first,
            rest,
            end,
        })
    }

    /// The entries up to `base` are not read. If they are `whole` spans, one must end there.
    pub(super) fn go_on_after(&mut self, base: i64, whole: bool, report: &mut VerifyReport) {
        let had = self.before.last;
        while self.before.last < base
            && let Some(next) = self.rest.next()
        {
            self.begin_after(next);
        }
        if whole && had < base && self.before.last != base {
            report.tell(format!(
                "the digest of the archived entries up to {base} is gone"
            ));
        }
    }

    fn begin_after(&mut self, before: Digested) {
        self.span = EntriesDigest::after(&before.digest);
        self.before = before;
    }

    /// Takes the next entry.
    pub(super) fn entry(&mut self, entry: &Entry, report: &mut VerifyReport) {
        // Its last entry is missing.
        while self.rest.peek().is_some_and(|next| next.last < entry.seq) {
            self.end_span(report);
        }
        if entry.seq > self.before.last && self.rest.peek().is_some() {
            self.span.entry(entry);
        }
        if self.rest.peek().is_some_and(|next| next.last == entry.seq) {
            self.end_span(report);
        }
    }

    /// Compares, and goes on from what the digest says, so that the next span is judged for itself.
    fn end_span(&mut self, report: &mut VerifyReport) {
        let Some(next) = self.rest.next() else {
            return;
        };
        let found = std::mem::take(&mut self.span).finish();
        if found != next.digest {
            let (first, last) = (self.before.last + 1, next.last);
            report.tell(format!(
                "entries {first} to {last}, or the digests before and after them, are not as they were \
                 written"
            ));
        }
        self.begin_after(next);
    }

    /// There are no more entries.
    pub(super) fn finish(self, mark: i64, report: &mut VerifyReport) {
        if self.end != mark {
            report.tell(format!(
                "the digests of entries go to {} and were written to {mark}",
                self.end
            ));
        }
        if let Some(next) = self.rest.last() {
            let (first, last) = (self.before.last + 1, next.last);
            report.tell(format!(
                "there are digests of entries {first} to {last}, and not all of these"
            ));
        }
    }
}
