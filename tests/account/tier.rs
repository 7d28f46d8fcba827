//! The account's prices, asked for again and again.

use std::sync::Arc;
use std::time::Duration;

use generect_guard::account::{Nudge, PriceFault, TierPrices, TierWatcher, TierWatcherSettings};
use generect_guard::clock::Clock;
use generect_guard::metrics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::log::Log;
use crate::upstream::{Step, TOKEN, Upstream};

const PATIENCE: Duration = Duration::from_secs(30);
/// Asks all the time; what a test waits for comes in a few milliseconds.
const RESTLESS: TierWatcherSettings = TierWatcherSettings {
    interval: Duration::from_millis(5),
    retry: Duration::from_millis(2),
};

fn prices(json: &str) -> Step {
    let tier = format!(r#"{{"current_tier":{{"name":"3","service_prices":{json}}}}}"#);
    Step::Answer(200, tier)
}

struct Running {
    upstream: Upstream,
    latest: watch::Receiver<Option<Arc<TierPrices>>>,
    nudge: Nudge,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn run(
    settings: TierWatcherSettings,
    script: impl Fn(usize) -> Step + Send + 'static,
) -> Running {
    let upstream = Upstream::start(script).await;
    let watcher = TierWatcher::new(upstream.client(Clock::system()), settings);
    let (latest, nudge) = (watcher.latest(), watcher.nudge());
    let shutdown = CancellationToken::new();
    Running {
        latest,
        nudge,
        task: tokio::spawn(watcher.run(shutdown.clone())),
        upstream,
        shutdown,
    }
}

impl Running {
    /// Waits until a price is this.
    async fn until(&mut self, name: &str, price: &str) -> Arc<TierPrices> {
        let is = |latest: &Option<Arc<TierPrices>>| {
            let found = latest.as_ref().and_then(|tier| tier.prices.get(name));
            found.is_some_and(|found| found.to_string() == price)
        };
        let reached = self.latest.wait_for(is);
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        Arc::clone(reached.unwrap().unwrap().as_ref().unwrap())
    }

    async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.upstream.heads().len() < times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn prices_are_asked_for_at_once_and_published_only_when_they_change() {
    let log = Log::default();
    let _logging = log.listen();
    let (recorder, exporter) = metrics::recorder().unwrap();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let mut running = run(RESTLESS, |number| match number {
        0..5 => prices(r#"{"api_cached":0.02,"phones":0.4}"#),
        _ => prices(r#"{"api_cached":0.015,"phones":0.4}"#),
    })
    .await;
    let first = running.until("api_cached", "0.02").await;
    assert_eq!(first.tier.as_deref(), Some("3"));
    running.until("api_cached", "0.015").await;
    running.until_asked(12).await;
    assert!(!running.latest.has_changed().unwrap());
    running.stop().await;
    let text = log.text();
    assert_eq!(text.matches("prices have changed").count(), 2, "{text}");
    assert!(text.contains("api_cached 0.02 → 0.015"), "{text}");
    assert!(exporter.render().contains("guard_tier_changes_total 2\n"));
}

#[tokio::test]
async fn nonsense_is_named_once_and_the_old_prices_stay() {
    let log = Log::default();
    let _logging = log.listen();
    let (recorder, exporter) = metrics::recorder().unwrap();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let mut running = run(RESTLESS, |number| match number {
        0 => prices(r#"{"api_cached":0.02,"phones":0.4,"api_preview":0.002}"#),
        1..6 => prices(r#"{"api_cached":-1,"phones":1e30,"api_realtime":0.04}"#),
        6 => Step::Answer(200, "<html></html>".to_owned()),
        7 => prices("[]"),
        8 => Step::Answer(502, format!("{{\"echo\":\"{TOKEN}\"}}")),
        9 => Step::Answer(404, String::new()),
        _ => prices(r#"{"api_cached":0.03,"phones":0.4,"api_preview":0.002,"api_realtime":0.04}"#),
    })
    .await;
    running.until("api_cached", "0.02").await;
    let odd = running.until("api_realtime", "0.04").await;
    assert_eq!(odd.prices["api_cached"].to_string(), "0.02");
    assert_eq!(odd.prices["phones"].to_string(), "0.4");
    assert_eq!(odd.prices["api_preview"].to_string(), "0.002");
    assert_eq!(odd.faults["api_cached"], PriceFault::Negative);
    assert_eq!(odd.faults["phones"], PriceFault::TooMuch);
    assert_eq!(odd.faults["api_preview"], PriceFault::Gone);
    let healed = running.until("api_cached", "0.03").await;
    assert!(healed.faults.is_empty());
    running.stop().await;
    let text = log.text();
    let count = |part: &str| text.matches(part).count();
    assert_eq!(count("says nothing that is a price"), 3, "{text}");
    assert_eq!(count("prices cannot be read"), 3, "{text}");
    assert_eq!(count("no page of prices"), 1, "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    let shown = exporter.render();
    for reason in ["negative", "gone", "not_json", "missing", "status"] {
        let line = format!("guard_tier_errors_total{{reason=\"{reason}\"}} 1\n");
        assert!(shown.contains(&line), "{line} is not in:\n{shown}");
    }
}

#[tokio::test]
async fn an_account_without_such_a_page_has_none_and_is_asked_on() {
    for status in [403, 404] {
        let running = run(RESTLESS, move |_| Step::Answer(status, String::new())).await;
        running.until_asked(4).await;
        assert_eq!(*running.latest.borrow(), None);
        running.stop().await;
    }
}

#[tokio::test]
async fn a_nudge_brings_the_prices_out_of_turn() {
    let settings = TierWatcherSettings {
        interval: Duration::from_secs(4),
        ..RESTLESS
    };
    let mut running = run(settings, |number| match number {
        0 => prices(r#"{"phones":0.4}"#),
        _ => prices(r#"{"phones":0.5}"#),
    })
    .await;
    running.until("phones", "0.4").await;
    running.nudge.nudge();
    running.until("phones", "0.5").await;
    assert_eq!(running.upstream.heads().len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn shutdown_ends_a_question_that_nobody_answers() {
    let running = run(TierWatcherSettings::default(), |_| Step::Silence).await;
    running.until_asked(1).await;
    running.stop().await;
}
