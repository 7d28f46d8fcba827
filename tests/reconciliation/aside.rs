//! Charges that no row is near are set aside and read again: nothing else comes of them than if all of
//! them were kept in memory.

use futures_util::future::join_all;
use generect_guard::ledger::{Decision, EntryKind, FindingKind, Note, NoteKind};
use generect_guard::reconciliation::Summary;
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::list::{Row, SEARCH};
use crate::support::{Books, LONG_ENOUGH, settle};

const OTHER: &str = "enrich_database_lead";
/// A kind of rows that no document knows.
const STRANGE: &str = "thing";

/// One thing that happens, the same in every telling.
#[derive(Clone, Debug)]
enum Event {
    /// Calls that took nothing: they only have places in the ledger, of which a page is read at a time.
    Free(usize),
    /// Calls of one moment: what was called, and the charge.
    Calls(Vec<(&'static str, &'static str)>),
    Doubt(&'static str),
    /// A row written so many seconds ago: its kind, what it takes, its status.
    Row(i64, &'static str, &'static str, &'static str),
    /// The row of a number has another status now.
    Becomes(usize, &'static str),
    /// A person settles the doubt that has waited longest at its most.
    Decide,
    Pass(SignedDuration),
    Run,
    Restart,
    /// The account's clock is so far ahead.
    Ahead(i64),
}

const CHARGES: [&str; 4] = ["0.02", "0.04", "0.06", "0.5"];

fn story(random: &mut StdRng) -> Vec<Event> {
    // Two entries each: the charges lie before and behind the border of two pages.
    let mut events = vec![Event::Free(random.random_range(400..500))];
    let mut rows = 0;
    for _ in 0..50 {
        let mut calls = Vec::new();
        for _ in 0..random.random_range(0..12) {
            let operation = if random.random_bool(0.8) {
                SEARCH
            } else {
                OTHER
            };
            let charge = *CHARGES.choose(random).unwrap();
            calls.push((operation, charge));
            if random.random_bool(0.3) {
                let kinds = [operation, operation, operation, STRANGE];
                let ago = [0, 0, 1, 60, 600].choose(random).unwrap();
                let status = ["success", "success", "success", "pending", "error"];
                let status = *status.choose(random).unwrap();
                rows += 1;
                let row = Event::Row(*ago, kinds.choose(random).unwrap(), charge, status);
                events.push(row);
            }
        }
        events.push(Event::Calls(calls));
        if random.random_bool(0.1) {
            events.push(Event::Doubt(CHARGES.choose(random).unwrap()));
        }
        if random.random_bool(0.1) {
            events.push(Event::Decide);
        }
        if rows > 0 && random.random_bool(0.3) {
            let status = *["success", "success", "error"].choose(random).unwrap();
            events.push(Event::Becomes(random.random_range(1..=rows), status));
        }
        let seconds = *[1, 7, 61, 400].choose(random).unwrap();
        events.push(Event::Pass(SignedDuration::from_secs(seconds)));
        if random.random_bool(0.1) {
            events.push(Event::Pass(LONG_ENOUGH));
        }
        if random.random_bool(0.5) {
            events.push(Event::Run);
        }
        if random.random_bool(0.05) {
            events.push(Event::Restart);
        }
        if random.random_bool(0.03) {
            events.push(Event::Ahead(random.random_range(0..20)));
        }
    }
    events.extend([Event::Pass(LONG_ENOUGH), Event::Run, Event::Run]);
    events
}

/// What was said, and what is in the books in the end.
struct Told {
    runs: Vec<Summary>,
    findings: Vec<(FindingKind, String, String)>,
    endings: Vec<(i64, EntryKind, String)>,
    rows: Vec<Vec<String>>,
}

impl Told {
    fn assert_is(&self, other: &Self, which: &str) {
        for (number, (run, other)) in self.runs.iter().zip(&other.runs).enumerate() {
            assert_eq!(run, other, "{which}: run {number}");
        }
        for (hold, (rows, other)) in self.rows.iter().zip(&other.rows).enumerate() {
            assert_eq!(rows, other, "{which}: call {hold}");
        }
        assert_eq!(self.findings, other.findings, "{which}");
        assert_eq!(self.endings, other.endings, "{which}");
    }
}

async fn decide(books: &Books) {
    let open = books.ledger.open_calls().await.unwrap();
    let Some(doubt) = open.iter().min_by_key(|call| call.hold) else {
        return;
    };
    let note = Note {
        kind: NoteKind::Operator,
        text: "seen in the bill".into(),
    };
    let settled = Decision::Settle(doubt.quote);
    books
        .ledger
        .decide(doubt.hold, settled, note)
        .await
        .unwrap();
}

async fn tell(events: &[Event], charges_kept: usize) -> Told {
    let mut books = Books::keeping(charges_kept).await;
    let (mut runs, mut rows) = (Vec::new(), 0);
    for event in events {
        match event {
            Event::Free(calls) => {
                let holds = (0..*calls).map(|_| books.hold_for("growth", OTHER, "0.02"));
                for hold in join_all(holds).await {
                    hold.release("it was not charged");
                }
                books.written().await;
            }
            Event::Calls(calls) => {
                for (operation, charge) in calls {
                    let hold = books.hold_for("growth", operation, charge).await;
                    settle(hold, charge);
                }
                books.written().await;
            }
            Event::Doubt(quote) => books.doubt(quote).await,
            Event::Row(ago, kind, credits, status) => {
                rows += 1;
                books.list.put(Row {
                    id: format!("txn_{rows}"),
                    at: books.list.now() - SignedDuration::from_secs(*ago),
                    kind: (*kind).to_owned(),
                    credits: format!("-{credits}"),
                    status,
                });
            }
            Event::Becomes(number, status) => {
                let id = format!("txn_{number}");
                books.list.change(&id, |row| row.status = status);
            }
            Event::Decide => decide(&books).await,
            Event::Pass(span) => books.pass(*span),
            Event::Run => runs.push(books.run().await),
            Event::Restart => books.restart().await,
            Event::Ahead(seconds) => books.list.is_ahead_by(*seconds),
        }
    }
    books.assert_sound();
    let (endings, reader) = (books.endings(), books.reader());
    let rows = endings.iter().map(|(hold, ..)| {
        let rows = reader.matches_of(hold.to_string().parse().unwrap());
        let rows = rows.unwrap().into_iter();
        rows.map(|row| row.transaction.to_string()).collect()
    });
    Told {
        runs,
        findings: books.open_findings(),
        rows: rows.collect(),
        endings,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_comes_of_charges_that_are_set_aside() {
    let first = rand::random_range(0..1_000_000);
    let mut seen = (0, 0, 0);
    for seed in first..first + 2 {
        println!("seed {seed}");
        let events = story(&mut StdRng::seed_from_u64(seed));
        let (all_kept, some, none) = tokio::join!(
            tell(&events, usize::MAX),
            tell(&events, 40),
            tell(&events, 0)
        );
        some.assert_is(&all_kept, &format!("seed {seed}, some are kept"));
        none.assert_is(&all_kept, &format!("seed {seed}, none is kept"));
        let matched: usize = all_kept.runs.iter().map(|run| run.matched).sum();
        let closed: usize = all_kept.runs.iter().map(|run| run.closed).sum();
        let missed = |(kind, ..): &&(FindingKind, _, _)| *kind == FindingKind::OursOnly;
        let missed = all_kept.findings.iter().filter(missed).count();
        seen = (seen.0 + matched, seen.1 + closed, seen.2 + missed);
    }
    // The stories have what they are about: rows in time, rows that came late, and charges without any.
    assert!(seen.0 > 20 && seen.1 > 2 && seen.2 > 20, "{seen:?}");
}
