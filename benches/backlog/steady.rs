//! What a run takes where a hundred calls a second are made: some hours of them, minute by minute,
//! each followed by a run. The list is asked without pauses.

use std::fs;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use generect_guard::account::{AccountClient, AccountClientSettings, PullSettings};
use generect_guard::catalogue::Catalogue;
use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{Evidence, HoldRequest, Ledger, OpenReader, Settings, SqliteStore};
use generect_guard::reconciliation::{CHARGES_KEPT, Depth, Reconciler, ReconcilerSettings};
use generect_guard::simulator::LIVE_TOKEN;
use generect_guard::transaction::TransactionSource;
use jiff::SignedDuration;
use tokio::net::TcpListener;

use crate::history::History;
use crate::{number, upstream};

/// Calls that begin at one moment.
const TOGETHER: i64 = 50;
const CALLS_A_MINUTE: i64 = 6_000;

/// Answers the list of the calls that were made by then. The port.
fn list(history: History, made: Arc<AtomicI64>) -> u16 {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        crate::run(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            let page = move |query: &str| {
                let calls = made.load(Ordering::Relaxed);
                History { calls, ..history }.page(query)
            };
            upstream::serve_on(listener, Rc::new(page)).await;
        });
    });
    told.recv().unwrap()
}

fn client(port: u16, clock: &Clock) -> AccountClient {
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let settings = AccountClientSettings {
        base_url: format!("http://127.0.0.1:{port}"),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(30),
        egress_proxy: None,
        tls,
    };
    AccountClient::new(settings, LIVE_TOKEN, clock.clone()).unwrap()
}

/// Processor time of every thread of this process whose name begins so, and what is in use.
fn used(name: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let times = tasks.filter_map(|task| {
        let task = task.ok()?.path();
        let is = fs::read_to_string(task.join("comm")).ok()?;
        let text = fs::read_to_string(task.join("schedstat")).ok()?;
        let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
        is.starts_with(name).then_some(nanos)
    });
    Duration::from_nanos(times.sum())
}

fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap().trim().to_owned()
}

async fn minute(ledger: &Ledger, clock: &Clock, history: History, made: &AtomicI64) {
    let first = made.load(Ordering::Relaxed);
    for group in (first..first + CALLS_A_MINUTE).step_by(usize::try_from(TOGETHER).unwrap()) {
        let calls = (group..group + TOGETHER).map(async |number| {
            let request = HoldRequest {
                team: "team-0".into(),
                key: "key-0".into(),
                operation: History::operation(number).into(),
                quote: Credits::from_micros(4_000_000),
                floor: None,
                shadow_floor: None,
                fingerprint: None,
            };
            let hold = ledger.hold(request).await.unwrap();
            let raw = "0.02".to_owned();
            hold.settle(History::amount(number), Evidence::Stated { raw });
        });
        futures_util::future::join_all(calls).await;
        clock.advance(history.step * i32::try_from(TOGETHER).unwrap());
    }
    // The last endings are queued: whoever asks now is told after them.
    ledger.budgets().await.unwrap();
    made.store(first + CALLS_A_MINUTE, Ordering::Relaxed);
}

/// `MINUTES` of it, a line for every tenth.
pub(crate) async fn show() {
    let clock = Clock::manual("2026-03-10T04:00:00Z".parse().unwrap());
    let history = History {
        begin: clock.now(),
        step: SignedDuration::from_millis(10),
        together: TOGETHER,
        calls: 0,
    };
    let made = Arc::new(AtomicI64::new(0));
    let port = list(history, Arc::clone(&made));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let store = SqliteStore::open(&path).unwrap();
    let (ledger, writer) =
        Ledger::open(Box::new(store), Settings::default(), clock.clone()).unwrap();
    let writer = writer.spawn().unwrap();
    let catalogue = Arc::new(Catalogue::built_in().unwrap());
    let prices = Arc::new(catalogue.prices().clone());
    let settings = ReconcilerSettings {
        source: TransactionSource::V1,
        tolerance: SignedDuration::from_secs(30),
        rows_late: SignedDuration::from_hours(1),
        overlap: SignedDuration::from_hours(2),
        call_lasts: SignedDuration::from_mins(5),
        factor: Credits::from_micros(1_000_000),
        charges_kept: CHARGES_KEPT,
        balance_is: generect_guard::ledger::BalanceIs::Gross,
        pull: PullSettings {
            pause: Duration::ZERO,
            ..PullSettings::default()
        },
        open_reader: OpenReader::of_file(path),
        in_force: Arc::new(move || (Arc::clone(&catalogue), Arc::clone(&prices))),
        prices_departed: Arc::new(|| {}),
    };
    let client = client(port, &clock);
    let mut reconciler = Reconciler::new(settings, client, ledger.clone(), clock.clone());
    reconciler.begin().await.unwrap();
    for number in 1..=number("MINUTES", 130) {
        minute(&ledger, &clock, history, &made).await;
        let (before, writing) = (used("reconcil"), used("ledger"));
        let summary = reconciler.run(Depth::Quick, &mut |_| {}).await.unwrap();
        if number % 10 == 0 || number < 3 {
            println!(
                "minute {number}: {:.2?} of processor time, the writer {:.2?}; {} rows, {} matched, \
                 {:?} found; {} in use",
                used("reconcil") - before,
                used("ledger") - writing,
                summary.rows,
                summary.matched,
                summary.findings,
                resident(),
            );
        }
    }
    ledger.close().await.unwrap();
    writer.join().unwrap();
}
