//! How the pretend account behaves: everything the documents leave open is a setting.

use std::time::Duration;

use jiff::SignedDuration;

use super::lists::ListSettings;
use super::prices::Prices;
use crate::clock::Clock;
use crate::credits::Credits;

/// The live token of [`SimulatorSettings::default`]: bare hex, as live keys are.
pub const LIVE_TOKEN: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";
/// The test token of [`SimulatorSettings::default`].
pub const TEST_TOKEN: &str = "test_5eed5eed5eed5eed5eed5eed5eed5eed";

/// Settings of a pretend Generect. Change them while it runs with
/// [`Simulator::change`](super::Simulator::change).
#[derive(Clone, Debug)]
pub struct SimulatorSettings {
    /// Tokens that authenticate. One that begins with `test_` is in test mode.
    pub tokens: Vec<String>,
    /// What the account has at the start. Later changes are ignored; see
    /// [`Simulator::top_up`](super::Simulator::top_up).
    pub balance: Credits,
    /// Unit prices.
    pub prices: Prices,
    /// What `accounts/me` shows while money is set aside for calls in flight (dossier 7, no. 17).
    pub balance_shown: BalanceShown,
    /// Whether `accounts/me` writes the balance as a text instead of a number.
    pub balance_as_text: bool,
    /// How a call that the balance does not cover is refused.
    pub funds_status: FundsStatus,
    /// Whether answers of capped operations carry `X-RateLimit-*` (dossier 1.2: sources disagree).
    pub rate_limit_headers: bool,
    /// Whether calls over the documented parallel caps get a 429.
    pub parallel_caps: bool,
    /// Answers with rows are filled up to at least this many bytes.
    pub answer_bytes_min: usize,
    /// Time between acceptance (money set aside) and settlement of every priced call, until there is a hurry.
    pub latency: Duration,
    /// What the `amount` of legacy answers counts.
    pub legacy_amounts: LegacyAmounts,
    /// How many transaction rows one call writes.
    pub transaction_grain: TransactionGrain,
    /// How long a transaction row stays unseen after it is written.
    pub transaction_delay: SignedDuration,
    /// What else the transactions lists do to their rows and readers.
    pub lists: ListSettings,
    /// What the account's page of prices says.
    pub tier_page: TierPage,
    /// How many leads match any search. A body whose `job_titles`, `industries` or `keywords` hold
    /// the text `matches:7` overrides it (and `company_matches`) for one call.
    pub matches: u64,
    /// How many companies match any search.
    pub company_matches: u64,
    /// How many in a hundred lookups (enrich, email, phone, resolve) find something. Which ones
    /// is fixed by `seed` and the looked-up text. Texts with `not-found` in them never do.
    pub hit_percent: u64,
    /// How many in a hundred asked-for sections (`posts`, …) hold data and are billed.
    pub section_hit_percent: u64,
    /// Whether the account may use Preview; otherwise 403.
    pub preview_granted: bool,
    /// Whether Preview is free this month (`preview_tier`).
    pub preview_free: bool,
    /// What a company-leads search bills (dossier 7, no. 11).
    pub company_leads_billing: CompanyLeadsBilling,
    /// Whether a realtime search without any filter is charged one row (dossier 2.1: measured).
    pub empty_realtime_search_is_charged: bool,
    /// Largest and default page of each kind of search.
    pub limits: Limits,
    /// How bulk jobs get on.
    pub job_pace: JobPace,
    /// What a job that ends in `error` is charged.
    pub job_error_charge: JobErrorCharge,
    /// When a job's transaction row is written.
    pub job_rows: JobRows,
    /// Free thin rows a day (dossier 4.4); `None`: the `detail` control is not known.
    pub thin_rows_daily: Option<u64>,
    /// What a POST without the trailing slash gets.
    pub slash_on_post: SlashOnPost,
    /// Whether the header `x-simulator-fault: <name>` makes one call misbehave.
    pub faults_by_header: bool,
    /// Decides hits and job ids.
    pub seed: u64,
    /// The time of charges, transactions and the 24 hours of a job.
    pub clock: Clock,
    /// How much is remembered.
    pub recording: Recording,
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            tokens: vec![LIVE_TOKEN.to_owned(), TEST_TOKEN.to_owned()],
            balance: Credits::from_micros(1_000_000_000),
            prices: Prices::default(),
            balance_shown: BalanceShown::Gross,
            balance_as_text: false,
            funds_status: FundsStatus::PaymentRequired,
            rate_limit_headers: false,
            parallel_caps: false,
            answer_bytes_min: 0,
            latency: Duration::ZERO,
            legacy_amounts: LegacyAmounts::Counts,
            transaction_grain: TransactionGrain::PerRequest,
            transaction_delay: SignedDuration::ZERO,
            lists: ListSettings::default(),
            tier_page: TierPage::Prices,
            matches: 1_240,
            company_matches: 530,
            hit_percent: 100,
            section_hit_percent: 100,
            preview_granted: true,
            preview_free: false,
            company_leads_billing: CompanyLeadsBilling::Both,
            empty_realtime_search_is_charged: true,
            limits: Limits::default(),
            job_pace: JobPace::Polls(2),
            job_error_charge: JobErrorCharge::Nothing,
            job_rows: JobRows::AtSubmission,
            thin_rows_daily: None,
            slash_on_post: SlashOnPost::Redirect,
            faults_by_header: true,
            seed: 1,
            clock: Clock::system(),
            recording: Recording::Everything,
        }
    }
}

