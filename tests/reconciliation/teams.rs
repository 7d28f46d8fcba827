//! Doubts of several teams, and one row that any of them could own.

use generect_guard::ledger::{EntryKind, FindingKind, Hold};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Books, LONG_ENOUGH, credits, settle};

/// So long after a moment.
fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at + SignedDuration::from_secs(seconds)
}

/// Another doubt comes an hour after one, and only the first has waited a day then.
async fn a_day_after_the_first(books: &mut Books, second: Hold) {
    books.pass(SignedDuration::from_hours(1));
    second.doubt("a test");
    books.written().await;
    books.run().await;
    books.pass(SignedDuration::from_mins(23 * 60 + 30));
}

/// The first is decided, and then the other, perhaps by the next process.
async fn one_after_the_other(books: &mut Books, restarts: bool) {
    for _ in 0..2 {
        books.run().await;
        if restarts {
            books.restart().await;
        }
    }
}

async fn doubts_of(books: &Books, teams: [&str; 2]) {
    for team in teams {
        books.hold_of(team, "0.04").await.doubt("a test");
    }
    books.written().await;
}

/// Whose budget it would move is not known, so it moves none; of one team it does not matter which.
#[tokio::test]
async fn a_row_that_doubts_of_two_teams_could_own_decides_neither() {
    for (teams, expected) in [
        (["growth", "research"], vec![]),
        (
            ["growth", "growth"],
            vec![EntryKind::Settled, EntryKind::Released],
        ),
    ] {
        let mut books = Books::new().await;
        books.show().await;
        let shown = books.endings().len();
        doubts_of(&books, teams).await;
        books.list.took("txn_1", books.clock.now(), "0.04");
        books.pass(LONG_ENOUGH);
        books.run().await;
        let mut ended = books.endings().split_off(shown);
        ended.sort_by_key(|(_, kind, _)| *kind as u8);
        let mut expected = expected;
        expected.sort_by_key(|kind| *kind as u8);
        let kinds: Vec<_> = ended.into_iter().map(|(_, kind, _)| kind).collect();
        assert_eq!(kinds, expected, "doubts of {teams:?}");
        books.assert_sound();
    }
}

/// The first has waited a day and gets the row; the other's day is over later. What the list does not have for
/// that one any more is no proof that it took nothing.
#[tokio::test]
async fn a_doubt_whose_row_was_perhaps_given_to_another_is_not_released_without_a_word() {
    for (took, restarts) in [("0.04", false), ("0.04", true), ("0.05", false)] {
        let mut books = Books::new().await;
        books.show().await;
        let first = books.hold_of("growth", "0.05").await;
        let second = books.hold_of("research", "0.04").await;
        first.doubt("a test");
        // Once this is answered, that is on disk.
        books.ledger.set_budgets(Vec::new()).await.unwrap();
        books.list.took("txn_1", books.clock.now(), took);
        a_day_after_the_first(&mut books, second).await;
        one_after_the_other(&mut books, restarts).await;
        let (_, how, _) = books.endings().pop().unwrap();
        assert_eq!(how, EntryKind::Released);
        let found = books.open_findings();
        let kinds: Vec<_> = found.iter().map(|(kind, ..)| *kind).collect();
        // What is more than it can have taken is not its own.
        let expected = if took == "0.04" { 2 } else { 0 };
        assert_eq!(kinds, vec![FindingKind::Allocated; expected], "{found:?}");
        assert_eq!(
            books.accounted(),
            credits("1").saturating_add(credits(took))
        );
        books.assert_sound();
    }
}

/// The one that has waited a day cannot have the row that may be the other's: but a charge between the two can have
/// either's. Without such a charge the other one took nothing.
#[tokio::test]
async fn a_doubt_that_may_have_lost_its_row_by_an_exchange_is_not_released_without_a_word() {
    for (charge, restarts) in [("0.04", false), ("0.04", true), ("0.02", false)] {
        let mut books = Books::new().await;
        books.show().await;
        let began_at = books.clock.now();
        let early = books.hold_of("research", "0.04").await;
        books.pass(SignedDuration::from_mins(4));
        let between = books.hold_of("growth", charge).await;
        books.pass(SignedDuration::from_mins(2));
        let late = books.hold_of("growth", "0.05").await;
        books.pass(SignedDuration::from_mins(3));
        settle(between, charge);
        books.list.took("txn_1", after(began_at, 270), charge);
        books.list.took("txn_2", after(began_at, 480), "0.04");
        late.doubt("a test");
        // Once this is answered, that is on disk.
        books.ledger.set_budgets(Vec::new()).await.unwrap();
        a_day_after_the_first(&mut books, early).await;
        one_after_the_other(&mut books, restarts).await;
        let ended: Vec<_> = books.endings().into_iter().map(|(_, how, _)| how).collect();
        let (settled, released) = (EntryKind::Settled, EntryKind::Released);
        assert_eq!(ended, [settled, released, settled, settled]);
        let found = books.open_findings();
        let kinds: Vec<_> = found.iter().map(|(kind, ..)| *kind).collect();
        let expected = if charge == "0.04" { 2 } else { 0 };
        assert_eq!(kinds, vec![FindingKind::Allocated; expected], "{found:?}");
        let took = credits("1.04").saturating_add(credits(charge));
        assert_eq!(books.accounted(), took);
        books.assert_sound();
    }
}

/// Nobody knows which of two rows is whose. The first that has waited a day gets the nearest; that the other one gets
/// what is left is no more certain, wherever the process dies between the two.
#[tokio::test]
async fn a_doubt_that_gets_what_nearness_left_is_found_too() {
    for dies in [false, true] {
        let mut books = Books::new().await;
        books.show().await;
        let first = books.hold_of("growth", "0.08").await;
        let second = books.hold_of("research", "0.08").await;
        first.doubt("a test");
        books.ledger.set_budgets(Vec::new()).await.unwrap();
        books.list.took("txn_1", books.clock.now(), "0.04");
        books
            .list
            .took("txn_2", after(books.clock.now(), 9), "0.06");
        a_day_after_the_first(&mut books, second).await;
        books.run().await;
        if dies {
            assert!(books.dies_after(0).await);
            books.restart().await;
        }
        books.run().await;
        let ended: Vec<_> = books.endings().into_iter().map(|(.., sum)| sum).collect();
        assert_eq!(ended, ["1", "0.04", "0.06"]);
        let found = books.open_findings();
        let kinds: Vec<_> = found.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [FindingKind::Allocated; 2], "{found:?}");
        assert_eq!(books.accounted(), credits("1.1"));
        books.assert_sound();
    }
}
