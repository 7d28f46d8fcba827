//! How the account's list of transactions behaves in a run.

use generect_guard::account::PullSettings;
use generect_guard::simulator::SimulatorSettings;
use generect_guard::simulator::lists::{ListKinds, ListSettings};
use generect_guard::simulator::settings::{JobRows, TransactionGrain};
use jiff::SignedDuration;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// See the module. Times are in milli-seconds.
#[derive(Clone, Debug)]
pub struct AccountList {
    pub delay: i64,
    pub late_percent: u64,
    pub late_by: i64,
    pub pending_for: i64,
    pub ahead: i64,
    pub page_rows: usize,
    pub page_max: usize,
    pub page_shift: usize,
    pub kinds: ListKinds,
    pub grain: TransactionGrain,
    pub job_rows: JobRows,
}

/// How late a row may appear, and how far a row and its call may be apart, by the guard's settings.
pub const ROWS_LATE_SECONDS: i64 = 4;
pub const TOLERANCE_SECONDS: i64 = 8;

impl Default for AccountList {
    fn default() -> Self {
        Self {
            delay: 0,
            late_percent: 0,
            late_by: 0,
            pending_for: 0,
            ahead: 0,
            page_rows: 100,
            page_max: usize::MAX,
            page_shift: 0,
            kinds: ListKinds::Operations,
            grain: TransactionGrain::PerRequest,
            job_rows: JobRows::AtSubmission,
        }
    }
}

impl AccountList {
    pub fn any(random: &mut StdRng) -> Self {
        Self {
            delay: random.random_range(0..1_500),
            late_percent: *[0, 10, 40].choose(random).unwrap(),
            late_by: random.random_range(0..2_000),
            pending_for: *[0, 0, 700, 2_500].choose(random).unwrap(),
            ahead: *[0, 0, 1_500, -2_500].choose(random).unwrap(),
            page_rows: *[12, 40, 100].choose(random).unwrap(),
            page_max: *[10, 25, usize::MAX].choose(random).unwrap(),
            page_shift: random.random_range(0..3),
            kinds: *[
                ListKinds::Operations,
                ListKinds::Operations,
                ListKinds::Operations,
                ListKinds::Scrambled,
                ListKinds::Platform,
            ]
            .choose(random)
            .unwrap(),
            grain: match random.random_range(0..5) {
                0 => TransactionGrain::PerResult,
                _ => TransactionGrain::PerRequest,
            },
            job_rows: match random.random_bool(0.3) {
                true => JobRows::AtEnd,
                false => JobRows::AtSubmission,
            },
        }
    }

    /// Whether a row says what was called, and is all of its charge.
    pub fn is_clear(&self) -> bool {
        self.kinds == ListKinds::Operations && self.grain == TransactionGrain::PerRequest
    }

    /// These settings of the upstream with such a list.
    pub fn of(&self, settings: SimulatorSettings) -> SimulatorSettings {
        let millis = SignedDuration::from_millis;
        SimulatorSettings {
            transaction_delay: millis(self.delay),
            transaction_grain: self.grain,
            job_rows: self.job_rows,
            lists: ListSettings {
                late_percent: self.late_percent,
                late_by: millis(self.late_by),
                pending_for: millis(self.pending_for),
                clock_ahead: millis(self.ahead),
                page_max: self.page_max,
                page_shift: self.page_shift,
                kinds: self.kinds,
                ..ListSettings::default()
            },
            ..settings
        }
    }

    /// How the guard pages through it.
    pub fn pull(&self) -> PullSettings {
        PullSettings {
            page_rows: self.page_rows,
            overlap_rows: self.page_rows.min(self.page_max) / 4,
            pause: std::time::Duration::from_millis(20),
            retry_pause: std::time::Duration::from_millis(200),
            chance: || 500,
            ..PullSettings::default()
        }
    }
}
