//! Promise 7, in what the process itself writes: the log at every level, errors, and `check`.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use generect_guard::simulator::{Fault, LIVE_TOKEN, Simulator, SimulatorSettings};

use crate::support::raw::once;
use crate::support::{Plan, relay, secret_of};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const KEY: &str = "growth-crm";

/// A guard in a process of its own, with all that it writes.
struct Process {
    child: Child,
    address: SocketAddr,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Process {
    fn start(config: &Path, level: &str) -> Self {
        let mut child = guard(config, "serve")
            .env("RUST_LOG", level)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let mut first = String::new();
        let address = loop {
            let start = first.len();
            assert!(
                stdout.read_line(&mut first).unwrap() > 0,
                "it ended: {first}"
            );
            let Ok(line) = serde_json::from_str::<serde_json::Value>(&first[start..]) else {
                continue;
            };
            if line["message"] == "the guard is listening" {
                break line["address"].as_str().unwrap().parse().unwrap();
            }
        };
        Self {
            child,
            address,
            stdout: std::thread::spawn(move || {
                stdout.read_to_string(&mut first).unwrap();
                first
            }),
            stderr: std::thread::spawn(move || {
                let mut text = String::new();
                stderr.read_to_string(&mut text).unwrap();
                text
            }),
        }
    }

    /// Tells it to stop, and gives back all it ever wrote.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.stdout.join().unwrap() + &self.stderr.join().unwrap()
    }
}

fn guard(config: &Path, command: &str) -> Command {
    let mut guard = Command::new(env!("CARGO_BIN_EXE_generect-guard"));
    guard.arg(command).arg("--config").arg(config);
    guard.env("TEST_TOKEN", LIVE_TOKEN);
    guard
}

fn call(path: &str, secret: &str, headers: &str, n: usize) -> String {
    let body = format!(r#"{{"job_titles":["t{n}"],"limit_by":1}}"#);
    format!(
        "POST {path} HTTP/1.1\r\nHost: guard\r\nAuthorization: Token {secret}\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Calls of every kind: good, refused, broken, leaking, with secrets in odd places.
async fn traffic(address: SocketAddr, simulator: &Simulator) {
    let secret = secret_of(KEY);
    let faults = [
        Fault::LeaksToken,
        Fault::SetsCookie,
        Fault::CutAfterCharge,
        Fault::CutMidBody,
        Fault::LengthTooShort,
        Fault::Redirect {
            status: 302,
            charged: true,
        },
        Fault::Failure {
            status: 500,
            charged: false,
            says_charge: false,
        },
        Fault::Huge { bytes: 2_000_000 },
        Fault::Throttled {
            retry_after_s: None,
        },
        Fault::FundsGone,
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        for path in [SEARCH, COUNT] {
            simulator.faults().next_on(1, path, fault.clone());
            once(address, call(path, &secret, "", n)).await;
        }
    }
    simulator.faults().clear();
    for (n, headers) in [
        format!("X-Request-Id: {secret}\r\n"),
        format!("X-Request-Id: a-{secret}\r\n"),
        format!("X-Request-Id: {}\r\n", &secret[..20]),
        format!("Cookie: session={secret}\r\n"),
        format!("User-Agent: {secret}\r\n"),
        format!("X-Api-Key: {secret}-other\r\n"),
        format!("X-Api-Key: {secret}\r\n"),
        format!("Content-Encoding: {secret}\r\n"),
        format!("{secret}: 1\r\n"),
        format!("bad header {secret}\r\n"),
    ]
    .iter()
    .enumerate()
    {
        once(address, call(SEARCH, &secret, headers, 100 + n)).await;
    }
    for path in [
        format!("/{secret}/"),
        format!("{SEARCH}?key={secret}"),
        format!("{COUNT}?key={secret}"),
        format!("/api/v1/phone/find/bulk/{secret}/"),
        format!("/%2e/{secret}"),
        format!("/api/v1/webhooks/{secret}/"),
    ] {
        once(address, call(&path, &secret, "", 0)).await;
    }
    once(address, call(SEARCH, &format!("{secret}-unknown"), "", 0)).await;
    once(address, format!("{secret} / HTTP/1.1\r\n\r\n")).await;
}

async fn simulator() -> Simulator {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(listener, SimulatorSettings::default()).await
}

fn assert_silent(text: &str) {
    for secret in [LIVE_TOKEN, &secret_of(KEY), "sessionid="] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is shown");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_at_any_level_shows_a_secret() {
    let identity = relay::Identity::new();
    for (level, tls) in [("trace", false), ("trace", true), ("info", false)] {
        let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator().await);
        let mut plan = Plan::one_team("1000");
        let mut base_url = simulator.base_url();
        if tls {
            // HTTP/2, whose library says more than any other.
            let relay = relay::tls(&identity, &["h2"], simulator.address()).await;
            base_url = format!("https://localhost:{}", relay.address.port());
            let file = folder.path().join("ca.pem");
            std::fs::write(&file, &identity.certificate).unwrap();
            plan = plan.set("upstream", &format!("ca_file = {file:?}"));
        }
        let config = folder.path().join("guard.toml");
        let ledger = folder.path().join("ledger.db");
        std::fs::write(&config, plan.config_text(&base_url, &ledger)).unwrap();
        let process = Process::start(&config, level);
        traffic(process.address, &simulator).await;
        assert!(simulator.truth().charges().len() > 3);
        let text = tokio::task::spawn_blocking(|| process.stop())
            .await
            .unwrap();
        assert!(text.contains("\"target\":\"spend\""), "{text}");
        assert_silent(&text);
        for name in ["ledger.db", "ledger.db-wal"] {
            let bytes = std::fs::read(folder.path().join(name)).unwrap_or_default();
            assert_silent(&String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn no_command_and_no_complaint_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("guard.toml");
    let ledger = folder.path().join("ledger.db");
    let good = Plan::one_team("5").config_text("http://127.0.0.1:9", &ledger);
    let in_the_wrong_place = format!(
        "{good}\n[[key]]\nid = \"x\"\nsha256 = \"{}\"\n",
        secret_of(KEY)
    );
    let token_written_down = good.replace(
        "token_env = \"TEST_TOKEN\"",
        &format!("token = \"{LIVE_TOKEN}\""),
    );
    let broken = format!("{good}\n[upstream\ntoken = \"{LIVE_TOKEN}\"");
    for text in [&good, &in_the_wrong_place, &token_written_down, &broken] {
        std::fs::write(&config, text).unwrap();
        for command in ["check", "report", "verify", "serve"] {
            if command == "serve" && text == &good {
                continue;
            }
            for token in [
                LIVE_TOKEN.to_owned(),
                format!("Token {LIVE_TOKEN}"),
                format!("{LIVE_TOKEN}\n{LIVE_TOKEN}"),
            ] {
                let mut run = guard(&config, command);
                let output = run
                    .env("TEST_TOKEN", token)
                    .env("RUST_LOG", "trace")
                    .output()
                    .unwrap();
                let shown = [output.stdout, output.stderr].concat();
                assert_silent(&String::from_utf8(shown).unwrap());
            }
        }
    }
}
