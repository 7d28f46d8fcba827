//! A ledger of every schema there ever was, from its text: it is read as it is, brought up to date by its
//! next writer, agrees with itself, and goes on.

use std::sync::{Arc, Mutex};

use generect_guard::clock::Clock;
use generect_guard::ledger::store::open_locked_heard;
use generect_guard::ledger::{
    Budget, BudgetStatus, CalendarUnit, Decision, Ending, HearMigrating, Ledger, Resolution,
    SavedBy, SqliteStore, WindowRule, open_reader,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::support::{
    Place, assert_sound, at, budget, calendar, micros, request, settle, with_budgets,
};

/// Each step of the schema, and what ledgers had in what it brought.
const STEPS: [(&str, &str); 4] = [
    (
        include_str!("../../src/ledger/store/migrations/0001.sql"),
        include_str!("schemas/0001.sql"),
    ),
    (
        include_str!("../../src/ledger/store/migrations/0002.sql"),
        include_str!("schemas/0002.sql"),
    ),
    (
        include_str!("../../src/ledger/store/migrations/0003.sql"),
        include_str!("schemas/0003.sql"),
    ),
    (
        include_str!("../../src/ledger/store/migrations/0004.sql"),
        concat!(
            include_str!("schemas/month_sums.sql"),
            include_str!("schemas/0004.sql")
        ),
    ),
];
/// Some minutes after the last entry.
pub const THEN: &str = "2025-11-03T10:40:00Z";

/// A file of schema `version`, 1 to 4, as a guard of that time left it.
pub fn of_version(version: usize) -> Place {
    let place = Place::file();
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF")
        .unwrap();
    for (step, contents) in &STEPS[..version] {
        file.execute_batch(step).unwrap();
        file.execute_batch(contents).unwrap();
    }
    file.pragma_update(None, "application_id", 0x6747_4C64)
        .unwrap();
    file.pragma_update(None, "user_version", i64::try_from(version).unwrap())
        .unwrap();
    place
}

fn settled_and_held(statuses: &[BudgetStatus]) -> Vec<(i64, i64, i64)> {
    let figures = |status: &BudgetStatus| {
        let figures = [status.settled, status.held, status.granted];
        figures.map(generect_guard::credits::Credits::micros)
    };
    statuses
        .iter()
        .map(figures)
        .map(|[settled, held, granted]| (settled, held, granted))
        .collect()
}

fn budgets() -> Vec<Budget> {
    let hour = WindowRule::Rolling(SignedDuration::from_hours(1));
    vec![
        budget("all", 100_000, WindowRule::Total),
        budget("year", 100_000, calendar(CalendarUnit::Year)),
        budget("hour", 100_000, hour),
    ]
}

/// The job, the doubt and the call that was under way end, and a new call is made.
async fn go_on(ledger: &Ledger) {
    let job = ledger.job(&"job-a".into()).unwrap();
    assert!(job.open && job.hold.get() == 3);
    let why = "it found nothing".to_owned();
    ledger.end_job(&"job-a".into(), Ending::Released { why });
    for hold in ["5", "7"] {
        let resolution = Resolution {
            decision: Decision::Settle(micros(25)),
            who: "ann".into(),
            reason: "seen in the bill".into(),
        };
        ledger
            .resolve(hold.parse().unwrap(), resolution)
            .await
            .unwrap();
    }
    settle(ledger.hold(request("growth", 40)).await.unwrap(), 30);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_ledger_of_every_schema_is_opened_and_goes_on() {
    let always = (Timestamp::MIN, Timestamp::MAX);
    // 60 − 10 + 450 settled; the job, the doubt and the call under way held; 1000 granted to one.
    let stands = [(500, 900, 1_000), (500, 900, 0), (500, 900, 0)];
    let later = [(580, 0, 1_000), (580, 0, 0), (580, 0, 0)];
    // How many rows of the account, and changes.
    for (version, kept) in [(1, (0, 0)), (2, (4, 0)), (3, (4, 2)), (4, (4, 3))] {
        let place = of_version(version);
        let old = open_reader(&place.path()).unwrap();
        assert_sound(&*old);
        let statuses = old.budget_statuses(&budgets(), at(THEN)).unwrap();
        assert_eq!(settled_and_held(&statuses), stands, "schema {version}");
        let before = old.entries(0, 99).unwrap();
        let spent = old.spend(always.0, always.1).unwrap();
        drop(old);

        let ledger = place.open(with_budgets(budgets()), &Clock::manual(at(THEN)));
        let statuses = ledger.budgets().await.unwrap();
        assert_eq!(settled_and_held(&statuses), stands, "schema {version}");
        go_on(&ledger).await;

        let reader = place.reader();
        assert_sound(&*reader);
        assert_eq!(reader.entries(0, before.len()).unwrap(), before);
        assert_eq!(reader.open_holds().unwrap(), []);
        let statuses = reader.budget_statuses(&budgets(), at(THEN)).unwrap();
        assert_eq!(settled_and_held(&statuses), later, "schema {version}");
        let until = at("2025-11-03T10:30:00Z");
        assert_eq!(reader.spend(always.0, until).unwrap(), spent);
        let rows = reader.transactions(always.0, always.1, None, 9).unwrap();
        let changes = reader.changes(always.0, always.1, 0, 9).unwrap();
        assert_eq!((rows.len(), changes.len()), kept);
        let saved = reader.savings(always.0, always.1).unwrap();
        assert_eq!(saved.len(), usize::from(version >= 3));
        assert!(saved.iter().all(|saving| saving.how == SavedBy::Replayed));
    }
}

/// What is told while the ledger is opened for writing.
fn told_of(place: &Place) -> Vec<String> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let hear = HearMigrating::new(move |told| hears.lock().unwrap().push(told.to_string()));
    drop(open_locked_heard(&place.path(), at(THEN), &hear).unwrap());
    let told = told.lock().unwrap();
    told.clone()
}

#[test]
fn whoever_opens_a_ledger_of_an_older_schema_hears_that_it_is_brought_to_a_newer_one() {
    for version in 1..=4 {
        let place = of_version(version);
        let told = told_of(&place);
        let begun = format!("is being brought from schema {version} to 5");
        assert!(told[0].contains(&begun), "{told:?}");
        let done = format!("was brought from schema {version} to 5");
        assert!(told.last().unwrap().contains(&done), "{told:?}");
        assert_eq!(told_of(&place), Vec::<String>::new(), "it is up to date");
    }
    assert_eq!(told_of(&Place::file()), Vec::<String>::new(), "it is new");
}

/// Charges and corrections of 40 months, from the last seconds of 2023 on, of three origins.
const YEARS: &str = "
    WITH RECURSIVE charge (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM charge WHERE n < 4000)
    INSERT INTO sums
    SELECT quarter, quarter + CASE n % 5 WHEN 0 THEN 96 * (n % 61) ELSE 0 END, n % 2, 3, n % 3, n % 4, n - 50
    FROM (SELECT n, 1704067199 / 900 + n * 29 AS quarter FROM charge);";

#[test]
fn the_sums_by_month_of_an_old_ledger_are_those_that_sql_makes() {
    let rows = |place: &Place| {
        let file = Connection::open(place.path()).unwrap();
        let sql = "SELECT * FROM month_sums ORDER BY 1, 2, 3, 4, 5";
        let mut statement = file.prepare(sql).unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            let columns = (0..7).map(|column| row.get::<_, i64>(column));
            columns.collect::<Result<Vec<_>, _>>()
        };
        let rows = statement.query_map([], row).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let (ours, theirs) = (of_version(3), of_version(3));
    for place in [&ours, &theirs] {
        let file = Connection::open(place.path()).unwrap();
        file.execute_batch(YEARS).unwrap();
    }
    drop(SqliteStore::open(&ours.path()).unwrap());
    let file = Connection::open(theirs.path()).unwrap();
    file.execute_batch(STEPS[3].0).unwrap();
    file.execute_batch(include_str!("schemas/month_sums.sql"))
        .unwrap();
    drop(file);
    let (ours, theirs) = (rows(&ours), rows(&theirs));
    assert!(theirs.len() > 400, "{}", theirs.len());
    assert_eq!(ours, theirs);
}
