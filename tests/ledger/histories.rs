//! Long histories at random, for what happens every few thousand entries.

use generect_guard::ledger::store::Store;
use generect_guard::ledger::{Entry, EntryKind, Evidence, Fingerprint, Note};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;

use crate::support::{Place, at, micros};

/// A seed from the environment, or a new one; either way it is printed.
#[expect(clippy::print_stdout, reason = "it repeats a run that failed")]
pub fn seeded(variable: &str) -> StdRng {
    let given = std::env::var(variable).ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("{variable}={seed}");
    StdRng::seed_from_u64(seed)
}

/// Calls of many teams that begin, are bound, doubted and ended, are corrected later, and grants; over
/// months or over minutes.
pub struct History {
    random: StdRng,
    now: Timestamp,
    /// The longest time between two entries.
    pause: SignedDuration,
    next: i64,
    open: Vec<Entry>,
    settled: Vec<Entry>,
}

impl History {
    pub fn begin(random: StdRng, pause: SignedDuration) -> Self {
        Self {
            random,
            now: at("2026-01-29T12:00:00Z"),
            pause,
            next: 1,
            open: Vec::new(),
            settled: Vec::new(),
        }
    }

    /// The same after another, of whose calls nothing more is heard.
    fn after(mut self, seq: i64, moment: Timestamp) -> Self {
        self.next = seq + 1;
        self.now = moment;
        self
    }

    pub fn batch(&mut self, length: usize) -> Vec<Entry> {
        (0..length).map(|_| self.entry()).collect()
    }

    /// What ends all calls that are open.
    pub fn end_all(&mut self) -> Vec<Entry> {
        let open = std::mem::take(&mut self.open);
        let ended = open.into_iter().map(|held| {
            let seq = self.next;
            self.next += 1;
            Entry {
                seq,
                kind: EntryKind::Released,
                recorded_at: self.now,
                job: None,
                fingerprint: None,
                evidence: Some(Note::reason("the end of the day")),
                ..held
            }
        });
        ended.collect()
    }

    fn entry(&mut self) -> Entry {
        let pause = self.pause.as_micros();
        let micros = self.random.random_range(0..=i64::try_from(pause).unwrap());
        self.now += SignedDuration::from_micros(micros);
        let entry = match self.random.random_range(0..100) {
            0 => self.granted(),
            1 if !self.settled.is_empty() => self.corrected(),
            2..50 if !self.open.is_empty() => self.moved(),
            _ => self.held(),
        };
        self.next += 1;
        entry
    }

    fn granted(&mut self) -> Entry {
        Entry {
            kind: EntryKind::Granted,
            team: "".into(),
            key: "".into(),
            operation: "".into(),
            budget: Some(format!("budget-{}", self.next % 7).into()),
            fingerprint: None,
            evidence: Some(Note::reason("ann: a test")),
            ..self.begun()
        }
    }

    fn corrected(&mut self) -> Entry {
        let which = self.random.random_range(0..self.settled.len());
        let amount = micros(self.random.random_range(0..90));
        let id = format!("txn_{}", self.next);
        Entry {
            seq: self.next,
            kind: EntryKind::Corrected,
            recorded_at: self.now,
            amount,
            evidence: Some(Evidence::Transaction { id }.into()),
            ..self.settled[which].clone()
        }
    }

    /// What becomes of an open hold: mostly it ends, and mostly soon.
    fn moved(&mut self) -> Entry {
        let count = self.open.len();
        let which = match self.random.random_bool(0.8) {
            true => count - 1,
            false => self.random.random_range(0..count),
        };
        let of = self.open[which].clone();
        let amount = of.amount;
        let recorded_at = self.now;
        let moved = move |seq, kind, evidence: Note| Entry {
            seq,
            kind,
            recorded_at,
            fingerprint: None,
            evidence: Some(evidence),
            ..of
        };
        let seq = self.next;
        match self.random.random_range(0..10) {
            0 if self.open[which].job.is_none() => {
                self.open[which].job = Some(format!("job-{seq}").into());
                let job = self.open[which].job.clone();
                let bound = moved(seq, EntryKind::Bound, Note::reason("a job"));
                Entry { job, ..bound }
            }
            1 if self.open[which].evidence.is_none() => {
                let why = Note::reason("the line was cut");
                self.open[which].evidence = Some(why.clone());
                let doubted = moved(seq, EntryKind::Doubted, why);
                Entry {
                    job: None,
                    ..doubted
                }
            }
            ends => {
                self.open.remove(which);
                let kind = match ends {
                    2 => EntryKind::Released,
                    _ => EntryKind::Settled,
                };
                let raw = amount.to_string();
                let ended = Entry {
                    job: None,
                    ..moved(seq, kind, Evidence::Stated { raw }.into())
                };
                if kind == EntryKind::Settled {
                    self.settled.push(ended.clone());
                }
                ended
            }
        }
    }

    fn held(&mut self) -> Entry {
        let held = self.begun();
        self.open.push(held.clone());
        held
    }

