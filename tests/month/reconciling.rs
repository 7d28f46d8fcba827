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
use generect_guard::ledger::{StoreError, open_reader};
use generect_guard::reconciliation::{Depth, Reconciler, ReconcilerSettings};
use generect_guard::simulator::{Fault, LIVE_TOKEN};
use generect_guard::transaction::TransactionSource;
use rand::RngExt;

use crate::month::Month;
use crate::shape::{CALL_LASTS, OVERLAP, ROWS_LATE, TOLERANCE};
use crate::support::no_tls;

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
            source: TransactionSource::V1,
            tolerance: TOLERANCE,
            rows_late: ROWS_LATE,
            overlap: OVERLAP,
            call_lasts: CALL_LASTS,
            factor: Credits::from_micros(1_000_000),
            balance_is: generect_guard::ledger::BalanceIs::Gross,
            pull: PullSettings {
                pause: Duration::ZERO,
                tries: 2,
                retry_pause: Duration::from_millis(1),
                ..PullSettings::default()
            },
            open_reader: Arc::new(move || {
                open_reader(&path).map_err(|error| StoreError::Failed(error.to_string()))
            }),
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
        faults.next_on(failures, "/accounts/transactions/", fault);
        let mut reconciler = self.reconciler();
        // It fails or not, as the faults fall.
        let _ = reconciler.run(Depth::Quick, &mut |_| {}).await;
        self.reconciler = Some(reconciler);
        self.world().simulator.faults().clear();
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
