//! A ledger with months that are over, how they are archived, and everything that is asked of its books
//! before and after.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use generect_guard::clock::Clock;
use generect_guard::ledger::store::{Reader, Spend, open_archive};
use generect_guard::ledger::{
    ArchiveError, Archived, Budget, BudgetStatus, CalendarUnit, Ledger, MatchedBy, Record,
    WindowRule, archive_span, checked_archive, write_archive,
};
use generect_guard::reports::{Entries, Format, Period, export};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::half_a_year::Story;
use crate::support::{Place, at, budget, calendar, matched, row, with_budgets};

pub const NOW: &str = "2026-06-15T12:00:00Z";
pub const MARCH: &str = "2026-03-01T00:00:00Z";
pub const APRIL: &str = "2026-04-01T00:00:00Z";

/// Half a year of calls, and the row of the first of them.
pub fn told() -> Place {
    let place = Place::file();
    let mut store = place.store();
    let story = Story::tell();
    for some in story.entries.chunks(100) {
        store.append(some).unwrap();
    }
    let first = story.entries[0].hold;
    store
        .keep(&[
            Record::Transaction(row("a", 2, 60)),
            matched("a", first, MatchedBy::Charge),
        ])
        .unwrap();
    place
}

fn budgets() -> Vec<Budget> {
    vec![
        budget("total", 1_000_000, WindowRule::Total),
        budget("year", 1_000_000, calendar(CalendarUnit::Year)),
        budget("quarter", 1_000_000, calendar(CalendarUnit::Quarter)),
        budget("month", 1_000_000, calendar(CalendarUnit::Month)),
        budget(
            "days",
            1_000_000,
            WindowRule::Rolling(SignedDuration::from_hours(24 * 100)),
        ),
        budget(
            "hours",
            1_000_000,
            WindowRule::Rolling(SignedDuration::from_hours(3)),
        ),
    ]
}

/// Everything that people ask of the books.
#[derive(Debug, PartialEq)]
pub struct Asked {
    budgets: Vec<BudgetStatus>,
    spent: Vec<Vec<Spend>>,
    exports: Vec<Vec<u8>>,
    tail: i64,
}

pub fn asked(reader: &dyn Reader, archives: &[Box<dyn Reader>]) -> Asked {
    let moments = [
        "2026-01-01",
        "2026-02-01",
        "2026-03-01",
        "2026-05-01",
        "2026-06-16",
    ];
    let moments = moments.map(|day| at(&format!("{day}T00:00:00Z")));
    let spent = moments.windows(2).map(|span| (span[0], span[1]));
    let spent = spent.chain([(Timestamp::MIN, Timestamp::MAX), (moments[0], moments[3])]);
    let export = |from, to, format| {
        let mut bytes = Vec::new();
        let shown = RefCell::new((0, 0));
        let known = reader.archives().unwrap();
        let needed = known
            .iter()
            .filter(|one| from <= one.span.recorded_at)
            .count();
        let entries = Entries {
            archives: &archives[archives.len() - needed..],
            ledger: reader,
            progress: &|done, all| *shown.borrow_mut() = (done, all),
        };
        let count = export(&entries, Period { from, to }, format, &mut bytes).unwrap();
        let (done, all) = *shown.borrow();
        assert_eq!((done, all), (i64::try_from(count).unwrap(), done));
        bytes
    };
    Asked {
        budgets: reader.budget_statuses(&budgets(), at(NOW)).unwrap(),
        spent: spent
            .map(|(from, to)| reader.spend(from, to).unwrap())
            .collect(),
        exports: moments
            .windows(2)
            .flat_map(|span| {
                [Format::Csv, Format::Jsonl].map(|format| export(span[0], span[1], format))
            })
            .collect(),
        tail: reader.tail().unwrap().seq,
    }
}

/// The archives of these files.
pub fn opened(paths: &[&Path]) -> Vec<Box<dyn Reader>> {
    let archives = paths.iter().map(|path| open_archive(path).unwrap().0);
    archives.collect()
}

/// A file beside the ledger.
pub fn place_of(place: &Place, name: &str) -> PathBuf {
    place.path().with_file_name(name)
}

/// An archive of what was recorded before a moment, looked through but not taken from the ledger.
pub fn written(place: &Place, before: &str, path: &Path) -> Result<Archived, ArchiveError> {
    let reader = place.reader();
    let span = archive_span(&*reader, at(before), at(NOW))?;
    write_archive(&*reader, &span, path, &mut |_, _| {})?;
    checked_archive(&*reader, path, at(NOW), &mut |_, _| {})
}

/// The ledger as a guard opens it.
pub fn opened_now(place: &Place) -> Ledger {
    place.open(with_budgets(budgets()), &Clock::manual(at(NOW)))
}

/// Archives as the command does, through a ledger that goes on.
pub async fn archive(place: &Place, before: &str, path: &Path) {
    let archived = written(place, before, path).unwrap();
    let ledger = opened_now(place);
    ledger.archive(archived).await.unwrap();
    ledger.clear_archived(&mut |_| {}).await.unwrap();
    ledger.close().await.unwrap();
}

/// How many entries the ledger itself has, but for the grants of archived months, which stay in it.
pub fn entries_in(place: &Place) -> i64 {
    let connection = Connection::open(place.path()).unwrap();
    let sql = "SELECT count(*) FROM entries \
         WHERE kind <> 7 OR seq > (SELECT coalesce(max(last), 0) FROM archives)";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}
