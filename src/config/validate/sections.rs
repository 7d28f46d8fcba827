//! Rules of the short sections: `[ledger]`, `[account]` and `[log]`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use super::scalars;
use crate::config::complaint::Complaints;
use crate::config::file::{AccountFile, KeptAnswersFile, LedgerSection, LogFile};
use crate::config::settings::{Account, KeptAnswers, LedgerFile};
use crate::ledger::{AccountRule, BalanceIs, WhenStale};
use crate::logging::{Format, LoggingSettings};

/// Where the books are when nothing is said.
const LEDGER_PATH: &str = "generect-guard.db";

/// A reading is not taken more often than this: the upstream's patience is not ours to spend.
const POLL_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Checks where the books are.
pub(super) fn ledger(file: &LedgerSection, complaints: &mut Complaints) -> LedgerFile {
    let path = file.path.as_deref().unwrap_or(LEDGER_PATH);
    if path.is_empty() {
        complaints.error("ledger.path", "is empty", "name a file");
    }
    let repeat_window = scalars::span_up_to(
        complaints,
        "ledger.repeat_window",
        file.repeat_window,
        SignedDuration::from_mins(10),
        SignedDuration::from_hours(24),
    );
    if repeat_window.is_zero() {
        complaints.warning(
            "ledger.repeat_window",
            "is zero: a client that repeats a call in doubt pays for it twice",
            "write \"10m\"",
        );
    }
    LedgerFile {
        path: PathBuf::from(path),
        repeat_window,
    }
}

/// Checks how many paid answers wait for clients that left.
pub(super) fn kept_answers(file: &KeptAnswersFile, complaints: &mut Complaints) -> KeptAnswers {
    let c = complaints;
    let number_max = scalars::count(
        c,
        "kept_answers.number_max",
        file.number_max,
        1000,
        0..=1_000_000,
    );
    KeptAnswers {
        number_max: usize::try_from(number_max).unwrap_or(usize::MAX),
        bytes_max: scalars::bytes(
            c,
            "kept_answers.bytes_max",
            file.bytes_max,
            64 << 20,
            64 << 10..=16 << 30,
        ),
        keep: scalars::span_up_to(
            c,
            "kept_answers.keep",
            file.keep,
            SignedDuration::from_mins(10),
            SignedDuration::from_hours(24),
        ),
        idempotency_keep: scalars::span_up_to(
            c,
            "kept_answers.idempotency_keep",
            file.idempotency_keep,
            SignedDuration::from_hours(24),
            SignedDuration::from_hours(24 * 7),
        ),
    }
}

/// Checks how the account's balance is read and trusted.
pub(super) fn account(file: &AccountFile, complaints: &mut Complaints) -> Account {
    let c = complaints;
    let poll_interval = scalars::span(
        c,
        "account.poll_interval",
        file.poll_interval,
        Duration::from_secs(30),
    );
    if poll_interval < POLL_INTERVAL_MIN {
        c.error(
            "account.poll_interval",
            "is too short",
            "at least \"1s\"; near a floor readings come faster by themselves",
        );
    }
    let stale_after = scalars::span(
        c,
        "account.stale_after",
        file.stale_after,
        Duration::from_secs(300),
    );
    if stale_after <= poll_interval {
        c.error(
            "account.stale_after",
            "is not longer than account.poll_interval: every reading would be stale before the next",
            "write several times poll_interval",
        );
    }
    let lag = scalars::span_up_to(
        c,
        "account.lag",
        file.lag,
        SignedDuration::from_secs(10),
        SignedDuration::from_hours(24),
    );
    let when_stale = scalars::word(
        c,
        "account.when_stale",
        file.when_stale.as_deref(),
        &[("refuse", WhenStale::Refuse), ("allow", WhenStale::Allow)],
        WhenStale::Refuse,
    );
    let balance_is = scalars::word(
        c,
        "account.balance_is",
        file.balance_is.as_deref(),
        &[("gross", BalanceIs::Gross), ("net", BalanceIs::Net)],
        BalanceIs::Gross,
    );
    let job_poll_interval = scalars::span(
        c,
        "account.job_poll_interval",
        file.job_poll_interval,
        Duration::from_secs(30),
    );
    Account {
        poll_interval,
        job_poll_interval,
        rule: AccountRule {
            lag,
            stale_after: SignedDuration::try_from(stale_after).unwrap_or(SignedDuration::MAX),
            when_stale,
            balance_is,
        },
    }
}

/// Checks how the guard speaks about itself.
pub(super) fn logging(file: &LogFile, complaints: &mut Complaints) -> LoggingSettings {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    LoggingSettings {
        format: scalars::word(
            complaints,
            "log.format",
            file.format.as_deref(),
            &[
                ("auto", Format::Auto),
                ("json", Format::Json),
                ("text", Format::Text),
            ],
            Format::Auto,
        ),
        filter: scalars::word(
            complaints,
            "log.level",
            file.level.as_deref(),
            &LEVELS.map(|level| (level, level)),
            "info",
        )
        .to_owned(),
    }
}
