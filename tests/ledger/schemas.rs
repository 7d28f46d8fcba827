//! A ledger of every schema there ever was, from its text: it is read as it is, brought up to date by its
//! next writer, agrees with itself, and goes on.

use generect_guard::clock::Clock;
use generect_guard::ledger::{
    BudgetStatus, CalendarUnit, Decision, Resolution, SavedBy, WindowRule, open_reader,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::support::{
    Place, assert_sound, at, budget, calendar, micros, request, settle, with_budgets,
};

/// Each step of the schema, and what ledgers had in what it brought.
const STEPS: [(&str, &str); 3] = [
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
];
/// Some minutes after the last entry.
const THEN: &str = "2025-11-03T10:40:00Z";

/// A file of schema `version`, 1 to 3, as a guard of that time left it.
fn of_version(version: usize) -> Place {
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

#[tokio::test]
async fn a_ledger_of_every_schema_is_opened_and_goes_on() {
    let budgets = vec![
        budget("all", 100_000, WindowRule::Total),
        budget("year", 100_000, calendar(CalendarUnit::Year)),
        budget(
            "hour",
            100_000,
            WindowRule::Rolling(SignedDuration::from_hours(1)),
        ),
    ];
    // 60 − 10 + 450 settled; the job, the doubt and the call under way held; 1000 granted to one.
    let stands = vec![(500, 900, 1_000), (500, 900, 0), (500, 900, 0)];
    for version in 1..=3 {
        let place = of_version(version);
        let old = open_reader(&place.path()).unwrap();
        assert_sound(&*old);
        let statuses = old.budget_statuses(&budgets, at(THEN)).unwrap();
        assert_eq!(
            settled_and_held(&statuses),
            stands,
            "schema {version}, as it is"
        );
        let before = old.entries(0, 99).unwrap();
        let spent = old.spend(Timestamp::MIN, Timestamp::MAX).unwrap();
        drop(old);

        let clock = Clock::manual(at(THEN));
        let ledger = place.open(with_budgets(budgets.clone()), &clock);
        let statuses = ledger.budgets().await.unwrap();
        assert_eq!(
            settled_and_held(&statuses),
            stands,
            "schema {version}, brought up to date"
        );
        let job = ledger.job(&"job-a".into()).unwrap();
        assert!(job.open && job.hold.get() == 3);
        ledger.end_job(
            &"job-a".into(),
            generect_guard::ledger::Ending::Released {
                why: "it found nothing".into(),
            },
        );
        for hold in [5, 7] {
            let resolution = Resolution {
                decision: Decision::Settle(micros(25)),
                who: "ann".into(),
                reason: "seen in the bill".into(),
            };
            let hold = hold.to_string().parse().unwrap();
            ledger.resolve(hold, resolution).await.unwrap();
        }
        settle(ledger.hold(request("growth", 40)).await.unwrap(), 30);
        ledger.close().await.unwrap();

        let reader = place.reader();
        assert_sound(&*reader);
        assert_eq!(reader.entries(0, before.len()).unwrap(), before);
        assert_eq!(reader.open_holds().unwrap(), []);
        let statuses = reader.budget_statuses(&budgets, at(THEN)).unwrap();
        assert_eq!(
            settled_and_held(&statuses),
            [(580, 0, 1_000), (580, 0, 0), (580, 0, 0)]
        );
        let until = at("2025-11-03T10:30:00Z");
        assert_eq!(reader.spend(Timestamp::MIN, until).unwrap(), spent);
        let always = (Timestamp::MIN, Timestamp::MAX);
        let rows = reader
            .transactions(always.0, always.1, None, 9)
            .unwrap()
            .len();
        let changes = reader.changes(always.0, always.1, 0, 9).unwrap().len();
        let saved = reader.savings(always.0, always.1).unwrap();
        assert_eq!(
            (rows, changes),
            if version == 1 {
                (0, 0)
            } else if version == 2 {
                (4, 0)
            } else {
                (4, 2)
            }
        );
        assert!(
            saved
                .iter()
                .all(|saving| saving.how == SavedBy::Replayed && saving.calls == 3)
        );
    }
}
