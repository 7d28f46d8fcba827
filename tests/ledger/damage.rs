//! A file that was cut, altered, or put beside another's log: it is noticed and said, or nothing that
//! anybody reads was touched.

use std::fs;
use std::path::{Path, PathBuf};

use generect_guard::clock::Clock;
use generect_guard::ledger::store::open_locked;
use generect_guard::ledger::{FindingKind, Ledger, MatchedBy, Record, Settings, open_reader};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{NOON, Place, at, finding, matched, request, row, settle, with_budgets};
use crate::told::{Told, told};

/// A seed from the environment, or a new one; either way it is printed.
#[expect(clippy::print_stdout, reason = "it repeats a run that failed")]
fn seed() -> u64 {
    let given = std::env::var("DAMAGE_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("DAMAGE_SEED={seed}");
    seed
}

const CALLS: i64 = 400;

/// Calls of some days, with everything that is kept beside them.
async fn story(ledger: &Ledger, clock: &Clock) {
    for number in 0..CALLS {
        let team = if number % 3 == 0 {
            "growth"
        } else {
            "research"
        };
        let hold = ledger.hold(request(team, 5 + number)).await.unwrap();
        let id = hold.id();
        match number % 7 {
            0 => hold.release("the upstream refused it"),
            1 if number > 300 => hold.doubt("the line was cut"),
            _ => settle(hold, number),
        }
        clock.advance(SignedDuration::from_mins(11));
        if number % 20 == 2 {
            let name = format!("row-{number}");
            ledger
                .keep(vec![
                    Record::Transaction(row(&name, number, number)),
                    matched(&name, id, MatchedBy::Charge),
                    Record::Found(finding(&name, FindingKind::Late, Some(&name), 3)),
                ])
                .await
                .unwrap();
        }
    }
}

/// A ledger that was closed, in a file without a log.
async fn closed() -> Place {
    let place = Place::file();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(Vec::new()), &clock);
    story(&ledger, &clock).await;
    ledger.close().await.unwrap();
    drop(ledger);
    // The writer's thread lets go of the file when it has ended.
    while place.path().with_file_name("ledger.db-wal").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    place
}

/// What a guard that is killed leaves: the file, its log, and the index of that, as they are under it.
struct Killed {
    folder: TempDir,
    path: PathBuf,
}

const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn copied(from: &Path) -> Killed {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    for ending in ENDINGS {
        if with(from, ending).exists() {
            fs::copy(with(from, ending), with(&path, ending)).unwrap();
        }
    }
    Killed { folder, path }
}

/// With everything in the log: somebody who reads keeps it from beginning anew.
async fn killed() -> Killed {
    let place = Place::file();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(Vec::new()), &clock);
    let pin = Connection::open(place.path()).unwrap();
    pin.execute_batch("BEGIN; SELECT count(*) FROM entries")
        .unwrap();
    story(&ledger, &clock).await;
    // Nobody awaits the last ending. A copy made meanwhile has an index older than its log, as if the guard
    // were killed before that commit was over: then nothing says that the log had it.
    while place.reader().entries(2 * CALLS - 1, 1).unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let image = copied(&place.path());
    drop(pin);
    ledger.close().await.unwrap();
    image
}

/// How a guard and `verify` see it: what was said, or what is read.
fn seen(path: &Path) -> Result<Told, String> {
    let opened = open_locked(path, at(NOON)).map_err(|error| error.to_string())?;
    drop(opened);
    let reader = open_reader(path).map_err(|error| error.to_string())?;
    let report = reader.verify(&mut |_, _| {});
    let report = report.map_err(|error| format!("{}: {error}", path.display()))?;
    if !report.is_sound() {
        return Err(format!(
            "{}: {}",
            path.display(),
            report.mismatches.join("\n")
        ));
    }
    told(&*reader).map_err(|error| format!("{}: read: {error}", path.display()))
}

/// Damage must be said, with the file's name, or nothing was affected.
fn noticed_or_harmless(image: &Killed, whole: &Told, what: &str) -> bool {
    match seen(&image.path) {
        Err(said) => {
            let folder = image.folder.path().display().to_string();
            assert!(
                said.contains(&folder),
                "{what}: it does not say which file: {said}"
            );
            true
        }
        Ok(told) => {
            assert_eq!(told, *whole, "{what}: used as if nothing were wrong");
            false
        }
    }
}

#[tokio::test]
async fn altered_bytes_are_noticed_or_harmless() {
    let mut random = StdRng::seed_from_u64(seed());
    let place = closed().await;
    let whole = seen(&place.path()).unwrap();
    let bytes = fs::read(place.path()).unwrap();
    let mut noticed = 0;
    for _ in 0..150 {
        let image = copied(&place.path());
        let mut spoiled = bytes.clone();
        let from = random.random_range(0..spoiled.len());
        let length = if random.random_bool(0.5) { 1 } else { 64 };
        for byte in spoiled.iter_mut().skip(from).take(length) {
            *byte ^= random.random_range(1..=255_u8);
        }
        fs::write(&image.path, spoiled).unwrap();
        let what = format!("{length} bytes from {from}");
        noticed += usize::from(noticed_or_harmless(&image, &whole, &what));
    }
    assert!(noticed > 20, "only {noticed} of 150 were noticed");
}

