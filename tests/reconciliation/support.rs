//! Books: a ledger file and a reconciler that holds it against the list, and short ways to ask both.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use generect_guard::account::{AccountClient, AccountClientSettings, PullSettings};
use generect_guard::catalogue::Catalogue;
use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ids::JobId;
use generect_guard::ledger::store::Reader;
use generect_guard::ledger::{
    Entry, EntryKind, Evidence, FindingKind, Hold, HoldRequest, Ledger, OpenReader, Settings,
    SqliteStore, open_reader,
};
use generect_guard::reconciliation::{
    Depth, ReconcileError, Reconciler, ReconcilerSettings, Summary,
};
use generect_guard::transaction::TransactionSource;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::dying::{Dying, Gate};
use crate::list::{List, SEARCH};

/// Beyond this every call and row of before is complete.
pub const LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(20);
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(30);

/// See the module.
pub struct Books {
    pub folder: TempDir,
    pub clock: Clock,
    pub ledger: Ledger,
    pub list: List,
    pub reconciler: Reconciler,
    pub source: TransactionSource,
    /// So many charges without a row are kept in memory: none, so that each is read again.
    pub charges_kept: usize,
    /// How often records are kept before the process dies.
    pub keeps: Arc<AtomicI64>,
    pub gate: Arc<Gate>,
    base_url: String,
    _server: AbortOnDropHandle<()>,
}

impl Books {
    pub async fn new() -> Self {
        Self::keeping(0).await
    }

    pub async fn keeping(charges_kept: usize) -> Self {
        let clock = Clock::manual("2026-05-04T12:00:00Z".parse().unwrap());
        let folder = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let list = List::new(&clock);
        let server = AbortOnDropHandle::new(tokio::spawn(list.clone().serve(listener)));
        let keeps = Arc::new(AtomicI64::new(i64::MAX));
        let gate = Arc::default();
        let ledger = open(&folder, &clock, &keeps, &gate);
        let reader = reader_of(&folder);
        let source = TransactionSource::V1;
        let reconciler = reconciler(&base_url, &ledger, &clock, reader, source, charges_kept);
        let mut books = Self {
            folder,
            clock,
            ledger,
            list,
            reconciler,
            source,
            charges_kept,
            keeps,
            gate,
            base_url,
            _server: server,
        };
        books.reconciler.begin().await.unwrap();
        books
    }

    /// The guard ends without a word and another begins.
    pub async fn restart(&mut self) {
        self.restart_after(|_| {}).await;
    }

    /// The same, and something is done to its file between the two.
    pub async fn restart_after(&mut self, between: impl FnOnce(&Self)) {
        self.ledger.close().await.unwrap();
        between(self);
        self.keeps.store(i64::MAX, Ordering::Relaxed);
        self.ledger = open(&self.folder, &self.clock, &self.keeps, &self.gate);
        self.begin_anew();
        self.reconciler.begin().await.unwrap();
    }

    /// A reconciler that knows only what the file says.
    pub fn begin_anew(&mut self) {
        self.reconcile_by(reader_of(&self.folder));
    }

    /// A reconciler that reads the ledger by `open_reader`.
    pub fn reconcile_by(&mut self, open_reader: OpenReader) {
        let (ledger, clock) = (&self.ledger, &self.clock);
        let (source, kept) = (self.source, self.charges_kept);
        self.reconciler = reconciler(&self.base_url, ledger, clock, open_reader, source, kept);
    }

    pub fn path(&self) -> PathBuf {
        path(&self.folder)
    }

    pub fn reader(&self) -> Box<dyn Reader> {
        open_reader(&self.path()).unwrap()
    }

    pub fn pass(&self, span: SignedDuration) {
        self.clock.advance(span);
    }

    pub async fn run(&mut self) -> Summary {
        self.try_run().await.unwrap()
    }

    pub async fn try_run(&mut self) -> Result<Summary, ReconcileError> {
        self.reconciler.run(Depth::Full, &mut |_| {}).await
    }

    /// Runs once, and the process dies when it has kept records so many times more. Says whether it did.
    pub async fn dies_after(&mut self, keeps: i64) -> bool {
        self.keeps.store(keeps, Ordering::Relaxed);
        self.try_run().await.is_err()
    }

    pub async fn hold(&self, quote: &str) -> Hold {
        self.hold_of("growth", quote).await
    }

    pub async fn hold_of(&self, team: &str, quote: &str) -> Hold {
        self.hold_for(team, SEARCH, quote).await
    }

    pub async fn hold_for(&self, team: &str, operation: &str, quote: &str) -> Hold {
        let request = HoldRequest {
            team: team.into(),
            key: format!("{team}-key").as_str().into(),
            operation: operation.into(),
            quote: credits(quote),
            floor: None,
            shadow_floor: None,
            fingerprint: None,
        };
        self.ledger.hold(request).await.unwrap()
    }

    /// A call that is settled at once at what its answer stated.
    pub async fn call(&self, charge: &str) {
        settle(self.hold(charge).await, charge);
        self.written().await;
    }

    /// The list shows a charge of a search, so that its silence about others says something.
    pub async fn show(&mut self) {
        self.list.took("txn_shown", self.clock.now(), "1");
        self.call("1").await;
        self.pass(LONG_ENOUGH);
        assert_eq!(self.run().await.matched, 1);
    }

    /// A job of the given most.
    pub async fn submit(&self, quote: &str, job: &str) -> JobId {
        let job = JobId::from(job);
        let hold = self.hold(quote).await;
        hold.bind_job(job.clone()).await.unwrap();
        job
    }

