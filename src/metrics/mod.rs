//! Every metric name, label name and label value. What keeps them is in `recorder.rs`.
//!
//! A name is declared once, with its kind, its unit and its labels: the doc comment you read here
//! is the text a scrape shows as `# HELP`. Parts record through the `metrics` macros with these
//! constants, for example `metrics::counter!(REQUESTS, TEAM => team, OPERATION => operation,
//! OUTCOME => outcome::SETTLED)`.
//!
//! Labels are the team and the operation, never the key: both come from the configuration and the
//! catalogue, so no caller can make new series.

mod recorder;

use ::metrics::Unit;

use crate::credits::Credits;

pub use recorder::{Exporter, InstallError, install, recorder};

/// Label: who pays ([`NOBODY`] where a call was refused before its client was known).
pub const TEAM: &str = "team";
/// Label: the priced operation ([`NOTHING`] where a call matched none).
pub const OPERATION: &str = "operation";
/// Label: how an exchange ended, one of [`outcome`].
pub const OUTCOME: &str = "outcome";
/// Label: why not, for refusals and account errors (the same word as in the log and the answer).
pub const REASON: &str = "reason";
/// Label: the operations that share one cap on calls in flight, by the catalogue's name for them.
pub const FAMILY: &str = "family";
/// Label: a budget's id.
pub const BUDGET: &str = "budget";
/// Label: a limit in shadow: a budget's id, or the place of a rate or a floor in the settings.
pub const LIMIT: &str = "limit";
/// Label: by what a doubt ended, or why a call took nothing.
pub const HOW: &str = "how";
/// Label: an alert's id.
pub const ALERT: &str = "alert";
/// Label: the kind of a finding, or what an alert is about.
pub const KIND: &str = "kind";
/// Label: what became of an alert's message, one of [`delivery`].
pub const DELIVERY: &str = "delivery";
/// Label: `2xx` and its sisters, see [`status_class`].
pub const STATUS_CLASS: &str = "status_class";

/// Label: a version of the guard.
pub const VERSION: &str = "version";
/// Label: the commit it was built from.
pub const COMMIT: &str = "commit";
/// Label: whether there were changes beside the commit.
pub const STATE: &str = "state";
/// Label: the compiler.
pub const RUSTC: &str = "rustc";

/// The [`TEAM`] of a call whose client is not known.
pub const NOBODY: &str = "none";
/// The [`OPERATION`] of a call that matched none.
pub const NOTHING: &str = "none";

/// The values of the label [`OUTCOME`].
pub mod outcome {
    /// The charge was stated and the hold replaced by it.
    pub const SETTLED: &str = "settled";
    /// The charge was worked out by the guard, because this operation's answers state none.
    pub const ESTIMATED: &str = "estimated";
    /// The hold was given back: nothing was charged.
    pub const RELEASED: &str = "released";
    /// Sent, and what it was charged is not known.
    pub const IN_DOUBT: &str = "in_doubt";
    /// Accepted as a bulk job: the hold lives until the job ends.
    pub const ACCEPTED: &str = "accepted";
    /// A free operation: nothing was held.
    pub const FREE: &str = "free";
    /// Answered in the upstream's test mode: settled at zero.
    pub const TEST_MODE: &str = "test_mode";
    /// The client asked what would become of the call; nothing was sent.
    pub const DRY_RUN: &str = "dry_run";
    /// The guard said no.
    pub const REFUSED: &str = "refused";
    /// Given the answer of a call that was charged before and whose client had left.
    pub const REPLAYED: &str = "replayed";
    /// The same, of a call that was still under way.
    pub const JOINED: &str = "joined";
    /// The client left before anything was held.
    pub const ABANDONED: &str = "abandoned";

    /// All of them.
    pub const ALL: &[&str] = &[
        SETTLED, ESTIMATED, RELEASED, IN_DOUBT, ACCEPTED, FREE, TEST_MODE, DRY_RUN, REFUSED,
        REPLAYED, JOINED, ABANDONED,
    ];
}

