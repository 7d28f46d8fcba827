//! One list of checks that every store must pass.

use generect_guard::clock::Clock;
use generect_guard::ledger::store::Spend;
use generect_guard::ledger::{CalendarUnit, EntryKind, Ledger, MemoryStore, WindowRule};
use jiff::{SignedDuration, Timestamp};

use crate::entries::{entry, id, story, told};
use crate::support::{
    NOON, Place, assert_sound, at, budget, calendar, micros, request, settle, with_budgets,
};

#[test]
fn what_was_appended_is_read_back_as_it_was_and_continues() {
    for place in Place::both() {
        let mut store = told(&place);
        let all = story().concat();
        assert_eq!(store.reader().entries(0, 100).unwrap(), all);
        assert_eq!(store.reader().entries(3, 2).unwrap(), all[3..5]);
        let gap = entry(14, EntryKind::Held, 14, 3_000, 3_000, 1);
        store.append(std::slice::from_ref(&gap)).unwrap_err();
        let again = entry(12, EntryKind::Held, 12, 3_000, 3_000, 1);
        store.append(&[again]).unwrap_err();
        let tail = store.reread().unwrap();
        assert_eq!(
            (tail.seq, tail.recorded_at),
            (12, Some(all[11].recorded_at))
        );
        store
            .append(&[entry(13, EntryKind::Held, 13, 3_000, 3_000, 1)])
            .unwrap();
        store.probe().unwrap();
        drop(store);
        assert_eq!(place.reader().tail().unwrap().seq, 13);
        place.assert_sound();
    }
}

#[test]
fn the_stores_agree_on_everything_that_is_read() {
    let (memory, file) = (Place::memory(), Place::file());
    let (one, other) = (told(&memory), told(&file));
    let (one, other) = (one.reader(), other.reader());
    let noon = at(NOON);
    let moments = [
        -100, 0, 1, 2, 450, 900, 901, 1_000, 1_800, 1_801, 2_000, 5_000,
    ]
    .map(|second| noon + SignedDuration::from_secs(second));
    assert_eq!(one.open_holds().unwrap(), other.open_holds().unwrap());
    assert_eq!(one.open_holds().unwrap().len(), 2);
    for from in moments {
        assert_eq!(one.bound(from).unwrap(), other.bound(from).unwrap());
        assert_eq!(
            one.grants(Some(from)).unwrap(),
            other.grants(Some(from)).unwrap()
        );
        assert_eq!(
            one.recorded_seconds(from).unwrap(),
            other.recorded_seconds(from).unwrap()
        );
        for to in moments {
            let page = |after| {
                let pages = [one, other].map(|it| it.entries_recorded(from, to, after, 4).unwrap());
                assert_eq!(pages[0], pages[1], "{from} {to}");
            };
            page(0);
            page(5);
            if from <= to {
                let spent = one.spend(from, to).unwrap();
                assert_eq!(spent, other.spend(from, to).unwrap(), "{from} {to}");
            }
        }
    }
    let quarter = noon.as_second() / 900;
    for from in [None, Some(quarter), Some(quarter + 1)] {
        for together in [false, true] {
            let mut sums = [one, other].map(|it| it.began_sums(from, together).unwrap());
            sums.iter_mut()
                .for_each(|sums| sums.sort_by_key(|sum| sum.origin.clone()));
            assert_eq!(sums[0], sums[1]);
        }
    }
    for hold in 1..13 {
        assert_eq!(
            one.ending_of(id(hold)).unwrap(),
            other.ending_of(id(hold)).unwrap()
        );
    }
}

#[test]
fn the_stores_agree_on_how_budgets_stand() {
    let (memory, file) = (Place::memory(), Place::file());
    let (one, other) = (told(&memory), told(&file));
    let (one, other) = (one.reader(), other.reader());
    let noon = at(NOON);
    let budgets = [
        budget("all", 1_000, WindowRule::Total),
        budget("day", 1_000, calendar(CalendarUnit::Day)),
        budget(
            "hour",
            1_000,
            WindowRule::Rolling(SignedDuration::from_hours(1)),
        ),
        budget(
            "days",
            1_000,
            WindowRule::Rolling(SignedDuration::from_hours(72)),
        ),
    ];
    let now = noon + SignedDuration::from_secs(2_500);
    let statuses = one.budget_statuses(&budgets, now).unwrap();
    assert_eq!(statuses, other.budget_statuses(&budgets, now).unwrap());
    for status in &statuses {
        assert_eq!(
            (status.settled, status.held),
            (micros(300), micros(205)),
            "{}",
            status.id
        );
        assert_eq!(status.in_doubt, micros(0));
    }
    assert_eq!(
        statuses[0].granted,
        micros(77),
        "a grant raises the headroom"
    );
    assert_eq!(statuses[0].headroom(), micros(572));
}

#[test]
fn a_correction_alters_the_sum_and_not_the_count() {
    let place = Place::file();
    let store = told(&place);
    let spend = store
        .reader()
        .spend(Timestamp::MIN, Timestamp::MAX)
        .unwrap();
    let calls = spend.iter().map(|one: &Spend| one.calls).sum::<u64>();
    let settled = spend.iter().map(|one| one.settled.micros()).sum::<i64>();
    assert_eq!((calls, settled), (2, 300));
}

#[tokio::test]
async fn open_holds_are_found_whatever_the_mark_has_passed() {
    let place = Place::file();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(Vec::new()), &clock);
    let old = ledger.hold(request("growth", 5)).await.unwrap();
    let bound = ledger.hold(request("growth", 6)).await.unwrap();
    let bound_id = bound.id();
    bound.bind_job("job-1".into()).await.unwrap();
    let ended = ledger.hold(request("growth", 7)).await.unwrap();
    let ended_id = ended.id();
    pass_a_mark(&ledger).await;
    let derived = place.reader().derived().unwrap();
    assert!(
        derived.mark > 3 && derived.marked.len() >= 3,
        "{:?}",
        derived.marked
    );
    old.doubt("the line was cut");
    settle(ended, 3);
    let late = ledger.hold(request("growth", 8)).await.unwrap();
    let open = place.reader().open_holds().unwrap();
    let quotes = open
        .iter()
        .map(|open| open.quote.micros())
        .collect::<Vec<_>>();
    assert_eq!(quotes, [5, 6, 8]);
    assert!(open[0].doubted_at.is_some());
    assert_eq!(
        (open[1].hold, open[1].job.clone()),
        (bound_id, Some("job-1".into()))
    );
    late.release("a test");
    pass_a_mark(&ledger).await;
    let marked = place.reader().derived().unwrap().marked;
    let holds = marked.iter().map(|marked| marked.hold).collect::<Vec<_>>();
    assert!(holds.starts_with(&[open[0].hold, bound_id]), "{marked:?}");
    assert!(!holds.contains(&ended_id), "what has ended leaves the list");
    ledger.close().await.unwrap();
    place.assert_sound();
}

/// Six thousand entries: more than lie between two marks.
async fn pass_a_mark(ledger: &Ledger) {
    for _ in 0..50 {
        let mut holds = Vec::new();
        for _ in 0..60 {
            let ledger = ledger.clone();
            holds.push(tokio::spawn(async move {
                ledger.hold(request("sales", 1)).await
            }));
        }
        for hold in holds {
            settle(hold.await.unwrap().unwrap(), 1);
        }
    }
}

#[test]
fn an_empty_ledger_is_sound() {
    for place in Place::both() {
        assert_sound(place.store().reader());
    }
    assert_sound(&MemoryStore::new());
}
