//! The operator's pages, over a real connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use generect_guard::admin::{self, AdminState, Conditions, ReadingState};
use generect_guard::metrics;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);
const FRESH: ReadingState = ReadingState::Fresh {
    age: SignedDuration::from_secs(4),
};

struct Pages {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    writable: Arc<AtomicBool>,
    sound: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
}

async fn pages(reading: ReadingState) -> Pages {
    let writable = Arc::new(AtomicBool::new(true));
    let sound = Arc::new(AtomicBool::new(true));
    let file = Arc::clone(&sound);
    let draining = Arc::new(AtomicBool::new(false));
    let (ledger, drain) = (Arc::clone(&writable), Arc::clone(&draining));
    let conditions = Conditions {
        ledger_writable: Box::new(move || ledger.load(Ordering::SeqCst)),
        ledger_sound: Box::new(move || file.load(Ordering::SeqCst)),
        reading: Box::new(move || reading),
        draining: Box::new(move || drain.load(Ordering::SeqCst)),
    };
    let (recorder, exporter) = metrics::recorder().unwrap();
    ::metrics::with_local_recorder(&recorder, || {
        ::metrics::gauge!(metrics::HOLDS_OPEN).set(3.0);
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let state = AdminState::new(conditions, exporter);
    let task = tokio::spawn(admin::serve(listener, state, shutdown.clone()));
    Pages {
        address,
        shutdown,
        task,
        writable,
        sound,
        draining,
    }
}

struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Page {
    fn json(&self) -> Value {
        assert!(
            self.head.contains("content-type: application/json"),
            "{}",
            self.head
        );
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Pages {
    async fn send(&self, request: &str) -> Page {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text))
            .await
            .unwrap()
            .unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Page {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    async fn get(&self, path: &str) -> Page {
        let request = format!("GET {path} HTTP/1.1\r\nhost: guard\r\nconnection: close\r\n\r\n");
        self.send(&request).await
    }

    /// The status of `/readyz` and the names of the conditions that are not met.
    async fn unmet(&self) -> (u16, Vec<String>) {
        let page = self.get("/readyz").await;
        let json = page.json();
        assert_eq!(json["ready"], page.status == 200);
        let conditions = json["conditions"].as_array().unwrap();
        assert_eq!(conditions.len(), 4);
        let unmet = conditions
            .iter()
            .filter(|condition| condition["met"] == false);
        let names = unmet.map(|condition| condition["name"].as_str().unwrap().to_owned());
        (page.status, names.collect())
    }
}

#[tokio::test]
async fn a_guard_that_is_not_ready_is_still_alive() {
    let never_read = ReadingState::Stale {
        age: None,
        allowed: false,
    };
    let pages = pages(never_read).await;
    pages.writable.store(false, Ordering::SeqCst);
    pages.draining.store(true, Ordering::SeqCst);
    let page = pages.get("/healthz").await;
    assert_eq!(
        (page.status, page.json()["status"].as_str()),
        (200, Some("alive"))
    );
    let (status, unmet) = pages.unmet().await;
    assert_eq!(status, 503);
    assert_eq!(
        unmet,
        ["ledger_writable", "account_reading", "not_draining"]
    );
}

#[tokio::test]
async fn readiness_follows_each_condition() {
    let pages = pages(FRESH).await;
    assert_eq!(pages.unmet().await, (200, Vec::new()));
    pages.writable.store(false, Ordering::SeqCst);
    assert_eq!(
        pages.unmet().await,
        (503, vec!["ledger_writable".to_owned()])
    );
    pages.writable.store(true, Ordering::SeqCst);
    pages.sound.store(false, Ordering::SeqCst);
    assert_eq!(pages.unmet().await, (503, vec!["ledger_sound".to_owned()]));
    pages.sound.store(true, Ordering::SeqCst);
    pages.draining.store(true, Ordering::SeqCst);
    assert_eq!(pages.unmet().await, (503, vec!["not_draining".to_owned()]));
}

#[tokio::test]
async fn a_stale_reading_is_ready_only_where_it_is_allowed() {
    for (allowed, status) in [(true, 200), (false, 503)] {
        let age = Some(SignedDuration::from_secs(700));
        let pages = pages(ReadingState::Stale { age, allowed }).await;
        let page = pages.get("/readyz").await;
        assert_eq!(page.status, status);
        assert!(
            page.body.contains("the last reading is 700 s old"),
            "{}",
            page.body
        );
    }
}

#[tokio::test]
async fn metrics_are_shown_in_the_prometheus_text_format() {
    let page = pages(FRESH).await.get("/metrics").await;
    assert_eq!(page.status, 200);
    assert!(
        page.head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        page.head
    );
    assert!(
        page.head.contains("cache-control: no-store"),
        "{}",
        page.head
    );
    assert!(
        page.body.contains("\nguard_holds_open 3\n"),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn anything_else_is_a_json_no_that_repeats_nothing() {
    let pages = pages(FRESH).await;
    for path in [
        "/",
        "/api/v1/accounts/me/?token=sesame",
        "/healthz/",
        "/metrics/x",
    ] {
        let page = pages.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert_eq!(page.json()["status_code"], 404);
        assert!(!page.body.contains("sesame"));
    }
    let post = "POST /readyz HTTP/1.1\r\nhost: guard\r\nauthorization: Token sesame\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let page = pages.send(post).await;
    assert_eq!(page.status, 405);
    assert_eq!(page.json()["status_code"], 405);
    assert!(!page.body.contains("sesame"));
}

#[tokio::test]
async fn a_head_without_measure_is_refused() {
    let pages = pages(FRESH).await;
    let long = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    assert_eq!(pages.send(&long).await.status, 431);
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x: 1\r\n".repeat(70));
    assert_eq!(pages.send(&many).await.status, 431);
}

#[tokio::test(start_paused = true)]
async fn half_a_head_and_an_idle_connection_are_not_kept() {
    let pages = pages(FRESH).await;
    for start in ["", "GET /healthz HTTP/1.1\r\nhost: gu"] {
        let mut stream = TcpStream::connect(pages.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let began = tokio::time::Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(began.elapsed() <= Duration::from_secs(15), "{start:?}");
    }
}

#[tokio::test]
async fn shutdown_ends_the_pages_although_a_reader_stays_connected() {
    let pages = pages(FRESH).await;
    let mut idle = TcpStream::connect(pages.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: guard\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0_u8; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // Only now: a clock that jumps while an answer is on its way would end the connection before.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    pages.shutdown.cancel();
    tokio::time::timeout(PATIENCE, pages.task)
        .await
        .unwrap()
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "an idle reader was waited for"
    );
    assert!(TcpStream::connect(pages.address).await.is_err());
}