#[tokio::test]
async fn a_file_that_was_cut_is_not_opened() {
    let mut random = StdRng::seed_from_u64(seed());
    let place = closed().await;
    let length = fs::metadata(place.path()).unwrap().len();
    for round in 0..40 {
        let image = copied(&place.path());
        let cut = match round {
            0 => length - 1,
            1 => length - 4_096,
            2 => 1,
            3 => 100,
            4 => 4_096,
            _ => random.random_range(1..length),
        };
        let file = fs::File::options().write(true).open(&image.path).unwrap();
        file.set_len(cut).unwrap();
        drop(file);
        let said = seen(&image.path).unwrap_err();
        assert!(said.contains("ledger.db"), "{said}");
        assert!(
            said.contains("damaged") || said.contains("it was cut"),
            "{cut}: {said}"
        );
        assert!(
            said.contains("restore"),
            "it does not say what to do: {said}"
        );
        let left = fs::metadata(&image.path).unwrap().len();
        assert_eq!(left, cut, "what is left is as it was");
    }
}

#[tokio::test]
async fn a_log_that_was_cut_altered_or_removed_is_noticed_or_harmless() {
    let mut random = StdRng::seed_from_u64(seed());
    let image = killed().await;
    let log = fs::read(with(&image.path, "-wal")).unwrap();
    assert!(
        log.len() > 100_000,
        "the log is too short to be a test: {}",
        log.len()
    );
    let whole = seen(&copied(&image.path).path).unwrap();
    let mut noticed = 0;
    for round in 0..80 {
        let image = copied(&image.path);
        let path = with(&image.path, "-wal");
        let at = random.random_range(0..log.len());
        match round {
            0 => fs::remove_file(&path).unwrap(),
            1 => fs::write(&path, "").unwrap(),
            _ if round % 2 == 0 => fs::write(&path, &log[..at]).unwrap(),
            _ => {
                let mut spoiled = log.clone();
                spoiled[at] ^= random.random_range(1..=255_u8);
                fs::write(&path, spoiled).unwrap();
            }
        }
        let what = format!("round {round}, at {at} of {}", log.len());
        noticed += usize::from(noticed_or_harmless(&image, &whole, &what));
    }
    assert!(noticed > 60, "only {noticed} of 80 were noticed");
}

#[tokio::test]
async fn without_the_index_damage_within_the_log_is_noticed_and_a_torn_end_is_none() {
    let image = killed().await;
    let log = fs::read(with(&image.path, "-wal")).unwrap();
    let frame = 24 + 4_096;
    let frames = (log.len() - 32) / frame;
    let spoiled_at = |frame_number: usize| {
        let image = copied(&image.path);
        fs::remove_file(with(&image.path, "-shm")).unwrap();
        let mut spoiled = log.clone();
        spoiled[32 + frame_number * frame + 1_000] ^= 1;
        fs::write(with(&image.path, "-wal"), spoiled).unwrap();
        seen(&image.path)
    };
    for number in [0, 1, frames / 2, frames - 40] {
        let said = spoiled_at(number).unwrap_err();
        assert!(
            said.contains("-wal") && said.contains("commits behind it are lost"),
            "{said}"
        );
    }
    // A crash of the machine may tear what was written last: that is no damage.
    spoiled_at(frames - 1).unwrap();
}

#[tokio::test]
async fn the_log_of_another_ledger_is_noticed() {
    let image = killed().await;
    let place = closed().await;
    let empty = Place::file();
    drop(empty.store());
    let whole = seen(&copied(&image.path).path).unwrap().entries.len();
    for file in [place.path(), empty.path()] {
        for keeps_index in [false, true] {
            // A backup was copied over the file, and the log of before is still there.
            let other = copied(&image.path);
            fs::copy(&file, &other.path).unwrap();
            if !keeps_index {
                fs::remove_file(with(&other.path, "-shm")).unwrap();
            }
            match seen(&other.path) {
                Err(said) => assert!(said.contains("ledger.db"), "{said}"),
                // All pages that differ are in the log: what is read is what it was.
                Ok(told) => assert_eq!(told.entries.len(), whole),
            }
        }
    }
    let lone = copied(&image.path);
    fs::remove_file(&lone.path).unwrap();
    let said = seen(&lone.path).unwrap_err();
    assert!(said.contains("the file is not"), "{said}");
}

#[tokio::test]
async fn a_ledger_found_damaged_makes_no_holds_and_still_ends_them() {
    let place = Place::file();
    let ledger = place.open(Settings::default(), &Clock::manual(at(NOON)));
    let hold = ledger.hold(request("growth", 5)).await.unwrap();
    assert_eq!(ledger.damage(), None);
    ledger.distrust("entry 7 is missing".into());
    let refused = ledger.hold(request("growth", 5)).await.unwrap_err();
    assert!(
        refused.to_string().contains("entry 7 is missing"),
        "{refused}"
    );
    ledger.consider(request("growth", 5)).await.unwrap_err();
    settle(hold, 4);
    ledger.close().await.unwrap();
    let entries = place.reader().entries(0, 9).unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
}
