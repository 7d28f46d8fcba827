//! A receiver on port 0 that answers each message as a test says, well or badly; and a guard's
//! alerts running before it.

use std::future::ready;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use generect_guard::alerts::{
    Alert, Alerts, AlertsSettings, Condition, Patience, Shape, Snapshot, Webhook, run,
};
use generect_guard::clock::Clock;
use generect_guard::identity::Secret;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::support::{alert, credits, quiet};

/// The next test step waits at most this long; it comes in some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// What messages are signed with.
pub const SECRET: &str = "s1gn1ng-s3cr3t-0f-a-test";
/// A part of every receiver's address that nobody may show.
pub const HIDDEN: &str = "h1dd3n-address";

/// How one message is answered.
#[derive(Clone, Copy)]
pub enum Step {
    Status(u16),
    /// 307 to another receiver.
    Redirect(SocketAddr),
    /// The connection is closed without an answer.
    Close,
    /// Nothing, for as long as the sender waits.
    Silence,
}

/// One message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    pub head: String,
    pub body: Vec<u8>,
}

impl Message {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

/// Answers messages until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Answers the message with the given number (from 0) by `script`.
    pub async fn start(script: impl Fn(usize) -> Step + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&messages);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let message = read(&mut stream).await;
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(message);
                    seen.len() - 1
                };
                tokio::spawn(answer(stream, script(number)));
            }
        });
        Self {
            address,
            messages,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// Waits until so many messages came.
    pub async fn until(&self, count: usize) -> Vec<Message> {
        until(|| self.messages().len() >= count).await;
        self.messages()
    }

    pub fn webhook(&self) -> Webhook {
        webhook(self.address)
    }
}

pub fn webhook(address: SocketAddr) -> Webhook {
    Webhook {
        url: Secret::new(format!("http://{address}/{HIDDEN}")),
        secret: Some(Secret::new(SECRET)),
        shape: Shape::Generic,
        through_proxy: false,
    }
}

/// Waits until something has come to pass.
pub async fn until(done: impl Fn() -> bool) {
    let waited = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waited).await;
    waited.unwrap_or_else(|_| panic!("it did not come to pass"));
}

async fn read(stream: &mut TcpStream) -> Message {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let mut message = Message {
        head: String::from_utf8(head).unwrap(),
        body: Vec::new(),
    };
    let length = message.header("content-length").unwrap_or("0");
    message.body = vec![0; length.parse().unwrap()];
    let _ = stream.read_exact(&mut message.body).await;
    message
}

async fn answer(mut stream: TcpStream, step: Step) {
    let head = match step {
        Step::Status(status) => format!("HTTP/1.1 {status} X\r\n"),
        Step::Redirect(to) => {
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{to}/\r\n")
        }
        Step::Close => return,
        Step::Silence => {
            let _ = stream.read_u8().await;
            return;
        }
    };
    let text = format!("{head}content-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// An alert that is told at the first look at [`poor`].
pub fn low(id: &str, webhook: Webhook) -> Alert {
    let condition = Condition::BalanceBelow(credits("100"));
    Alert {
        webhook: Some(webhook),
        ..alert(id, condition)
    }
}

/// An account with 41.37 credits.
pub fn poor(now: Timestamp) -> Snapshot {
    let mut snapshot = quiet(now);
    snapshot.balance = Some((credits("41.37"), now));
    snapshot
}

/// Pauses too short to wait for.
pub fn hasty() -> Patience {
    Patience {
        timeout: Duration::from_secs(5),
        attempts: 5,
        first_pause: Duration::from_millis(2),
        age_max: SignedDuration::from_hours(24),
    }
}

/// What a guard keeps over a restart, and whether that works.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Drawer>>);

#[derive(Default)]
struct Drawer {
    text: Option<String>,
    saves: usize,
    loads: usize,
    looks: usize,
    broken: bool,
}

impl Desk {
    pub fn with(text: &str) -> Self {
        let desk = Self::default();
        desk.0.lock().unwrap().text = Some(text.to_owned());
        desk
    }

    pub fn text(&self) -> Option<String> {
        self.0.lock().unwrap().text.clone()
    }

    pub fn saves(&self) -> usize {
        self.0.lock().unwrap().saves
    }

    pub fn loads(&self) -> usize {
        self.0.lock().unwrap().loads
    }

    pub fn looks(&self) -> usize {
        self.0.lock().unwrap().looks
    }

    pub fn break_it(&self, broken: bool) {
        self.0.lock().unwrap().broken = broken;
    }

    pub fn save(&self, text: String) -> Result<(), &'static str> {
        let mut drawer = self.0.lock().unwrap();
        drawer.saves += 1;
        if drawer.broken {
            return Err("the drawer is stuck");
        }
        drawer.text = Some(text);
        Ok(())
    }

    fn load(&self) -> Result<Option<String>, &'static str> {
        let mut drawer = self.0.lock().unwrap();
        drawer.loads += 1;
        if drawer.broken {
            return Err("the drawer is stuck");
        }
        Ok(drawer.text.clone())
    }
}

/// Alerts that run until they are stopped.
pub struct Running {
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Looks every few milliseconds at what `seen` gives.
    pub fn start(
        alerts: Vec<Alert>,
        patience: Patience,
        clock: &Clock,
        desk: &Desk,
        seen: impl Fn(Timestamp) -> Option<Snapshot> + Send + Sync + 'static,
    ) -> Self {
        let settings = AlertsSettings {
            interval: Duration::from_millis(10),
            patience,
            ..AlertsSettings::new(alerts, tls(), None)
        };
        let alerts = Alerts::new(settings, clock.clone()).unwrap();
        let shutdown = CancellationToken::new();
        let (reads, writes, counts) = (desk.clone(), desk.clone(), desk.clone());
        let task = tokio::spawn(run(
            alerts,
            move |now| {
                counts.0.lock().unwrap().looks += 1;
                ready(seen(now))
            },
            move || ready(reads.load()),
            move |text| ready(writes.save(text)),
            shutdown.clone(),
        ));
        Self { shutdown, task }
    }

    /// Ends it as a restart would.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Waits for its own end.
    pub async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

pub fn tls() -> rustls::ClientConfig {
    static TLS: OnceLock<rustls::ClientConfig> = OnceLock::new();
    TLS.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    })
    .clone()
}

/// What this thread logs.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Gathers every line of every level until the guard is dropped.
    pub fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let sink = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || sink.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn count(&self, part: &str) -> usize {
        self.text().matches(part).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
