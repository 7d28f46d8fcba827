//! A month of calls and the account's rows for them, made by their number: the ledger's file and
//! the account's list tell of the same, but for one in a hundred.

use std::fmt::Write;
use std::path::Path;

use generect_guard::credits::Credits;
use generect_guard::ledger::{Entry, EntryKind, Note, NoteKind, Record, SqliteStore, Store};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::{SignedDuration, Timestamp};

/// Entries or records written at a time.
const SOME: i64 = 2_000;
/// One call in so many has no row, one a foreign row beside it, one is in doubt.
const DISTURBED: i64 = 300;
const OPERATIONS: [&str; 4] = [
    "search_database_leads",
    "search_database_companies",
    "search_realtime_leads",
    "search_realtime_companies",
];
const QUOTE: Credits = Credits::from_micros(4_000_000);

/// Calls a constant time apart, the first at `begin`.
#[derive(Clone, Copy)]
pub(crate) struct History {
    pub(crate) begin: Timestamp,
    pub(crate) step: SignedDuration,
    /// So many begin at one moment.
    pub(crate) together: i64,
    pub(crate) calls: i64,
}

/// Scatters numbers: what is drawn for a call is the same in the ledger and in the list.
fn drawn(number: i64, of: i64) -> i64 {
    let scattered = number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    scattered.cast_signed() % of
}

impl History {
    fn began(&self, number: i64) -> Timestamp {
        let first = number - number % self.together;
        self.begin + self.step * i32::try_from(first).unwrap()
    }

    pub(crate) fn end(&self) -> Timestamp {
        self.began(self.calls)
    }

    pub(crate) fn operation(number: i64) -> &'static str {
        OPERATIONS[usize::try_from(drawn(number + 7, 4)).unwrap()]
    }

    pub(crate) fn amount(number: i64) -> Credits {
        let units = if drawn(number + 3, 3) > 0 {
            1
        } else {
            1 + drawn(number, 100)
        };
        Credits::from_micros(40_000 * units)
    }

    /// The rows of one call; its own is written within a second.
    fn rows(&self, number: i64) -> Vec<Transaction> {
        let copies = match drawn(number, DISTURBED) {
            1 => 0,
            2 => 2,
            _ => 1,
        };
        let row = |copy: i64| Transaction {
            id: TransactionId {
                source: TransactionSource::V1,
                id: format!("txn_{number:032}_{copy}").into(),
            },
            at: self.began(number) + SignedDuration::from_millis(200 + 500 * copy),
            kind: Self::operation(number).into(),
            amount: Credits::ZERO.saturating_sub(Self::amount(number)),
            status: TransactionStatus::Success,
        };
        (0..copies).map(row).collect()
    }

    fn entries(&self, number: i64, seq: i64) -> [Entry; 2] {
        let began_at = self.began(number);
        let held = Entry {
            seq,
            kind: EntryKind::Held,
            hold: seq.to_string().parse().unwrap(),
            began_at,
            recorded_at: began_at,
            team: "team-0".into(),
            key: "key-0".into(),
            operation: Self::operation(number).into(),
            amount: QUOTE,
            job: None,
            budget: None,
            fingerprint: None,
            evidence: None,
        };
        let amount = Self::amount(number);
        let (kind, amount, note, text) = match drawn(number, DISTURBED) {
            0 => (EntryKind::Doubted, QUOTE, NoteKind::Reason, "cut".into()),
            _ => {
                let text = amount.to_string();
                (EntryKind::Settled, amount, NoteKind::Stated, text)
            }
        };
        let end = Entry {
            seq: seq + 1,
            kind,
            recorded_at: began_at + SignedDuration::from_millis(400),
            amount,
            evidence: Some(Note { kind: note, text }),
            ..held.clone()
        };
        [held, end]
    }

    /// Writes the ledger's file. With the rows, they have been read up to now.
    pub(crate) fn write(&self, path: &Path, with_rows: bool) {
        let mut store = SqliteStore::open(path).unwrap();
        for first in (0..self.calls).step_by(usize::try_from(SOME).unwrap()) {
            let numbers = first..(first + SOME).min(self.calls);
            let entries = numbers.flat_map(|number| self.entries(number, 2 * number + 1));
            store.append(&entries.collect::<Vec<_>>()).unwrap();
        }
        if !with_rows {
            return;
        }
        for first in (0..self.calls).step_by(usize::try_from(SOME).unwrap()) {
            let numbers = first..(first + SOME).min(self.calls);
            let rows = numbers.flat_map(|number| self.rows(number));
            let rows: Vec<_> = rows.map(Record::Transaction).collect();
            store.keep(&rows).unwrap();
        }
        let read_until = self.end() + SignedDuration::from_hours(2);
        let note = |name: &str, value: String| Record::Note {
            name: format!("reconciliation.{name}"),
            value: Some(value),
        };
        let start = self.begin - SignedDuration::from_secs(30);
        let notes = [
            note("start", start.to_string()),
            note("read_until", read_until.to_string()),
            note("full_until", read_until.to_string()),
        ];
        store.keep(&notes).unwrap();
    }

    /// A page of the list, newest first.
    pub(crate) fn page(&self, query: &str) -> String {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let asked = |name: &str| {
            let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
            Some(value.to_string())
        };
        let moment = |name: &str| asked(name).map(|text| text.parse::<Timestamp>().unwrap());
        let number = |name: &str| asked(name).map_or(0, |text| text.parse::<i64>().unwrap());
        let from = moment("created_at__gte").unwrap_or(self.begin);
        let to = moment("created_at__lt").unwrap_or(self.end());
        // Foreign rows make a page a little longer than asked for in calls: who asks does not mind.
        let place = |at: Timestamp| {
            let after = at.duration_since(self.begin).as_micros();
            let calls = after / self.step.as_micros();
            i64::try_from(calls).unwrap().clamp(0, self.calls)
        };
        let last = place(to) - number("offset");
        let first = place(from).max(last - number("limit"));
        let mut body = String::from(r#"{"data":{"transactions":["#);
        for row in (first..last)
            .rev()
            .filter_map(|number| self.rows(number).pop())
        {
            let comma = if body.ends_with('}') { "," } else { "" };
            let (id, at, kind, amount) = (row.id.id, row.at, row.kind, row.amount);
            write!(
                body,
                r#"{comma}{{"id":"{id}","timestamp":"{at}","type":"{kind}","credits":{amount},"details":{{"balance_type":"platform","status":"success"}}}}"#
            )
            .unwrap();
        }
        body + "]}}"
    }
}
