//! Hostile answers of the upstream: the guard stays up, the client gets no half answer for a whole
//! one, and what was sent is settled or in doubt, never free.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use generect_guard::simulator::{Simulator, SimulatorSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::raw::{Hostile, everything, once, table};
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
/// `OK` is a sound first line, `BODY` a sound body of `LEN` bytes (`HEX` in a chunk).
const BROKEN: &str = r"
    nothing                   |
    no HTTP                   | hello\r\n\r\n
    half a head               | OKcontent-le
    status of letters         | HTTP/1.1 abc Fine\r\n\r\n
    status beyond all         | HTTP/1.1 99999 Fine\r\n\r\n
    another protocol          | HTTP/1.1 101 Sure\r\nupgrade: x\r\n\r\nBODY
    hints without end         | <HTTP/1.1 100 Continue\r\n\r\n*20000>
    10 000 headers            | OK<x: 1\r\n*10000>\r\nBODY
    a header of ten megabytes | OKx: <a*10000000>\r\n\r\nBODY
    NUL in a header           | OKx: a\0b\r\n\r\nBODY
    no name                   | OK: a\r\n\r\nBODY
    two lengths               | OKcontent-length: 3\r\ncontent-length: LEN\r\n\r\nBODY
    a length of letters       | OKcontent-length: abc\r\n\r\nBODY
    a length too long         | OKcontent-length: 9LEN\r\n\r\nBODY
    a length beyond all       | OKcontent-length: 18446744073709551615\r\n\r\nBODY
    bad chunk size            | CHUNKEDzz\r\nBODY\r\n0\r\n\r\n
    chunk size beyond all     | CHUNKEDffffffffffffffffff\r\nBODY
    chunk cut                 | CHUNKEDff\r\nBODY
    no last chunk             | CHUNKEDHEX\r\nBODY\r\n
    chunk longer than told    | CHUNKED2\r\nBODY\r\n0\r\n\r\n
    no gzip                   | OKcontent-encoding: gzip\r\ncontent-length: LEN\r\n\r\nBODY
    another coding            | OKcontent-encoding: zstd\r\ncontent-length: LEN\r\n\r\nBODY
    gzip twice                | OKcontent-encoding: gzip, gzip\r\ncontent-length: LEN\r\n\r\nBODY
    a redirect                | HTTP/1.1 307 x\r\nlocation: /\r\ncontent-length: LEN\r\n\r\nBODY
    not modified              | HTTP/1.1 304 x\r\n\r\n
";

fn broken() -> Vec<(&'static str, String)> {
    let body = format!("{{{META}");
    let (length, hex) = (body.len().to_string(), format!("{:x}", body.len()));
    let places = [
        ("CHUNKED", r"OKtransfer-encoding: chunked\r\n\r\n"),
        ("OK", "HTTP/1.1 200 Fine\r\n"),
        ("LEN", &length),
        ("HEX", &hex),
        ("BODY", &body),
    ];
    table(BROKEN, &places)
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
async fn a_gzip_bomb_takes_time_but_no_memory_and_states_its_charge() {
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
