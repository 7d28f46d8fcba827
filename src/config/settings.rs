//! The compiled configuration: checked, complete, in the types of the parts it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::alerts::Alert;
use crate::catalogue::{Catalogue, Class, Prices, Unbounded};
use crate::config::Complaint;
use crate::credits::Credits;
use crate::identity::{AccountView, Key, Priority, Secret, Team};
use crate::ids::{KeyId, OperationName, TeamId};
use crate::ledger::{AccountRule, Budget, Filter, Mode};
use crate::logging::LoggingSettings;
use crate::transaction::TransactionSource;

/// A path of this length or more may be a secret.
const SECRET_PATH_BYTES: usize = 20;

/// Everything the guard is told from outside. Only [`load`](crate::config::load()) makes one.
#[derive(Clone, Debug)]
pub struct Config {
    /// The side that clients see.
    pub server: Server,
    /// The account's API.
    pub upstream: Upstream,
    /// How many calls may be in flight, and wait.
    pub slots: Slots,
    /// The books.
    pub ledger: LedgerFile,
    /// How the account's balance is read and trusted.
    pub account: Account,
    /// How the books are held against the account's own list.
    pub reconciliation: Reconciliation,
    /// How many paid answers wait for clients that left before they had them.
    pub kept_answers: KeptAnswers,
    /// How the guard speaks about itself.
    pub logging: LoggingSettings,
    /// What the upstream does.
    pub catalogue: Arc<Catalogue>,
    /// What it takes for it, as long as the account's own prices are not known.
    pub prices: Prices,
    /// Who pays.
    pub teams: Vec<TeamSettings>,
    /// Their keys; no two digests are the same.
    pub clients: Vec<Key>,
    /// The limits.
    pub budgets: Vec<Budget>,
    /// What low balances do to which priorities.
    pub floors: Vec<Floor>,
    /// How often calls may begin.
    pub rates: Vec<Rate>,
    /// What people want to be told of. Without their webhooks where no secrets were fetched.
    pub alerts: Vec<Alert>,
    /// What a person should look at, though the guard starts with it.
    pub warnings: Vec<Complaint>,
}

impl Config {
    /// The balance under which a priority's billable calls are refused, if there is such a floor.
    pub fn refuse_floor(&self, priority: Priority) -> Option<Credits> {
        let refuses = |floor: &&Floor| floor.refuses() && floor.mode == Mode::Enforce;
        let mut floors = self.floors.iter().filter(refuses);
        let found = floors.find(|floor| floor.priority == priority);
        found.map(|floor| floor.below)
    }

    /// What no log line may show: the account's token, and the addresses of webhooks, whole and
    /// as the part after the host, where that is long enough to be a secret and not a word.
    pub fn unloggable(&self) -> Vec<&str> {
        let mut texts = vec![self.upstream.token.expose()];
        let webhooks = self
            .alerts
            .iter()
            .filter_map(|alert| alert.webhook.as_ref());
        for webhook in webhooks {
            let url = webhook.url.expose();
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            texts.push(url);
            texts.extend((path.len() >= SECRET_PATH_BYTES).then_some(path));
        }
        texts
    }

    /// The operations that the API takes as bulk jobs.
    pub fn job_operations(&self) -> BTreeSet<OperationName> {
        let operations = self.catalogue.operations();
        let jobs = operations.filter(|operation| operation.class == Class::Submit);
        jobs.map(|operation| operation.name.clone()).collect()
    }
}

/// The part of the configuration that is about the books: enough to read them, without a token.
#[derive(Clone, Debug)]
pub struct Books {
    /// Where they are.
    pub ledger: LedgerFile,
    /// The limits.
    pub budgets: Vec<Budget>,
    /// Who pays.
    pub teams: Vec<TeamSettings>,
    /// Their keys.
    pub keys: Vec<KeyId>,
    /// What the upstream does.
    pub catalogue: Arc<Catalogue>,
    /// What it takes for it, as long as the account's own prices are not known.
    pub prices: Prices,
    /// The account's list that the books are held against; `None`: none.
    pub source: Option<TransactionSource>,
}

impl Books {
    /// What people call each team.
    pub fn team_names(&self) -> BTreeMap<TeamId, String> {
        let names = self.teams.iter();
        names
            .map(|settings| (settings.team.id.clone(), settings.name.clone()))
            .collect()
    }
}

/// The listeners and their bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where clients call.
    pub listen: SocketAddr,
    /// Where health and metrics are read.
    pub admin_listen: SocketAddr,
    /// Headers a request may have.
    pub header_count_max: usize,
    /// Bytes a request's head may have.
    pub header_bytes_max: usize,
    /// How long a client may take to send a request's head.
    pub header_read_timeout: Duration,
    /// Bytes a request's body may have.
    pub body_bytes_max: usize,
    /// How long a request's body may take to arrive.
    pub body_read_timeout: Duration,
    /// Bytes of all bodies and answers kept in memory at one time.
    pub kept_bytes_max: usize,
    /// Answers up to this many bytes are kept whole, so that the charge can stand in a header.
    pub answer_bytes_kept: usize,
    /// How long a client may leave an answer unread before it is cut off.
    pub stalled_client_timeout: Duration,
    /// Connections open at one time.
    pub connections_max: usize,
    /// Of these, connections of one source: an IPv4 address, or the /64 of an IPv6 address.
    pub connections_per_source_max: usize,
    /// Calls with an unknown key from one source that are answered 401 and written down.
    pub unknown_keys_per_second: NonZeroU32,
    /// How many of them may come at once.
    pub unknown_keys_burst: NonZeroU32,
    /// How long running calls may take to end after the guard was told to stop.
    pub drain_timeout: Duration,
}

