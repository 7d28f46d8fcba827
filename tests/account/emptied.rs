//! An account whose funds are gone, and one that talks nonsense.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::account::{
    AccountClient, AccountClientSettings, FundsGone, Reading, Seen, Watcher, WatcherSettings,
};
use generect_guard::clock::Clock;
use generect_guard::metrics;
use generect_guard::simulator::{Fault, Nonsense};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::log::Log;
use crate::upstream::{Step, TOKEN, Upstream, pretend, settings};

const PATIENCE: Duration = Duration::from_secs(30);
const SLOW: WatcherSettings = WatcherSettings {
    poll_interval: Duration::from_secs(3600),
    fast_interval: Duration::from_millis(20),
    near: Vec::new(),
};

struct Running {
    upstream: Upstream,
    latest: watch::Receiver<Option<Reading>>,
    funds: FundsGone,
    /// What was handed on, in order.
    seen: Arc<Mutex<Vec<(String, Seen)>>>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn run(script: impl Fn(usize) -> Step + Send + 'static) -> Running {
    let upstream = Upstream::start(script).await;
    let clock = Clock::system();
    // A question that is not answered stays under way for longer than any test waits.
    let settings = AccountClientSettings {
        timeout: PATIENCE * 2,
        ..settings(upstream.base_url())
    };
    let client = AccountClient::new(settings, TOKEN, clock.clone()).unwrap();
    let watcher = Watcher::new(client, clock, SLOW);
    let (latest, funds) = (watcher.latest(), watcher.funds_gone());
    let shutdown = CancellationToken::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let on_reading = move |reading: &Reading| {
        let seen = (reading.balance.to_string(), reading.seen);
        sink.lock().unwrap().push(seen);
    };
    Running {
        latest,
        funds,
        seen,
        task: tokio::spawn(watcher.run(shutdown.clone(), on_reading)),
        upstream,
        shutdown,
    }
}

impl Running {
    async fn until(&mut self, balance: &str, how: Seen) -> Reading {
        let is = |latest: &Option<Reading>| {
            latest.is_some_and(|seen| seen.balance.to_string() == balance && seen.seen == how)
        };
        let reached = tokio::time::timeout(PATIENCE, self.latest.wait_for(is));
        reached.await.unwrap().unwrap().unwrap()
    }

    async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.upstream.heads().len() < times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }

    async fn stop(self) -> Vec<(String, Seen)> {
        self.shutdown.cancel();
        let stopped = tokio::time::timeout(PATIENCE, self.task);
        stopped.await.unwrap().unwrap();
        let seen = self.seen.lock().unwrap();
        seen.clone()
    }
}

/// A documented answer that comes when the test says so.
fn held(go: &Arc<Notify>, balance: &str) -> Step {
    let Step::Answer(status, body) = Step::balance(balance) else {
        unreachable!()
    };
    Step::Held(Arc::clone(go), status, body)
}

#[tokio::test]
async fn a_refusal_for_want_of_funds_empties_the_account_and_a_new_reading_fills_it() {
    let log = Log::default();
    let _logging = log.listen();
    let (recorder, exporter) = metrics::recorder().unwrap();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let mut running = run(|number| Step::balance(if number == 0 { "50" } else { "70" })).await;
    let before = running.until("50", Seen::Read).await;
    running.funds.mark_empty();
    let empty = running.until("0", Seen::Refused).await;
    assert!(empty.started_at >= before.finished_at);
    let after = running.until("70", Seen::Read).await;
    assert!(after.started_at >= empty.started_at);
    let handed_on = running.stop().await;
    let expected = [
        ("50".to_owned(), Seen::Read),
        ("0".to_owned(), Seen::Refused),
        ("70".to_owned(), Seen::Read),
    ];
    assert_eq!(handed_on, expected);
    let text = log.text();
    assert_eq!(text.matches("for want of funds").count(), 1, "{text}");
    assert_eq!(
        text.matches("no longer counts as empty").count(),
        1,
        "{text}"
    );
    let shown = exporter.render();
    assert!(shown.contains("guard_account_emptied_total 1\n"), "{shown}");
}

