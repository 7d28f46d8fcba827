//! What systemd passes to a service and wants to hear of it. A guard that anything else started is
//! given no sockets, and tells nobody.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use socket2::SockRef;

use crate::app::Sockets;
use crate::config::Environment;

/// What the names of the passed sockets are in, colons between them (`sd_listen_fds(3)`).
const NAMES_VARIABLE: &str = "LISTEN_FDNAMES";
/// The names, in the order that sockets without any have.
const NAMES: [&str; 2] = ["clients", "admin"];
/// How long a start may say nothing, once it has told that it takes long. It tells every few seconds, but
/// a disk may be slow, and a commit is one breath.
const START_PATIENCE: Duration = Duration::from_mins(5);

/// The sockets that were passed to this process. Taken once.
///
/// # Errors
/// One that is not for us, or is no listening TCP socket: better no guard than one that listens
/// somewhere else than people think.
pub(super) fn sockets(environment: &Environment) -> anyhow::Result<Sockets> {
    let mut passed = ListenFd::from_env();
    let names = match environment.get(NAMES_VARIABLE) {
        Some(names) => names.split(':').collect(),
        None => NAMES.to_vec(),
    };
    let mut sockets = Sockets::default();
    for index in 0..passed.len() {
        let name = names.get(index).copied().unwrap_or_default();
        let place = match name {
            "clients" => &mut sockets.clients,
            "admin" => &mut sockets.admin,
            _ => bail!(
                "a socket was passed under the name {name:?}: name it \"clients\" or \"admin\" \
                 (FileDescriptorName= of its socket unit)"
            ),
        };
        ensure!(
            place.is_none(),
            "two sockets were passed under the name {name:?}: the guard listens on one address each"
        );
        *place = Some(listening(&mut passed, index, name)?);
    }
    Ok(sockets)
}

fn listening(passed: &mut ListenFd, index: usize, name: &str) -> anyhow::Result<TcpListener> {
    let what = || format!("the socket that was passed as {name:?} cannot be used");
    let taken = passed.take_tcp_listener(index).with_context(what)?;
    let taken = taken.with_context(what)?;
    let listens = SockRef::from(&taken).is_listener().with_context(what)?;
    ensure!(
        listens,
        "the socket that was passed as {name:?} does not listen"
    );
    Ok(taken)
}

/// The guard is not ready yet, and gets on: it is given time again, so that a start that takes long is
/// stopped only if it stands still.
pub(super) fn starting(status: &str) {
    let more = u32::try_from(START_PATIENCE.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::ExtendTimeoutUsec(more),
        NotifyState::Status(status),
    ]);
}

/// The guard takes calls.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The settings are being read again; [`ready`] ends that.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The guard takes no more calls and ends when those that run have.
pub(super) fn stopping() {
    let status = NotifyState::Status("no new calls; running ones finish");
    tell(&[NotifyState::Stopping, status]);
}

/// Says that the process lives, as often as is wanted, to the process's end: the drain too is a life
/// worth watching. It is said from where calls are served, so that a runtime that hangs is heard of.
pub(super) fn keep_saying_alive() {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    // Halfway, as sd_watchdog_enabled(3) advises; an interval of nothing would never end.
    let mut ticks = tokio::time::interval((patience / 2).max(Duration::from_millis(1)));
    tokio::spawn(async move {
        loop {
            ticks.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    });
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told how the guard stands");
    }
}
