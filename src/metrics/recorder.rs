//! The recorder that keeps what is counted, and the text in which a scrape reads it.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio_util::sync::CancellationToken;

use super::{ALL, Kind};

/// Tells the present recorder what each metric means.
fn describe_all() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => {
                ::metrics::describe_counter!(metric.name, metric.unit, metric.help());
            }
            Kind::Gauge => ::metrics::describe_gauge!(metric.name, metric.unit, metric.help()),
            Kind::Histogram(_) => {
                ::metrics::describe_histogram!(metric.name, metric.unit, metric.help());
            }
        }
    }
}

/// Why no recorder could be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A table of buckets is not valid.
    #[error("the histogram buckets are not valid")]
    Buckets(#[from] BuildError),
    /// Something else in this process took the one place there is for a recorder.
    #[error("another metrics recorder is already installed in this process")]
    Taken,
}

/// Reads what was recorded. Clones read the same.
#[derive(Clone)]
pub struct Exporter(PrometheusHandle);

impl Exporter {
    /// How often [`keep_up`](Self::keep_up) folds raw samples into buckets. An unscraped guard at
    /// a thousand calls a second gathers a few tens of thousands of samples in that time.
    const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

    /// Everything recorded so far, in the Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds histogram samples regularly until `shutdown`, so that memory stays bounded when
    /// nobody scrapes. One task a process is enough.
    pub async fn keep_up(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(Self::UPKEEP_INTERVAL);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.0.run_upkeep();
        }
    }
}

/// A recorder of its own, described, with its exporter: for a test that wants to see only what it
/// recorded itself (`metrics::set_default_local_recorder`).
pub fn recorder() -> Result<(PrometheusRecorder, Exporter), InstallError> {
    let mut builder = PrometheusBuilder::new();
    for metric in ALL {
        if let Kind::Histogram(buckets) = metric.kind {
            builder =
                builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    let recorder = builder.build_recorder();
    ::metrics::with_local_recorder(&recorder, describe_all);
    let exporter = Exporter(recorder.handle());
    Ok((recorder, exporter))
}

/// Makes the process record, and gives what renders it. A process has one recorder: every further
/// call gives an exporter of the same one, so that many guards can run in one test process.
pub fn install() -> Result<Exporter, InstallError> {
    static INSTALLED: OnceLock<Option<Exporter>> = OnceLock::new();
    let (fresh, exporter) = recorder()?;
    INSTALLED
        .get_or_init(|| {
            ::metrics::set_global_recorder(fresh)
                .is_ok()
                .then_some(exporter)
        })
        .clone()
        .ok_or(InstallError::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{
        ACCOUNT_BALANCE, CHARGED, COMMIT_TIME, OPERATION, OVERRUNS, REASON, REFUSALS, TEAM,
        credits_as_f64,
    };

    #[test]
    fn a_scrape_explains_what_it_shows() {
        let (recorder, exporter) = recorder().unwrap();
        ::metrics::with_local_recorder(&recorder, || {
            ::metrics::counter!(REFUSALS, REASON => "budget_exhausted", TEAM => "growth", OPERATION => "email_find").increment(2);
            ::metrics::gauge!(ACCOUNT_BALANCE).set(credits_as_f64("41.37".parse().unwrap()));
            ::metrics::gauge!(CHARGED, TEAM => "growth", OPERATION => "email_find").increment(0.5);
            ::metrics::histogram!(COMMIT_TIME).record(0.002);
        });
        let text = exporter.render();
        assert!(
            text.contains("# HELP guard_refusals_total Calls the guard itself refused, by reason."),
            "{text}"
        );
        assert!(text.contains("guard_refusals_total{reason=\"budget_exhausted\",team=\"growth\",operation=\"email_find\"} 2"), "{text}");
        assert!(
            text.contains("guard_account_balance_credits 41.37"),
            "{text}"
        );
        assert!(
            text.contains(
                "guard_charged_credits_total{team=\"growth\",operation=\"email_find\"} 0.5"
            ),
            "{text}"
        );
        assert!(
            text.contains("guard_ledger_commit_seconds_bucket{le=\"0.0025\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("guard_ledger_commit_seconds_bucket{le=\"0.001\"} 0"),
            "{text}"
        );
    }

    #[test]
    fn installing_twice_gives_the_same_recorder() {
        let first = install().unwrap();
        let second = install().unwrap();
        ::metrics::counter!(OVERRUNS, TEAM => "twice", OPERATION => "twice").increment(1);
        for exporter in [first, second] {
            assert!(
                exporter
                    .render()
                    .contains("guard_overruns_total{team=\"twice\"")
            );
        }
    }

    #[tokio::test]
    async fn keeping_up_ends_at_shutdown() {
        let (_recorder, exporter) = recorder().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(exporter.keep_up(shutdown.clone()));
        shutdown.cancel();
        task.await.unwrap();
    }
}
