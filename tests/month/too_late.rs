//! Rows that come when nobody looks at their time any more.

use generect_guard::ledger::open_reader;
use generect_guard::simulator::lists::ListSettings;
use generect_guard::simulator::settings::TransactionGrain;
use generect_guard::transaction::TransactionSource;
use jiff::{SignedDuration, Timestamp};

use crate::month::{self, Month};
use crate::shape::{Shape, key_id};

/// Only the account's own sums tell that the day has more than its rows: at first they cannot be
/// made to agree, and a day later the row is there.
#[tokio::test]
async fn a_row_that_comes_a_day_late_is_found_by_the_accounts_own_sums() {
    let mut month = month_of(ListSettings {
        late_percent: 100,
        late_by: SignedDuration::from_hours(20),
        ..ListSettings::default()
    })
    .await;
    month.clock.advance(SignedDuration::from_hours(10));
    search(&mut month).await;
    // 10:30, 14:30, a day that is over at 00:45, and its row from 06:00 on.
    for (minutes, rows) in [(30, 0), (240, 0), (615, 0), (600, 0), (840, 1)] {
        month.clock.advance(SignedDuration::from_mins(minutes));
        month.reconcile().await;
        assert_eq!(kept(&month), (rows, 0), "at {}", month.clock.now());
    }
    ends(month).await;
}

/// The account's clock is behind, so that the row is dated before the ledger began, and it is not
/// final when it is read: it must be asked for again by a reconciler that has only the ledger.
#[tokio::test]
async fn a_row_from_before_the_ledger_by_their_clock_is_open_after_a_restart() {
    let mut month = month_of(ListSettings {
        clock_ahead: SignedDuration::from_secs(-200),
        pending_for: SignedDuration::from_hours(3),
        ..ListSettings::default()
    })
    .await;
    month.clock.advance(SignedDuration::from_secs(20));
    search(&mut month).await;
    for hours in [0, 2] {
        month.clock.advance(SignedDuration::from_hours(hours));
        month.reconcile().await;
        assert_eq!(kept(&month), (1, 1));
    }
    month.reconciler = None;
    month.clock.advance(SignedDuration::from_hours(5));
    month.reconcile().await;
    assert_eq!(kept(&month), (1, 0));
    ends(month).await;
}

/// A month in which nothing goes wrong but what the list does.
async fn month_of(lists: ListSettings) -> Month {
    let mut shape = Shape::of(1);
    shape.source = TransactionSource::V1;
    shape.grain = TransactionGrain::PerRequest;
    shape.delay = SignedDuration::ZERO;
    shape.lists = lists;
    month::begin(shape).await
}

async fn search(month: &mut Month) {
    month.read_account();
    let body = r#"{"job_titles":["matches:4"],"limit_by":4}"#;
    let path = "/api/v1/search/database/leads/";
    let answer = month.world().post_as(&key_id(0), path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    month.all_written().await;
}

/// How many rows the ledger has, and how many of them are nobody's.
fn kept(month: &Month) -> (usize, usize) {
    let reader = open_reader(&month.world().ledger_path()).unwrap();
    let rows = reader.transactions(Timestamp::MIN, Timestamp::MAX, None, 10);
    let open = reader.open_transactions(Timestamp::MIN);
    (rows.unwrap().len(), open.unwrap().len())
}

async fn ends(mut month: Month) {
    month.reconciler = None;
    month.world.take().unwrap().end().await;
}
