//! A server on port 0 that answers each question as a test says, well or badly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::account::{AccountClient, AccountClientSettings};
use generect_guard::clock::Clock;
use generect_guard::simulator::{LIVE_TOKEN, Simulator, SimulatorSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// Looks like a live key and belongs to nobody.
pub const TOKEN: &str = "5f2c0a71e9b84d3692aa10cd";

/// How one question is answered.
#[derive(Clone)]
pub enum Step {
    /// A whole answer.
    Answer(u16, String),
    /// A whole answer, once the test says so.
    Held(Arc<Notify>, u16, String),
    /// A redirect to another address.
    Redirect(String),
    /// The head promises more than comes before the connection closes.
    Cut,
    /// An answer in chunks that never ends.
    Endless,
    /// Nothing, for as long as the asker waits.
    Silence,
}

impl Step {
    /// The documented answer with this balance, given as JSON.
    pub fn balance(json: &str) -> Self {
        let account = format!(
            r#"{{"data": {{"id": "0c5e", "email": "ops@example.org", "plan": "Pro",
                "credits": {{"balance": {json}, "used_this_month": 8.63, "monthly_limit": 10000}},
                "preview_tier": false}}}}"#
        );
        Self::Answer(200, account)
    }
}

/// Answers questions until it is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Upstream {
    /// Answers the question with the given number (from 0) by `script`.
    pub async fn start(script: impl Fn(usize) -> Step + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let head = read_head(&mut stream).await;
                let number = {
                    let mut heads = seen.lock().unwrap();
                    heads.push(head);
                    heads.len() - 1
                };
                tokio::spawn(answer(stream, script(number)));
            }
        });
        Self {
            address,
            heads,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn client(&self, clock: Clock) -> AccountClient {
        AccountClient::new(settings(self.base_url()), TOKEN, clock).unwrap()
    }
}

/// Settings with a short patience.
pub fn settings(base_url: String) -> AccountClientSettings {
    AccountClientSettings {
        base_url,
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        egress_proxy: None,
        tls: tls(),
    }
}

/// A pretend Generect by a clock of its own, and a client of the account on it.
pub async fn pretend(
    change: impl FnOnce(&mut SimulatorSettings),
) -> (Simulator, AccountClient, Clock) {
    let clock = Clock::manual("2026-09-15T10:30:00Z".parse().unwrap());
    let mut simulated = SimulatorSettings {
        clock: clock.clone(),
        ..SimulatorSettings::default()
    };
    change(&mut simulated);
    let token = simulated.tokens[0].clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, simulated).await;
    let settings = AccountClientSettings {
        timeout: Duration::from_secs(10),
        ..settings(simulator.base_url())
    };
    let client = AccountClient::new(settings, &token, clock.clone()).unwrap();
    (simulator, client, clock)
}

/// One call of a team's, straight to the simulator.
pub async fn post(simulator: &Simulator, path: &str, body: &str) -> serde_json::Value {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls())
        .no_proxy()
        .build()
        .unwrap();
    let answer = client
        .post(format!("{}{path}", simulator.base_url()))
        .header("authorization", format!("Token {LIVE_TOKEN}"))
        .header("content-type", "application/json")
        .body(body.to_owned())
        .send()
        .await
        .unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn whole(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn answer(mut stream: TcpStream, step: Step) {
    let text = match step {
        Step::Answer(status, body) => whole(status, &body),
        Step::Held(go, status, body) => {
            go.notified().await;
            whole(status, &body)
        }
        Step::Redirect(to) => format!(
            "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        Step::Cut => {
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"data\": {\"credits\": {\"balance\": 4"
                .to_owned()
        }
        Step::Endless => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
            return;
        }
        Step::Silence => {
            let _ = stream.read_u8().await;
            return;
        }
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}
