//! The entries of one team, newest first: the same from every store.

use std::ops::ControlFlow;

use generect_guard::ledger::store::Reader;
use generect_guard::ledger::{Entry, EntryKind};
use jiff::SignedDuration;

use crate::support::{NOON, Place, at, micros};

/// Forty holds of three teams in turn, and a grant, which is nobody's.
fn entries() -> Vec<Entry> {
    let entry = |seq: i64| {
        let moment = at(NOON) + SignedDuration::from_secs(seq);
        Entry {
            seq,
            kind: EntryKind::Held,
            hold: seq.to_string().parse().unwrap(),
            began_at: moment,
            recorded_at: moment,
            team: ["growth", "sales", "lab"][usize::try_from(seq).unwrap() % 3].into(),
            key: "crm".into(),
            operation: "email_find".into(),
            amount: micros(seq),
            job: None,
            budget: None,
            fingerprint: None,
            evidence: None,
        }
    };
    let mut entries: Vec<Entry> = (1..=40).map(entry).collect();
    let grant = &mut entries[20];
    (grant.kind, grant.budget) = (EntryKind::Granted, Some("all".into()));
    (grant.team, grant.key, grant.operation) = ("".into(), "".into(), "".into());
    entries
}

fn of_team(reader: &dyn Reader, team: &str, first: i64, most: usize) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut visit = |entry| {
        found.push(entry);
        if found.len() == most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    reader
        .each_of_team(&team.into(), first, &mut visit)
        .unwrap();
    found
}

#[test]
fn a_teams_entries_come_newest_first_back_to_where_one_looks() {
    for place in Place::both() {
        let mut store = place.store();
        store.append(&entries()).unwrap();
        let reader = place.reader();
        for team in ["growth", "sales", "lab"] {
            for first in [i64::MIN, 1, 17, 40, 41, i64::MAX] {
                for most in [1, 5, 100] {
                    let all = entries().into_iter().rev();
                    let theirs = all.filter(|one| one.team.as_str() == team && one.seq >= first);
                    let expected: Vec<Entry> = theirs.take(most).collect();
                    let found = of_team(&*reader, team, first, most);
                    assert_eq!(found, expected, "{team} {first} {most}");
                }
            }
        }
        assert_eq!(of_team(&*reader, "nobody", 1, 100), []);
        store
            .append(&[Entry {
                seq: 41,
                ..entries()[0].clone()
            }])
            .unwrap();
        assert_eq!(
            of_team(&*reader, "sales", 1, 1)[0].seq,
            41,
            "it sees what is added"
        );
    }
}
