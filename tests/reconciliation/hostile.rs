//! Lists that no honest account has.

use generect_guard::ledger::EntryKind;
use jiff::SignedDuration;

use crate::support::{Books, LONG_ENOUGH, credits};

/// The id of one row holds that of another: what it decides must not move the other's.
#[tokio::test]
async fn an_id_with_a_space_in_it_decides_nothing_of_another_row() {
    let mut books = Books::new().await;
    books.list.took("txn_1", books.clock.now(), "7");
    books.doubt("0.04").await;
    books.list.took("txn_0 v1:txn_1", books.clock.now(), "0.04");
    books.pass(SignedDuration::from_secs(30));
    for _ in 0..3 {
        let summary = books.run().await;
        assert_eq!(summary.settled.0, 0, "{summary}");
        books.restart().await;
    }
    let found = books.open_findings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].1, "theirs_only:v1:txn_1");
    books.pass(LONG_ENOUGH);
    let summary = books.run().await;
    assert_eq!(summary.released, 0, "what cannot be read may be its row");
    assert_eq!(books.settled_and_drift(), (credits("0"), credits("7")));
    books.assert_sound();
    assert!(
        books
            .endings()
            .iter()
            .all(|(_, kind, _)| *kind == EntryKind::Settled)
    );
}
