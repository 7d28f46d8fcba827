//! What stands beside the calls in one life of the guard: who takes commands, who reads the settings
//! again, and who reconciles.
//!
//! Each has a runtime of its own, for they read where that blocks: the one thing that a runtime
//! waits for while its time stands still. So nothing else of the guard moves meanwhile.

use std::sync::Arc;

use generect_guard::account::{Near, Reading};
use generect_guard::app::{Live, pausing, reconciler_settings};
use generect_guard::config::Config;
use generect_guard::control::{HearProgress, Question, ReloadNow, Reply, Running};
use generect_guard::ledger::{Ledger, OpenReader};
use generect_guard::proxy::stack::StackSettings;
use generect_guard::reconciliation::{ReconcileNow, Reconciler, ReconcilerSettings, Service};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::account;
use crate::guard::{Place, live};
use crate::no_tls::no_tls;

/// See the module.
pub struct Beside {
    running: Running,
    commands: Runtime,
    reloading: Runtime,
    reconciling: Runtime,
}

impl Beside {
    pub fn start(
        place: &Place,
        config: &Config,
        ledger: &Ledger,
        stack: &StackSettings,
        (near, readings): (Near, watch::Receiver<Option<Reading>>),
        [commands, reloading, reconciling]: [Runtime; 3],
    ) -> Self {
        let (reload, asked) = ReloadNow::new();
        let load = place.clone();
        let settings = Live {
            config: config.clone(),
            load: Some(Arc::new(move || load.config())),
            tls: no_tls(),
            clock: place.clock.clone(),
            ledger: ledger.clone(),
            policy: Arc::clone(&stack.policy),
            slots: Arc::clone(&stack.slots),
            tier: watch::channel(None).1,
            near,
            alerts: mpsc::channel(1).0,
        };
        let (service, reconcile) = reconciles(place, config, ledger, stack, readings);
        reconciling.spawn(service.run(CancellationToken::new()));
        reloading.spawn(settings.run(asked, CancellationToken::new()));
        let running = Running {
            ledger: ledger.clone(),
            path: config.ledger.path.clone(),
            clock: place.clock.clone(),
            pausing: pausing(stack),
            reload: Some(reload),
            reconcile: Some(reconcile),
            hear: HearProgress::nobody(),
        };
        Self {
            running,
            commands,
            reloading,
            reconciling,
        }
    }

    /// Their part of a tick.
    pub fn live(&self, ticks: u64) {
        live(&self.commands, ticks);
        live(&self.reloading, ticks);
        live(&self.reconciling, ticks);
    }

    /// Has a person's question answered, and the answer told.
    pub fn ask(&self, question: Question, told: impl FnOnce(Reply) + Send + 'static) {
        let running = self.running.clone();
        self.commands.spawn(async move {
            told(question.answer(&running, "a run").await);
        });
    }
}

/// Who reconciles, with connections of its own.
fn reconciles(
    place: &Place,
    config: &Config,
    ledger: &Ledger,
    stack: &StackSettings,
    readings: watch::Receiver<Option<Reading>>,
) -> (Service, ReconcileNow) {
    let (disk, policy) = (place.disk.clone(), Arc::clone(&stack.policy));
    let in_force = move || {
        let policy = policy.load();
        (Arc::clone(&policy.catalogue), Arc::clone(&policy.prices))
    };
    let settings = reconciler_settings(
        config,
        OpenReader::new(move || disk.read()),
        Arc::new(in_force),
        Arc::new(|| {}),
    );
    let settings = ReconcilerSettings {
        pull: place.pull,
        charges_kept: place.charges_kept,
        ..settings.unwrap()
    };
    let client = account::client(&place.net, &place.clock);
    let reconciler = Reconciler::new(settings, client, ledger.clone(), place.clock.clone());
    Service::new(reconciler, config.reconciliation.interval, readings)
}