/// The values of the label [`DELIVERY`].
pub mod delivery {
    /// The receiver took it.
    pub const DELIVERED: &str = "delivered";
    /// One attempt failed; there will be another.
    pub const FAILED: &str = "failed";
    /// Given up: the last attempt failed, the receiver does not want it, or it is too old.
    pub const GIVEN_UP: &str = "given_up";
    /// Too many were waiting for this receiver.
    pub const DROPPED: &str = "dropped";
}

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only rises, counts whole things.
    Counter,
    /// A level.
    Gauge,
    /// A distribution over the given upper bounds of buckets.
    Histogram(&'static [f64]),
}

/// One metric of the guard.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, unit last.
    pub name: &'static str,
    /// What Prometheus is told it is.
    pub kind: Kind,
    /// The unit, as far as the `metrics` crate has a word for it.
    pub unit: Unit,
    /// The labels every sample of it carries.
    pub labels: &'static [&'static str],
    help: &'static str,
}

impl Metric {
    /// What it means, in a sentence.
    pub fn help(&self) -> &'static str {
        self.help.trim()
    }
}

/// Declares each name once: the constant, its documentation and its line in [`ALL`].
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $constant:ident = $name:literal, $kind:expr, $unit:ident, [$($label:ident),*];)+) => {
        $($(#[doc = $doc])+ pub const $constant: &str = $name;)+

        /// Every metric of the guard.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $constant,
            kind: $kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: concat!($($doc),+),
        }),+];
    };
}

/// From a local refusal to the longest answer the upstream may take (its advice is 300 s).
const EXCHANGE_SECONDS: &[f64] = &[
    0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
/// The guard's own share is a sync to disk at most: fine below 10 ms, coarse above.
const OWN_SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0,
];
/// A sync takes from a tenth of a millisecond (fast disk) to seconds (a disk about to fail).
const COMMIT_SECONDS: &[f64] = &[
    0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
];
/// Powers of two: a batch doubles when the disk is slow.
const BATCH_ENTRIES: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

