//! Rules of `[server]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::scalars;
use crate::config::complaint::Complaints;
use crate::config::file::ServerFile;
use crate::config::settings::Server;
use crate::config::values::{ByteCount, Span};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const COUNTS: RangeInclusive<u32> = 1..=1_000_000;

/// Checks the listeners and their bounds.
pub(super) fn server(file: &ServerFile, complaints: &mut Complaints) -> Server {
    let mut c = Section { complaints };
    let server = Server {
        listen: c.address("listen", file.listen.as_deref(), 8080),
        admin_listen: c.address("admin_listen", file.admin_listen.as_deref(), 8081),
        header_count_max: c.count("header_count_max", file.header_count_max, 100, 1..=1000),
        // hyper's buffer cannot be made smaller than 8 KiB.
        header_bytes_max: c.bytes(
            "header_bytes_max",
            file.header_bytes_max,
            64 * KIB,
            8 * KIB..=MIB,
        ),
        header_read_timeout: c.span("header_read_timeout", file.header_read_timeout, 75),
        body_bytes_max: c.bytes("body_bytes_max", file.body_bytes_max, MIB, KIB..=64 * MIB),
        body_read_timeout: c.span("body_read_timeout", file.body_read_timeout, 30),
        kept_bytes_max: c.bytes(
            "kept_bytes_max",
            file.kept_bytes_max,
            256 * MIB,
            KIB..=64 * KIB * MIB,
        ),
        answer_bytes_kept: c.bytes(
            "answer_bytes_kept",
            file.answer_bytes_kept,
            MIB,
            0..=64 * MIB,
        ),
        stalled_client_timeout: c.span("stalled_client_timeout", file.stalled_client_timeout, 30),
        connections_max: c.count("connections_max", file.connections_max, 4096, COUNTS),
        connections_per_source_max: c.count(
            "connections_per_source_max",
            file.connections_per_source_max,
            // Half: the other half is for everybody else.
            file.connections_max.unwrap_or(4096).div_ceil(2).max(1),
            COUNTS,
        ),
        unknown_keys_per_second: c.at_least_one(
            "unknown_keys_per_second",
            file.unknown_keys_per_second,
            10,
        ),
        unknown_keys_burst: c.at_least_one("unknown_keys_burst", file.unknown_keys_burst, 100),
        drain_timeout: c.span("drain_timeout", file.drain_timeout, 310),
    };
    listeners(&server, complaints);
    connections(&server, complaints);
    kept(&server, complaints);
    server
}

/// The section's name in front of each setting's.
struct Section<'a> {
    complaints: &'a mut Complaints,
}

impl Section<'_> {
    fn address(&mut self, name: &str, value: Option<&str>, port: u16) -> SocketAddr {
        let default = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        scalars::address(self.complaints, &path(name), value, default)
    }

    fn span(&mut self, name: &str, value: Option<Span>, default_s: u64) -> Duration {
        let default = Duration::from_secs(default_s);
        scalars::span(self.complaints, &path(name), value, default)
    }

    fn bytes(
        &mut self,
        name: &str,
        value: Option<ByteCount>,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> usize {
        scalars::bytes(self.complaints, &path(name), value, default, bounds)
    }

    fn count(
        &mut self,
        name: &str,
        value: Option<u32>,
        default: u32,
        bounds: RangeInclusive<u32>,
    ) -> usize {
        let count = scalars::count(self.complaints, &path(name), value, default, bounds);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn at_least_one(&mut self, name: &str, value: Option<u32>, default: u32) -> NonZeroU32 {
        let count = scalars::count(self.complaints, &path(name), value, default, COUNTS);
        NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
    }
}

fn path(name: &str) -> String {
    format!("server.{name}")
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

fn connections(server: &Server, complaints: &mut Complaints) {
    if server.connections_per_source_max > server.connections_max {
        complaints.error(
            "server.connections_per_source_max",
            format!(
                "{} is more than there are for all sources together (server.connections_max = {})",
                server.connections_per_source_max, server.connections_max
            ),
            "at most as many; as many where all calls come through one proxy",
        );
    }
}

/// If one call does not fit, none could.
fn kept(server: &Server, complaints: &mut Complaints) {
    let one_call = server.one_call_bytes();
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
