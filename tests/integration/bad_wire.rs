//! Requests that are wrong as bytes: lengths that lie, odd chunking, odd line ends, too many or
//! half-sent headers. The guard answers with a no or hangs up, and nothing goes on.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::bad_input::{COUNT, SEARCH, head, unharmed, world};
use crate::support::raw::{everything, once, read_answer, table};

const BODY: &str = r#"{"job_titles":["cto"],"limit_by":1}"#;

/// Requests that no two readers take for the same. `HEAD` is a sound head without its empty line,
/// `LEN` the length of the sound `BODY`.
const MALFORMED: &str = r"
    both lengths                 | HEADContent-Length: LEN\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
    both lengths, turned         | HEADtransfer-encoding: chunked\r\ncontent-length: LEN\r\n\r\nBODY
    both lengths, odd case       | HEADTRANSFER-ENCODING: Chunked\r\ncOnTeNt-LeNgTh: 0\r\n\r\n0\r\n\r\n
    both lengths, far apart      | HEADContent-Length: LEN\r\n<X: 1\r\n*80>Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n
    two lengths                  | HEADContent-Length: LEN\r\nContent-Length: 3\r\n\r\nBODY
    two lengths in one           | HEADContent-Length: LEN, 3\r\n\r\nBODY
    the same length twice in one | HEADContent-Length: LEN, LEN\r\n\r\nBODY
    negative length              | HEADContent-Length: -1\r\n\r\nBODY
    length with a plus           | HEADContent-Length: +LEN\r\n\r\nBODY
    length in hex                | HEADContent-Length: 0x23\r\n\r\nBODY
    length with a space          | HEADContent-Length: 3 5\r\n\r\nBODY
    empty length                 | HEADContent-Length: \r\n\r\nBODY
    length beyond all numbers    | HEADContent-Length: 99999999999999999999999\r\n\r\nBODY
    length of the largest number | HEADContent-Length: 18446744073709551615\r\n\r\nBODY
    space before the colon       | HEADContent-Length : LEN\r\n\r\nBODY
    tab before the colon         | HEADContent-Length\t: LEN\r\n\r\nBODY
    no name                      | HEAD: value\r\n\r\nBODY
    no colon                     | HEADnonsense\r\n\r\nBODY
    folded line                  | HEADX-A: 1\r\n Content-Length: LEN\r\n\r\nBODY
    folded length                | HEADContent-Length:\r\n LEN\r\n\r\nBODY
    first line folded            | FIRST\r\n Host: guard\r\n\r\n
    bare CR in a value           | HEADX-A: 1\rContent-Length: 5\r\n\r\nBODY
    bare CR between lines        | FIRST\rHost: guard\r\r
    NUL in a value               | HEADX-A: a\0b\r\n\r\nBODY
    NUL in a name                | HEADX-\0A: 1\r\n\r\nBODY
    odd letters in a name        | HEADX-Ä: 1\r\n\r\nBODY
    bracket in a name            | HEADX(A): 1\r\n\r\nBODY
    two hosts                    | HEADHost: other\r\nContent-Length: LEN\r\n\r\nBODY
    coding not chunked           | HEADTransfer-Encoding: gzip\r\n\r\nBODY
    chunked not last             | HEADTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n
    unknown coding               | HEADTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n
    chunk size with a minus      | CHUNKED-1\r\n\r\n0\r\n\r\n
    chunk size with a plus       | CHUNKED+2\r\n{}\r\n0\r\n\r\n
    chunk size of hex prefix     | CHUNKED0x2\r\n{}\r\n0\r\n\r\n
    chunk size too large         | CHUNKEDfffffffffffffffff\r\n{}
    chunk size of nothing        | CHUNKED\r\n{}\r\n0\r\n\r\n
    chunk longer than told       | CHUNKED2\r\n{}}}\r\n0\r\n\r\n
    chunk without its line end   | CHUNKED2\r\n{}0\r\n\r\n
    chunk size behind a space    | CHUNKED 2\r\n{}\r\n0\r\n\r\n
    chunk line ended by LF       | CHUNKED2\n{}\n0\n\n
    endless chunk extension      | CHUNKED2;<a*100000>\r\n{}\r\n0\r\n\r\n
    first line without version   | POST /\nHost: guard\r\n\r\n
    no spaces                    | POST/HTTP/1.1\r\nHost: guard\r\n\r\n
    nothing but lines            | <\r\n*1000>
    no end of the first line     | <G*200000>
";

fn malformed(path: &str) -> Vec<(&'static str, String)> {
    let head = head(path);
    let first = head.split("\r\n").next().unwrap();
    let length = BODY.len().to_string();
    let places = [
        ("CHUNKED", r"HEADTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", &head),
        ("FIRST", first),
        ("LEN", &length),
        ("BODY", BODY),
    ];
    table(MALFORMED, &places)
}

