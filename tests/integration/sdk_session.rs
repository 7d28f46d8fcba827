//! A Python process with the published SDK in it, and what it needs to be there.
//!
//! The SDK is installed once, into a virtual environment under the target folder. Without Python
//! the tests fail and say what is missing: a guard that was not tried with the real client was not
//! tried.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::secret_of;

/// The package under test, as the package index has it.
const PACKAGE: &str = "generect==0.1.1";
const DRIVER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/integration/sdk_driver.py"
);

/// What one method of the SDK came to.
#[derive(Debug)]
pub struct Came(Value);

impl Came {
    /// What it returned. Panics with what it raised instead.
    pub fn returned(&self) -> &Value {
        assert!(
            self.0["raised"].is_null(),
            "raised instead of returning: {}",
            self.0
        );
        &self.0["returned"]
    }

    /// The class of what it raised, or the empty text.
    pub fn raised(&self) -> &str {
        self.0["raised"].as_str().unwrap_or_default()
    }

    /// The `detail` of what it raised, as text.
    pub fn detail(&self) -> String {
        let detail = &self.0["detail"];
        detail
            .as_str()
            .map_or_else(|| detail.to_string(), str::to_owned)
    }

    /// The body of what it raised.
    pub fn body(&self) -> &Value {
        &self.0["body"]
    }

    /// What the SDK says it was charged, as text; empty where it says nothing.
    pub fn amount_charged(&self) -> String {
        let amount = &self.0["amount_charged"];
        if amount.is_null() {
            String::new()
        } else {
            amount.to_string()
        }
    }

    /// The job, as the SDK's own accessor tells it.
    pub fn job(&self) -> String {
        self.0["job_id"].as_str().unwrap().to_owned()
    }

    /// How each request on the wire was answered: statuses, or the names of transport errors.
    pub fn wire(&self) -> Vec<String> {
        let statuses = self.0["statuses"].as_array().unwrap();
        let text = |status: &Value| status.to_string().replace('"', "");
        statuses.iter().map(text).collect()
    }
}

/// A client of the SDK in a process of its own.
pub struct Sdk {
    pipes: Arc<Mutex<Pipes>>,
    /// Every public method it has, `search.database_leads` and so on.
    pub methods: Vec<String>,
}

struct Pipes {
    child: Child,
    commands: ChildStdin,
    results: BufReader<ChildStdout>,
}

impl Sdk {
    /// A client with key `key`'s secret that calls `http://{address}/api/v1`, with the SDK's own
    /// number of repeats and short waits between them.
    pub async fn start(address: impl ToString, key: &str) -> Self {
        Self::start_with(address, key, json!({})).await
    }

    /// The same, with more arguments of the SDK's constructor, and `headers` for its transport.
    pub async fn start_with(address: impl ToString, key: &str, more: Value) -> Self {
        let mut options = json!({
            "base_url": format!("http://{}/api/v1", address.to_string()),
            "api_key": secret_of(key),
            "timeout": 30,
            "backoff_base": 0.01,
        });
        let more = more.as_object().cloned().unwrap_or_default();
        options.as_object_mut().unwrap().extend(more);
        let (pipes, hello) = blocking(move || {
            let mut pipes = Pipes::open();
            let hello = pipes.ask(&options);
            (pipes, hello)
        })
        .await;
        let methods = hello["methods"].as_array().unwrap();
        let methods = methods.iter().map(|name| name.as_str().unwrap().to_owned());
        Self {
            methods: methods.collect(),
            pipes: Arc::new(Mutex::new(pipes)),
        }
    }

    /// Calls `method` with keyword arguments.
    pub async fn call(&self, method: &str, kwargs: Value) -> Came {
        self.call_with(method, json!([]), kwargs).await
    }

    /// Calls `method` with positional and keyword arguments.
    pub async fn call_with(&self, method: &str, args: Value, kwargs: Value) -> Came {
        let command = json!({"method": method, "args": args, "kwargs": kwargs});
        let pipes = Arc::clone(&self.pipes);
        Came(blocking(move || pipes.lock().unwrap().ask(&command)).await)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

impl Pipes {
    fn open() -> Self {
        // Nothing of this machine's environment may lead the calls elsewhere.
        let mut child = Command::new(python_with_sdk())
            .args(["-I", DRIVER])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            commands: child.stdin.take().unwrap(),
            results: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.commands, "{command}").unwrap();
        let mut line = String::new();
        self.results.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the driver ended, see its error above; asked {command}"))
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of a virtual environment that has the SDK. Made once; other processes of the
/// same test run wait for the one that makes it.
fn python_with_sdk() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(target).unwrap();
    let lock = File::create(target.join("generect-sdk.lock")).unwrap();
    lock.lock().unwrap();
    let environment = target.join("generect-sdk");
    let python = environment.join("bin").join("python");
    // Written last: half an environment has none.
    let complete = environment.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|installed| installed == PACKAGE) {
        return python;
    }
    let _ = fs::remove_dir_all(&environment);
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&environment);
    run(
        make,
        "python3 with its venv module is needed (Debian and Ubuntu: apt-get install python3-venv)",
    );
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet"]);
    install.args(["--disable-pip-version-check", PACKAGE]);
    run(
        install,
        "pip and a package index that has the SDK are needed",
    );
    fs::write(&complete, PACKAGE).unwrap();
    python
}

fn run(mut command: Command, needed: &str) {
    let sdk = format!("the tests with the real SDK ({PACKAGE}) cannot run: {needed}");
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!(
            "{sdk}\n{command:?} ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("{sdk}\n{command:?}: {error}"),
    }
}
