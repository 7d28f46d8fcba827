//! Questions in a row: their pace, their news, their end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::account::{
    AccountClient, AccountClientSettings, Nudge, Reading, Watcher, WatcherSettings,
};
use generect_guard::clock::Clock;
use generect_guard::metrics;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::log::Log;
use crate::upstream::{Step, TOKEN, Upstream, settings};

/// The next test step waits at most this long; it comes in a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(20);

fn every(poll_interval: Duration) -> WatcherSettings {
    WatcherSettings {
        poll_interval,
        fast_interval: SHORT,
        near: Vec::new(),
    }
}

async fn until(latest: &mut watch::Receiver<Option<Reading>>, balance: &str) {
    let reached =
        latest.wait_for(|seen| seen.is_some_and(|seen| seen.balance.to_string() == balance));
    tokio::time::timeout(PATIENCE, reached)
        .await
        .unwrap()
        .unwrap();
}

async fn until_asked(upstream: &Upstream, times: usize) {
    let asked = async {
        while upstream.heads().len() < times {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
}

/// Runs a watcher over an upstream until it is dropped.
struct Running {
    upstream: Upstream,
    latest: watch::Receiver<Option<Reading>>,
    nudge: Nudge,
    began: Instant,
    seen: Arc<Mutex<Vec<String>>>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn run(
    settings: WatcherSettings,
    script: impl Fn(usize) -> Step + Send + 'static,
) -> Running {
    let upstream = Upstream::start(script).await;
    let clock = Clock::system();
    let watcher = Watcher::new(upstream.client(clock.clone()), clock, settings);
    let (latest, nudge) = (watcher.latest(), watcher.nudge());
    let shutdown = CancellationToken::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let unpublished = latest.clone();
    let on_reading = move |balance: &Reading| {
        assert_ne!(
            *unpublished.borrow(),
            Some(*balance),
            "told before published"
        );
        sink.lock().unwrap().push(balance.balance.to_string());
    };
    let task = tokio::spawn(watcher.run(shutdown.clone(), on_reading));
    Running {
        upstream,
        latest,
        nudge,
        began: Instant::now(),
        seen,
        shutdown,
        task,
    }
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn the_account_is_asked_at_once_and_told_before_it_is_published() {
    let mut running = run(every(LONG), |_| Step::balance("41.37")).await;
    until(&mut running.latest, "41.37").await;
    assert_eq!(*running.seen.lock().unwrap(), ["41.37"]);
    assert_eq!(running.upstream.heads().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn near_a_floor_the_account_is_asked_at_the_fast_pace() {
    let settings = WatcherSettings {
        near: vec!["100".parse().unwrap()],
        ..every(LONG)
    };
    // Far from the floor at the fourth reading, so the pace is an hour again.
    let mut running = run(settings, |number| {
        Step::balance(["110", "105", "101", "5000"].get(number).unwrap_or(&"1"))
    })
    .await;
    until(&mut running.latest, "5000").await;
    tokio::time::sleep(SHORT * 5).await;
    assert_eq!(*running.seen.lock().unwrap(), ["110", "105", "101", "5000"]);
    running.stop().await;
}

#[tokio::test]
async fn a_nudge_brings_a_reading_out_of_turn_and_a_burst_brings_few() {
    let mut running = run(every(LONG), |number| Step::balance(&number.to_string())).await;
    until(&mut running.latest, "0").await;
    for _ in 0..100 {
        running.nudge.nudge();
    }
    until(&mut running.latest, "1").await;
    tokio::time::sleep(SHORT * 5).await;
    assert!(running.upstream.heads().len() <= 3);
    running.stop().await;
}

#[tokio::test]
async fn a_nudge_during_a_question_brings_another_one_after_it() {
    let mut running = run(every(LONG), |number| match number {
        0 => Step::Silence,
        _ => Step::balance("3"),
    })
    .await;
    until_asked(&running.upstream, 1).await;
    running.nudge.nudge();
    // The first question is given up after two seconds; its turn would be in half an hour.
    until(&mut running.latest, "3").await;
    running.stop().await;
}

#[tokio::test]
async fn those_who_nudge_without_end_get_no_more_than_the_fast_pace() {
    let settings = WatcherSettings {
        fast_interval: Duration::from_millis(100),
        ..every(LONG)
    };
    let running = run(settings, |_| Step::balance("1")).await;
    for _ in 0..200 {
        running.nudge.nudge();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let asked = running.upstream.heads().len();
    let began = running.began.elapsed().as_millis();
    assert!((2..=2 + began as usize / 100).contains(&asked), "{asked}");
    running.stop().await;
}

#[tokio::test]
async fn errors_slow_the_questions_down_but_do_not_end_them() {
    let running = run(every(SHORT), |_| Step::Answer(502, String::new())).await;
    until_asked(&running.upstream, 8).await;
    // At least 10 + 20 + 40 + 4 × 40 ms with the jitter at its smallest; 140 ms without errors.
    let took = running.began.elapsed();
    assert!(took >= Duration::from_millis(230), "{took:?}");
    running.stop().await;
}

#[tokio::test]
async fn shutdown_ends_a_question_that_nobody_answers() {
    let upstream = Upstream::start(|_| Step::Silence).await;
    let clock = Clock::system();
    let patient = AccountClientSettings {
        timeout: LONG,
        ..settings(upstream.base_url())
    };
    let client = AccountClient::new(patient, TOKEN, clock.clone()).unwrap();
    let shutdown = CancellationToken::new();
    let watcher = Watcher::new(client, clock, every(LONG));
    let task = tokio::spawn(watcher.run(shutdown.clone(), |_| {}));
    until_asked(&upstream, 1).await;
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn while_the_account_cannot_be_read_the_last_reading_stays_and_grows_old() {
    let mut running = run(every(SHORT), |number| match number {
        0 => Step::balance("9"),
        _ => Step::Answer(502, String::new()),
    })
    .await;
    until(&mut running.latest, "9").await;
    let first = *running.latest.borrow_and_update();
    until_asked(&running.upstream, 4).await;
    assert!(!running.latest.has_changed().unwrap());
    assert_eq!(*running.latest.borrow(), first);
    running.stop().await;
}

#[tokio::test]
async fn a_change_is_logged_once_and_a_refused_token_loudly() {
    let log = Log::default();
    let _logging = log.listen();
    let mut running = run(every(SHORT), |number| match number {
        0 => Step::balance("50"),
        1..4 => Step::Answer(502, format!("{{\"echo\":\"{TOKEN}\"}}")),
        4..7 => Step::Answer(401, String::new()),
        _ => Step::balance("49"),
    })
    .await;
    until(&mut running.latest, "49").await;
    running.stop().await;
    let text = log.text();
    let count = |part: &str| text.matches(part).count();
    assert_eq!(count("balance cannot be read"), 1, "{text}");
    assert_eq!(count("refuses the account's token"), 1, "{text}");
    assert_eq!(count("ERROR"), 1, "{text}");
    assert_eq!(count("readable again"), 1, "{text}");
    assert!(!text.contains(TOKEN), "{text}");
}

#[tokio::test]
async fn readings_and_errors_are_counted() {
    let (recorder, exporter) = metrics::recorder().unwrap();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let mut running = run(every(SHORT), |number| match number {
        0 => Step::balance("41.37"),
        1 | 2 => Step::Answer(401, String::new()),
        3 => Step::balance("null"),
        4 => Step::balance("40"),
        _ => Step::Silence,
    })
    .await;
    until(&mut running.latest, "40").await;
    until_asked(&running.upstream, 6).await;
    let text = exporter.render();
    for line in [
        "guard_account_balance_credits 40\n",
        "guard_account_errors_total{reason=\"token_refused\"} 2\n",
        "guard_account_errors_total{reason=\"null\"} 1\n",
        "guard_account_reading_age_seconds 0",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    running.stop().await;
}
