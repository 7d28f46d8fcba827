//! What people changed and what was saved: kept beside the entries, by every store.

use generect_guard::ledger::{Change, ChangeKind, KeptChange, Reader, Record, SavedBy, Saving};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::support::{NOON, Place, at, micros};

fn change(second: i64, what: ChangeKind, about: &str) -> Change {
    let at = at(NOON) + SignedDuration::from_secs(second);
    Change {
        name: Change::name_of(at, what, about),
        at,
        who: "ann (uid 1000)".into(),
        what,
        about: about.into(),
        detail: "50 credits".into(),
        reason: "the campaign is on".into(),
    }
}

fn changes(reader: &dyn Reader) -> Vec<KeptChange> {
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    reader.changes(from, to, 0, usize::MAX).unwrap()
}

#[test]
fn changes_stand_in_the_order_they_were_made_each_once_and_unaltered() {
    for place in Place::both() {
        let mut store = place.store();
        let granted = change(5, ChangeKind::Granted, "budget growth-month");
        // A clock that was set back in between alters no order.
        let paused = change(3, ChangeKind::Paused, "team growth");
        let resumed = change(9, ChangeKind::Resumed, "team growth");
        store.keep(&[Record::Changed(granted.clone())]).unwrap();
        store.keep(&[Record::Changed(paused.clone())]).unwrap();
        let again = Change {
            reason: "another story".into(),
            ..granted.clone()
        };
        let batch = [again, resumed.clone()].map(Record::Changed);
        store.keep(&batch).unwrap();
        drop(store);
        let kept = changes(&*place.reader());
        let all: Vec<_> = kept.iter().map(|kept| kept.change.clone()).collect();
        assert_eq!(all, [granted, paused, resumed]);
        let numbers: Vec<_> = kept.iter().map(|kept| kept.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let part = |from, to, after, limit| -> Vec<i64> {
            let moment = |second| at(NOON) + SignedDuration::from_secs(second);
            let reader = place.reader();
            let found = reader.changes(moment(from), moment(to), after, limit);
            found.unwrap().iter().map(|kept| kept.number).collect()
        };
        assert_eq!(part(3, 9, 0, 10), [1, 2], "the last moment is not in it");
        assert_eq!(part(0, 100, 1, 1), [2], "one after the first");
        place.assert_sound();
    }
}

#[test]
fn a_sum_of_what_was_saved_is_replaced_by_a_later_one_of_its_day_team_operation_and_reason() {
    for place in Place::both() {
        let mut store = place.store();
        let saving = |day: &str, team: &str, how, calls, credits| Saving {
            day: at(day),
            team: team.into(),
            operation: "search_leads".into(),
            how,
            calls,
            credits: micros(credits),
        };
        let (today, tomorrow) = ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z");
        let first = [
            saving(today, "sales", SavedBy::Replayed, 1, 40),
            saving(today, "growth", SavedBy::Joined, 1, 7),
            saving(today, "growth", SavedBy::Replayed, 1, 40),
        ];
        store.keep(&first.map(Record::Saved)).unwrap();
        let later = [
            saving(today, "growth", SavedBy::Replayed, 3, 120),
            saving(tomorrow, "growth", SavedBy::Replayed, 1, 40),
        ];
        store.keep(&later.clone().map(Record::Saved)).unwrap();
        drop(store);
        let read = |from: &str| place.reader().savings(at(from), Timestamp::MAX).unwrap();
        let [today_sum, tomorrow_sum] = later;
        assert_eq!(read(tomorrow), std::slice::from_ref(&tomorrow_sum));
        assert_eq!(
            read(today),
            [
                today_sum,
                saving(today, "growth", SavedBy::Joined, 1, 7),
                saving(today, "sales", SavedBy::Replayed, 1, 40),
                tomorrow_sum,
            ]
        );
        place.assert_sound();
    }
}

#[test]
fn anybody_can_read_changes_and_savings_with_sql() {
    let place = Place::file();
    let saving = Saving {
        day: at("2026-03-10T00:00:00Z"),
        team: "growth".into(),
        operation: "search_leads".into(),
        how: SavedBy::Database,
        calls: 2,
        credits: micros(1_250_000),
    };
    let changed = change(5, ChangeKind::Granted, "budget growth-month");
    let records = [Record::Changed(changed), Record::Saved(saving)];
    place.store().keep(&records).unwrap();
    let connection = Connection::open(place.path()).unwrap();
    let line = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(
        line(
            "SELECT at || ' ' || who || ' ' || what || ' ' || about || ': ' || reason FROM changed"
        ),
        "2026-03-10T12:00:05.000000Z ann (uid 1000) granted budget growth-month: the campaign is on"
    );
    assert_eq!(
        line(
            "SELECT day || ' ' || team || ' ' || operation || ' ' || how || ' ' || credits FROM saved"
        ),
        "2026-03-10 growth search_leads database 1.250000"
    );
}
