//! Which settings a running guard cannot take over.

use super::settings::{
    Account, Breaker, Config, KeptAnswers, LedgerFile, Reconciliation, Server, Upstream,
};
use crate::ledger::AccountRule;
use crate::logging::LoggingSettings;

/// Adds the path of each field that differs. Takes the value apart, so that a setting that is added
/// one day is not forgotten here.
macro_rules! compare {
    ($found:ident, $section:literal, $kind:ident { $($field:ident),+ $(,)? }, $old:expr, $new:expr) => {
        let ($kind { $($field),+ }, new) = ($old, $new);
        $(if *$field != new.$field {
            $found.push(concat!($section, ".", stringify!($field)));
        })+
    };
}

impl Config {
    /// The settings that are others in `new`, and that only a restart puts in force: listeners, the
    /// way to the upstream, the ledger, how the account is read and reconciled, the log, and which
    /// operations are bulk jobs. All else can be taken over while calls are made.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let mut found = Vec::new();
        server(&self.server, &new.server, &mut found);
        upstream(&self.upstream, &new.upstream, &mut found);
        compare!(
            found,
            "ledger",
            LedgerFile {
                path,
                repeat_window
            },
            &self.ledger,
            &new.ledger
        );
        account(&self.account, &new.account, &mut found);
        reconciliation(&self.reconciliation, &new.reconciliation, &mut found);
        compare!(
            found,
            "kept_answers",
            KeptAnswers {
                number_max,
                bytes_max,
                keep,
                idempotency_keep
            },
            &self.kept_answers,
            &new.kept_answers
        );
        compare!(
            found,
            "log",
            LoggingSettings { format, filter },
            &self.logging,
            &new.logging
        );
        if self.job_operations() != new.job_operations() {
            found.push("catalogue.file (its operations of class \"submit\")");
        }
        found
    }
}

fn server(old: &Server, new: &Server, found: &mut Vec<&'static str>) {
    compare!(
        found,
        "server",
        Server {
            listen,
            admin_listen,
            header_count_max,
            header_bytes_max,
            header_read_timeout,
            body_bytes_max,
            body_read_timeout,
            kept_bytes_max,
            answer_bytes_kept,
            stalled_client_timeout,
            connections_max,
            connections_per_source_max,
            unknown_keys_per_second,
            unknown_keys_burst,
            drain_timeout,
        },
        old,
        new
    );
}

fn upstream(old: &Upstream, new: &Upstream, found: &mut Vec<&'static str>) {
    compare!(
        found,
        "upstream",
        Upstream {
            base_url,
            token,
            connect_timeout,
            response_timeout,
            ca_file,
            proxy,
            pool_idle_timeout,
            idle_connections_max,
            retry,
            breaker,
        },
        old,
        new
    );
    if found.last() == Some(&"upstream.breaker") {
        found.pop();
        compare!(
            found,
            "upstream.breaker",
            Breaker {
                failures,
                within,
                pause,
                pause_max,
            },
            breaker,
            new.breaker
        );
    }
}

fn account(old: &Account, new: &Account, found: &mut Vec<&'static str>) {
    let Account {
        poll_interval,
        rule,
        job_poll_interval,
    } = old;
    if *poll_interval != new.poll_interval {
        found.push("account.poll_interval");
    }
    compare!(
        found,
        "account",
        AccountRule {
            lag,
            stale_after,
            when_stale,
            balance_is
        },
        rule,
        &new.rule
    );
    if *job_poll_interval != new.job_poll_interval {
        found.push("account.job_poll_interval");
    }
}

fn reconciliation(old: &Reconciliation, new: &Reconciliation, found: &mut Vec<&'static str>) {
    compare!(
        found,
        "reconciliation",
        Reconciliation {
            interval,
            source,
            tolerance,
            rows_late,
            overlap,
            factor,
        },
        old,
        new
    );
}
