//! Records and decisions on their way through the one writer, also when the disk says no.

use generect_guard::clock::Clock;
use generect_guard::ledger::{
    Decision, Entry, EntryKind, LedgerError, MatchedBy, Record, ResolveError, StoreError,
};

use crate::failing::{Fault, failing, until_writable};
use crate::support::{
    NOON, Place, at, evidence, matched, micros, no, note, one_budget, request, row, row_id, settle,
    with_budgets,
};

fn rows(numbers: std::ops::Range<i64>) -> Vec<Record> {
    numbers
        .map(|number| Record::Transaction(row(&format!("row-{number:05}"), number, 1)))
        .collect()
}

fn rows_kept(place: &Place) -> i64 {
    place.reader().check_records().unwrap().transactions
}

#[tokio::test]
async fn records_are_on_disk_when_keep_returns_however_many() {
    for place in Place::both() {
        let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
        let hold = ledger.hold(request("growth", 5)).await.unwrap();
        let mut records = rows(0..1_000);
        records.push(matched("row-00999", hold.id(), MatchedBy::Charge));
        records.push(note("read_until", "noon"));
        ledger.keep(records).await.unwrap();
        ledger.keep(Vec::new()).await.unwrap();
        let reader = place.reader();
        assert_eq!(
            reader
                .open_transactions(jiff::Timestamp::MIN)
                .unwrap()
                .len(),
            999
        );
        assert_eq!(reader.matches_of(hold.id()).unwrap().len(), 1);
        assert_eq!(reader.note("read_until").unwrap().unwrap(), "noon");
        settle(hold, 1);
        ledger.close().await.unwrap();
        let closed = ledger.keep(rows(0..1)).await.unwrap_err();
        assert!(matches!(closed, LedgerError::Closed), "{closed:?}");
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_kept_stops_what_comes_after_it_and_disturbs_no_call() {
    let place = Place::file();
    let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
    let mut records = rows(0..600);
    records.push(matched("unknown", "1".parse().unwrap(), MatchedBy::Charge));
    records.extend(rows(600..2_000));
    records.push(note("read_until", "noon"));
    let error = ledger.keep(records).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::Store(StoreError::NotKept(_))),
        "{error:?}"
    );
    let kept = rows_kept(&place);
    assert!((1..=600).contains(&kept), "whole parts of it: {kept}");
    assert_eq!(place.reader().note("read_until").unwrap(), None);
    assert!(ledger.writable());
    settle(ledger.hold(request("growth", 5)).await.unwrap(), 5);
    ledger.close().await.unwrap();
    place.assert_sound();
}

