//! What a configuration file may say: the raw shape, every setting optional, unknown ones refused.
//!
//! Defaults and rules are in `validate`, explanations in `config/example.toml`, which a test
//! compares with this file field by field.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::values::{Action, ByteCount, Number, Per, Span, UnboundedText};
use crate::credits::Credits;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) server: ServerFile,
    pub(super) upstream: UpstreamFile,
    pub(super) slots: SlotsFile,
    pub(super) ledger: LedgerSection,
    pub(super) account: AccountFile,
    pub(super) reconciliation: ReconciliationFile,
    pub(super) kept_answers: KeptAnswersFile,
    pub(super) log: LogFile,
    pub(super) catalogue: CatalogueFile,
    pub(super) team: Vec<TeamFile>,
    pub(super) key: Vec<KeyFile>,
    pub(super) budget: Vec<BudgetFile>,
    pub(super) floor: Vec<FloorFile>,
    pub(super) rate: Vec<RateFile>,
    pub(super) alert: Vec<AlertFile>,
}

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServerFile {
    pub(super) listen: Option<String>,
    pub(super) admin_listen: Option<String>,
    pub(super) header_count_max: Option<u32>,
    pub(super) header_bytes_max: Option<ByteCount>,
    pub(super) header_read_timeout: Option<Span>,
    pub(super) body_bytes_max: Option<ByteCount>,
    pub(super) body_read_timeout: Option<Span>,
    pub(super) kept_bytes_max: Option<ByteCount>,
    pub(super) answer_bytes_kept: Option<ByteCount>,
    pub(super) stalled_client_timeout: Option<Span>,
    pub(super) connections_max: Option<u32>,
    pub(super) connections_per_source_max: Option<u32>,
    pub(super) unknown_keys_per_second: Option<u32>,
    pub(super) unknown_keys_burst: Option<u32>,
    pub(super) drain_timeout: Option<Span>,
}

/// `[upstream]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UpstreamFile {
    pub(super) base_url: Option<String>,
    pub(super) token_env: Option<String>,
    pub(super) token_file: Option<String>,
    pub(super) connect_timeout: Option<Span>,
    pub(super) response_timeout: Option<Span>,
    pub(super) ca_file: Option<String>,
    pub(super) proxy: Option<Hidden>,
    pub(super) pool_idle_timeout: Option<Span>,
    pub(super) idle_connections_max: Option<u32>,
    pub(super) retry: RetryFile,
    pub(super) breaker: BreakerFile,
}

/// `[upstream.retry]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RetryFile {
    pub(super) tries: Option<u32>,
    pub(super) pause: Option<Span>,
}

/// `[upstream.breaker]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BreakerFile {
    pub(super) failures: Option<u32>,
    pub(super) within: Option<Span>,
    pub(super) pause: Option<Span>,
    pub(super) pause_max: Option<Span>,
}

/// `[slots]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SlotsFile {
    pub(super) queue_max: Option<u32>,
    pub(super) wait_max: Option<Span>,
    pub(super) caps: BTreeMap<String, u32>,
}

/// `[ledger]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LedgerSection {
    pub(super) path: Option<String>,
    pub(super) repeat_window: Option<Span>,
}

/// `[account]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AccountFile {
    pub(super) poll_interval: Option<Span>,
    pub(super) lag: Option<Span>,
    pub(super) stale_after: Option<Span>,
    pub(super) when_stale: Option<String>,
    pub(super) balance_is: Option<String>,
    pub(super) job_poll_interval: Option<Span>,
}

/// `[reconciliation]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReconciliationFile {
    pub(super) interval: Option<Span>,
    pub(super) source: Option<String>,
    pub(super) tolerance: Option<Span>,
    pub(super) rows_late: Option<Span>,
    pub(super) overlap: Option<Span>,
    pub(super) factor: Option<Credits>,
}

/// `[kept_answers]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KeptAnswersFile {
    pub(super) number_max: Option<u32>,
    pub(super) bytes_max: Option<ByteCount>,
    pub(super) keep: Option<Span>,
    pub(super) idempotency_keep: Option<Span>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LogFile {
    pub(super) format: Option<String>,
    pub(super) level: Option<String>,
}

/// `[catalogue]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CatalogueFile {
    pub(super) file: Option<String>,
    pub(super) legacy_amounts: Option<String>,
}

/// `[[team]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TeamFile {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) priority: Option<String>,
    pub(super) unlimited: Option<bool>,
    pub(super) unbounded: Option<UnboundedText>,
    pub(super) account_view: Option<String>,
    pub(super) database_beyond: Option<u32>,
}

/// `[[key]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KeyFile {
    pub(super) id: Option<String>,
    pub(super) team: Option<String>,
    pub(super) sha256: Option<OneOrMore<Hidden>>,
    pub(super) expires: Option<String>,
    pub(super) account: Option<bool>,
    pub(super) operations: Option<Vec<String>>,
}

/// `[[budget]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BudgetFile {
    pub(super) id: Option<String>,
    pub(super) team: Option<String>,
    pub(super) key: Option<String>,
    pub(super) operations: Option<Vec<String>>,
    pub(super) limit: Option<Credits>,
    pub(super) per: Option<Per>,
    pub(super) timezone: Option<String>,
    pub(super) mode: Option<String>,
}

/// `[[floor]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FloorFile {
    pub(super) below: Option<Credits>,
    pub(super) priority: Option<String>,
    pub(super) action: Option<Action>,
    pub(super) mode: Option<String>,
}

/// `[[rate]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RateFile {
    pub(super) team: Option<String>,
    pub(super) key: Option<String>,
    pub(super) operations: Option<Vec<String>>,
    pub(super) per_second: Option<Number>,
    pub(super) burst: Option<u32>,
    pub(super) mode: Option<String>,
}

/// `[[alert]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AlertFile {
    pub(super) id: Option<String>,
    pub(super) budget: Option<String>,
    pub(super) at_percent: Option<Vec<u32>>,
    pub(super) balance_below: Option<Credits>,
    pub(super) runs_out_within: Option<Span>,
    pub(super) unattributed_above: Option<Credits>,
    pub(super) drift_above: Option<Credits>,
    pub(super) doubt_older_than: Option<Span>,
    pub(super) reading_older_than: Option<Span>,
    pub(super) webhook: Option<WebhookFile>,
}

/// `[alert.webhook]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WebhookFile {
    pub(super) url: Option<Hidden>,
    pub(super) url_env: Option<String>,
    pub(super) url_file: Option<String>,
    pub(super) secret_env: Option<String>,
    pub(super) secret_file: Option<String>,
    pub(super) shape: Option<String>,
    pub(super) through_proxy: Option<bool>,
}

/// A value, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::More(values) => values,
        }
    }
}

/// A text that may be, or hold, a secret: not shown by `Debug`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Hidden(pub(super) String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Hidden")
    }
}
