//! Holding the books against the list, as the running guard does but without its waits; and what
//! comes between.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use generect_guard::account::{AccountClient, AccountClientSettings, PullSettings};
use generect_guard::catalogue::Catalogue;
use generect_guard::credits::Credits;
use generect_guard::ledger::OpenReader;
use generect_guard::reconciliation::{Depth, Reconciler, ReconcilerSettings};
use generect_guard::simulator::{Fault, LIVE_TOKEN};
use jiff::SignedDuration;
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::month::Month;
use crate::shape::{CALL_LASTS, OVERLAP, ROWS_LATE, TOLERANCE};
use crate::support::no_tls::no_tls;

impl Month {
    pub(super) fn client(&self) -> AccountClient {
        let settings = AccountClientSettings {
            base_url: self.world().simulator.base_url(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            egress_proxy: None,
            tls: no_tls(),
        };
        AccountClient::new(settings, LIVE_TOKEN, self.clock.clone()).unwrap()
    }

    /// The reconciler of this guard: as the app makes it, but that it does not wait.
    pub(super) fn reconciler(&mut self) -> Reconciler {
        if let Some(reconciler) = self.reconciler.take() {
            return reconciler;
        }
        let path = self.world().ledger_path();
        let (catalogue, prices) = (
            Arc::new(Catalogue::built_in().unwrap()),
            Arc::clone(&self.prices),
        );
        let settings = ReconcilerSettings {
            source: self.shape.source,
            tolerance: TOLERANCE,
            rows_late: ROWS_LATE,
            overlap: OVERLAP,
            call_lasts: CALL_LASTS,
            factor: Credits::from_micros(1_000_000),
            charges_kept: self.shape.charges_kept(),
            balance_is: generect_guard::ledger::BalanceIs::Gross,
            pull: PullSettings {
                pause: Duration::ZERO,
                tries: 2,
                retry_pause: Duration::from_millis(1),
                ..PullSettings::default()
            },
            open_reader: OpenReader::of_file(path),
            in_force: Arc::new(move || (Arc::clone(&catalogue), prices.load_full())),
            prices_departed: Arc::new(|| {}),
        };
        let ledger = self.world().ledger().clone();
        Reconciler::new(settings, self.client(), ledger, self.clock.clone())
    }

    pub(super) async fn reconcile(&mut self) {
        let mut reconciler = self.reconciler();
        let summary = reconciler.run(Depth::Quick, &mut |_| {}).await.unwrap();
        if std::env::var_os("MONTH_TELLS").is_some() {
            eprintln!("{}\n{summary}\n", self.clock.now());
        }
        reconciler.cross_check().run(&mut reconciler).await;
        self.reconciler = Some(reconciler);
    }

    /// The account's list cannot be read for some hours, or only now and then.
    pub(super) async fn outage(&mut self) {
        let failures = self.random.random_range(1..4);
        let fault = Fault::Failure {
            status: 503,
            charged: false,
            says_charge: false,
        };
        let faults = self.world().simulator.faults();
        faults.next_on(failures, "/transactions/", fault);
        let mut reconciler = self.reconciler();
        // It fails or not, as the faults fall.
        let _ = reconciler.run(Depth::Quick, &mut |_| {}).await;
        self.reconciler = Some(reconciler);
        self.world().simulator.faults().clear();
    }

    /// For hours or days nothing of the account answers; calls go on, and may be charged.
    pub(super) async fn long_outage(&mut self) {
        let most = *[6, 60].choose(&mut self.random).unwrap();
        let hours = self.random.random_range(1..most);
        let fault = Fault::Failure {
            status: 503,
            charged: self.random.random_bool(0.3),
            says_charge: false,
        };
        self.world().simulator.faults().on("/", fault);
        for _ in 0..4 {
            let minutes = self.random.random_range(0..hours * 15 + 1);
            self.clock.advance(SignedDuration::from_mins(minutes));
            self.call_as_it_is().await;
            let mut reconciler = self.reconciler();
            let run = reconciler.run(Depth::Quick, &mut |_| {}).await;
            assert!(run.is_err(), "nothing could be read: {run:?}");
            self.reconciler = Some(reconciler);
        }
        self.world().simulator.faults().clear();
    }

    /// The books are held against the list while a call is on its way.
    pub(super) async fn in_flight(&mut self) {
        self.look_before_calling();
        let team = self.any_team();
        let (call, _) = self.prepare(team, false);
        let slow = Fault::SlowHeaders(Duration::from_millis(20));
        self.world().simulator.faults().next_on(1, call.path, slow);
        let flying = self.send_off(team, &call).await;
        self.reconcile().await;
        let seconds = self.random.random_range(0..15);
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.reconcile().await;
        let answer = flying.await.unwrap().unwrap();
        self.world().simulator.faults().clear();
        self.took_a_job(team, &call, &answer);
        self.all_written().await;
    }

    /// The guard ends while the books are being held against the list.
    pub(super) async fn interrupted(&mut self) {
        let mut reconciler = self.reconciler();
        let mut looks = self.random.random_range(1..60);
        {
            let mut no_progress = |_| {};
            let mut run = pin!(reconciler.run(Depth::Quick, &mut no_progress));
            poll_fn(|context| {
                looks -= 1;
                match run.as_mut().poll(context) {
                    Poll::Pending if looks > 0 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
        }
        drop(reconciler);
    }
}
