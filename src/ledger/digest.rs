//! Digests of entries: what shows that they are as they were written.
//!
//! A database page has no checksum, and much of what an entry says enters no sum: the quote of a call that
//! was settled, a text, a name. So the entries are cut into spans, one ends at the latest where the mark
//! moves, and the digest of each is written in the same transaction. It takes in the digest before it: none
//! can be left out, put in or put elsewhere without its follower showing it. A span also ends with the month
//! (UTC) in which its entries were recorded, so that what is archived, whole months, is whole spans.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::entry::{Entry, Origin};
use super::store::SumRow;
use super::window::{month_of, month_start, quarter_of, quarter_start};

/// The digest of a span of entries, which begins after the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    /// The span's last entry.
    pub last: i64,
    /// SHA-256 in hexadecimal digits. Empty: here the digests begin, and the entries up to this one have
    /// none.
    pub digest: String,
}

/// The digests of entries as they are written.
#[derive(Debug)]
pub(super) struct Chain {
    before: Digested,
    span: EntriesDigest,
    /// The last entry that was taken in.
    last: i64,
    /// Where the month of that one ends.
    month_end: Timestamp,
    ended: Vec<Digested>,
}

impl Chain {
    /// Goes on after a span.
    pub(super) fn after(before: Digested) -> Self {
        Self {
            span: EntriesDigest::after(&before.digest),
            last: before.last,
            before,
            month_end: Timestamp::MIN,
            ended: Vec::new(),
        }
    }

    /// Takes the next entry.
    pub(super) fn entry(&mut self, entry: &Entry) {
        if entry.recorded_at >= self.month_end {
            self.end_span();
            let month = month_of(quarter_of(entry.recorded_at));
            self.month_end = quarter_start(month_start(month + 1));
        }
        self.span.entry(entry);
        self.last = entry.seq;
    }

    fn end_span(&mut self) {
        if self.last == self.before.last {
            return;
        }
        let span = std::mem::take(&mut self.span);
        self.before = Digested {
            last: self.last,
            digest: span.finish(),
        };
        self.span = EntriesDigest::after(&self.before.digest);
        self.ended.push(self.before.clone());
    }

    /// Ends the span: all that have ended, and what follows the last of them.
    pub(super) fn end(mut self) -> (Vec<Digested>, Self) {
        self.end_span();
        (self.ended, Self::after(self.before))
    }
}

/// A digest of entries, or of sums, in their order, with everything that they say.
#[derive(Debug, Default)]
pub(super) struct EntriesDigest {
    hasher: Sha256,
    bytes: Vec<u8>,
}

impl EntriesDigest {
    /// Of a span that follows another, whose digest it takes in first.
    pub(super) fn after(before: &str) -> Self {
        let mut digest = Self::default();
        digest.text(Some(before));
        digest.hasher.update(&digest.bytes);
        digest
    }

    pub(super) fn entry(&mut self, entry: &Entry) {
        self.bytes.clear();
        for number in [
            entry.seq,
            entry.kind.number(),
            entry.hold.get(),
            entry.began_at.as_microsecond(),
            entry.recorded_at.as_microsecond(),
            entry.amount.micros(),
        ] {
            self.number(number);
        }
        let print = entry.fingerprint.map(|print| print.0.to_string());
        let note = entry.evidence.as_ref();
        self.number(note.map_or(0, |note| note.kind.number()));
        for text in [
            Some(entry.team.as_str()),
            Some(entry.key.as_str()),
            Some(entry.operation.as_str()),
            entry.job.as_ref().map(|job| job.as_str()),
            entry.budget.as_ref().map(|budget| budget.as_str()),
            print.as_deref(),
            note.map(|note| note.text.as_str()),
        ] {
            self.text(text);
        }
        self.hasher.update(&self.bytes);
    }

    pub(super) fn sum(&mut self, sum: &SumRow) {
        self.bytes.clear();
        for number in [sum.began, sum.recorded, sum.calls, sum.settled.micros()] {
            self.number(number);
        }
        let Origin {
            team,
            key,
            operation,
        } = &sum.origin;
        for text in [team.as_str(), key.as_str(), operation.as_str()] {
            self.text(Some(text));
        }
        self.hasher.update(&self.bytes);
    }

    pub(super) fn finish(self) -> String {
        hex::encode(self.hasher.finalize())
    }

    fn number(&mut self, number: i64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// With its length in front, so that no two texts can be taken for two others.
    fn text(&mut self, text: Option<&str>) {
        let length = text.map_or(-1, |text| i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.number(length);
        self.bytes
            .extend_from_slice(text.unwrap_or_default().as_bytes());
    }
}
