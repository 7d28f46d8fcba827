//! The account's clock is not ours.

use generect_guard::ledger::EntryKind;
use jiff::SignedDuration;

use crate::support::{Books, LONG_ENOUGH};

/// The first calls of a ledger, on an account whose clock is minutes behind or ahead: their rows seem to
/// be from before it, or from a time to come.
#[tokio::test]
async fn the_first_rows_are_read_whatever_the_accounts_clock_says() {
    for ahead in [-300, 300] {
        let mut books = Books::new().await;
        books.list.is_ahead_by(ahead);
        books.pass(SignedDuration::from_secs(5));
        books.list.took("txn_1", books.list.now(), "0.04");
        books.call("0.04").await;
        books.pass(SignedDuration::from_secs(60));
        books.list.took("txn_2", books.list.now(), "0.06");
        books.doubt("0.06").await;
        books.pass(LONG_ENOUGH);
        let summary = books.run().await;
        assert_eq!(summary.released, 0, "{ahead}: {summary}");
        let settled = |hold, amount: &str| (hold, EntryKind::Settled, amount.to_owned());
        assert_eq!(books.endings(), [settled(1, "0.04"), settled(3, "0.06")]);
        assert_eq!(books.open_findings(), [], "{ahead}");
        books.assert_sound();
    }
}
