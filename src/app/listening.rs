//! The two listeners: sockets that somebody else holds open and passed on, or our own.

use std::net::{SocketAddr, TcpListener as Passed};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::account::Reading;
use crate::config::{self, Config};
use crate::ledger::WhenStale;
use crate::metrics;
use crate::version;

/// How long clients wait, in the socket's queue, for a guard that knows nothing of the account yet.
const FIRST_READING: Duration = Duration::from_secs(5);

/// Listening sockets that were opened before the guard was started, and stay open when it ends: who
/// connects between two guards waits for the second. A listener that is not here is opened by the
/// guard at its setting.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where clients call, in place of `server.listen`.
    pub clients: Option<Passed>,
    /// Where health and metrics are read, in place of `server.admin_listen`.
    pub admin: Option<Passed>,
}

impl Sockets {
    /// Whether clients that call while this guard stops will be answered by the next.
    pub(super) fn outlive_the_guard(&self) -> bool {
        self.clients.is_some()
    }

    /// Both listeners, the clients' first.
    pub(super) async fn listen(
        self,
        server: &config::Server,
    ) -> Result<(TcpListener, TcpListener), StartError> {
        let clients = listener("server.listen", server.listen, self.clients).await?;
        let admin = listener("server.admin_listen", server.admin_listen, self.admin).await?;
        Ok((clients, admin))
    }
}

async fn listener(
    setting: &'static str,
    address: SocketAddr,
    passed: Option<Passed>,
) -> Result<TcpListener, StartError> {
    let made = match passed {
        Some(passed) => taken(setting, address, passed),
        None => TcpListener::bind(address).await,
    };
    made.map_err(|why| StartError::Listen {
        setting,
        address,
        why,
    })
}

fn taken(
    setting: &'static str,
    address: SocketAddr,
    passed: Passed,
) -> std::io::Result<TcpListener> {
    passed.set_nonblocking(true)?;
    let listener = TcpListener::from_std(passed)?;
    let at = local(&listener);
    if at != address {
        tracing::info!(
            "a socket was passed: the guard listens on {at}, not on {setting} = {address}"
        );
    }
    Ok(listener)
}

/// Without a reading every billable call would be refused: better to let in nobody for a moment.
pub(super) async fn first_reading(
    outlived: bool,
    config: &Config,
    mut readings: watch::Receiver<Option<Reading>>,
) {
    if !outlived || config.account.rule.when_stale == WhenStale::Allow {
        return;
    }
    let read = readings.wait_for(Option::is_some);
    if tokio::time::timeout(FIRST_READING, read).await.is_err() {
        tracing::warn!("the account could not be read yet: billable calls are refused until it is");
    }
}

/// Where a listener is.
pub(super) fn local(listener: &TcpListener) -> SocketAddr {
    // A bound listener has an address; were it to lose it, port 0 says so plainly.
    listener
        .local_addr()
        .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
}

/// What refuses calls once it is set. Where the next guard takes over, nothing does: who has been let
/// in before the end is answered, as those are who wait for the next.
pub(super) fn refusing(outlived: bool, draining: &CancellationToken) -> CancellationToken {
    if outlived {
        CancellationToken::new()
    } else {
        draining.clone()
    }
}

/// Says in the log and in the metrics what is running, and where.
pub(super) fn announce(address: SocketAddr, admin_address: SocketAddr) {
    tracing::info!(
        %address,
        admin.address = %admin_address,
        version = version::VERSION,
        commit = version::COMMIT,
        "the guard is listening"
    );
    let info = ::metrics::gauge!(
        metrics::BUILD_INFO,
        metrics::VERSION => version::VERSION,
        metrics::COMMIT => version::COMMIT,
        metrics::STATE => version::STATE,
        metrics::RUSTC => version::RUSTC,
    );
    info.set(1);
}

/// How long connections that do nothing are kept at the end: a client may just be sending its next
/// request. Where the next guard takes over it gets its answer; else it is told, or finds its
/// connection closed.
pub(super) fn idle_at_end(outlived: bool) -> Duration {
    if outlived {
        Duration::from_millis(500)
    } else {
        Duration::ZERO
    }
}