    /// A call whose answer never came.
    pub async fn doubt(&self, quote: &str) {
        self.hold(quote).await.doubt("a test");
        self.written().await;
    }

    /// Waits until what was queued is on disk.
    pub async fn written(&self) {
        loop {
            let calls = self.ledger.open_calls().await.unwrap();
            let known = |call: &generect_guard::ledger::OpenCall| {
                call.doubted_at.is_some() || call.job.is_some()
            };
            if calls.iter().all(known) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The answer of another request says that the turns before it are on disk.
        self.ledger.set_budgets(Vec::new()).await.unwrap();
    }

    /// Waits until fewer calls are open.
    pub async fn ended(&self, open: usize) {
        while self.ledger.open_calls().await.unwrap().len() >= open {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Kind, name and drift of the open findings, in their order.
    pub fn open_findings(&self) -> Vec<(FindingKind, String, String)> {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let kept = self.reader().findings(from, to, true, None, 1_000).unwrap();
        let mut found: Vec<_> = kept
            .into_iter()
            .map(|kept| {
                let finding = kept.finding;
                (
                    finding.kind,
                    finding.name.to_string(),
                    finding.drift.to_string(),
                )
            })
            .collect();
        found.sort();
        found
    }

    /// How each hold ended, and at what.
    pub fn endings(&self) -> Vec<(i64, EntryKind, String)> {
        let entries: Vec<Entry> = self.reader().entries(0, 10_000).unwrap();
        let ends = |entry: &&Entry| matches!(entry.kind, EntryKind::Settled | EntryKind::Released);
        let mut ended: Vec<_> = (entries.iter().filter(ends))
            .map(|entry| (entry.hold.get(), entry.kind, entry.amount.to_string()))
            .collect();
        ended.sort_by_key(|(hold, ..)| *hold);
        ended
    }

    /// What our books say was charged, and the drift of all open findings: together they must be what
    /// the account took.
    pub fn settled_and_drift(&self) -> (Credits, Credits) {
        let entries = self.reader().entries(0, 10_000).unwrap();
        let charged = |entry: &Entry| match entry.kind {
            EntryKind::Settled | EntryKind::Corrected => entry.amount,
            _ => Credits::ZERO,
        };
        let settled = entries.iter().map(charged).sum();
        let drift = self.reader().found(Timestamp::MIN, Timestamp::MAX).unwrap();
        (settled, drift.iter().map(|sum| sum.open_drift).sum())
    }

    /// All of what the account took, by our books: settled or found.
    pub fn accounted(&self) -> Credits {
        let (settled, drift) = self.settled_and_drift();
        settled.saturating_add(drift)
    }

    /// The drift of the open findings of a kind.
    pub fn drift_of(&self, kind: FindingKind) -> Credits {
        let found = self.open_findings().into_iter();
        let found = found.filter(|(of, ..)| *of == kind);
        found.map(|(.., drift)| credits(&drift)).sum()
    }

    pub fn assert_sound(&self) {
        let report = self.reader().verify(&mut |_, _| {}).unwrap();
        assert!(report.is_sound(), "{report:#?}");
        let records = self.reader().check_records().unwrap();
        assert_eq!(records.defects, Vec::<String>::new());
    }
}

pub fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

pub fn settle(hold: Hold, charge: &str) {
    let raw = charge.to_owned();
    hold.settle(credits(charge), Evidence::Stated { raw });
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("ledger.db")
}

fn open(folder: &TempDir, clock: &Clock, keeps: &Arc<AtomicI64>, gate: &Arc<Gate>) -> Ledger {
    let store = Dying {
        store: SqliteStore::open(&path(folder)).unwrap(),
        keeps: Arc::clone(keeps),
        gate: Arc::clone(gate),
    };
    let (ledger, writer) =
        Ledger::open(Box::new(store), Settings::default(), clock.clone()).unwrap();
    writer.spawn().unwrap();
    ledger
}

pub fn reader_of(folder: &TempDir) -> OpenReader {
    OpenReader::of_file(path(folder))
}

fn reconciler(
    base_url: &str,
    ledger: &Ledger,
    clock: &Clock,
    open_reader: OpenReader,
    source: TransactionSource,
    charges_kept: usize,
) -> Reconciler {
    let catalogue = Arc::new(Catalogue::built_in().unwrap());
    let prices = Arc::new(catalogue.prices().clone());
    let settings = ReconcilerSettings {
        source,
        tolerance: SignedDuration::from_secs(2),
        rows_late: SignedDuration::from_mins(1),
        overlap: OVERLAP,
        call_lasts: SignedDuration::from_mins(5),
        factor: credits("1"),
        pull: PullSettings {
            pause: Duration::ZERO,
            ..PullSettings::default()
        },
        charges_kept,
        balance_is: generect_guard::ledger::BalanceIs::Gross,
        open_reader,
        in_force: Arc::new(move || (Arc::clone(&catalogue), Arc::clone(&prices))),
        prices_departed: Arc::new(|| {}),
    };
    let client = AccountClientSettings {
        base_url: base_url.to_owned(),
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(10),
        egress_proxy: None,
        tls: tls(),
    };
    let client = AccountClient::new(client, "5f2c0a71e9b84d3692aa10cd", clock.clone()).unwrap();
    Reconciler::new(settings, client, ledger.clone(), clock.clone())
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
