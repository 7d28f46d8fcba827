//! Hostile answers of the upstream: the guard stays up, the client gets no half answer for a whole
//! one, and what was sent is settled or in doubt, never free.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use generect_guard::simulator::{Simulator, SimulatorSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::raw::{Hostile, everything, once};
use crate::support::{Plan, World, credits, secret_of};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const META: &str = r#""meta":{"amount_charged":0.02}}"#;

async fn world_before(hostile: &Hostile) -> World {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    Plan::one_team("100000")
        .set("upstream", "response_timeout = \"3s\"")
        .toml("[upstream.breaker]\nfailures = 10000")
        .start_before(simulator, &format!("http://{}", hostile.address))
        .await
}

/// A call whose body differs with `n`, so that it is no repeat of one in doubt.
fn call(path: &str, n: usize) -> String {
    let body = format!(r#"{{"job_titles":["t{n}"],"limit_by":1}}"#);
    format!(
        "POST {path} HTTP/1.1\r\nHost: guard\r\nAuthorization: Token {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        secret_of("growth-crm"),
        body.len()
    )
}

/// Answers that are no answers: with each, a charge was perhaps made and nothing says which.
fn broken() -> Vec<(&'static str, String)> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let body = format!("{{{META}");
    let length = body.len();
    let with = |headers: &str, body: &str| format!("{ok}{headers}\r\n{body}");
    let chunked = |body: &str| with("transfer-encoding: chunked\r\n", body);
    vec![
        ("nothing", String::new()),
        ("no HTTP", "hello\r\n\r\n".into()),
        ("half a head", "HTTP/1.1 200 OK\r\ncontent-le".into()),
        ("status of letters", "HTTP/1.1 abc OK\r\n\r\n".into()),
        ("status beyond all", "HTTP/1.1 99999 OK\r\n\r\n".into()),
        (
            "another protocol",
            format!("HTTP/1.1 101 Sure\r\nupgrade: x\r\n\r\n{body}"),
        ),
        (
            "hints without end",
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000),
        ),
        ("10 000 headers", with(&"x: 1\r\n".repeat(10_000), &body)),
        (
            "a header of ten megabytes",
            with(&format!("x: {}\r\n", "a".repeat(10 << 20)), &body),
        ),
        ("NUL in a header", with("x: a\0b\r\n", &body)),
        ("no name", with(": a\r\n", &body)),
        (
            "two lengths",
            with(
                &format!("content-length: 3\r\ncontent-length: {length}\r\n"),
                &body,
            ),
        ),
        (
            "a length of letters",
            with("content-length: abc\r\n", &body),
        ),
        (
            "a length too long",
            with(&format!("content-length: {}\r\n", length + 1), &body),
        ),
        (
            "a length beyond all",
            with("content-length: 18446744073709551615\r\n", &body),
        ),
        (
            "bad chunk size",
            chunked(&format!("zz\r\n{body}\r\n0\r\n\r\n")),
        ),
        (
            "chunk size beyond all",
            chunked(&format!("ffffffffffffffffff\r\n{body}")),
        ),
        (
            "chunk cut",
            chunked(&format!("{:x}\r\n{}", length, &body[..9])),
        ),
        (
            "no last chunk",
            chunked(&format!("{length:x}\r\n{body}\r\n")),
        ),
        (
            "chunk longer than told",
            chunked(&format!("2\r\n{body}\r\n0\r\n\r\n")),
        ),
        (
            "no gzip",
            with(
                &format!("content-encoding: gzip\r\ncontent-length: {length}\r\n"),
                &body,
            ),
        ),
        (
            "another coding",
            with(
                &format!("content-encoding: zstd\r\ncontent-length: {length}\r\n"),
                &body,
            ),
        ),
        (
            "gzip twice",
            with(
                &format!("content-encoding: gzip, gzip\r\ncontent-length: {length}\r\n"),
                &body,
            ),
        ),
        (
            "a redirect",
            format!("HTTP/1.1 307 x\r\nlocation: /\r\ncontent-length: {length}\r\n\r\n{body}"),
        ),
        ("not modified", "HTTP/1.1 304 x\r\n\r\n".into()),
    ]
}

