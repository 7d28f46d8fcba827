//! What the transactions lists show of the rows, and how badly.
//!
//! The rows themselves are the truth and never change here. A list shows them late, as pending for
//! a while, under other names, by a clock that is ahead, in pages that overlap, or all of them
//! whatever was asked: everything a reader of the real lists must expect (dossier section 3.3).

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::settings::SimulatorSettings;
use super::transactions::{Row, RowStatus};
use super::{hashed, mixed};

/// How the transactions lists behave.
#[derive(Clone, Debug)]
pub struct ListSettings {
    /// How many rows in a hundred come `late_by` later than all others; `seed` decides which.
    pub late_percent: u64,
    /// How much later those come.
    pub late_by: SignedDuration,
    /// How long after its end a row is still shown as pending, with all that was set aside.
    pub pending_for: SignedDuration,
    /// How far the upstream's clock is ahead: rows are shown at its time, and its `Date` says it.
    pub clock_ahead: SignedDuration,
    /// The longest page, whatever is asked for.
    pub page_max: usize,
    /// Every page but the first begins so many rows too early, as if rows had been added meanwhile.
    pub page_shift: usize,
    /// Whether the filters of a query are looked at at all.
    pub filters_read: bool,
    /// What `type` says.
    pub kinds: ListKinds,
}

/// The words of the `type` of v1 rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKinds {
    /// The operation's name, as far as it is documented.
    Operations,
    /// `platform` for everything.
    Platform,
    /// A word for each operation that nobody could guess; `seed` decides which.
    Scrambled,
}

impl Default for ListSettings {
    fn default() -> Self {
        Self {
            late_percent: 0,
            late_by: SignedDuration::ZERO,
            pending_for: SignedDuration::ZERO,
            clock_ahead: SignedDuration::ZERO,
            page_max: usize::MAX,
            page_shift: 0,
            filters_read: true,
            kinds: ListKinds::Operations,
        }
    }
}

/// The rows as the lists show them at `now`, in order of their writing.
pub(crate) fn shown(rows: Vec<Row>, settings: &SimulatorSettings, now: Timestamp) -> Vec<Row> {
    let mut rows = rows;
    rows.retain(|row| !row.hidden && later(row.created_at, delay_of(row, settings)) <= now);
    for row in &mut rows {
        show(row, settings, now);
    }
    rows
}

fn delay_of(row: &Row, settings: &SimulatorSettings) -> SignedDuration {
    let lists = &settings.lists;
    let dice = mixed(settings.seed ^ mixed(row.number as u64)) % 100;
    let late = if dice < lists.late_percent {
        lists.late_by
    } else {
        SignedDuration::ZERO
    };
    settings.transaction_delay.saturating_add(late)
}

fn show(row: &mut Row, settings: &SimulatorSettings, now: Timestamp) {
    let lists = &settings.lists;
    if row.status != RowStatus::Pending && now < later(row.ended_at, lists.pending_for) {
        row.status = RowStatus::Pending;
        row.amount = row.set_aside;
    }
    row.created_at = later(row.created_at, lists.clock_ahead);
    row.updated_at = later(row.updated_at, lists.clock_ahead);
    row.kind = match lists.kinds {
        ListKinds::Operations => return,
        ListKinds::Platform => Cow::Borrowed("platform"),
        ListKinds::Scrambled => {
            let number = mixed(settings.seed ^ hashed(&row.kind));
            Cow::Owned(format!("kind-{:08x}", number >> 32))
        }
    };
}

fn later(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}
