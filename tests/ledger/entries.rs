//! Entries as the ledger would append them, for tests of what a store makes of them.

use generect_guard::ledger::{Entry, EntryKind, Fingerprint, HoldId, Note, Store};
use jiff::SignedDuration;

use crate::support::{NOON, Place, at, micros};

pub fn id(number: i64) -> HoldId {
    number.to_string().parse().unwrap()
}

/// An entry of a hold that began `began` seconds after noon, recorded `recorded` seconds after it.
pub fn entry(
    seq: i64,
    kind: EntryKind,
    hold: i64,
    began: i64,
    recorded: i64,
    amount: i64,
) -> Entry {
    let noon = at(NOON);
    Entry {
        seq,
        kind,
        hold: id(hold),
        began_at: noon + SignedDuration::from_secs(began),
        recorded_at: noon + SignedDuration::from_secs(recorded),
        team: "growth".into(),
        key: format!("key-{}", hold % 3).into(),
        operation: "search_leads".into(),
        amount: micros(amount),
        job: (kind == EntryKind::Bound).then(|| "job-1".into()),
        budget: None,
        fingerprint: (kind == EntryKind::Held).then_some(Fingerprint(u64::MAX - 3)),
        evidence: (kind != EntryKind::Held).then(|| Note::reason("a test's reason")),
    }
}

/// Two batches over an hour: settled, released, doubted, bound, corrected, granted.
pub fn story() -> [Vec<Entry>; 2] {
    use EntryKind::{Bound, Corrected, Doubted, Granted, Held, Released, Settled};
    let mut grant = entry(12, Granted, 12, 2_000, 2_000, 77);
    grant.budget = Some("all".into());
    (grant.team, grant.key, grant.operation) = ("".into(), "".into(), "".into());
    [
        vec![
            entry(1, Held, 1, 0, 0, 100),
            entry(2, Held, 2, 1, 1, 200),
            entry(3, Held, 3, 1, 1, 300),
            entry(4, Settled, 1, 0, 2, 60),
        ],
        vec![
            entry(5, Held, 5, 899, 899, 400),
            entry(6, Bound, 2, 1, 900, 200),
            entry(7, Doubted, 3, 1, 901, 300),
            entry(8, Released, 5, 899, 901, 400),
            entry(9, Settled, 3, 1, 1_000, 250),
            entry(10, Corrected, 1, 0, 1_801, -10),
            entry(11, Held, 11, 1_900, 1_900, 5),
            grant,
        ],
    ]
}

/// A store to which the story has been told.
pub fn told(place: &Place) -> Box<dyn Store> {
    let mut store = place.store();
    for batch in story() {
        store.append(&batch).unwrap();
    }
    store
}

/// Holds 1 to `holds`, all held.
pub fn with_holds(place: &Place, holds: i64) -> Box<dyn Store> {
    let mut store = place.store();
    let held = |seq| entry(seq, EntryKind::Held, seq, seq, seq, 100);
    store
        .append(&(1..=holds).map(held).collect::<Vec<_>>())
        .unwrap();
    store
}
