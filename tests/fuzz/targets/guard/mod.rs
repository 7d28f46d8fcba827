//! The guard itself between a client and an upstream that are made of bytes: from the first byte of a
//! request to the last entry of its ledger, in memory and under a time that only waiting moves.

mod answers;
mod client;
pub mod http2;
mod log;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::time::Duration;

use generect_guard::account::{AccountError, BalanceSource, Reading, Watcher, WatcherSettings};
use generect_guard::app::{StackParts, ledger_settings, server_settings, stack_settings};
use generect_guard::clock::Clock;
use generect_guard::config::{Config, Environment, compile};
use generect_guard::identity::KeyDigest;
use generect_guard::ledger::OpenReader;
use generect_guard::ledger::store::OpenHold;
use generect_guard::ledger::{Entry, Ledger, MemoryStore, Reader};
use generect_guard::proxy::body::BodyError;
use generect_guard::proxy::link::Link;
use generect_guard::proxy::server;
use generect_guard::proxy::stack::stack;
use generect_guard::proxy::upstream::{Connector, Upstream, UpstreamSettings};
use http::{Uri, Version};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::no_tls::no_tls;
use super::strict::{self, Arrived, Said, Seen};
pub use answers::{Answer, answers};
pub use client::Client;
use http2::{Script, Spoken};

/// The account's token, which nobody but the upstream may see.
pub const TOKEN: &str = "5ec2e7a1b0c94d3f8e7a6b5c4d3e2f1a";
/// The secret of the one key.
pub const KEY: &str = "gg_growth";
/// Longer than every bound of the settings together: a connection that is open for so long hangs.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// When everything happens.
const NOW: Timestamp = Timestamp::constant(1_794_744_000, 0);

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let digest = KeyDigest::of(KEY);
    let text = format!(
        r#"
        [upstream]
        base_url = "http://upstream.test"
        token_env = "GENERECT_TOKEN"
        [account]
        when_stale = "allow"
        [[team]]
        id = "growth"
        [[key]]
        id = "crm"
        team = "growth"
        sha256 = "{digest}"
        [[budget]]
        id = "all"
        limit = 1000
        per = "month"
        "#
    );
    let environment = Environment::from_iter([("GENERECT_TOKEN", TOKEN)]);
    compile(&text, &environment).unwrap_or_else(|mistakes| panic!("{mistakes}"))
});

/// What is left when everything has ended.
pub struct Ended {
    /// All bytes the client was sent.
    pub heard: Vec<u8>,
    /// All that went upstream.
    pub seen: Seen,
    /// All that was logged.
    pub log: Vec<u8>,
    /// The ledger.
    pub entries: Vec<Entry>,
    /// Holds that wait for the end of their jobs.
    pub open: Vec<OpenHold>,
}

/// Has a client say `says` to a guard of its own, before an upstream that answers with `answer`.
pub fn talk(
    says: Vec<u8>,
    (pieces, leaves): (usize, bool),
    answer: impl FnMut(&Arrived) -> Said + Send + 'static,
) -> Ended {
    talk_over(&MemoryStore::new(), says, (pieces, leaves), answer)
}

/// The same with the ledger in `kept`.
pub fn talk_over(
    kept: &MemoryStore,
    says: Vec<u8>,
    (pieces, leaves): (usize, bool),
    answer: impl FnMut(&Arrived) -> Said + Send + 'static,
) -> Ended {
    let seen = Arc::default();
    let upstream = upstream(Arc::clone(&seen), answer);
    let seen = move || std::mem::take(&mut *seen.lock().unwrap());
    between(kept, says, (pieces, leaves), upstream, seen)
}

/// Has a client say `says` to a guard of its own, before an upstream of HTTP/2 that says `script`.
pub fn talk_http2(
    says: Vec<u8>,
    (pieces, leaves): (usize, bool),
    script: Script,
) -> (Ended, Spoken) {
    let spoken = Arc::default();
    let upstream = upstream_http2(Arc::clone(&spoken), script);
    let kept = MemoryStore::new();
    let ended = between(&kept, says, (pieces, leaves), upstream, Seen::default);
    let spoken = std::mem::take(&mut *spoken.lock().unwrap());
    (ended, spoken)
}

