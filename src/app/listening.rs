//! The two listeners: sockets that somebody else holds open and passed on, or our own.

use std::net::{SocketAddr, TcpListener as Passed};

use tokio::net::TcpListener;

use super::StartError;
use crate::config;

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

/// Where a listener is.
pub(super) fn local(listener: &TcpListener) -> SocketAddr {
    // A bound listener has an address; were it to lose it, port 0 says so plainly.
    listener
        .local_addr()
        .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
}
