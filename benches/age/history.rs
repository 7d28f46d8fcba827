//! Years of calls: most settled, some given back, in doubt, jobs and corrected; the account's rows
//! of the last year, nearly all matched; findings, grants and changes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use generect_guard::credits::Credits;
use generect_guard::ledger::{
    Change, ChangeKind, Entry, EntryKind, Finding, FindingKind, HoldId, Match, MatchedBy, Note,
    NoteKind, Record, SqliteStore, Store,
};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::{SignedDuration, Timestamp};

/// Entries or records written at a time.
const SOME: usize = 8_192;
pub(crate) const TEAMS: u64 = 12;
pub(crate) const KEYS: u64 = 36;
pub(crate) const OPERATIONS: [&str; 8] = [
    "search_database_leads",
    "search_database_companies",
    "search_realtime_leads",
    "search_realtime_companies",
    "email_find",
    "email_validate",
    "phone_find",
    "email_find_bulk",
];
const QUOTE: Credits = Credits::from_micros(4_000_000);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What becomes of a call: how many of ten thousand.
const DOUBTED: u64 = 20;
const JOBS: u64 = 100;
const RELEASED: u64 = 600;
const CORRECTED: u64 = 10;

/// Calls a constant time apart, up to some minutes ago.
pub(crate) struct History {
    begin: Timestamp,
    step: SignedDuration,
    calls: u64,
    /// The account's rows and open doubts are younger than this.
    lately: Timestamp,
    doubts_open: Timestamp,
}

/// Something that is going to be written: when, in which order, the call and what happened.
type Coming = Reverse<(Timestamp, u64, i64, Step)>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Ended,
    Released,
    Doubted,
    Decided,
    Bound,
    Corrected,
}

/// Scatters numbers.
fn drawn(number: u64, of: u64) -> u64 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % of
}

/// The same, the low ones more often.
fn skewed(number: u64, of: u64) -> u64 {
    drawn(number, of).min(drawn(number.wrapping_add(77), of))
}

impl History {
    pub(crate) fn new(entries: u64, years: u64) -> Self {
        let end = Timestamp::now() - SignedDuration::from_mins(30);
        let span = DAY * i32::try_from(years * 365).unwrap();
        let calls = entries * 100 / 205; // Some have more than two entries.
        Self {
            begin: end - span,
            step: span / i32::try_from(calls).unwrap(),
            calls,
            lately: end - DAY * 365,
            doubts_open: end - DAY * 20,
        }
    }

    fn began(&self, call: u64) -> Timestamp {
        self.begin + self.step * i32::try_from(call).unwrap()
    }

    fn held(&self, call: u64) -> Entry {
        let key = skewed(call, KEYS);
        let operation = OPERATIONS[usize::try_from(skewed(call + 5, 7)).unwrap()];
        let is_job = drawn(call, 10_000) < JOBS;
        let began_at = self.began(call);
        Entry {
            seq: 0,
            kind: EntryKind::Held,
            hold: "0".parse().unwrap(),
            began_at,
            recorded_at: began_at,
            team: format!("team-{}", key % TEAMS).into(),
            key: format!("key-{key}").into(),
            operation: if is_job { OPERATIONS[7] } else { operation }.into(),
            amount: QUOTE,
            job: None,
            budget: None,
            fingerprint: Some(generect_guard::ledger::Fingerprint(call)),
            evidence: None,
        }
    }

    /// What follows the beginning of a call, and how long after it.
    fn steps(&self, call: u64) -> Vec<(SignedDuration, Step)> {
        let seconds = SignedDuration::from_secs;
        let lot = drawn(call, 10_000);
        if lot < JOBS {
            return vec![(seconds(2), Step::Bound), (seconds(1_200), Step::Ended)];
        }
        let lot = lot - JOBS;
        if lot < DOUBTED {
            let mut steps = vec![(seconds(310), Step::Doubted)];
            if self.began(call) < self.doubts_open {
                steps.push((seconds(5_000), Step::Decided));
            }
            return steps;
        }
        let lot = lot - DOUBTED;
        if lot < RELEASED {
            return vec![(seconds(1), Step::Released)];
        }
        let mut steps = vec![(seconds(1), Step::Ended)];
        if lot - RELEASED < CORRECTED {
            steps.push((DAY, Step::Corrected));
        }
        steps
    }

    fn charge(call: u64) -> Credits {
        let units = i64::try_from(1 + skewed(call, 100)).unwrap();
        Credits::from_micros(20_000 * units)
    }