fn between(
    kept: &MemoryStore,
    says: Vec<u8>,
    (pieces, leaves): (usize, bool),
    upstream: Upstream,
    seen: impl FnOnce() -> Seen,
) -> Ended {
    watch_for_panics();
    log::begin();
    let heard = Arc::default();
    let client = Client {
        says,
        pieces,
        leaves,
        heard: Arc::clone(&heard),
        closed: CancellationToken::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let talked = async { tokio::time::timeout(PATIENCE, guard(kept, client, upstream)).await };
    let talked = runtime.block_on(talked);
    drop(runtime);
    assert!(!PANICKED.take(), "a task panicked, as was said above");
    assert!(talked.is_ok(), "it has no end");
    let report = (kept as &dyn Reader).verify(&mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    Ended {
        heard,
        seen: seen(),
        log: log::lines(),
        entries: kept.entries(0, usize::MAX).unwrap(),
        open: kept.open_holds().unwrap(),
    }
}

thread_local! {
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// A task that panics is told to nobody but the hook.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICKED.set(true);
            before(panic);
        }));
    });
    PANICKED.set(false);
}

/// The life of a guard with one connection.
async fn guard(kept: &MemoryStore, client: Client, upstream: Upstream) {
    let (config, clock) = (&*CONFIG, Clock::manual(NOW));
    let store = Box::new(kept.clone());
    let (ledger, writer) = Ledger::open(store, ledger_settings(config), clock.clone()).unwrap();
    tokio::spawn(writer.run());
    let settings = WatcherSettings::new(config.account.poll_interval, Vec::new());
    let watcher = Watcher::new(Nobody, clock.clone(), settings);
    let (draining, tasks) = (CancellationToken::new(), TaskTracker::new());
    let kept = kept.clone();
    let parts = StackParts {
        upstream,
        open: OpenReader::new(move || Ok(Box::new(kept.clone()))),
        ledger: &ledger,
        balance: watcher.latest(),
        funds_gone: watcher.funds_gone(),
        clock: &clock,
        draining: &draining,
        tasks: &tasks,
    };
    let settings = stack_settings(config, parts).unwrap();
    let closed = client.closed.clone();
    let serving = tokio::spawn(server::serve(
        client::Door(Mutex::new(Some(client))),
        stack(&settings),
        server_settings(&config.server, false),
        draining.clone(),
    ));
    closed.cancelled().await;
    draining.cancel();
    serving.await.unwrap();
    tasks.close();
    tasks.wait().await;
    ledger.close().await.unwrap();
}

/// An account that cannot be asked.
struct Nobody;

impl BalanceSource for Nobody {
    async fn balance(&self) -> Result<Reading, AccountError> {
        Err(AccountError::Silent)
    }
}

fn upstream(
    seen: Arc<Mutex<Seen>>,
    answer: impl FnMut(&Arrived) -> Said + Send + 'static,
) -> Upstream {
    let answer = Arc::new(Mutex::new(answer));
    let connect = move |_: Uri| {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
        tokio::spawn(async move {
            strict::serve(theirs, &seen, |arrived| (answer.lock().unwrap())(arrived)).await;
        });
        let link = Link::Given(Box::new(TokioIo::new(ours)), Version::HTTP_11);
        std::future::ready(Ok::<_, BodyError>(link))
    };
    over(Connector::new(tower::service_fn(connect)))
}

/// An upstream of HTTP/2 whose first connection says `script`.
pub fn upstream_http2(spoken: Arc<Mutex<Spoken>>, script: Script) -> Upstream {
    let connections = Arc::new(AtomicUsize::new(0));
    let connect = move |_: Uri| {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let nth = connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(http2::serve(
            theirs,
            nth,
            script.clone(),
            Arc::clone(&spoken),
        ));
        let link = Link::Given(Box::new(TokioIo::new(ours)), Version::HTTP_2);
        std::future::ready(Ok::<_, BodyError>(link))
    };
    over(Connector::new(tower::service_fn(connect)))
}

fn over(connector: Connector) -> Upstream {
    let upstream = &CONFIG.upstream;
    let settings = UpstreamSettings {
        base_url: upstream.base_url.clone(),
        connect_timeout: upstream.connect_timeout,
        pool_idle_timeout: upstream.pool_idle_timeout,
        idle_connections_max: upstream.idle_connections_max,
        proxy: None,
        tls: no_tls(),
    };
    Upstream::over(connector, &settings).unwrap()
}