#[tokio::test]
async fn what_belongs_together_is_kept_all_or_none_however_much_it_is() {
    for place in Place::both() {
        let ledger = place.open(one_budget(), &Clock::manual(at(NOON)));
        let mut records = rows(0..1_000);
        records.push(matched("unknown", "1".parse().unwrap(), MatchedBy::Charge));
        ledger.keep_together(records).await.unwrap_err();
        assert_eq!(rows_kept(&place), 0);
        ledger.keep_together(rows(0..1_000)).await.unwrap();
        assert_eq!(rows_kept(&place), 1_000);
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_while_a_backlog_is_kept() {
    let place = Place::file();
    let ledger = place.open(with_budgets(Vec::new()), &Clock::manual(at(NOON)));
    let keepers = [0..3_000, 2_000..5_000].map(|numbers| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.keep(rows(numbers)).await })
    });
    let callers = (0..8).map(|_| {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                settle(ledger.hold(request("growth", 1)).await.unwrap(), 1);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    for keeper in keepers {
        keeper.await.unwrap().unwrap();
    }
    ledger.close().await.unwrap();
    assert_eq!(rows_kept(&place), 5_000);
    assert_eq!(place.reader().tail().unwrap().seq, 1_600);
    place.assert_sound();
}

#[tokio::test]
async fn records_that_the_disk_refuses_are_an_error_and_no_reason_to_refuse_calls() {
    for place in Place::both() {
        let (ledger, faults) = failing(&place, one_budget());
        let hold = ledger.hold(request("growth", 5)).await.unwrap();
        *faults.keep.lock().unwrap() = Fault::BeforeLanding;
        let error = ledger.keep(rows(0..300)).await.unwrap_err();
        assert!(error.to_string().contains("disk full"), "{error}");
        assert_eq!(rows_kept(&place), 0);
        assert!(ledger.writable());
        settle(hold, 5);
        settle(ledger.hold(request("growth", 5)).await.unwrap(), 5);
        // Kept, and its answer lost: keeping it again does no harm.
        *faults.keep.lock().unwrap() = Fault::AfterLanding;
        ledger.keep(rows(0..300)).await.unwrap_err();
        *faults.keep.lock().unwrap() = Fault::None;
        ledger.keep(rows(0..300)).await.unwrap();
        assert_eq!(rows_kept(&place), 300);
        ledger.close().await.unwrap();
        assert_eq!(place.reader().tail().unwrap().seq, 4);
        place.assert_sound();
    }
}

#[tokio::test]
async fn a_disk_that_can_neither_keep_nor_be_read_is_one_that_fails() {
    for place in Place::both() {
        let (ledger, faults) = failing(&place, one_budget());
        let hold = ledger.hold(request("growth", 5)).await.unwrap();
        *faults.keep.lock().unwrap() = Fault::BeforeLanding;
        faults.set(Fault::BeforeLanding, true);
        ledger.keep(rows(0..1)).await.unwrap_err();
        settle(hold, 5);
        let refused = ledger.hold(request("growth", 5)).await.unwrap_err();
        assert_eq!(no(&refused), "unavailable");
        let error = ledger.keep(rows(0..1)).await.unwrap_err();
        assert!(matches!(error, LedgerError::Store(_)), "{error:?}");
        // An end that is known and not written is neither open nor in the store.
        match ledger.open_calls().await {
            Ok(calls) => assert_eq!(calls.len(), 1),
            Err(error) => assert!(matches!(error, LedgerError::Store(_)), "{error:?}"),
        }
        *faults.keep.lock().unwrap() = Fault::None;
        faults.set(Fault::None, false);
        until_writable(&ledger).await;
        ledger.keep(rows(0..1)).await.unwrap();
        ledger.close().await.unwrap();
        assert_eq!(place.reader().tail().unwrap().seq, 2);
        assert!(place.reader().transaction(&row_id("row-00000")).is_ok());
        place.assert_sound();
    }
}

#[tokio::test]
async fn decisions_that_a_failing_disk_took_are_written_once_when_it_can_be() {
    for blind in [false, true] {
        for fault in [Fault::BeforeLanding, Fault::AfterLanding] {
            for place in Place::both() {
                let (ledger, faults) = failing(&place, one_budget());
                let [settled, doubted] = settled_and_doubted(&ledger, &place).await;
                faults.set(fault, blind);
                let decide = {
                    let ledger = ledger.clone();
                    let decision = Decision::Settle(micros(7));
                    tokio::spawn(async move {
                        ledger
                            .decide(doubted.hold, decision, evidence("v1:b"))
                            .await
                    })
                };
                let correct = {
                    let (ledger, settled) = (ledger.clone(), settled.clone());
                    tokio::spawn(async move {
                        ledger.correct(settled, micros(-10), evidence("v1:a")).await
                    })
                };
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                faults.set(Fault::None, false);
                until_writable(&ledger).await;
                let told = [correct.await.unwrap(), decide.await.unwrap()];
                ledger.close().await.unwrap();
                let reader = place.reader();
                let written = reader.entries(4, 10).unwrap();
                let mut answered = 0;
                for one in told {
                    match one {
                        Ok(entry) => {
                            answered += 1;
                            assert!(written.contains(&entry), "{entry:?} {written:#?}");
                        }
                        // Asked while it was failing already: not taken, and not written.
                        Err(ResolveError::Ledger(LedgerError::Store(_))) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                assert_eq!(written.len(), answered, "{written:#?}");
                assert!(answered > 0, "the first was taken");
                place.assert_sound();
            }
        }
    }
}

/// Two holds of 100: one settled at 60, one in doubt; both on disk, as entries 1 to 4.
async fn settled_and_doubted(ledger: &generect_guard::ledger::Ledger, place: &Place) -> [Entry; 2] {
    let first = ledger.hold(request("growth", 100)).await.unwrap();
    let second = ledger.hold(request("growth", 100)).await.unwrap();
    settle(first, 60);
    second.doubt("the line was cut");
    ledger.keep(vec![note("a test's", "step")]).await.unwrap();
    let entries = place.reader().entries(2, 2).unwrap();
    let kinds = entries.iter().map(|entry| entry.kind).collect::<Vec<_>>();
    assert_eq!(kinds, [EntryKind::Settled, EntryKind::Doubted]);
    entries.try_into().unwrap()
}