impl SimulatorSettings {
    /// For measuring: totals only, a balance no run can empty.
    pub fn for_benchmarks() -> Self {
        Self {
            balance: Credits::from_micros(1_000_000_000_000_000),
            recording: Recording::Totals,
            ..Self::default()
        }
    }
}

/// Whether the shown balance is before or after what is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceShown {
    /// What is set aside is still in it.
    Gross,
    /// What is set aside is already gone from it.
    Net,
}

/// The status of `Insufficient funds in the account.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundsStatus {
    /// 402, as the error page and the SDK say.
    PaymentRequired,
    /// 400, as the API description and older backends say.
    BadRequest,
}

/// The unit of legacy `amount` members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyAmounts {
    /// Billed results: `-10` is ten of them.
    Counts,
    /// The charge itself: `-0.4`.
    Money,
}

/// How many rows of the transactions list one call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionGrain {
    /// One row a call.
    PerRequest,
    /// One row a billed result.
    PerResult,
}

/// What `my-tier` answers. The page is not documented (dossier section 3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TierPage {
    /// The prices in force.
    Prices,
    /// 404.
    Absent,
    /// 403.
    Forbidden,
    /// This JSON in place of the map of prices.
    Says(String),
}

/// What a company-leads search bills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompanyLeadsBilling {
    /// The companies that matched and the leads that came back.
    Both,
    /// The leads only.
    LeadsOnly,
}

/// How a bulk job gets from `pending` to `completed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobPace {
    /// Every poll is a step; this many polls complete it (`1`: the first poll sees it completed).
    Polls(u32),
    /// Completes this long after it was submitted, looked at or not.
    After(SignedDuration),
    /// Only when a test says so.
    ByHand,
}

/// What is charged for a job that ends in `error` (dossier 7, no. 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobErrorCharge {
    /// All is given back.
    Nothing,
    /// The first half of the items stays charged.
    Half,
}

/// When the transaction row of a bulk job is written (dossier 7, no. 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobRows {
    /// With its submission, pending until its end.
    AtSubmission,
    /// With its end, dated then.
    AtEnd,
}

/// The answer to a POST whose path lacks the trailing slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlashOnPost {
    /// 301, which clients follow with a GET.
    Redirect,
    /// 500: the framework's debugging refusal to lose the body.
    ServerError,
}

/// How much of what happened is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Requests with headers and bodies, charges, transactions.
    Everything,
    /// Counters and sums, so that a long measurement does not fill the memory.
    Totals,
}

/// One page limit: what an explicit `limit_by` may be, and what an absent one means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Largest accepted value; above it the call is a 400.
    pub maximum: u64,
    /// Rows when the body does not say.
    pub absent: u64,
}

impl Limit {
    const fn same(maximum: u64) -> Self {
        Self {
            maximum,
            absent: maximum,
        }
    }
}

/// Page limits of each kind of search (dossier 2.1, 2.2, 2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lead searches, also inside company-leads.
    pub leads: Limit,
    /// Lead searches anchored to a company; the documents name no maximum.
    pub anchored_leads: Limit,
    /// Company searches, also inside company-leads.
    pub companies: Limit,
    /// Preview: a full page is 100 rows when nothing is said where it is read.
    pub preview: Limit,
    /// Legacy leads by ICP.
    pub legacy_leads: Limit,
    /// Legacy companies by ICP.
    pub legacy_companies: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            leads: Limit::same(2_400),
            anchored_leads: Limit::same(2_400),
            companies: Limit::same(1_600),
            preview: Limit {
                maximum: 2_400,
                absent: 100,
            },
            legacy_leads: Limit::same(2_500),
            legacy_companies: Limit::same(1_600),
        }
    }
}
