//! Everybody who is measured, before one upstream.

use std::net::SocketAddr;

use crate::packaged::{self, Log};
use crate::stand_in::{PAGES, PLAIN, TUNED};
use crate::support::PROXY_CORE;
use crate::support::children::{Child, role};
use crate::support::settings::{MANY_BUDGETS, MANY_KEYS, NARROW, WIDE};

pub(crate) struct Contestants {
    pub(crate) upstream: Child,
    /// Not there if it is not installed.
    pub(crate) nginx: Option<Child>,
    pub(crate) nginx_quiet: Option<Child>,
    pub(crate) haproxy: Option<Child>,
    pub(crate) haproxy_quiet: Option<Child>,
    pub(crate) bare: Child,
    pub(crate) plain_stand_in: Child,
    pub(crate) stand_in: Child,
    pub(crate) pages: Child,
    pub(crate) guard: Child,
    pub(crate) quiet: Child,
    pub(crate) budgets: Child,
    pub(crate) keys: Child,
    pub(crate) wide: Child,
}

impl Contestants {
    pub(crate) async fn start() -> Self {
        let upstream = Child::upstream();
        let to = upstream.address;
        Self {
            nginx: packaged::nginx(to, Log::Each).await,
            nginx_quiet: packaged::nginx(to, Log::Off).await,
            haproxy: packaged::haproxy(to, Log::Each).await,
            haproxy_quiet: packaged::haproxy(to, Log::Off).await,
            bare: role(PROXY_CORE, &["bare", &to.to_string()]),
            plain_stand_in: stand_in(to, PLAIN),
            stand_in: stand_in(to, TUNED),
            pages: stand_in(to, PAGES),
            guard: Child::guard(to, NARROW, "info").await,
            quiet: Child::guard(to, NARROW, "warn").await,
            budgets: Child::guard(to, MANY_BUDGETS, "info").await,
            keys: Child::guard(to, MANY_KEYS, "info").await,
            wide: Child::guard(to, WIDE, "info").await,
            upstream,
        }
    }

    /// Whose memory is shown, and under what name.
    pub(crate) fn by_name(&self) -> Vec<(&'static str, &Child)> {
        let all = [
            ("nginx, both processes", self.nginx.as_ref()),
            ("haproxy", self.haproxy.as_ref()),
            ("bare hyper proxy", Some(&self.bare)),
            ("stand-in", Some(&self.stand_in)),
            ("guard", Some(&self.guard)),
            ("guard, 301 budgets, 1001 keys", Some(&self.wide)),
        ];
        all.into_iter()
            .filter_map(|(name, child)| Some((name, child?)))
            .collect()
    }
}

fn stand_in(upstream: SocketAddr, name: &str) -> Child {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let mut child = role(
        PROXY_CORE,
        &["stand-in", &upstream.to_string(), &path, name],
    );
    child.folder = Some(folder);
    child
}
