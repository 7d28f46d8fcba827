//! Half a year of entries, for archives of its first months.

use generect_guard::ledger::{Entry, EntryKind, Fingerprint, Note};
use jiff::{SignedDuration, Timestamp};

use crate::support::{at, micros};

/// Entries of January to June, some of them on the edges of months.
pub struct Story {
    pub entries: Vec<Entry>,
}

impl Story {
    pub fn tell() -> Self {
        let mut story = Self {
            entries: Vec::new(),
        };
        for month in 1..=6 {
            story.month(month);
        }
        story
    }

    fn month(&mut self, month: i64) {
        let start = at(&format!("2026-{month:02}-01T00:00:00Z"));
        let second = |second: i64| start + SignedDuration::from_secs(second);
        if month > 1 {
            // Began a moment before midnight.
            let hold = self.held(second(-1), 50 + month);
            self.end(second(0), hold, EntryKind::Settled, 40 + month);
        }
        for call in 0..40 {
            let began = second(100 + call * 20_000);
            let hold = self.held(began, 100);
            match call % 8 {
                0 => self.end(began, hold, EntryKind::Released, 100),
                1 => {
                    self.end(began, hold, EntryKind::Bound, 100);
                    self.end(second(3_000 + call * 20_000), hold, EntryKind::Settled, 90);
                }
                2 => {
                    self.end(began, hold, EntryKind::Doubted, 100);
                    self.end(second(5_000 + call * 20_000), hold, EntryKind::Settled, 80);
                }
                _ => self.end(began, hold, EntryKind::Settled, 10 + call),
            }
        }
        // A correction of the first settled call of the month.
        self.end(
            second(900_000),
            self.first_settled(start),
            EntryKind::Corrected,
            -3,
        );
        self.granted(second(900_001));
    }

    fn first_settled(&self, start: Timestamp) -> i64 {
        let mut entries = self.entries.iter();
        let is_it = |entry: &&Entry| entry.kind == EntryKind::Settled && entry.began_at >= start;
        entries.find(is_it).unwrap().hold.get()
    }

    fn next(&self) -> i64 {
        i64::try_from(self.entries.len()).unwrap() + 1
    }

    fn held(&mut self, began_at: Timestamp, amount: i64) -> i64 {
        let seq = self.next();
        self.entries.push(Entry {
            seq,
            kind: EntryKind::Held,
            hold: seq.to_string().parse().unwrap(),
            began_at,
            recorded_at: began_at,
            team: if seq % 3 == 0 { "growth" } else { "research" }.into(),
            key: format!("key-{}", seq % 5).into(),
            operation: "search_leads".into(),
            amount: micros(amount),
            job: None,
            budget: None,
            fingerprint: Some(Fingerprint(seq.unsigned_abs() << 40)),
            evidence: None,
        });
        seq
    }

    fn end(&mut self, recorded_at: Timestamp, hold: i64, kind: EntryKind, amount: i64) {
        let last = self.entries.last().unwrap().recorded_at;
        let held = self.entries[usize::try_from(hold - 1).unwrap()].clone();
        self.entries.push(Entry {
            seq: self.next(),
            kind,
            recorded_at: recorded_at.max(last),
            amount: micros(amount),
            job: (kind == EntryKind::Bound).then(|| format!("job-{hold}").into()),
            fingerprint: None,
            evidence: Some(Note::reason("a \"test's\", =reason")),
            ..held
        });
    }

    fn granted(&mut self, recorded_at: Timestamp) {
        let seq = self.next();
        self.entries.push(Entry {
            seq,
            kind: EntryKind::Granted,
            hold: seq.to_string().parse().unwrap(),
            began_at: recorded_at,
            recorded_at,
            team: "".into(),
            key: "".into(),
            operation: "".into(),
            amount: micros(7),
            job: None,
            budget: Some("total".into()),
            fingerprint: None,
            evidence: None,
        });
    }
}
