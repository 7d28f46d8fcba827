//! The process dies wherever records are kept. Whatever was on disk by then, the next makes of it what would
//! have come of it anyway.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use generect_guard::ledger::{Entry, EntryKind, FindingKind, MatchedBy};
use jiff::SignedDuration;

use crate::support::{Books, LONG_ENOUGH, credits};

/// Tells a story again and again, and the process dies one record later each time, until it does not die.
/// The story says whether it did. Gives how often it died.
async fn dies_at_every_step(mut story: impl AsyncFnMut(i64) -> bool) -> i64 {
    let mut step = 0;
    while story(step).await {
        step += 1;
    }
    assert!(step > 2, "there were only {step} steps");
    step
}

/// The next process runs until there is nothing to do, and the one after it has nothing to add.
async fn goes_on(books: &mut Books) {
    books.restart().await;
    while !books.run().await.is_quiet() {}
    books.restart().await;
    let again = books.run().await;
    assert!(again.is_quiet(), "told again: {again:?}");
}

/// What is compared: findings, endings, how many rows each hold has, and everything accounted for.
type End = (
    Vec<(FindingKind, String, String)>,
    Vec<(i64, EntryKind, String)>,
    Vec<usize>,
    String,
);

/// Lets so many records be kept in the runs of a story.
struct Story {
    books: Books,
    has_died: bool,
}

impl Story {
    /// Runs until there is nothing more to do.
    async fn run(&mut self) {
        loop {
            match self.books.try_run().await {
                Ok(summary) if summary.is_quiet() => return,
                Ok(_) => {}
                Err(_) => {
                    self.has_died = true;
                    self.books.restart().await;
                }
            }
        }
    }

    /// A story with one of everything: a charge of very many rows, one of another amount, one at a
    /// price that nobody expects, a doubt with and one without a row, a row that comes late, rows that
    /// change, and somebody else's.
    async fn tell(&mut self) {
        let rows = |books: &Books, name: &str, count: usize| {
            for number in 0..count {
                let id = format!("{name}_{number}");
                books.list.took(&id, books.clock.now(), "0.02");
            }
        };
        let apart = SignedDuration::from_mins(1);
        for (name, count, charge) in [("a", 3, "0.06"), ("b", 2, "0.04"), ("wide", 300, "6")] {
            self.books.call(charge).await;
            rows(&self.books, name, count);
            self.books.pass(apart);
        }
        for (name, charge, taken) in [("differs", "0.5", "0.3"), ("price", "0.05", "0.05")] {
            self.books.call(charge).await;
            self.books.list.took(name, self.books.clock.now(), taken);
            self.books.pass(apart);
        }
        self.books.doubt("0.1").await;
        self.books
            .list
            .took("doubts", self.books.clock.now(), "0.08");
        self.books.pass(apart);
        let late_at = self.books.clock.now();
        self.books.doubt("0.9").await;
        self.books.pass(apart);
        self.books.list.took("theirs", self.books.clock.now(), "5");
        self.run().await;
        self.books.pass(LONG_ENOUGH);
        self.run().await;
        self.books.list.took("late", late_at, "0.7");
        let change = |books: &Books, id: &str, status, amount: &str| {
            books.list.change(id, |row| {
                (row.status, row.credits) = (status, amount.into());
            });
        };
        change(&self.books, "theirs", "success", "-4");
        change(&self.books, "wide_7", "error", "-0.02");
        change(&self.books, "doubts", "success", "-0.07");
        self.run().await;
        change(&self.books, "theirs", "error", "-4");
        change(&self.books, "wide_7", "success", "2");
        self.run().await;
        change(&self.books, "theirs", "success", "-3");
        self.run().await;
        self.books.pass(LONG_ENOUGH);
        self.run().await;
    }

    fn end(&self) -> End {
        let endings = self.books.endings();
        let reader = self.books.reader();
        let rows = endings.iter().map(|(hold, ..)| {
            let hold = hold.to_string().parse().unwrap();
            reader.matches_of(hold).unwrap().len()
        });
        let rows = rows.collect();
        let all = self.books.accounted().to_string();
        (self.books.open_findings(), endings, rows, all)
    }
}

