//! The simulator: a pretend Generect, and the oracle of what was truly charged.
//!
//! It answers the documented operations, v1 and legacy, in their documented shapes over real
//! sockets, keeps an account whose money moves by the documented rules (dossier sections 2 to 5),
//! and misbehaves on demand. Tests and benchmarks point a guard at it and then ask [`Truth`] what
//! was charged; `sandbox` uses it so that there is nothing to configure.
//!
//! Its prices and its reading of bodies are its own, on purpose: an oracle that shared them with
//! the guard could not find a fault in them. It imports `credits` and `clock`, nothing else of ours.
//!
//! - [`settings`]: what the documents leave open. [`prices`]: the price table.
//! - `server`, `exchange`: connections, and the order of one exchange. `arrived`: what its request
//!   says. `routes`, `access`: the framework's part. `bodies`: how it reads. `operations`: what each
//!   path does.
//! - `account`, `transactions`, `jobs`, `slots`: the money, its list, bulk jobs, parallel caps.
//!   [`lists`]: what is shown of the list.
//! - [`faults`]: the menu of misbehaviour. [`truth`]: what really happened.
//!
//! Two request headers steer a single call: `x-simulator-fault` names a fault, `x-simulator-marker`
//! is kept with the charge. Bodies can say `"job_titles": ["matches:7"]`; texts with `not-found` in
//! them are never found; an item with `job-error` in it dooms its bulk job.
//!
//! A bulk submission is "charged" by a fault in the sense that the job was accepted: its money is
//! set aside and the job goes on, whether or not anybody learned its id.

mod access;
mod account;
mod answer;
mod arrived;
mod bodies;
mod exchange;
pub mod faults;
mod jobs;
pub mod lists;
mod operations;
mod people;
pub mod prices;
mod reply;
mod routes;
mod server;
pub mod settings;
mod slots;
mod transactions;
pub mod truth;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::credits::Credits;
use account::Account;
use exchange::Service;
pub use faults::{CodingFault, Fault, Faults, Listening, MetaFault, Nonsense};
pub use prices::Prices;
pub use routes::documented_paths;
pub use settings::{LIVE_TOKEN, SimulatorSettings, TEST_TOKEN};
pub use slots::Scope;
pub use truth::{Charged, RequestSeen, RowWritten, Truth};

/// A running pretend Generect.
pub struct Simulator {
    address: SocketAddr,
    service: Arc<Service>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Simulator {
    /// Starts to serve on `listener`, on the runtime this is called in.
    pub async fn start(listener: TcpListener, settings: SimulatorSettings) -> Self {
        // A bound listener knows its address; the port 0 below is what it asked for otherwise.
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = listener.local_addr().unwrap_or(unknown);
        let (service, ends) = service(settings);
        let stop = CancellationToken::new();
        let accepting = server::run(listener, address, Arc::clone(&service), ends, stop.clone());
        Self {
            address,
            service,
            stop,
            running: tokio::spawn(accepting),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://<address>`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What really happened. Cheap; stays valid after [`stop`](Self::stop).
    pub fn truth(&self) -> Truth {
        self.service.truth()
    }

    /// The faults in force, to be changed at any time.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// Changes settings while it runs; the next request sees them. `balance` and `seed` are only
    /// looked at when it starts.
    pub fn change(&self, change: impl FnOnce(&mut SimulatorSettings)) {
        let mut settings = SimulatorSettings::clone(&self.service.settings.load());
        change(&mut settings);
        self.service.account.follow(&settings);
        self.service.settings.store(Arc::new(settings));
    }

    /// What the account has: start + top-ups − charges − what was spent elsewhere. What is set
    /// aside for calls in flight is still in it.
    pub fn balance(&self) -> Credits {
        self.service.standing().balance
    }

    /// What is set aside for calls in flight and open jobs.
    pub fn set_aside(&self) -> Credits {
        self.service.standing().aside
    }

    /// Adds money, with a transaction of its own.
    pub fn top_up(&self, amount: Credits) {
        self.service.account.top_up(amount, self.now());
    }

    /// Takes money as the web application would: a transaction of this kind, but no call and no
    /// charge in [`Truth`].
    pub fn spend_elsewhere(&self, kind: &'static str, amount: Credits) {
        let now = self.now();
        self.service.account.spend_elsewhere(kind, amount, now);
    }

    /// Gives money back for a call that was charged: a positive row of its kind.
    pub fn refund(&self, kind: &'static str, amount: Credits) {
        self.service.account.refund(kind, amount, self.now());
    }

    /// Thinks again about the newest charged row of a kind: its status becomes `error`, and its money
    /// is given back. Answers whether there was one.
    pub fn take_back(&self, kind: &str) -> bool {
        self.service.account.take_back(kind, self.now())
    }

    /// Moves every open job one step: from `pending` to `processing`, from there to `completed`.
    pub fn advance_jobs(&self) {
        self.service.account.advance_jobs(self.now());
    }

    /// Completes every open job and answers how many there were.
    pub fn complete_jobs(&self) -> usize {
        self.service.account.end_jobs(false, self.now())
    }

    /// Ends every open job in `error` and answers how many there were.
    pub fn fail_jobs(&self) -> usize {
        self.service.account.end_jobs(true, self.now())
    }

    /// Closes the socket and every connection, and waits until they are closed. Calls that were
    /// accepted are still settled.
    pub async fn stop(self) {
        self.stop.cancel();
        // An error means that the loop was already gone with its runtime.
        let _ = self.running.await;
    }

    fn now(&self) -> jiff::Timestamp {
        self.service.now()
    }
}

/// A pretend Generect without a socket, for whoever brings connections of another kind.
pub struct Unconnected(Arc<Service>);

impl Unconnected {
    /// One that has served nobody yet.
    pub fn new(settings: SimulatorSettings) -> Self {
        Self(service(settings).0)
    }

    /// Serves HTTP/1.1 on one connection, until either side ends it.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        server::serve_http1(stream, Arc::clone(&self.0)).await;
    }

    /// What really happened.
    pub fn truth(&self) -> Truth {
        self.0.truth()
    }

    /// The faults in force, to be changed at any time.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// What the account has. What is set aside for calls in flight is still in it.
    pub fn balance(&self) -> Credits {
        self.0.standing().balance
    }

    /// What is set aside for calls in flight and open jobs.
    pub fn set_aside(&self) -> Credits {
        self.0.standing().aside
    }

    /// Adds money, with a transaction of its own.
    pub fn top_up(&self, amount: Credits) {
        self.0.account.top_up(amount, self.0.now());
    }

    /// Takes money as the web application would: a transaction of this kind, but no call and no
    /// charge in [`Truth`].
    pub fn spend_elsewhere(&self, kind: &'static str, amount: Credits) {
        let now = self.0.now();
        self.0.account.spend_elsewhere(kind, amount, now);
    }
}

fn service(settings: SimulatorSettings) -> (Arc<Service>, faults::ListeningEnds) {
    let (faults, ends) = Faults::new(settings.seed);
    let service = Service {
        account: Arc::new(Account::new(&settings)),
        arrivals: Arc::default(),
        slots: Arc::default(),
        faults: Arc::new(faults),
        webhooks: operations::WebhookList::default(),
        settings: ArcSwap::from_pointee(settings),
    };
    (Arc::new(service), ends)
}

/// Locks. A panic elsewhere must not hide what really happened, so poison is ignored.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Spreads a number over all bits: the same number always, similar ones far apart (splitmix64).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number for a text, the same on every run (FNV-1a, spread).
fn hashed(text: &str) -> u64 {
    let folded = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mixed(folded)
}