#[tokio::test]
async fn an_answer_that_is_none_leaves_its_hold_in_doubt_and_is_never_a_success() {
    let hostile = Hostile::start().await;
    let world = world_before(&hostile).await;
    let answers = broken();
    for (n, (name, bytes)) in answers.iter().enumerate() {
        hostile.answers(bytes.as_bytes());
        for path in [SEARCH, COUNT] {
            if let Some(answer) = once(world.address(), call(path, n)).await {
                assert!(
                    (502..=504).contains(&answer.status),
                    "{path} {name}: {answer:?}"
                );
                assert_ne!(answer.refusal(), "", "{name}");
                assert_eq!(answer.header("guard-charge"), "", "{name}");
            }
        }
    }
    let doubts = credits("0.02").checked_times(answers.len() as u64).unwrap();
    let budget = world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    assert_eq!((budget.settled.micros(), budget.in_doubt), (0, doubts));
    assert_eq!(world.admin("/readyz").await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn headers_that_would_be_lines_of_their_own_stay_values_or_nothing() {
    let hostile = Hostile::start().await;
    let world = world_before(&hostile).await;
    let body = format!("{{{META}");
    for (n, header) in [
        "x: a\rset-cookie: b=1",
        "x: a\r\n set-cookie: b=1",
        "x: a\nset-cookie: b=1",
        "guard-charge: 0\r\nguard-refusal: no",
        "connection: x-private\r\nx-private: 1\r\nkeep-alive: 1\r\nproxy-authenticate: x",
    ]
    .iter()
    .enumerate()
    {
        hostile.answers(format!(
            "HTTP/1.1 200 OK\r\n{header}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
        let text = everything(world.address(), call(SEARCH, n)).await;
        let text = String::from_utf8_lossy(&text).to_lowercase();
        let head = text.split("\r\n\r\n").next().unwrap();
        for line in [
            "set-cookie:",
            "x-private:",
            "keep-alive:",
            "proxy-authenticate:",
            "guard-charge: 0\r\n",
        ] {
            assert!(!head.contains(&format!("\n{line}")), "{header:?}: {head}");
        }
        assert_eq!(
            head.contains("guard-refusal"),
            !head.starts_with("http/1.1 200"),
            "{head}"
        );
    }
    world.end().await;
}

/// `megabytes` of zeros in a JSON text, packed into very little.
fn bomb(megabytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(br#"{"rows":""#).unwrap();
    for _ in 0..megabytes {
        encoder.write_all(&vec![b'0'; 1 << 20]).unwrap();
    }
    encoder
        .write_all(format!(r#"",{META}"#).as_bytes())
        .unwrap();
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < megabytes.max(1) << 11, "{}", packed.len());
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        packed.len()
    );
    [head.as_bytes(), &packed].concat()
}

/// The most memory this process ever held, in bytes.
fn most_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

#[tokio::test]
async fn a_gzip_bomb_costs_time_but_no_memory_and_states_its_charge() {
    let hostile = Hostile::start().await;
    let world = world_before(&hostile).await;
    hostile.answers(bomb(512));
    let before = most_memory();
    for path in [SEARCH, COUNT] {
        // A client that leaves in the middle: the answer of a billable call is read to its end.
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(call(path, 1).as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
    }
    let settled = |budget: &generect_guard::ledger::BudgetStatus| {
        budget.held.micros() == 0 || budget.held == budget.in_doubt
    };
    let budget = world.budget_when("growth-month", settled).await;
    let grown = most_memory() - before;
    assert!(grown < 64 << 20, "grown by {grown} bytes; {budget:?}");
    world.end().await;
}

#[tokio::test]
async fn a_packed_answer_reaches_the_client_unpacked_and_settled() {
    let hostile = Hostile::start().await;
    let world = world_before(&hostile).await;
    for megabytes in [0, 3] {
        hostile.answers(bomb(megabytes));
        for path in [SEARCH, COUNT] {
            let answer = once(world.address(), call(path, megabytes)).await.unwrap();
            assert_eq!(
                (answer.status, answer.header("content-encoding")),
                (200, "")
            );
            assert_eq!(answer.text.len(), megabytes * (1 << 20) + 42, "{path}");
            assert_eq!(answer.json()["meta"]["amount_charged"], 0.02);
        }
    }
    let budget = world
        .budget_when("growth-month", |budget| budget.held.micros() == 0)
        .await;
    assert_eq!(budget.settled, credits("0.04"));
    world.end_with_nothing_open().await;
}
