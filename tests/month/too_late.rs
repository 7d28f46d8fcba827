//! A row that comes later than the list is read back for.

use generect_guard::ledger::open_reader;
use generect_guard::simulator::lists::ListSettings;
use generect_guard::simulator::settings::TransactionGrain;
use generect_guard::transaction::TransactionSource;
use jiff::SignedDuration;

use crate::month;
use crate::shape::{Shape, key_id};

/// Only the account's own sums tell that the day has more than its rows: at first they cannot be
/// made to agree, and a day later the row is there.
#[tokio::test]
async fn a_row_that_comes_a_day_late_is_found_by_the_accounts_own_sums() {
    let mut shape = Shape::of(1);
    shape.source = TransactionSource::V1;
    shape.grain = TransactionGrain::PerRequest;
    shape.delay = SignedDuration::ZERO;
    shape.lists = ListSettings {
        late_percent: 100,
        late_by: SignedDuration::from_hours(20),
        ..ListSettings::default()
    };
    let mut month = month::begin(shape).await;
    month.clock.advance(SignedDuration::from_hours(10));
    month.read_account();
    let body = r#"{"job_titles":["matches:4"],"limit_by":4}"#;
    let path = "/api/v1/search/database/leads/";
    let answer = month.world().post_as(&key_id(0), path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    month.all_written().await;
    let ledger = month.world().ledger_path();
    let kept = || {
        let reader = open_reader(&ledger).unwrap();
        let rows = reader.transactions(jiff::Timestamp::MIN, jiff::Timestamp::MAX, None, 10);
        let open = reader.open_transactions(jiff::Timestamp::MIN);
        (rows.unwrap().len(), open.unwrap().len())
    };
    // 10:30, 14:30, a day that is over at 00:45, and its row from 06:00 on.
    for (minutes, rows) in [(30, 0), (240, 0), (615, 0), (600, 0), (840, 1)] {
        month.clock.advance(SignedDuration::from_mins(minutes));
        month.reconcile().await;
        assert_eq!(kept(), (rows, 0), "at {}", month.clock.now());
    }
    month.reconciler = None;
    let _ = month.world.take().unwrap().end().await;
}