metrics! {
    /// Always 1; the labels say what is running.
    BUILD_INFO = "guard_build_info", Kind::Gauge, Count, [VERSION, COMMIT, STATE, RUSTC];
    /// Exchanges with clients that have ended, by how they ended.
    REQUESTS = "guard_requests_total", Kind::Counter, Count, [TEAM, OPERATION, OUTCOME];
    /// Calls the guard itself refused, by reason.
    REFUSALS = "guard_refusals_total", Kind::Counter, Count, [REASON, TEAM, OPERATION];
    /// Connections closed unread, because their source had as many open as one may have.
    TURNED_AWAY = "guard_connections_turned_away_total", Kind::Counter, Count, [];
    /// Calls that a limit in shadow would have refused, by that limit and the reason it would have given.
    SHADOWED = "guard_shadow_refusals_total", Kind::Counter, Count, [LIMIT, REASON, TEAM];
    /// From the first byte of a request to the last byte of its answer, in seconds.
    EXCHANGE_TIME = "guard_exchange_seconds", Kind::Histogram(EXCHANGE_SECONDS), Seconds, [TEAM, OPERATION];
    /// The part of an exchange that the guard itself added (all but waiting for the upstream or for one of its slots), in seconds.
    OWN_TIME = "guard_own_seconds", Kind::Histogram(OWN_SECONDS), Seconds, [TEAM, OPERATION];
    /// Credits charged since the start. It only rises and may be used with `rate`, but is exposed
    /// as a gauge because a Prometheus counter of this exporter counts whole things only.
    CHARGED = "guard_charged_credits_total", Kind::Gauge, Count, [TEAM, OPERATION];
    /// Credits that calls did not take since the start, by why: a paid answer given again
    /// (`replayed`, `joined`, `idempotent`), a search sent to the database (`database`). It only
    /// rises, and is a gauge for the same reason.
    SAVED = "guard_saved_credits_total", Kind::Gauge, Count, [TEAM, HOW];
    /// Paid answers in memory that have not, or not certainly, reached their clients.
    KEPT_ANSWERS = "guard_kept_answers", Kind::Gauge, Count, [];
    /// What they take, in bytes; answers on their way in are counted too.
    KEPT_BYTES = "guard_kept_bytes", Kind::Gauge, Bytes, [];
    /// Answers of the upstream, by the hundred of their status.
    UPSTREAM_RESPONSES = "guard_upstream_responses_total", Kind::Counter, Count, [OPERATION, STATUS_CLASS];
    /// Charges above what was held for them.
    OVERRUNS = "guard_overruns_total", Kind::Counter, Count, [TEAM, OPERATION];
    /// Charges worked out by the guard because the answer states none.
    ESTIMATED = "guard_estimated_total", Kind::Counter, Count, [TEAM, OPERATION];
    /// Holds left in doubt: sent, outcome unknown.
    DOUBTS = "guard_doubts_total", Kind::Counter, Count, [TEAM, OPERATION];
    /// One commit of the ledger, sync included, in seconds.
    COMMIT_TIME = "guard_ledger_commit_seconds", Kind::Histogram(COMMIT_SECONDS), Seconds, [];
    /// Entries written by one commit of the ledger.
    COMMIT_ENTRIES = "guard_ledger_batch_entries", Kind::Histogram(BATCH_ENTRIES), Count, [];
    /// One piece of what reconciliation keeps, sync included, in seconds: calls wait for no more at a time.
    KEEP_TIME = "guard_ledger_keep_seconds", Kind::Histogram(COMMIT_SECONDS), Seconds, [];
    /// Commits of the ledger that failed.
    COMMIT_FAILURES = "guard_ledger_commit_failures_total", Kind::Counter, Count, [];
    /// 1 after a look through the whole ledger found it damaged: calls are refused until a start.
    LEDGER_DAMAGED = "guard_ledger_damaged", Kind::Gauge, Count, [];
    /// Holds that have no end yet, those in doubt and those of jobs included.
    HOLDS_OPEN = "guard_holds_open", Kind::Gauge, Count, [];
    /// The limit of a budget in its present window, grants included, in credits.
    BUDGET_LIMIT = "guard_budget_limit_credits", Kind::Gauge, Count, [BUDGET];
    /// Settled against a budget in its present window, in credits.
    BUDGET_SETTLED = "guard_budget_settled_credits", Kind::Gauge, Count, [BUDGET];
    /// Held against a budget in its present window, what is in doubt included, in credits.
    BUDGET_HELD = "guard_budget_held_credits", Kind::Gauge, Count, [BUDGET];
    /// The part of what a budget holds that is in doubt, in credits.
    BUDGET_IN_DOUBT = "guard_budget_in_doubt_credits", Kind::Gauge, Count, [BUDGET];
    /// The account's balance at its last reading, in credits.
    ACCOUNT_BALANCE = "guard_account_balance_credits", Kind::Gauge, Count, [];
    /// How old the last reading of the account is, in seconds. Absent until there is one.
    ACCOUNT_READING_AGE = "guard_account_reading_age_seconds", Kind::Gauge, Seconds, [];
    /// In how many seconds the account is empty, at the pace of the last 24 hours. Infinite if that is
    /// never; absent until there is a reading.
    ACCOUNT_RUNS_OUT = "guard_account_runs_out_seconds", Kind::Gauge, Seconds, [];
    /// Attempts to read the account that failed, by reason.
    ACCOUNT_ERRORS = "guard_account_errors_total", Kind::Counter, Count, [REASON];
    /// How often the upstream refused a call for want of funds, so that the account counts as empty
    /// until it is read again.
    ACCOUNT_EMPTIED = "guard_account_emptied_total", Kind::Counter, Count, [];
    /// How often the account's own prices were others than before, the first ones included.
    TIER_CHANGES = "guard_tier_changes_total", Kind::Counter, Count, [];
    /// Attempts to read the account's own prices that failed, and single prices that are none, by
    /// reason.
    TIER_ERRORS = "guard_tier_errors_total", Kind::Counter, Count, [REASON];
    /// Disagreements between the books and the account that were found, by kind.
    FINDINGS = "guard_findings_total", Kind::Counter, Count, [KIND];
    /// Runs of the reconciliation, by how they ended (`done`, `failed`).
    RECONCILIATIONS = "guard_reconciliations_total", Kind::Counter, Count, [OUTCOME];
    /// How far behind the present the account's transactions have been read completely, in seconds.
    RECONCILIATION_LAG = "guard_reconciliation_lag_seconds", Kind::Gauge, Seconds, [];
    /// Spans of the account's list that could not be read to their beginning.
    LIST_UNREAD = "guard_list_unread_total", Kind::Counter, Count, [];
    /// Holds ended by the account's transactions: `settled`, `released` or `allocated`.
    DOUBTS_ENDED = "guard_doubts_ended_total", Kind::Counter, Count, [HOW];
    /// Doubts that the last reconciliation could not decide.
    UNDECIDED = "guard_doubts_undecided", Kind::Gauge, Count, [];
    /// Alerts told.
    ALERTS = "guard_alerts_total", Kind::Counter, Count, [ALERT, KIND];
    /// Messages of alerts to their webhooks, by what became of them; attempts that failed count too.
    ALERT_DELIVERIES = "guard_alert_deliveries_total", Kind::Counter, Count, [ALERT, DELIVERY];
    /// Calls in flight that have one of their family's slots.
    SLOTS_IN_USE = "guard_slots_in_use", Kind::Gauge, Count, [FAMILY];
    /// Calls in flight that a family may have now: the setting, or less while the upstream says less.
    SLOT_CAP = "guard_slots_cap", Kind::Gauge, Count, [FAMILY];
    /// Calls that wait for a slot.
    SLOTS_WAITING = "guard_slots_waiting", Kind::Gauge, Count, [FAMILY];
    /// How long calls waited that had to wait for a slot, in seconds, those that got none included.
    SLOT_WAIT = "guard_slot_wait_seconds", Kind::Histogram(EXCHANGE_SECONDS), Seconds, [FAMILY];
    /// 1 while calls are refused because the upstream keeps failing, else 0.
    BREAKER_OPEN = "guard_breaker_open", Kind::Gauge, Count, [];
}

