//! What happens between two looks of one run.

use std::sync::{Arc, Mutex};

use generect_guard::ledger::{EntryKind, Hold, OpenReader, open_reader};
use jiff::SignedDuration;
use tokio::runtime::Handle;

use crate::support::{Books, LONG_ENOUGH, settle};

/// Two calls alike, one in doubt and one in flight, and one row. If the one in flight is settled just
/// when the entries have been read, the row must not be taken for the doubt's.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_while_the_books_are_read_keeps_its_row() {
    let mut books = Books::new().await;
    let live: Arc<Mutex<Option<Hold>>> = Arc::default();
    let (path, ledger) = (books.path(), books.ledger.clone());
    let copy = books.folder.path().join("as-it-was.db");
    let to_end = Arc::clone(&live);
    books.reconcile_by(OpenReader::new(move || {
        let Some(hold) = to_end.lock().unwrap().take() else {
            return open_reader(&path);
        };
        // A reader that looks just before the call ends.
        open_reader(&path)
            .unwrap()
            .backup(&copy, &mut |_, _| {})
            .unwrap();
        settle(hold, "0.04");
        Handle::current().block_on(async {
            while ledger.open_calls().await.unwrap().len() > 1 {
                tokio::task::yield_now().await;
            }
        });
        open_reader(&copy)
    }));
    books.reconciler.begin().await.unwrap();
    books.doubt("0.04").await;
    let hold = books.hold("0.04").await;
    books.list.took("txn_1", books.clock.now(), "0.04");
    books.pass(SignedDuration::from_secs(30));
    *live.lock().unwrap() = Some(hold);

    let summary = books.run().await;
    assert_eq!(summary.undecided, 1, "{summary}");
    books.pass(LONG_ENOUGH);
    books.run().await;
    assert_eq!(
        books.endings(),
        [
            (1, EntryKind::Released, "0.04".to_owned()),
            (3, EntryKind::Settled, "0.04".to_owned()),
        ]
    );
    assert_eq!(books.open_findings(), []);
    books.assert_sound();
}
