//! Rules of `[server]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::scalars;
use crate::config::complaint::Complaints;
use crate::config::file::ServerFile;
use crate::config::settings::Server;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Checks the listeners and their bounds.
pub(super) fn server(file: &ServerFile, complaints: &mut Complaints) -> Server {
    let c = complaints;
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let seconds = Duration::from_secs;
    let server = Server {
        listen: scalars::address(c, "server.listen", file.listen.as_deref(), local(8080)),
        admin_listen: scalars::address(
            c,
            "server.admin_listen",
            file.admin_listen.as_deref(),
            local(8081),
        ),
        header_count_max: usize::try_from(scalars::count(
            c,
            "server.header_count_max",
            file.header_count_max,
            100,
            1..=1000,
        ))
        .unwrap_or(usize::MAX),
        // hyper's buffer cannot be made smaller than 8 KiB.
        header_bytes_max: scalars::bytes(
            c,
            "server.header_bytes_max",
            file.header_bytes_max,
            64 * KIB,
            8 * KIB..=MIB,
        ),
        header_read_timeout: scalars::span(
            c,
            "server.header_read_timeout",
            file.header_read_timeout,
            seconds(75),
        ),
        body_bytes_max: scalars::bytes(
            c,
            "server.body_bytes_max",
            file.body_bytes_max,
            MIB,
            KIB..=64 * MIB,
        ),
        body_read_timeout: scalars::span(
            c,
            "server.body_read_timeout",
            file.body_read_timeout,
            seconds(30),
        ),
        kept_bytes_max: scalars::bytes(
            c,
            "server.kept_bytes_max",
            file.kept_bytes_max,
            256 * MIB,
            KIB..=64 * 1024 * MIB,
        ),
        answer_bytes_kept: scalars::bytes(
            c,
            "server.answer_bytes_kept",
            file.answer_bytes_kept,
            MIB,
            0..=64 * MIB,
        ),
        stalled_client_timeout: scalars::span(
            c,
            "server.stalled_client_timeout",
            file.stalled_client_timeout,
            seconds(30),
        ),
        connections_max: usize::try_from(scalars::count(
            c,
            "server.connections_max",
            file.connections_max,
            4096,
            1..=1_000_000,
        ))
        .unwrap_or(usize::MAX),
        drain_timeout: scalars::span(c, "server.drain_timeout", file.drain_timeout, seconds(310)),
    };
    listeners(&server, c);
    kept(&server, c);
    server
}

fn listeners(server: &Server, complaints: &mut Complaints) {
    let (listen, admin) = (server.listen, server.admin_listen);
    let same_ip =
        listen.ip() == admin.ip() || listen.ip().is_unspecified() || admin.ip().is_unspecified();
    if listen.port() == admin.port() && listen.port() != 0 && same_ip {
        complaints.error(
            "server.admin_listen",
            format!("{admin} is taken by server.listen ({listen})"),
            "give each its own port",
        );
    }
    if !listen.ip().is_loopback() {
        complaints.warning(
            "server.listen",
            format!("{listen} is reachable from other machines, and keys travel on it unencrypted"),
            "listen on 127.0.0.1 behind something that speaks TLS, or be sure of the network",
        );
    }
    if !admin.ip().is_loopback() {
        complaints.warning(
            "server.admin_listen",
            format!("{admin} shows what teams spend to whoever can reach it"),
            "listen on 127.0.0.1, or be sure of the network",
        );
    }
}

/// One call keeps its body and the beginning of its answer: if that does not fit, no call could.
fn kept(server: &Server, complaints: &mut Complaints) {
    let one_call = server
        .body_bytes_max
        .saturating_add(server.answer_bytes_kept);
    if server.kept_bytes_max < one_call {
        complaints.error(
            "server.kept_bytes_max",
            format!(
                "{} bytes do not hold one call's body_bytes_max and answer_bytes_kept",
                server.kept_bytes_max
            ),
            format!("at least {one_call} bytes"),
        );
    }
}
