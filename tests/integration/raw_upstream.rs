//! Answers that no well-behaved upstream gives, byte by byte: what the books and the client make of
//! them.

use std::net::SocketAddr;
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::{Simulator, SimulatorSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Answered, Plan, credits, secret_of, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const TEN_ROWS: &str = r#"{"limit_by":10}"#;
const CHARGED: &str = r#"{"data":[],"meta":{"amount_charged":0.06}}"#;

/// What the upstream does when it has said its piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Closes,
    FallsSilent,
    /// Goes on with the next request in the same way.
    Stays,
}

async fn upstream(says: String, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, says.clone(), then));
        }
    });
    address
}

async fn talk(mut stream: TcpStream, says: String, then: Then) -> std::io::Result<()> {
    let mut heard = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut heard).await?;
        if read == 0 || !heard[..read].starts_with(b"POST") {
            return Ok(());
        }
        stream.write_all(says.as_bytes()).await?;
        match then {
            Then::Closes => return Ok(()),
            Then::FallsSilent => tokio::time::sleep(Duration::from_secs(60)).await,
            Then::Stays => {}
        }
    }
}

/// What the client hears, and what is settled and in doubt afterwards.
async fn exchange(says: &str, then: Then) -> (Option<Answered>, Credits, Credits) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    let address = upstream(says.to_owned(), then).await;
    let plan = Plan::one_team("200").set("upstream", "response_timeout = \"1s\"");
    let world = plan
        .start_before(simulator, &format!("http://{address}"))
        .await;
    let request = world
        .request(reqwest::Method::POST, SEARCH, "growth-crm")
        .header("content-type", "application/json")
        .header("x-request-id", format!("call-{}", secret_of("growth-crm")))
        .body(TEN_ROWS);
    let answer = send(request).await.ok();
    let budget = world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    world.end().await;
    (answer, budget.settled, budget.in_doubt)
}

fn with_length(status: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{more}\r\n{body}")
}

#[tokio::test]
async fn a_whole_answer_is_settled_however_oddly_it_comes() {
    let ok = with_length("200 OK", "", CHARGED);
    let chunked = format!("{:x}\r\n{CHARGED}\r\n0\r\n", CHARGED.len());
    for (says, then) in [
        (format!("HTTP/1.1 100 Continue\r\n\r\n{ok}"), Then::Stays),
        (
            format!("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n{ok}"),
            Then::Stays,
        ),
        (format!("HTTP/1.0 200 OK\r\n\r\n{CHARGED}"), Then::Closes),
        (format!("HTTP/1.1 200 OK\r\n\r\n{CHARGED}"), Then::Closes),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunked}\r\n"),
            Then::Stays,
        ),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunked}x-t: 1\r\n\r\n"),
            Then::Stays,
        ),
        (
            format!(
                "{ok}{}",
                with_length("200 OK", "", r#"{"meta":{"amount_charged":9}}"#)
            ),
            Then::Stays,
        ),
        (
            with_length(
                "200 OK",
                "guard-charge: 0\r\nguard-refusal: draining\r\nguard-x: 1\r\n",
                CHARGED,
            ),
            Then::Stays,
        ),
        (
            with_length("200 OK", "connection: guard-charge, close\r\n", CHARGED),
            Then::Closes,
        ),
    ] {
        let (answer, settled, in_doubt) = exchange(&says, then).await;
        let answer = answer.unwrap_or_else(|| panic!("no answer to {says:?}"));
        assert_eq!(
            (settled, in_doubt),
            (credits("0.06"), Credits::ZERO),
            "{says:?}"
        );
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, CHARGED),
            "{says:?}"
        );
        assert_eq!(answer.header("guard-charge"), "0.06", "{says:?}");
        assert_eq!(answer.refusal(), "", "{says:?}");
        assert_eq!(answer.header("guard-x"), "", "{says:?}");
        let id = answer.header("guard-request-id");
        assert!(!id.contains(&secret_of("growth-crm")), "{id}");
    }
}

#[tokio::test]
async fn half_an_answer_is_in_doubt_and_never_looks_whole() {
    let half = &CHARGED[..20];
    let told = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    for (says, then) in [
        (String::new(), Then::Closes),
        (String::new(), Then::FallsSilent),
        ("HTTP/1.1 200 OK\r\ncontent-le".to_owned(), Then::Closes),
        ("nonsense\r\n\r\n".to_owned(), Then::Stays),
        ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), Then::Closes),
        (told(CHARGED.len()), Then::FallsSilent),
        (format!("{}{half}", told(CHARGED.len())), Then::FallsSilent),
        (format!("{}{half}", told(CHARGED.len())), Then::Closes),
        (
            format!("{}{CHARGED}", told(CHARGED.len() + 2)),
            Then::Closes,
        ),
        (format!("{}{CHARGED}", told(4_000_000)), Then::Closes),
        (format!("{}{CHARGED}", told(4_000_000)), Then::FallsSilent),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n14\r\n{half}\r\n"),
            Then::Closes,
        ),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{half}\r\n"),
            Then::Stays,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
                .to_owned(),
            Then::FallsSilent,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Then::Stays),
        ("HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(), Then::Stays),
        (
            with_length("200 OK", "content-encoding: gzip\r\n", CHARGED),
            Then::Stays,
        ),
        (
            with_length("200 OK", "content-encoding: gzip, gzip\r\n", CHARGED),
            Then::Stays,
        ),
        (
            with_length("400 No", "", r#"{"meta":{"amount_charged":"plenty"}}"#),
            Then::Stays,
        ),
    ] {
        let (answer, settled, in_doubt) = exchange(&says, then).await;
        assert_eq!(
            (settled, in_doubt),
            (Credits::ZERO, credits("0.2")),
            "{says:?} {then:?}"
        );
        if let Some(answer) = answer {
            assert_eq!(answer.header("guard-charge"), "", "{says:?} {then:?}");
            assert!(answer.status >= 200, "{says:?} {then:?} {answer:?}");
        }
    }
}
