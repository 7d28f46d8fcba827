//! The first start on a ledger of an older schema, and what `verify` says of it then.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::commands::Setting;
use crate::number;

/// Each step of the schema.
const STEPS: [&str; 4] = [
    include_str!("../../src/ledger/store/migrations/0001.sql"),
    include_str!("../../src/ledger/store/migrations/0002.sql"),
    include_str!("../../src/ledger/store/migrations/0003.sql"),
    include_str!("../../src/ledger/store/migrations/0004.sql"),
];
const LEDGER_ID: i32 = 0x6747_4C64;

/// `RUNS` times: each start needs a ledger that nobody has started on.
pub(crate) fn show(place: &Path, schema: usize) {
    let folder = place.with_extension(format!("schema-{schema}"));
    for _ in 0..number("RUNS", 3) {
        fs::create_dir_all(&folder).unwrap();
        copied(
            &place.join("ledger.db"),
            &folder.join("ledger.db"),
            &STEPS[..schema],
        );
        let setting = Setting::of(&folder);
        setting.serve();
        setting.run("verify", &["verify"]);
        setting.end();
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// A ledger that has met those steps, with what the one at `from` has of what they made.
fn copied(from: &Path, to: &Path, steps: &[&str]) {
    let file = Connection::open(to).unwrap();
    let quick = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF";
    file.execute_batch(quick).unwrap();
    for step in steps {
        file.execute_batch(step).unwrap();
    }
    file.execute("ATTACH ?1 AS newer", [from.to_str().unwrap()])
        .unwrap();
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name <> 'facts'";
    for table in names(&file, sql) {
        let sql = format!("INSERT INTO main.{table} SELECT * FROM newer.{table}");
        file.execute_batch(&sql).unwrap();
    }
    let facts = "UPDATE main.facts SET value = \
         (SELECT value FROM newer.facts WHERE newer.facts.name = main.facts.name)";
    file.execute_batch(facts).unwrap();
    file.execute_batch("DETACH newer; PRAGMA journal_mode = WAL")
        .unwrap();
    file.pragma_update(None, "application_id", LEDGER_ID)
        .unwrap();
    let version = i64::try_from(steps.len()).unwrap();
    file.pragma_update(None, "user_version", version).unwrap();
    drop(file);
    fs::File::open(to).unwrap().sync_all().unwrap();
}

fn names(file: &Connection, sql: &str) -> Vec<String> {
    let mut statement = file.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}
