//! What memory a list that stays empty takes: hardly any, for a hundred thousand charges.

use generect_guard::credits::Credits;
use generect_guard::ledger::store::Store;
use generect_guard::ledger::{Entry, EntryKind, FindingKind, Note, NoteKind, SqliteStore};
use jiff::{SignedDuration, Timestamp};

use crate::list::SEARCH;
use crate::support::{Books, LONG_ENOUGH};

const CHARGES: i64 = 100_000;
/// Beside what the process had before: pages of entries, one step of findings; 32 MiB are the database's cache.
const KIB_MAX: u64 = 48 * 1024;

/// The most memory this process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

fn entry(seq: i64, hold: i64, kind: EntryKind, at: Timestamp) -> Entry {
    let charge = "0.02";
    Entry {
        seq,
        kind,
        hold: hold.to_string().parse().unwrap(),
        began_at: at,
        recorded_at: at,
        team: "growth".into(),
        key: "growth-key".into(),
        operation: SEARCH.into(),
        amount: Credits::from_micros(20_000),
        job: None,
        budget: None,
        fingerprint: None,
        evidence: (kind == EntryKind::Settled).then(|| Note {
            kind: NoteKind::Stated,
            text: charge.to_owned(),
        }),
    }
}

/// Puts calls into the ledger, a thousand a second, as a guard that had them would have.
fn make_calls(books: &Books, calls: i64) {
    let mut store = SqliteStore::open(&books.path()).unwrap();
    let begin = books.clock.now();
    let first = store.reader().tail().unwrap().seq;
    let calls: Vec<_> = (0..calls).collect();
    for some in calls.chunks(5_000) {
        let entries = some.iter().flat_map(|call| {
            let at = begin + SignedDuration::from_millis(*call);
            let hold = first + 2 * call + 1;
            [
                entry(hold, hold, EntryKind::Held, at),
                entry(hold + 1, hold, EntryKind::Settled, at),
            ]
        });
        store.append(&entries.collect::<Vec<_>>()).unwrap();
    }
}

/// The first runs see charges whose rows may still come, the last find that they have none.
#[tokio::test(flavor = "multi_thread")]
async fn charges_of_a_list_that_stays_empty_take_hardly_any_memory() {
    let mut books = Books::keeping(1_000).await;
    books
        .restart_after(|books| make_calls(books, CHARGES))
        .await;
    let before = peak_kib();
    books.pass(SignedDuration::from_secs(100));
    let mut found = 0;
    for span in [0, 30, LONG_ENOUGH.as_secs(), 60] {
        books.pass(SignedDuration::from_secs(span));
        let summary = books.run().await;
        found += summary
            .findings
            .get(&FindingKind::OursOnly)
            .map_or(0, |sum| sum.0);
        let taken = peak_kib() - before;
        println!("{found} found, {taken} KiB at most");
        assert!(taken < KIB_MAX, "{taken} KiB after {found} were found");
    }
    assert_eq!(found, usize::try_from(CHARGES).unwrap());
    books.restart().await;
    books.run().await;
    let taken = peak_kib() - before;
    assert!(taken < KIB_MAX, "{taken} KiB after a restart");
}
