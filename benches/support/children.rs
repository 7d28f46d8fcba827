//! The processes that are measured, each on its core, and what the system knows of them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use generect_guard::simulator::LIVE_TOKEN;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::settings::{Shape, listening, settings};
use super::{LOAD_CORE, PROXY_CORE, load};

/// What is not ready by then never will be.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// The same under a tool that makes it slow.
const SLOW_READY_WITHIN: Duration = Duration::from_secs(600);

/// A process and those it started, ended when it is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    /// Those it started itself.
    workers: Vec<u32>,
    pub(crate) address: SocketAddr,
    /// Where its metrics are, if it is a guard.
    pub(crate) admin: Option<SocketAddr>,
    /// What it writes to.
    pub(crate) folder: Option<tempfile::TempDir>,
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for worker in &self.workers {
            let id = Pid::from_raw(worker.cast_signed()).unwrap();
            let _ = kill_process(id, Signal::KILL);
        }
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

pub(crate) fn on_core(core: &str, program: &std::path::Path) -> Command {
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
    Child::of(process, line.trim().parse().unwrap())
}

impl Child {
    fn of(process: std::process::Child, address: SocketAddr) -> Self {
        Self {
            process,
            workers: Vec::new(),
            address,
            admin: None,
            folder: None,
        }
    }

    pub(crate) fn upstream() -> Self {
        role(LOAD_CORE, &["upstream"])
    }

    /// A server that says nothing of itself, once it listens at `address` and has started so many
    /// processes of its own. One that forks listens before it does.
    pub(crate) async fn listening(
        mut command: Command,
        address: SocketAddr,
        workers: usize,
    ) -> Self {
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        let mut child = Self::of(process, address);
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(address).await.is_err() || child.workers.len() < workers {
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            sleep(Duration::from_millis(20)).await;
            child.workers = started_by(child.id());
        }
        child
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
        let text = settings(upstream, folder.path(), shape, level) + more;
        Self::guard_under(&[], folder, &text).await
    }

    /// The same with whole settings, run by a tool: `under` is its command line.
    pub(crate) async fn guard_under(under: &[&str], folder: tempfile::TempDir, text: &str) -> Self {
        let [address, admin] = [free_address(), free_address()];
        let path = folder.path().join("guard.toml");
        fs::write(&path, listening(address, admin) + text).unwrap();
        let program = std::env::var("GUARD");
        let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_generect-guard").into());
        let mut command = match under {
            [] => on_core(PROXY_CORE, program.as_ref()),
            [tool, arguments @ ..] => {
                let mut command = on_core(PROXY_CORE, tool.as_ref());
                command.args(arguments).arg(program).stderr(Stdio::null());
                command
            }
        };
        let process = command
            .arg("--config")
            .arg(&path)
            .arg("serve")
            .env("GENERECT_TOKEN", LIVE_TOKEN)
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut child = Self::of(process, address);
        child.admin = Some(admin);
        child.folder = Some(folder);
        let within = if under.is_empty() {
            READY_WITHIN
        } else {
            SLOW_READY_WITHIN
        };
        let deadline = Instant::now() + within;
        while !load::is_ready(admin).await {
            assert!(Instant::now() < deadline, "the guard is not ready");
            sleep(Duration::from_millis(20)).await;
        }
        child
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The processor time all threads of it have had.
    pub(crate) fn processor_time(&self) -> Duration {
        self.processor_time_of("")
    }

    /// The same, of the threads whose names begin so.
    pub(crate) fn processor_time_of(&self, name: &str) -> Duration {
        self.all().map(|id| processor_time(id, name)).sum()
    }

    /// Whether a thread of this very name is alive in it.
    pub(crate) fn has_thread(&self, name: &str) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.into_iter().any(|is| is.trim_end() == name)
    }

    /// The memory that is in use, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.all().map(|id| status_kib(id, "VmRSS:")).sum()
    }

    /// The most memory that ever was in use, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.all().map(|id| status_kib(id, "VmHWM:")).sum()
    }

    /// It and those it started.
    fn all(&self) -> impl Iterator<Item = u32> {
        std::iter::once(self.id()).chain(self.workers.iter().copied())
    }
}

/// The processor time this process has had.
pub(crate) fn own_processor_time() -> Duration {
    processor_time(std::process::id(), "")
}

fn processor_time(id: u32, name: &str) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
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

fn status_kib(id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

/// The processes that process `id` has started.
fn started_by(id: u32) -> Vec<u32> {
    let parent = format!("\nPPid:\t{id}\n");
    let processes = fs::read_dir("/proc").unwrap();
    let is_started = |process: &u32| {
        // It may end between the listing and the reading.
        let status = fs::read_to_string(format!("/proc/{process}/status"));
        status.is_ok_and(|status| status.contains(&parent))
    };
    let ids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(is_started).collect()
}

/// An address nobody listens on at the moment.
pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
