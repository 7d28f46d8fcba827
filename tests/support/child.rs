//! The guard as a process of its own: started from the binary, asked through its sockets, and ended
//! as an operating system ends it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use generect_guard::simulator::SimulatorSettings;
use reqwest::{Client, Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::plan::wait_out_midnight;
use super::silence::{assert_files_silent, assert_silent};
use super::{Answered, Plan, client, secret_of, send};

/// How long a process may take to listen, or to end, before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a configuration and a ledger, for any number of processes after (or beside) one
/// another.
pub struct Home {
    folder: tempfile::TempDir,
    token: String,
}

/// A process that serves. It is killed when this is dropped.
pub struct Child {
    process: Mutex<std::process::Child>,
    pid: Pid,
    /// Where clients call.
    pub address: SocketAddr,
    /// Where health and metrics are read.
    pub admin_address: SocketAddr,
    log: Log,
    /// Those who read what it writes; they end with it.
    readers: Vec<JoinHandle<()>>,
    http: Client,
}

/// What a process has written so far, line by line.
type Log = Arc<Mutex<Vec<String>>>;

impl Plan {
    /// The settings of its simulator, for one that is started apart.
    pub fn simulator_settings(&self) -> SimulatorSettings {
        self.simulator.clone()
    }

    /// A folder with this plan's configuration, for processes before the upstream at `base_url`.
    pub fn home(&self, base_url: &str) -> Home {
        wait_out_midnight();
        let folder = tempfile::tempdir().unwrap();
        let text = self.config_text(base_url, &folder.path().join("ledger.db"));
        std::fs::write(folder.path().join("guard.toml"), text).unwrap();
        Home {
            folder,
            token: self.token.clone(),
        }
    }
}

impl Home {
    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// The binary with this configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_through(
            Command::new(env!("CARGO_BIN_EXE_generect-guard")),
            arguments,
        )
    }

    /// The binary behind a line of shell; `exec "$@"` in it is the guard.
    pub fn command_in_shell(&self, line: &str, arguments: &[&str]) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line, "sh", env!("CARGO_BIN_EXE_generect-guard")]);
        self.command_through(shell, arguments)
    }

    fn command_through(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .arg("--config")
            .arg(self.folder.path().join("guard.toml"))
            .args(arguments)
            .env("TEST_TOKEN", &self.token)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end. It blocks: call it where nothing else is waited for.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert_silent("what a command wrote", &output.stdout);
        assert_silent("what a command complained of", &output.stderr);
        output
    }

    /// What a command writes, which must succeed.
    pub fn output_of(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{errors}");
        text
    }

    /// Runs a command in two parts, which must succeed.
    pub fn run_well(&self, command: &[&str], more: &[&str]) {
        self.output_of(&[command, more].concat());
    }

    /// `report --json`.
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.output_of(&["report", "--json"])).unwrap()
    }

    /// Starts to serve, and waits until it listens.
    pub async fn serve(&self) -> Child {
        Child::start(self.command(&["serve"])).await
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        assert_files_silent(self.folder.path());
    }
}

impl Child {
    /// Starts a command that serves, and waits until it listens.
    pub async fn start(mut command: Command) -> Self {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::default();
        let (told, listening) = channel();
        let readers = vec![
            collect(process.stdout.take().unwrap(), &log, Some(told)),
            collect(process.stderr.take().unwrap(), &log, None),
        ];
        let found = tokio::task::spawn_blocking(move || first(&listening)).await;
        let Some((address, admin_address)) = found.unwrap() else {
            let _ = process.kill();
            let _ = process.wait();
            panic!("the guard does not listen: {}", text_of(&log));
        };
        Self {
            pid: Pid::from_child(&process),
            process: Mutex::new(process),
            address,
            admin_address,
            log,
            readers,
            http: client(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// SIGKILL: ends it between two instructions. Returns when it is gone.
    pub fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM: asks it to end.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub async fn ended(&self) -> ExitStatus {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.lock().unwrap().try_wait().unwrap() {
                return status;
            }
            let waiting = tokio::time::Instant::now() < deadline;
            assert!(waiting, "the guard does not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks it to end, and waits until it has: drained, with everything on disk.
    pub async fn end(self) {
        // The harness looks through it for secrets.
        self.admin("/metrics").await;
        self.terminate();
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        text_of(&self.log)
    }

    /// Waits until a line of its log holds `text`.
    pub async fn logs(&self, text: &str) {
        self.until(text, || self.log().contains(text).then_some(()))
            .await;
    }

    /// Waits until `look` finds something.
    pub async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            let waiting = tokio::time::Instant::now() < deadline;
            assert!(waiting, "never came: {what}; {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A request with the key `id`'s secret.
    pub fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        let request = self.http.request(method, url);
        request.header("authorization", format!("Token {}", secret_of(key)))
    }

    /// POSTs JSON with the key `key`.
    pub async fn post_as(
        &self,
        key: &str,
        path: &str,
        body: &str,
    ) -> Result<Answered, reqwest::Error> {
        let request = self.request(Method::POST, path, key);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_owned());
        send(request).await
    }

    /// POSTs JSON with the key `growth-crm`; the connection must hold.
    pub async fn post(&self, path: &str, body: &str) -> Answered {
        self.post_as("growth-crm", path, body).await.unwrap()
    }

    /// GETs with the key `growth-crm`; the connection must hold.
    pub async fn get(&self, path: &str) -> Answered {
        send(self.request(Method::GET, path, "growth-crm"))
            .await
            .unwrap()
    }

    /// GETs a page of the admin listener.
    pub async fn admin(&self, path: &str) -> Answered {
        let url = format!("http://{}{path}", self.admin_address);
        send(self.http.get(url)).await.unwrap()
    }
}

impl Drop for Child {
    #[expect(
        clippy::print_stderr,
        reason = "what the process logged explains why a test failed"
    )]
    fn drop(&mut self) {
        if let Ok(mut process) = self.process.lock() {
            let _ = process.kill();
            let _ = process.wait();
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("--- the guard's log\n{}", self.log());
        }
        assert_silent("what the guard's process wrote", self.log().as_bytes());
    }
}

/// Reads `from` to its end in a thread, so that the process never waits for us.
fn collect(
    from: impl Read + Send + 'static,
    log: &Log,
    told: Option<Sender<String>>,
) -> JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if let Some(told) = &told {
                let _ = told.send(text.clone());
            }
            log.lock().unwrap().push(text);
        }
    })
}

/// The addresses, once the process says that it listens.
fn first(lines: &Receiver<String>) -> Option<(SocketAddr, SocketAddr)> {
    loop {
        let line = match lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        let Ok(event) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        if event["message"] == "the guard is listening" {
            let address = |name: &str| event[name].as_str().unwrap().parse().unwrap();
            return Some((address("address"), address("admin.address")));
        }
    }
}

fn text_of(log: &Log) -> String {
    log.lock().unwrap().join("\n")
}
