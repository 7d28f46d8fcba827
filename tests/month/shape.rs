//! What a month is like: everything that the vendor leaves open, and how unlucky it is.

use generect_guard::reconciliation::CHARGES_KEPT;
use generect_guard::simulator::SimulatorSettings;
use generect_guard::simulator::lists::{ListKinds, ListSettings};
use generect_guard::simulator::settings::{
    BalanceShown, FundsStatus, JobErrorCharge, JobPace, JobRows, TransactionGrain,
};
use generect_guard::transaction::TransactionSource;
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::support::{Plan, credits};

/// How late a row may be, as the settings say and the simulator keeps to.
pub const ROWS_LATE: SignedDuration = SignedDuration::from_mins(40);
/// How far each reading of the list goes back.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(60);
/// How far a row's time and its call's may be apart.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(10);
/// How long a call may take.
pub const CALL_LASTS: SignedDuration = SignedDuration::from_secs(20);

/// See the module.
#[derive(Clone, Debug)]
pub struct Shape {
    pub seed: u64,
    /// Teams, each with a key, a budget and a priority of its own.
    pub teams: usize,
    pub grain: TransactionGrain,
    pub balance_shown: BalanceShown,
    pub funds_status: FundsStatus,
    pub job_error_charge: JobErrorCharge,
    pub lists: ListSettings,
    /// How late every row is.
    pub delay: SignedDuration,
    /// How many in a hundred calls go wrong.
    pub faults: u32,
    /// Whether others use the account, or get money back.
    pub others: bool,
    /// Whether people decide doubts.
    pub people: bool,
    /// How many in a hundred steps hold the books against the list.
    pub reconciled: u32,
    /// Which list is read.
    pub source: TransactionSource,
    /// When a job's row is written.
    pub job_rows: JobRows,
}

impl Shape {
    /// How many charges without a row are kept in memory: none in every other month, so that each is read
    /// again from the ledger.
    pub fn charges_kept(&self) -> usize {
        if self.seed.is_multiple_of(2) {
            0
        } else {
            CHARGES_KEPT
        }
    }

    /// The month of a seed.
    pub fn of(seed: u64) -> Self {
        let random = &mut StdRng::seed_from_u64(seed);
        let grains = [TransactionGrain::PerRequest, TransactionGrain::PerResult];
        let kinds = [
            ListKinds::Operations,
            ListKinds::Operations,
            ListKinds::Platform,
            ListKinds::Scrambled,
        ];
        let minutes = |random: &mut StdRng, most: i64| {
            let late = random.random_bool(0.5);
            SignedDuration::from_secs(if late {
                random.random_range(0..=most * 60)
            } else {
                0
            })
        };
        let mut shape = Self {
            seed,
            teams: random.random_range(2..=6),
            grain: *grains.choose(random).unwrap(),
            balance_shown: *[BalanceShown::Gross, BalanceShown::Net]
                .choose(random)
                .unwrap(),
            funds_status: *[FundsStatus::PaymentRequired, FundsStatus::BadRequest]
                .choose(random)
                .unwrap(),
            job_error_charge: *[JobErrorCharge::Nothing, JobErrorCharge::Half]
                .choose(random)
                .unwrap(),
            lists: ListSettings {
                late_percent: random.random_range(0..40),
                late_by: minutes(random, 20),
                pending_for: minutes(random, 10),
                clock_ahead: SignedDuration::from_secs(
                    *[0, 0, 90, 400, -200].choose(random).unwrap(),
                ),
                page_max: *[100, 30].choose(random).unwrap(),
                page_shift: *[0, 0, 1, 3].choose(random).unwrap(),
                filters_read: random.random_bool(0.8),
                kinds: *kinds.choose(random).unwrap(),
            },
            delay: minutes(random, 8),
            faults: random.random_range(2..25),
            others: random.random_bool(0.7),
            people: random.random_bool(0.3),
            reconciled: random.random_range(10..60),
            source: TransactionSource::V1,
            job_rows: JobRows::AtSubmission,
        };
        if random.random_bool(0.3) {
            shape.source = TransactionSource::Legacy;
        }
        if random.random_bool(0.4) {
            shape.job_rows = JobRows::AtEnd;
        }
        if random.random_bool(0.3) {
            // Later than rows are said to be, but not so late that the overlap does not show them.
            shape.lists.late_percent = random.random_range(1..15);
            shape.lists.late_by = SignedDuration::from_mins(random.random_range(33..46));
        }
        shape
    }

    /// Whether the list names what a row is for.
    pub fn names_kinds(&self) -> bool {
        self.source == TransactionSource::V1 && self.lists.kinds == ListKinds::Operations
    }

    /// The simulator's settings.
    pub fn simulator(&self, settings: &mut SimulatorSettings) {
        settings.balance = credits("40");
        settings.balance_shown = self.balance_shown;
        settings.funds_status = self.funds_status;
        settings.transaction_grain = self.grain;
        settings.transaction_delay = self.delay;
        settings.lists = self.lists.clone();
        settings.job_error_charge = self.job_error_charge;
        settings.job_rows = self.job_rows;
        settings.job_pace = JobPace::ByHand;
        settings.hit_percent = 80;
        settings.seed = self.seed;
    }

    /// The guard's settings, without a clock.
    pub fn plan(&self) -> Plan {
        let balance_is = match self.balance_shown {
            BalanceShown::Gross => "gross",
            BalanceShown::Net => "net",
        };
        let mut plan = Plan::default()
            .set("account", "poll_interval = \"1h\"")
            .set("account", "job_poll_interval = \"1h\"")
            .set("account", "stale_after = \"2h\"")
            .set("account", &format!("balance_is = \"{balance_is}\""))
            .set("reconciliation", "source = \"none\"")
            .budget("company", "limit = 10000\nper = \"month\"")
            .budget(
                "searches",
                "operations = [\"search_*\"]\nlimit = 8\nper = { rolling = \"24h\" }",
            )
            // Outages are part of the month; the breaker has tests of its own.
            .toml("[upstream.breaker]\nfailures = 10000");
        for team in 0..self.teams {
            let priority = priority(team);
            plan = plan
                .team(&team_id(team), &format!("priority = \"{priority}\""))
                .key(&key_id(team), &team_id(team), "")
                .budget(
                    &format!("{}-day", team_id(team)),
                    &format!("team = \"{}\"\nlimit = 6\nper = \"day\"", team_id(team)),
                );
        }
        for priority in ["low", "normal", "high"] {
            let below = floor(priority);
            plan = plan.toml(&format!(
                "[[floor]]\npriority = \"{priority}\"\nbelow = {below}\naction = \"refuse\""
            ));
        }
        plan.simulator(|settings| self.simulator(settings))
    }
}

/// A team's name.
pub fn team_id(team: usize) -> String {
    format!("team-{team}")
}

/// The name of its key.
pub fn key_id(team: usize) -> String {
    format!("key-{team}")
}

/// Its priority.
pub fn priority(team: usize) -> &'static str {
    ["normal", "low", "high"][team % 3]
}

/// Under this balance a priority is refused.
pub fn floor(priority: &str) -> &'static str {
    match priority {
        "low" => "12",
        "normal" => "6",
        _ => "2",
    }
}
