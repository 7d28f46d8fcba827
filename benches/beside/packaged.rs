//! What a user would pick: nginx and HAProxy as Debian packages them, as plain proxies that put the
//! account's token in.
//!
//! Tuned as their manuals say: one worker or thread, connections kept open on both sides and never
//! closed for their number of requests, HTTP/1.1 to the upstream, small packets sent at once (both
//! do so unasked), the log of nginx buffered. Logs go where nobody keeps them, like the guard's.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use generect_guard::simulator::LIVE_TOKEN;
use tempfile::TempDir;

use crate::support::PROXY_CORE;
use crate::support::children::{Child, free_address, on_core};

/// Whether there is a line for each call.
#[derive(Clone, Copy)]
pub(crate) enum Log {
    Each,
    Off,
}

/// nginx, if it is installed.
pub(crate) async fn nginx(upstream: SocketAddr, log: Log) -> Option<Child> {
    let program = program("nginx", "nginx-light")?;
    let (folder, address) = (TempDir::new().unwrap(), free_address());
    let text = nginx_conf(upstream, address, folder.path(), log);
    let path = folder.path().join("nginx.conf");
    fs::write(&path, text).unwrap();
    let mut command = on_core(PROXY_CORE, &program);
    command.arg("-p").arg(folder.path()).arg("-c").arg(&path);
    command.arg("-e").arg(folder.path().join("error.log"));
    let mut child = Child::listening(command, address, 1).await;
    child.folder = Some(folder);
    Some(child)
}

/// HAProxy, if it is installed.
pub(crate) async fn haproxy(upstream: SocketAddr, log: Log) -> Option<Child> {
    let program = program("haproxy", "haproxy")?;
    let (folder, address) = (TempDir::new().unwrap(), free_address());
    let path = folder.path().join("haproxy.cfg");
    fs::write(&path, haproxy_cfg(upstream, address, log)).unwrap();
    let mut command = on_core(PROXY_CORE, &program);
    command.args(["-db", "-f"]).arg(&path);
    let mut child = Child::listening(command, address, 0).await;
    child.folder = Some(folder);
    Some(child)
}

/// Where a program is. Its absence is said aloud.
fn program(name: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        println!(
            "*** {name}: NOT MEASURED, it is not installed. Debian: apt-get install -y {package}"
        );
        println!("*** (its service need not run: systemctl disable --now {name})");
    }
    found
}

fn nginx_conf(upstream: SocketAddr, address: SocketAddr, folder: &Path, log: Log) -> String {
    let folder = folder.display();
    let log = match log {
        Log::Each => "/dev/null combined buffer=64k flush=1s",
        Log::Off => "off",
    };
    // Else its worker could not write into the folder of whoever started it.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        r#"
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log {log};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    upstream generect {{
        server {upstream};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://generect;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Token {LIVE_TOKEN}";
        }}
    }}
}}
"#
    )
}

fn haproxy_cfg(upstream: SocketAddr, address: SocketAddr, log: Log) -> String {
    let log = match log {
        Log::Each => "log global\n    option httplog",
        Log::Off => "no log",
    };
    format!(
        r#"
global
    nbthread 1
    maxconn 4096
    log stdout format raw local0 info
defaults
    mode http
    {log}
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 1h
    timeout server 310s
    timeout http-keep-alive 1h
frontend clients
    bind {address}
    http-request set-header Authorization "Token {LIVE_TOKEN}"
    default_backend generect
backend generect
    server api {upstream} pool-max-conn 256
"#
    )
}