#[tokio::test]
async fn a_request_that_two_readers_could_take_apart_differently_is_refused_or_cut() {
    let world = world().await;
    for path in [SEARCH, COUNT] {
        for (name, bytes) in malformed(path) {
            let answer = once(world.address(), bytes).await;
            let status = answer.as_ref().map(|answer| answer.status);
            let expected = [400, 408, 411, 413, 414, 431, 501];
            assert!(
                status.is_none_or(|status| expected.contains(&status)),
                "{path} {name}: {answer:?}"
            );
        }
    }
    unharmed(world).await;
}

#[tokio::test]
async fn nothing_hidden_behind_a_refused_request_is_served() {
    let world = world().await;
    let hidden = format!(
        "{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        head(SEARCH),
        BODY.len()
    );
    for (name, bytes) in malformed(COUNT) {
        if name == "nothing but lines" {
            // Empty lines before a request are allowed (RFC 9112, section 2.2).
            continue;
        }
        let bytes = format!("{bytes}{hidden}");
        let text = String::from_utf8_lossy(&everything(world.address(), bytes).await).into_owned();
        assert!(!text.contains("HTTP/1.1 200"), "{name}: {text}");
    }
    unharmed(world).await;
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_refused() {
    let world = world().await;
    let end = format!("Content-Length: {}\r\n\r\n{BODY}", BODY.len());
    for (name, headers) in [
        (
            "10 000 headers",
            (0..10_000)
                .map(|n| format!("X-{n}: 1\r\n"))
                .collect::<String>(),
        ),
        (
            "101 headers",
            (0..101).map(|n| format!("X-{n}: 1\r\n")).collect(),
        ),
        ("one name 10 000 times", "X-A: 1\r\n".repeat(10_000)),
        (
            "a value of a megabyte",
            format!("X-A: {}\r\n", "a".repeat(1 << 20)),
        ),
        (
            "a name of a megabyte",
            format!("{}: 1\r\n", "a".repeat(1 << 20)),
        ),
        (
            "a value over the bound",
            format!("X-A: {}\r\n", "a".repeat(65 << 10)),
        ),
    ] {
        for path in [SEARCH, COUNT] {
            let bytes = format!("{}{headers}{end}", head(path));
            let status = once(world.address(), bytes)
                .await
                .map(|answer| answer.status);
            assert!(
                status.is_none_or(|status| status == 431),
                "{name}: {status:?}"
            );
        }
    }
    let long = head(&format!("/api/v1/{}/", "a".repeat(1 << 20)));
    let status = once(world.address(), format!("{long}{end}"))
        .await
        .map(|answer| answer.status);
    assert!(
        status.is_none_or(|status| [414, 431].contains(&status)),
        "{status:?}"
    );
    unharmed(world).await;
}

#[tokio::test]
async fn a_half_sent_request_is_not_waited_for_and_leaves_nothing() {
    let world = world().await;
    let whole = format!(
        "{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        head(SEARCH),
        BODY.len()
    );
    let free = whole.replacen(SEARCH, COUNT, 1);
    let chunked = format!(
        "{}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"li",
        head(SEARCH)
    );
    let mut cuts: Vec<String> = vec![chunked.clone(), chunked.replacen(SEARCH, COUNT, 1)];
    for text in [&whole, &free] {
        let body_at = text.find("\r\n\r\n").unwrap() + 4;
        for at in [1, 10, body_at - 3, body_at, body_at + 9, text.len() - 1] {
            cuts.push(text[..at].to_owned());
        }
    }
    for cut in &cuts {
        // Silence: the guard ends it by itself.
        let began = Instant::now();
        let answer = once(world.address(), cut.as_bytes()).await;
        assert!(began.elapsed() < Duration::from_secs(20), "{cut}");
        if let Some(answer) = answer {
            assert!([400, 408].contains(&answer.status), "{cut}: {answer:?}");
        }
        // Gone, politely and not.
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(cut.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = read_answer(&mut stream, &mut Vec::new()).await;
        assert!(
            answer.is_none_or(|answer| [400, 408].contains(&answer.status)),
            "{cut}"
        );
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(cut.as_bytes()).await.unwrap();
        stream.set_zero_linger().unwrap();
        drop(stream);
    }
    // A length that lies short: the rest is no request.
    let short = whole.replacen(
        &format!("Content-Length: {}", BODY.len()),
        "Content-Length: 5",
        1,
    );
    let text = String::from_utf8(everything(world.address(), short).await).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 400") && !text.contains(" 200 "),
        "{text}"
    );
    unharmed(world).await;
}

#[tokio::test]
async fn a_request_that_trickles_in_is_cut_off() {
    let world = world().await;
    for start in [
        "POST / HTTP/1.1\r\n".to_owned(),
        format!("{}Content-Length: 100\r\n\r\n", head(SEARCH)),
    ] {
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let trickle = tokio::spawn(async move {
            while writer.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let began = Instant::now();
        let answer = read_answer(&mut reader, &mut Vec::new()).await;
        assert!(answer.is_none_or(|answer| [400, 408].contains(&answer.status)));
        assert!(began.elapsed() < Duration::from_secs(20));
        trickle.abort();
    }
    unharmed(world).await;
}
