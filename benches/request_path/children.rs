//! The processes that are measured, each on its core, and what the system knows of them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use generect_guard::simulator::LIVE_TOKEN;
use tokio::time::{Instant, sleep};

use crate::settings::{Shape, settings};
use crate::{LOAD_CORE, PROXY_CORE, load};

/// A guard that is not ready by then never will be.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// A process, ended when it is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
    /// Where its metrics are, if it is a guard.
    pub(crate) admin: Option<SocketAddr>,
    /// The ledger's folder, if it is a guard.
    pub(crate) folder: Option<tempfile::TempDir>,
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keeps this process, with the threads it starts from now on, on one core.
pub(crate) fn pin_this_process(core: &str) {
    let id = std::process::id().to_string();
    let taskset = Command::new("taskset")
        .args(["-cp", core, &id])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(taskset.success(), "taskset cannot pin this process");
}

fn on_core(core: &str, program: &std::path::Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// This program in another role.
pub(crate) fn role(core: &str, arguments: &[&str]) -> Child {
    let mut command = on_core(core, &std::env::current_exe().unwrap());
    let mut process = command
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = process.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    Child {
        process,
        address: line.trim().parse().unwrap(),
        admin: None,
        folder: None,
    }
}

impl Child {
    pub(crate) fn upstream() -> Self {
        role(LOAD_CORE, &["upstream"])
    }

    pub(crate) fn bare(upstream: SocketAddr) -> Self {
        role(PROXY_CORE, &["bare", &upstream.to_string()])
    }

    /// `generect-guard serve`, ready. Its log goes where nobody reads it, but is written.
    pub(crate) async fn guard(upstream: SocketAddr, shape: Shape, level: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::guard_in(folder, upstream, shape, level, "").await
    }

    /// The same, in a folder that may have a ledger, `more` under the settings.
    pub(crate) async fn guard_in(
        folder: tempfile::TempDir,
        upstream: SocketAddr,
        shape: Shape,
        level: &str,
        more: &str,
    ) -> Self {
        let [address, admin] = [free_address(), free_address()];
        let path = folder.path().join("guard.toml");
        let text = settings(upstream, [address, admin], folder.path(), shape, level);
        fs::write(&path, text + more).unwrap();
        let program = std::env::var("GUARD");
        let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_generect-guard").into());
        let process = on_core(PROXY_CORE, program.as_ref())
            .arg("--config")
            .arg(&path)
            .arg("serve")
            .env("GENERECT_TOKEN", LIVE_TOKEN)
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let child = Self {
            process,
            address,
            admin: Some(admin),
            folder: Some(folder),
        };
        let deadline = Instant::now() + READY_WITHIN;
        while !load::is_ready(admin).await {
            assert!(Instant::now() < deadline, "the guard is not ready");
            sleep(Duration::from_millis(20)).await;
        }
        child
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The processor time all threads of the process have had.
    pub(crate) fn processor_time(&self) -> Duration {
        self.processor_time_of("")
    }

    /// The same, of the threads whose names begin so.
    pub(crate) fn processor_time_of(&self, name: &str) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let times = tasks.filter_map(|task| {
            // A thread may end between the listing and the reading.
            let task = task.ok()?.path();
            let is = fs::read_to_string(task.join("comm")).ok()?;
            if !is.starts_with(name) {
                return None;
            }
            let text = fs::read_to_string(task.join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(times.sum())
    }

    /// The memory of the process that is in use, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.unwrap().parse().unwrap()
    }
}

/// An address nobody listens on at the moment.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