    fn entry(&self, seq: i64, at: Timestamp, call: u64, hold: i64, step: Step) -> Entry {
        let charge = Self::charge(call);
        let (kind, amount, note, text) = match step {
            Step::Ended => (
                EntryKind::Settled,
                charge,
                NoteKind::Stated,
                charge.to_string(),
            ),
            Step::Released => (
                EntryKind::Released,
                QUOTE,
                NoteKind::Reason,
                "the upstream refused it: 422".into(),
            ),
            Step::Doubted => (
                EntryKind::Doubted,
                QUOTE,
                NoteKind::Reason,
                "no answer within 310 s".into(),
            ),
            Step::Decided => {
                let id = row_id(call).to_string();
                (EntryKind::Settled, charge, NoteKind::Transaction, id)
            }
            Step::Bound => (EntryKind::Bound, QUOTE, NoteKind::Reason, "accepted".into()),
            Step::Corrected => {
                let less = Credits::from_micros(-20_000);
                let text = "finance: the invoice says less".into();
                (EntryKind::Corrected, less, NoteKind::Operator, text)
            }
        };
        Entry {
            seq,
            kind,
            hold: id(hold),
            recorded_at: at,
            amount,
            job: (step == Step::Bound).then(|| format!("job-{call:032x}").into()),
            fingerprint: None,
            evidence: Some(Note { kind: note, text }),
            ..self.held(call)
        }
    }

    /// Writes the ledger's file; gives how many entries it has.
    pub(crate) fn write(&self, path: &Path) -> i64 {
        let mut store = SqliteStore::open(path).unwrap();
        let mut coming: BinaryHeap<Coming> = BinaryHeap::new();
        let mut batch = Vec::with_capacity(SOME);
        let mut records = Vec::new();
        let mut seq = 0;
        let end = self.began(self.calls);
        for call in 0..self.calls {
            let began = self.began(call);
            while let Some(Reverse((at, call, hold, step))) = coming.peek().copied() {
                if at > began {
                    break;
                }
                coming.pop();
                seq += 1;
                batch.push(self.entry(seq, at, call, hold, step));
                if matches!(step, Step::Ended | Step::Decided) && at > self.lately {
                    records.extend(rows(call, hold, at));
                }
            }
            seq += 1;
            batch.push(Entry {
                seq,
                hold: id(seq),
                ..self.held(call)
            });
            for (after, step) in self.steps(call) {
                if began + after < end {
                    coming.push(Reverse((began + after, call, seq, step)));
                }
            }
            if batch.len() >= SOME {
                store.append(&batch).unwrap();
                batch.clear();
                // They name holds of the batch.
                store.keep(&records).unwrap();
                records.clear();
            }
        }
        store.append(&batch).unwrap();
        store.keep(&records).unwrap();
        store.keep(&self.beside(seq, end)).unwrap();
        seq
    }

    /// What reconciliation remembers, and what people did.
    fn beside(&self, seq: i64, end: Timestamp) -> Vec<Record> {
        let note = |name: &str, value: String| Record::Note {
            name: format!("reconciliation.{name}"),
            value: Some(value),
        };
        let mut records = vec![
            note("start", self.begin.to_string()),
            note("read_until", end.to_string()),
            note("full_until", end.to_string()),
            note("seq", seq.to_string()),
            note("priced", seq.to_string()),
        ];
        let days = end.duration_since(self.begin).as_hours() / 24;
        records.extend((0..days).map(|day| {
            let at = self.begin + SignedDuration::from_hours(24 * day);
            Record::Changed(Change {
                name: format!("a-change-of-day-{day}").into(),
                at,
                who: "ann (uid 1000)".into(),
                what: ChangeKind::Reloaded,
                about: "settings".into(),
                detail: "a budget's limit".into(),
                reason: "planned".into(),
            })
        }));
        records
    }
}

fn id(hold: i64) -> HoldId {
    hold.to_string().parse().unwrap()
}

fn row_id(call: u64) -> TransactionId {
    TransactionId {
        source: TransactionSource::V1,
        id: format!("txn_{call:016x}").into(),
    }
}

/// The row of a charge, and whose it is; of one in two thousand nobody's, and found so.
fn rows(call: u64, hold: i64, at: Timestamp) -> Vec<Record> {
    let row = Transaction {
        id: row_id(call),
        at,
        kind: OPERATIONS[usize::try_from(drawn(call, 7)).unwrap()].into(),
        amount: Credits::ZERO.saturating_sub(History::charge(call)),
        status: TransactionStatus::Success,
    };
    let transaction = row.id.clone();
    let of_row = if drawn(call, 2_000) == 0 {
        Record::Found(Finding {
            name: format!("theirs-{transaction}").into(),
            kind: FindingKind::TheirsOnly,
            found_at: at,
            at,
            operation: None,
            team: None,
            drift: History::charge(call),
            hold: None,
            transaction: Some(transaction),
            detail: "no call through the guard explains it".into(),
        })
    } else {
        Record::Matched(Match {
            transaction,
            hold: id(hold),
            how: MatchedBy::Charge,
        })
    };
    vec![Record::Transaction(row), of_row]
}
