//! The ceiling: a guard in a process of its own is attacked in every way at once, and its memory
//! never passes what its settings say.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::recorder::{COUNT, SEARCH};
use crate::support::child::Child;
use crate::support::silence::assert_silent;
use crate::support::{Plan, secret_of};
use crate::villain::{self, DEEDS};

const MIB: usize = 1 << 20;
/// `server.connections_max` and `server.kept_bytes_max` of this test.
const CONNECTIONS: usize = 300;
const KEPT_MIB: usize = 16;
/// Calls with keys that nobody knows.
const GUESSES: usize = 1_000;
/// What the process may ever have in memory: its code and books, what its settings allow for bodies
/// and answers (twice, for they grow by doubling), and half a megabyte for each connection's buffers.
const CEILING: usize = 64 * MIB + 2 * KEPT_MIB * MIB + CONNECTIONS * MIB / 2;

/// The most memory the process ever had, in bytes.
fn most_memory(child: &Child) -> usize {
    let path = format!("/proc/{}/status", child.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

fn plan() -> Plan {
    Plan::one_team("1000000")
        .set("server", &format!("connections_max = {CONNECTIONS}"))
        .set(
            "server",
            &format!("connections_per_source_max = {CONNECTIONS}"),
        )
        .set("server", &format!("kept_bytes_max = \"{KEPT_MIB}MiB\""))
        .set("server", "unknown_keys_per_second = 1")
        .set("server", "unknown_keys_burst = 50")
        .set("server", "header_read_timeout = \"2s\"")
        .set("server", "body_read_timeout = \"2s\"")
        .set("server", "stalled_client_timeout = \"2s\"")
        .set("upstream", "response_timeout = \"3s\"")
        .toml("[upstream.breaker]\nfailures = 10000")
}

fn head(path: &str, fields: &str) -> String {
    let key = secret_of("growth-crm");
    format!(
        "POST {path} HTTP/1.1\r\nHost: g\r\nX-Api-Key: {key}\r\nContent-Type: application/json\r\n{fields}\r\n"
    )
}

fn whole(path: &str, body: &str) -> Vec<u8> {
    let length = format!("Connection: close\r\nContent-Length: {}\r\n", body.len());
    (head(path, &length) + body).into_bytes()
}

/// Sends, then reads at most so many bytes, until either side has had enough.
async fn call(address: SocketAddr, bytes: Vec<u8>, reads_max: usize) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    let Ok(stream) = socket.connect(address).await else {
        return;
    };
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        let _ = writer.write_all(&bytes).await;
        writer
    });
    let mut buffer = vec![0; 64 << 10];
    let reading = async {
        let mut read = 0;
        while read < reads_max
            && let Ok(more @ 1..) = reader.read(&mut buffer).await
        {
            assert_silent("an answer under attack", &buffer[..more]);
            read += more;
        }
        if read >= reads_max {
            // It goes on to hold the connection, and reads no more.
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await;
    writing.abort();
}

/// Calls that are answered with each of the upstream's deeds, by clients that read all, some or nothing.
fn deeds(attack: &mut JoinSet<()>, address: SocketAddr) {
    for (n, deed) in DEEDS.iter().enumerate() {
        for path in [SEARCH, COUNT] {
            let body = format!(r#"{{"job_titles":["{deed}/{n}"],"limit_by":1}}"#);
            let reads_max = [usize::MAX, 100_000, 0][n % 3];
            attack.spawn(call(address, whole(path, &body), reads_max));
        }
    }
}

/// Bodies that are hard to read.
fn bodies() -> Vec<String> {
    let room = MIB - 100;
    let digits = "9".repeat(room);
    let many: String = (0..60_000).map(|n| format!("\"k{n}\":1,")).collect();
    vec![
        "[".repeat(room),
        r#"{"a":"#.repeat(room / 5),
        format!(r#"{{"limit_by":{digits}}}"#),
        format!(r#"{{"limit_by":1e{digits}}}"#),
        format!(r#"{{"limit_by":1e-{digits}}}"#),
        format!(r#"{{"limit_by":0.{digits}}}"#),
        format!(r#"{{"limit_by":"{digits}"}}"#),
        format!(r#"{{"limit_by":1,"x":"{}"}}"#, r"\u0041".repeat(room / 8)),
        format!(r#"{{{many}"k0":2}}"#),
        format!(r#"{{"limit_by":1,"x":[{}1]}}"#, "1,".repeat(room / 3)),
        format!(r#"{{"limit_by":1,"x":[{}[]]}}"#, "[],".repeat(room / 4)),
        " ".repeat(room),
    ]
}

/// What clients do with their requests.
fn requests(attack: &mut JoinSet<()>, address: SocketAddr) {
    for body in bodies() {
        for path in [SEARCH, COUNT] {
            attack.spawn(call(address, whole(path, &body), usize::MAX));
        }
    }
    let chunked = head(SEARCH, "Transfer-Encoding: chunked\r\n");
    let key = secret_of("growth-crm");
    let half = format!("POST {SEARCH} HTTP/1.1\r\nHost: g\r\nX-Api-Key: {key}\r\n");
    for n in 0..5 {
        let upload = head(
            [SEARCH, COUNT][n % 2],
            &format!("Content-Length: {MIB}\r\n"),
        ) + &" ".repeat(MIB - 1);
        let bytewise = format!("{chunked}{}", "1\r\n \r\n".repeat(500_000));
        let large = format!("{half}X: {}", "x".repeat(60_000));
        let fields = half.clone() + &"X: 1\r\n".repeat(10_000);
        let endless = half.clone() + &"x".repeat(4 * MIB);
        let extension = format!("{chunked}2;{}", "x".repeat(4 * MIB));
        let trailers = format!("{chunked}2\r\n{{}}\r\n0\r\n{}", "x: 1\r\n".repeat(100_000));
        for text in [
            upload, bytewise, large, fields, endless, extension, trailers,
        ] {
            attack.spawn(call(address, text.into_bytes(), usize::MAX));
        }
    }
    for number in [
        "9".repeat(60_000),
        format!("1e{}", "9".repeat(60_000)),
        format!("1e-{}", u64::MAX),
    ] {
        let field =
            format!("guard-max-charge: {number}\r\nContent-Length: 2\r\nConnection: close\r\n");
        attack.spawn(call(
            address,
            (head(SEARCH, &field) + "{}").into_bytes(),
            usize::MAX,
        ));
    }
    for n in 0..GUESSES {
        let guess =
            format!("GET /{n} HTTP/1.1\r\nX-Api-Key: gg_{n:064}\r\nConnection: close\r\n\r\n");
        attack.spawn(call(address, guess.into_bytes(), usize::MAX));
    }
}

/// One kind of harm, from as many connections as there may be, which wait and read nothing.
async fn all_alike(address: SocketAddr, bytes: fn(usize) -> Vec<u8>) {
    let mut attack = JoinSet::new();
    for n in 0..CONNECTIONS {
        attack.spawn(call(address, bytes(n), 0));
    }
    attack.join_all().await;
}

fn half_a_head(_: usize) -> Vec<u8> {
    let begun = head(COUNT, "X: ");
    (begun.trim_end().to_owned() + &"x".repeat(MIB)).into_bytes()
}

fn half_a_body(n: usize) -> Vec<u8> {
    let length = format!("Content-Length: {MIB}\r\n");
    (head([SEARCH, COUNT][n % 2], &length) + &" ".repeat(MIB - 1)).into_bytes()
}

fn unread(n: usize) -> Vec<u8> {
    let deed = format!("chunks without end/u{n}");
    let body = format!(r#"{{"job_titles":["{deed}"],"limit_by":1}}"#);
    whole(SEARCH, &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_every_attack_at_once_memory_stays_below_what_the_settings_say() {
    let villain = villain::start().await;
    let home = plan().home(&format!("http://{villain}"));
    let child = home.serve().await;
    println!(
        "idle: {} KiB of {} KiB",
        most_memory(&child) >> 10,
        CEILING >> 10
    );
    let below = |name: &str| {
        let most = most_memory(&child);
        println!("{name}: at most {} KiB", most >> 10);
        assert!(most < CEILING, "{name}: {most} bytes, more than {CEILING}");
    };
    all_alike(child.address, half_a_head).await;
    below("half a head");
    all_alike(child.address, half_a_body).await;
    below("half a body");
    all_alike(child.address, unread).await;
    below("an answer that nobody reads");
    let mut attack = JoinSet::new();
    deeds(&mut attack, child.address);
    requests(&mut attack, child.address);
    attack.join_all().await;
    below("everything at once");
    // It is well: it says so, and serves.
    assert_eq!(child.admin("/readyz").await.status, 200);
    let mut stream = TcpStream::connect(child.address).await.unwrap();
    let bytes = whole("/api/v1/webhooks/", "{}");
    stream.write_all(&bytes).await.unwrap();
    let answer = crate::support::raw::read_answer(&mut stream, &mut Vec::new()).await;
    assert_eq!(answer.unwrap().refusal(), "operation_not_allowed");
    let log = child.log();
    assert!(!log.contains("panicked"), "{log}");
    // Few of the guesses have a line of their own, and one line says what happened.
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert!(lines("\"unknown_key\"") < GUESSES / 2, "{log}");
    assert!(lines("keys that nobody knows keep coming from 127.0.0.1") > 0);
    child.end().await;
    crate::support::verify(&home.ledger());
}