async fn told(keeps: i64) -> (End, bool) {
    let books = Books::new().await;
    books.keeps.store(keeps, Ordering::Relaxed);
    let mut story = Story {
        books,
        has_died: false,
    };
    story.tell().await;
    story.books.assert_sound();
    (story.end(), story.has_died)
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_process_dies_the_next_finds_what_would_have_been_found() {
    let (end, _) = told(i64::MAX).await;
    let all = "6.1 0.3 0.05 0.07 0.7 3 -0.02 -2".split(' ');
    let all: generect_guard::credits::Credits = all.map(credits).sum();
    assert_eq!(end.3, all.to_string(), "{end:#?}");
    assert!(end.2.contains(&300), "{:?}", end.2);
    // Some are told at one time.
    let mut ahead = VecDeque::new();
    let steps = dies_at_every_step(async |step| {
        let next = step + i64::try_from(ahead.len()).unwrap();
        ahead.extend((next..step + 4).map(|step| tokio::spawn(told(step))));
        let (died, has_died) = ahead.pop_front().unwrap().await.unwrap();
        assert_eq!(died, end, "died at step {step}");
        has_died
    })
    .await;
    assert!(steps > 9, "{steps}");
}

/// A run may be dropped where it waits. The writer goes on with what it was asked, and the next run must not
/// read the file before that.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dropped_run_was_keeping_is_there_when_the_next_begins() {
    let mut books = Books::new().await;
    books.show().await;
    books.doubt("0.1").await;
    books.list.took("doubts", books.clock.now(), "0.08");
    books.pass(LONG_ENOUGH);
    let gate = Arc::clone(&books.gate);
    gate.close();
    tokio::select! {
        run = books.try_run() => panic!("nothing was decided: {run:?}"),
        () = gate.met() => {}
    }
    books.begin_anew();
    let ((), run) = tokio::join!(
        async {
            // Time for the next to read what it should not.
            tokio::time::sleep(Duration::from_millis(100)).await;
            gate.open();
        },
        books.try_run()
    );
    run.unwrap();
    assert_eq!(books.open_findings(), []);
    assert_eq!(books.accounted(), credits("1.08"));
    books.assert_sound();
}

/// The account changes a row while nobody looks: what it took then is decided already, and what it takes now
/// was never kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_changes_between_its_decision_and_the_next_start_is_a_finding() {
    for is_late in [false, true] {
        dies_at_every_step(async |step| {
            let mut books = Books::new().await;
            books.show().await;
            books.doubt("0.1").await;
            let at = books.clock.now();
            if is_late {
                books.pass(LONG_ENOUGH);
                books.run().await;
            }
            books.list.took("changes", at, "0.08");
            // Soon enough that the next start still reads it again.
            books.pass(SignedDuration::from_mins(5));
            let has_died = books.dies_after(step).await;
            books
                .list
                .change("changes", |row| row.credits = "-0.07".into());
            goes_on(&mut books).await;
            assert_eq!(books.accounted(), credits("1.07"), "died at step {step}");
            books.assert_sound();
            has_died
        })
        .await;
    }
}

/// What nobody decided within a day is given to the nearest, and a person must be able to see that.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_allocated_is_a_finding_wherever_the_process_dies() {
    dies_at_every_step(async |step| {
        let mut books = Books::new().await;
        books.show().await;
        for team in ["growth", "sales"] {
            books.hold_of(team, "0.1").await.doubt("a test");
        }
        books.written().await;
        books.list.took("either", books.clock.now(), "0.08");
        books.pass(LONG_ENOUGH);
        assert_eq!(books.run().await.undecided, 2);
        books.pass(SignedDuration::from_hours(25));
        let has_died = books.dies_after(step).await;
        goes_on(&mut books).await;
        let found = books.open_findings();
        let is_allocated = |(kind, _, drift): &(FindingKind, String, String)| {
            *kind == FindingKind::Allocated && drift == "0"
        };
        assert!(found.iter().all(is_allocated), "{found:?}");
        let reader = books.reader();
        let entries = reader.entries(0, 100).unwrap();
        let allocated = |entry: &&Entry| {
            let note = entry.evidence.as_ref();
            note.is_some_and(|note| note.text.contains("allocated"))
        };
        let ended: Vec<_> = entries.iter().filter(allocated).collect();
        // Also the one that was released when the other had the row already.
        assert_eq!(ended.len(), 2, "died at step {step}: {ended:?}");
        let names = found.iter().map(|(_, name, _)| name.clone());
        let wanted = ended.iter().map(|end| format!("allocated:{}", end.hold));
        assert!(
            names.eq(wanted),
            "died at step {step}: {found:?} of {ended:?}"
        );
        let rows = reader.matches_of(ended[0].hold).unwrap();
        let how: Vec<_> = rows.iter().map(|row| row.how).collect();
        assert_eq!(how, [MatchedBy::Allocated], "died at step {step}");
        assert_eq!(books.accounted(), credits("1.08"), "died at step {step}");
        books.assert_sound();
        has_died
    })
    .await;
}

/// Where the list could not be read for long, the first run finds what is older than a start remembers.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_of_long_ago_is_found_once_wherever_the_process_dies() {
    dies_at_every_step(async |step| {
        let mut books = Books::new().await;
        books.show().await;
        for _ in 0..3 {
            books.call("0.5").await;
            books.pass(SignedDuration::from_secs(30));
        }
        books.pass(SignedDuration::from_hours(8 * 24));
        books.keeps.store(step, Ordering::Relaxed);
        let (mut told, mut has_died) = (0, false);
        loop {
            match books.try_run().await {
                Ok(summary) if summary.is_quiet() => break,
                Ok(summary) => {
                    told += summary
                        .findings
                        .values()
                        .map(|(count, _)| count)
                        .sum::<usize>()
                }
                Err(_) => {
                    has_died = true;
                    // What the run told it had kept.
                    told = told.max(books.open_findings().len());
                    books.restart().await;
                }
            }
        }
        let all = books.open_findings();
        assert!(all.iter().all(|(kind, ..)| *kind == FindingKind::OursOnly));
        assert_eq!((all.len(), told), (3, 3), "died at step {step}");
        books.assert_sound();
        has_died
    })
    .await;
}