/// The hundred of a status, for the label [`STATUS_CLASS`].
pub fn status_class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    }
}

/// Credits as a number for a gauge. The only place where an amount becomes a float: Prometheus
/// knows no other number, and nothing is ever read back from there. Exact to the micro-credit up
/// to four thousand million credits.
#[expect(
    clippy::float_arithmetic,
    reason = "a gauge takes a float; the books never see it"
)]
pub fn credits_as_f64(amount: Credits) -> f64 {
    amount.micros() as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_ours_says_its_unit_and_is_declared_once() {
        let mut seen = std::collections::BTreeSet::new();
        for metric in ALL {
            assert!(seen.insert(metric.name), "{} twice", metric.name);
            assert!(metric.name.starts_with("guard_"), "{}", metric.name);
            assert!(metric.help().ends_with('.'), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_seconds"),
                metric.unit == Unit::Seconds,
                "{}",
                metric.name
            );
            if metric.kind == Kind::Counter {
                assert!(metric.name.ends_with("_total"), "{}", metric.name);
            }
            assert!(!metric.labels.contains(&"key"), "{}", metric.name);
        }
    }

    #[test]
    fn a_status_has_its_class() {
        assert_eq!(status_class(204), "2xx");
        assert_eq!(status_class(402), "4xx");
        assert_eq!(status_class(999), "other");
    }

    #[test]
    fn credits_keep_their_digits_at_the_edge() {
        for text in ["41.37", "-0.000001", "3999999999.999999"] {
            let amount: Credits = text.parse().unwrap();
            assert_eq!(credits_as_f64(amount).to_string(), text);
        }
    }
}