impl Server {
    /// What one call may keep in memory, in bytes: its body and the beginning of its answer.
    pub fn one_call_bytes(&self) -> usize {
        self.body_bytes_max.saturating_add(self.answer_bytes_kept)
    }
}

/// The account's API and how it is called.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Scheme, host and port, without a path.
    pub base_url: http::Uri,
    /// The account's token, without the word `Token`.
    pub token: Secret,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long an exchange may take, to the last byte of the answer.
    pub response_timeout: Duration,
    /// More certificates to trust, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The proxy that calls leave through. Hidden, because its address may hold a password.
    pub proxy: Option<Secret>,
    /// How long an idle connection is kept.
    pub pool_idle_timeout: Duration,
    /// Idle connections kept.
    pub idle_connections_max: usize,
    /// How often a call that was not sent is tried again.
    pub retry: Retry,
    /// When calls are no longer tried for a while.
    pub breaker: Breaker,
}

/// A call that was certainly not sent is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all.
    pub tries: NonZeroU32,
    /// Before the second; doubles from try to try.
    pub pause: Duration,
}

/// After `failures` failed billable calls `within` a time, such calls are refused for a `pause`, and
/// until a free call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// How many calls must fail.
    pub failures: NonZeroU32,
    /// Within which time.
    pub within: Duration,
    /// For how long calls are then refused, at first.
    pub pause: Duration,
    /// The longest the pause grows to.
    pub pause_max: Duration,
}

/// How many calls may be in flight, and wait for their turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Calls that may wait at a time.
    pub queue_max: usize,
    /// How long a call may wait.
    pub wait_max: Duration,
    /// Calls in flight, for every family of operations in the catalogue.
    pub caps: BTreeMap<Arc<str>, u32>,
}

/// Where the books are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerFile {
    /// The file. Relative paths start where the process was started.
    pub path: PathBuf,
    /// How long a repeat of a call in doubt is held back.
    pub repeat_window: SignedDuration,
}

/// How often a call may begin: one per `period`, `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time between two calls. Never zero.
    pub period: Duration,
    /// How many may begin at once.
    pub burst: NonZeroU32,
}

/// What a low balance does to one priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Under this balance.
    pub below: Credits,
    /// To teams of this priority.
    pub priority: Priority,
    /// This happens.
    pub action: FloorAction,
    /// Or is only said to happen.
    pub mode: Mode,
}

impl Floor {
    /// Whether calls under it are refused, and not slowed.
    pub fn refuses(&self) -> bool {
        self.action == FloorAction::Refuse
    }
}

/// What happens under a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorAction {
    /// Billable calls are refused.
    Refuse,
    /// Billable calls of each such team begin no faster than this.
    SlowTo(Pace),
}

/// How often calls of a filter may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Which calls.
    pub filter: Filter,
    /// How often.
    pub pace: Pace,
    /// Whether what comes sooner is refused.
    pub mode: Mode,
}

/// A team and what is set for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamSettings {
    /// The team itself.
    pub team: Arc<Team>,
    /// What people call it; the id where nothing is said.
    pub name: String,
    /// What becomes of its searches that say no limit.
    pub unbounded: Unbounded,
    /// What it sees where the account's pages show every team together.
    pub account_view: AccountView,
    /// How many percent of a budget must be used before its realtime calls are sent to the database;
    /// `None`: they never are.
    pub database_beyond: Option<u32>,
}

/// How the account's balance is read and trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The time between two readings.
    pub poll_interval: Duration,
    /// How readings become a limit.
    pub rule: AccountRule,
    /// From a bulk job's submission to the guard's first poll of it.
    pub job_poll_interval: Duration,
}

/// How the books are held against the account's own list of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// The time between two runs.
    pub interval: Duration,
    /// Which list is read; `None`: none, and nothing is reconciled.
    pub source: Option<TransactionSource>,
    /// How far the account's clock and ours, and a row's time and its call's, may be apart.
    pub tolerance: SignedDuration,
    /// How late a row may appear; until then its absence says nothing.
    pub rows_late: SignedDuration,
    /// How far each run reads back beyond the one before.
    pub overlap: SignedDuration,
    /// What one unit of the list is in the account's credits.
    pub factor: Credits,
}

/// How many paid answers wait, in memory, for clients that left before they had them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptAnswers {
    /// Answers at most. Zero: none.
    pub number_max: usize,
    /// Bytes of all of them at most.
    pub bytes_max: usize,
    /// How long each waits.
    pub keep: SignedDuration,
    /// How long each waits whose client gave its call an idempotency key.
    pub idempotency_keep: SignedDuration,
}