#[tokio::test]
async fn a_reading_that_was_begun_before_the_refusal_does_not_fill_it() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let mut running = run(move |number| match number {
        0 => held(&gate, "50"),
        1 => held(&gate, "40"),
        _ => Step::Silence,
    })
    .await;
    running.until_asked(1).await;
    running.funds.mark_empty();
    // At once, while the question is still under way.
    running.until("0", Seen::Refused).await;
    go.notify_one();
    running.until_asked(2).await;
    assert_eq!(running.latest.borrow().unwrap().seen, Seen::Refused);
    // Also the next is overtaken by a refusal.
    running.funds.mark_empty();
    go.notify_one();
    running.until_asked(3).await;
    assert_eq!(running.latest.borrow().unwrap().seen, Seen::Refused);
    assert_eq!(running.stop().await, [("0".to_owned(), Seen::Refused)]);
}

#[tokio::test]
async fn a_burst_of_refusals_is_one_and_does_not_keep_readings_away() {
    let mut running = run(|number| Step::balance(&number.to_string())).await;
    running.until("0", Seen::Read).await;
    for _ in 0..1_000 {
        running.funds.mark_empty();
    }
    let is = |latest: &Option<Reading>| {
        latest.is_some_and(|seen| seen.seen == Seen::Read && seen.balance.micros() > 0)
    };
    let filled = tokio::time::timeout(PATIENCE, running.latest.wait_for(is));
    filled.await.unwrap().unwrap();
    assert!(running.upstream.heads().len() <= 4);
    let handed_on = running.stop().await;
    let empties = handed_on.iter().filter(|seen| seen.1 == Seen::Refused);
    assert_eq!(empties.count(), 1, "{handed_on:?}");
}

#[tokio::test]
async fn an_overdrawn_account_stays_as_overdrawn_as_it_was() {
    let mut running = run(|number| match number {
        0 => Step::balance("-3.5"),
        _ => Step::Silence,
    })
    .await;
    running.until("-3.5", Seen::Read).await;
    running.funds.mark_empty();
    running.until("-3.5", Seen::Refused).await;
    running.stop().await;
}

#[tokio::test]
async fn an_account_that_was_never_read_can_be_empty() {
    let mut running = run(|_| Step::Answer(502, String::new())).await;
    running.until_asked(1).await;
    running.funds.mark_empty();
    running.until("0", Seen::Refused).await;
    // And it stays so while it cannot be read.
    running.until_asked(4).await;
    assert_eq!(running.latest.borrow().unwrap().seen, Seen::Refused);
    running.stop().await;
}

#[tokio::test]
async fn no_nonsense_becomes_a_balance_and_each_has_its_name() {
    let (simulator, client, _) = pretend(|_| {}).await;
    for (nonsense, reason) in [
        (Nonsense::Word, "not_a_number"),
        (Nonsense::NotANumber, "not_json"),
        (Nonsense::Enormous, "too_much"),
        (Nonsense::Missing, "missing"),
        (Nonsense::Null, "null"),
        (Nonsense::Html, "not_json"),
        (Nonsense::Unauthorised, "token_refused"),
    ] {
        simulator.faults().clear();
        simulator
            .faults()
            .on("accounts/me", Fault::Account(nonsense));
        assert_eq!(client.me().await.unwrap_err().reason(), reason);
    }
    simulator.faults().clear();
    let negative = Fault::Account(Nonsense::Negative);
    simulator.faults().on("accounts/me", negative);
    let reading = client.me().await.unwrap();
    assert_eq!(reading.balance.to_string(), "-12.5");
    simulator.faults().clear();
    simulator.change(|settings| settings.balance_as_text = true);
    assert_eq!(client.me().await.unwrap().balance.to_string(), "1000");
}
