//! A ledger and its archive whose bytes were altered: that is said, or nothing of it is ever read.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use generect_guard::credits::Credits;
use generect_guard::ledger::store::{Reader, open_archive, open_locked, open_reader};
use generect_guard::ledger::{
    Entry, EntryKind, Finding, FindingKind, Match, MatchedBy, Note, NoteKind, Record, SqliteStore,
    Store, archive_span, checked_archive, write_archive,
};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::told::{Told, told};

/// Calls of it, each of seven hours after the one before.
const CALLS: i64 = 120;
const PAGE: usize = 4_096;
const NAMES: [&str; 2] = ["ledger.db", "archive.db"];

/// What the files are, and what they tell.
struct Image {
    files: [Vec<u8>; 2],
    told: [Told; 2],
}

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    write(folder.path());
    let told = seen(folder.path()).unwrap_or_else(|said| panic!("{said}"));
    let files = NAMES.map(|name| fs::read(folder.path().join(name)).unwrap());
    Image { files, told }
});

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for call in 0..CALLS {
        let began_at = at("2026-01-05T00:00:00Z") + SignedDuration::from_hours(7 * call);
        let hold = entries.len() + 1;
        let entry = |seq: usize, kind, note: Option<NoteKind>| Entry {
            seq: i64::try_from(seq).unwrap(),
            kind,
            hold: hold.to_string().parse().unwrap(),
            began_at,
            recorded_at: began_at,
            team: ["growth", "sales"][seq / 5 % 2].into(),
            key: "crm".into(),
            operation: "email_find".into(),
            amount: Credits::from_micros(1_000 * call + 1),
            job: None,
            budget: None,
            fingerprint: None,
            evidence: note.map(|kind| Note {
                kind,
                text: "0".into(),
            }),
        };
        entries.push(entry(hold, EntryKind::Held, None));
        let (kind, note) = match call % 6 {
            0 => (EntryKind::Released, NoteKind::Reason),
            // Only the newest stay open: the others are archived.
            1 if call > 100 => (EntryKind::Doubted, NoteKind::Reason),
            _ => (EntryKind::Settled, NoteKind::Stated),
        };
        let mut end = entry(hold + 1, kind, Some(note));
        end.team.clone_from(&entries[hold - 1].team);
        entries.push(end);
    }
    entries
}

/// Rows of the account beside them, one of which belongs to a hold.
fn records(hold: &Entry) -> Vec<Record> {
    let id = |name: &str| TransactionId {
        source: TransactionSource::V1,
        id: name.into(),
    };
    let row = |name: &str| {
        Record::Transaction(Transaction {
            id: id(name),
            at: hold.began_at,
            kind: "email_find".into(),
            amount: hold.amount,
            status: TransactionStatus::Success,
        })
    };
    let matched = Record::Matched(Match {
        transaction: id("one"),
        hold: hold.hold,
        how: MatchedBy::Charge,
    });
    let found = Record::Found(Finding {
        name: "late".into(),
        kind: FindingKind::Late,
        found_at: at("2026-02-09T00:00:00Z"),
        at: hold.began_at,
        operation: None,
        team: None,
        drift: Credits::from_micros(1),
        hold: None,
        transaction: Some(id("two")),
        detail: "late".into(),
    });
    vec![row("one"), row("two"), matched, found]
}

/// Two months, the first of which is archived.
fn write(folder: &Path) {
    let [path, archive] = NAMES.map(|name| folder.join(name));
    let now = at("2026-03-01T00:00:00Z");
    let mut store = SqliteStore::open(&path).unwrap();
    let entries = entries();
    store.append(&entries).unwrap();
    store.keep(&records(&entries[4])).unwrap();
    let span = archive_span(store.reader(), at("2026-02-01T00:00:00Z"), now).unwrap();
    write_archive(store.reader(), &span, &archive, &mut |_, _| {}).unwrap();
    let archived = checked_archive(store.reader(), &archive, now, &mut |_, _| {}).unwrap();
    store.archive(&archived).unwrap();
    while store.clear_archived(50).unwrap() > 0 {}
}

/// How a start, `verify` and whoever reads see it: what was said, or what is read.
fn seen(folder: &Path) -> Result<[Told; 2], String> {
    let [path, archive] = NAMES.map(|name| folder.join(name));
    let now = at("2026-03-01T00:00:00Z");
    let said = |error: &dyn std::fmt::Display| error.to_string();
    drop(open_locked(&path, now).map_err(|error| said(&error))?);
    let reader = open_reader(&path).map_err(|error| said(&error))?;
    let known = reader.archives().map_err(|error| said(&error))?;
    let (archive, span) = open_archive(&archive).map_err(|error| said(&error))?;
    // As the command finds it.
    if known.iter().map(|one| &one.span).ne([&span]) {
        return Err("another archive".into());
    }
    let archives: Vec<Box<dyn Reader>> = vec![archive];
    let report = reader.verify_with(&archives, &mut |_, _| {});
    let report = report.map_err(|error| said(&error))?;
    if !report.is_sound() {
        return Err(report.mismatches.join("\n"));
    }
    let told = |reader: &dyn Reader| told(reader).map_err(|error| said(&error));
    Ok([told(&*reader)?, told(&*archives[0])?])
}

/// Alters the byte that four bytes name: its page, its place there, and how.
fn alter(files: &mut [Vec<u8>; 2], change: [u8; 4]) {
    let [page, high, low, bits] = change;
    let pages = files.iter().map(|file| file.len() / PAGE).sum::<usize>();
    let mut page = usize::from(page) % pages;
    let place = usize::from(u16::from_be_bytes([high, low])) % PAGE;
    let own = files[0].len() / PAGE;
    let file = usize::from(page >= own);
    page -= own * file;
    files[file][page * PAGE + place] ^= bits;
}

pub fn run(input: &[u8]) {
    let image = &*IMAGE;
    let mut files = image.files.clone();
    let (changes, _) = input.as_chunks::<4>();
    for change in changes.iter().take(64) {
        alter(&mut files, *change);
    }
    let folder = TempDir::new().unwrap();
    for (name, file) in NAMES.iter().zip(&files) {
        fs::write(folder.path().join(name), file).unwrap();
    }
    match seen(folder.path()) {
        Ok(told) => assert_eq!(told, image.told, "used as if nothing were wrong"),
        Err(said) => {
            assert!(!said.is_empty());
            assert!(files != image.files, "it is as it was: {said}");
        }
    }
}
