//! Doubts of several teams, and one row that any of them could own.

use generect_guard::ledger::EntryKind;

use crate::support::{Books, LONG_ENOUGH};

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