    fn begun(&mut self) -> Entry {
        let seq = self.next;
        let team = self.random.random_range(0..5 + seq / 2_000);
        Entry {
            seq,
            kind: EntryKind::Held,
            hold: seq.to_string().parse().unwrap(),
            began_at: self.now,
            recorded_at: self.now,
            team: format!("team-{team}").into(),
            key: format!("key-{}", team * 2 + seq % 2).into(),
            operation: format!("operation-{}", seq % 3).into(),
            amount: micros(self.random.random_range(1..1_000)),
            job: None,
            budget: None,
            fingerprint: (seq % 4 > 0).then(|| Fingerprint(self.random.random())),
            evidence: None,
        }
    }
}

/// A place with a history of so many entries.
pub fn told(mut history: History, length: usize) -> Place {
    let place = Place::file();
    let mut store = place.store();
    let mut left = length;
    while left > 0 {
        let some = left.min(997);
        store.append(&history.batch(some)).unwrap();
        left -= some;
    }
    place
}

/// Every row of every table.
pub fn rows(place: &Place) -> Vec<String> {
    let file = Connection::open(place.path()).unwrap();
    let column = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let value = |column| row.get::<_, rusqlite::types::Value>(column);
            let values: Result<Vec<_>, _> = (0..columns).map(value).collect();
            Ok(values?.into_iter().map(in_words).collect::<Vec<_>>())
        });
        let rows = rows.unwrap().map(|row| row.unwrap().join(" "));
        rows.collect()
    };
    let tables = column("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let all = tables.iter().flat_map(|table| {
        let rows = column(&format!("SELECT * FROM {table} ORDER BY 1, 2"));
        rows.into_iter().map(move |row| format!("{table}: {row}"))
    });
    all.collect()
}

fn in_words(value: rusqlite::types::Value) -> String {
    use rusqlite::types::Value;
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
        other => format!("{other:?}"),
    }
}

/// Lets the next append fail: in its middle, where the mark moves, or nowhere in most batches.
fn fail(place: &Place, random: &mut StdRng, seq: i64) -> bool {
    let file = Connection::open(place.path()).unwrap();
    let (table, when) = match random.random_range(0..3) {
        0 => ("INSERT ON entries", format!("NEW.seq = {seq}")),
        1 => ("UPDATE ON facts", "NEW.name = 'mark'".to_owned()),
        _ => ("UPDATE ON facts", "NEW.name = 'summed'".to_owned()),
    };
    let trigger = format!(
        "CREATE TRIGGER refusing BEFORE {table} WHEN {when} \
         BEGIN SELECT RAISE(ABORT, 'a test''s fault'); END"
    );
    file.execute_batch(&trigger).unwrap();
    random.random_bool(0.5)
}

fn mend(place: &Place) {
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("DROP TRIGGER refusing").unwrap();
}

/// Appends the batch, after some failures.
fn append(place: &Place, store: &mut Box<dyn Store>, batch: &[Entry], random: &mut StdRng) -> u32 {
    let mut failed = 0;
    while random.random_bool(0.5) {
        let middle = batch[batch.len() / 2].seq;
        let rereads = fail(place, random, middle);
        let written = store.append(batch);
        mend(place);
        if written.is_ok() {
            return failed;
        }
        failed += 1;
        if rereads {
            store.reread().unwrap();
        }
    }
    store.append(batch).unwrap();
    failed
}

/// What a guard that is killed now leaves is sound, and goes on.
fn crashed(place: &Place) {
    let left = Place::file();
    for ending in ["", "-wal"] {
        let with = |place: &Place| format!("{}{ending}", place.path().display());
        std::fs::copy(with(place), with(&left)).unwrap();
    }
    let mut store = left.store();
    left.assert_sound();
    let tail = store.reader().tail().unwrap();
    let begun = History::begin(StdRng::seed_from_u64(1), SignedDuration::from_secs(1));
    let mut again = begun.after(tail.seq, tail.recorded_at.unwrap());
    let more = again.batch(5_000);
    store.append(&more).unwrap();
    left.assert_sound();
}

#[test]
fn what_is_kept_in_memory_between_two_marks_is_what_the_file_says() {
    let mut random = seeded("HISTORY_SEED");
    let (mut failures, mut marks) = (0, 0);
    for pause in [SignedDuration::from_secs(2), SignedDuration::from_mins(30)] {
        let mut history = History::begin(StdRng::seed_from_u64(random.random()), pause);
        let (place, other) = (Place::file(), Place::file());
        let (mut store, mut plain) = (place.store(), other.store());
        let mut round = 0;
        // Some are unlucky, and go on until they have what they are about.
        while round < 16 || failures < 3 || history.next <= 3 * 4_096 {
            round += 1;
            let length = random.random_range(1..2_000);
            let batch = history.batch(length);
            failures += append(&place, &mut store, &batch, &mut random);
            // The other remembers nothing from one batch to the next.
            plain.reread().unwrap();
            plain.append(&batch).unwrap();
            if random.random_bool(0.15) {
                drop(store);
                store = place.store();
            }
            if random.random_bool(0.2) {
                crashed(&place);
            }
            if round % 4 == 0 {
                let (rows, expected) = (rows(&place), rows(&other));
                let differs = rows.iter().zip(&expected).find(|(one, other)| one != other);
                assert_eq!(differs, None);
                assert_eq!(rows.len(), expected.len());
            }
        }
        marks += place.reader().derived().unwrap().mark / 4_096;
        place.assert_sound();
    }
    assert!(failures > 2 && marks > 3, "{failures} failures, {marks}");
}
