//! Requests that are wrong as bytes: lengths that lie, odd chunking, odd line ends, too many or
//! half-sent headers. The guard answers with a no or hangs up, and nothing goes on.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::bad_input::{COUNT, SEARCH, head, unharmed, world};
use crate::support::raw::{everything, once, read_answer};

const BODY: &str = r#"{"job_titles":["cto"],"limit_by":1}"#;

/// Heads and bodies that no two readers take for the same request, with a name.
fn malformed(path: &str) -> Vec<(&'static str, String)> {
    let head = head(path);
    let length = BODY.len();
    let bare = head.replace("\r\n", "\n");
    let with = |headers: &str, body: &str| format!("{head}{headers}\r\n{body}");
    let chunked = |body: &str| with("Transfer-Encoding: chunked\r\n", body);
    vec![
        (
            "both lengths",
            with(
                &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
                "0\r\n\r\n",
            ),
        ),
        (
            "both lengths, turned",
            with(
                &format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
                BODY,
            ),
        ),
        (
            "both lengths, odd case",
            with(
                "TRANSFER-ENCODING: Chunked\r\ncOnTeNt-LeNgTh: 0\r\n",
                "0\r\n\r\n",
            ),
        ),
        (
            "two lengths",
            with(
                &format!("Content-Length: {length}\r\nContent-Length: 3\r\n"),
                BODY,
            ),
        ),
        (
            "two lengths in one",
            with(&format!("Content-Length: {length}, 3\r\n"), BODY),
        ),
        (
            "the same length twice in one",
            with(&format!("Content-Length: {length}, {length}\r\n"), BODY),
        ),
        ("negative length", with("Content-Length: -1\r\n", BODY)),
        (
            "length with a plus",
            with(&format!("Content-Length: +{length}\r\n"), BODY),
        ),
        ("length in hex", with("Content-Length: 0x23\r\n", BODY)),
        ("length with a space", with("Content-Length: 3 5\r\n", BODY)),
        ("empty length", with("Content-Length: \r\n", BODY)),
        (
            "length beyond all numbers",
            with("Content-Length: 99999999999999999999999\r\n", BODY),
        ),
        (
            "space before the colon",
            with(&format!("Content-Length : {length}\r\n"), BODY),
        ),
        (
            "tab before the colon",
            with(&format!("Content-Length\t: {length}\r\n"), BODY),
        ),
        ("no name", with(": value\r\n", BODY)),
        ("no colon", with("nonsense\r\n", BODY)),
        (
            "folded line",
            with(&format!("X-A: 1\r\n Content-Length: {length}\r\n"), BODY),
        ),
        (
            "folded length",
            with(&format!("Content-Length:\r\n {length}\r\n"), BODY),
        ),
        (
            "first line folded",
            head.replacen("\r\nHost", "\r\n Host", 1) + "\r\n",
        ),
        (
            "bare CR in a value",
            with("X-A: 1\rContent-Length: 5\r\n", BODY),
        ),
        ("bare CR between lines", head.replace("\r\n", "\r") + "\r\r"),
        ("NUL in a value", with("X-A: a\0b\r\n", BODY)),
        ("NUL in a name", with("X-\0A: 1\r\n", BODY)),
        ("odd letters in a name", with("X-Ä: 1\r\n", BODY)),
        ("bracket in a name", with("X(A): 1\r\n", BODY)),
        (
            "coding not chunked",
            with("Transfer-Encoding: gzip\r\n", BODY),
        ),
        (
            "chunked not last",
            with("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        ),
        (
            "unknown coding",
            with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ),
        ("chunk size with a minus", chunked("-1\r\n\r\n0\r\n\r\n")),
        ("chunk size with a plus", chunked("+2\r\n{}\r\n0\r\n\r\n")),
        (
            "chunk size of hex prefix",
            chunked("0x2\r\n{}\r\n0\r\n\r\n"),
        ),
        ("chunk size too large", chunked("fffffffffffffffff\r\n{}")),
        ("chunk size of nothing", chunked("\r\n{}\r\n0\r\n\r\n")),
        ("chunk longer than told", chunked("2\r\n{}}}\r\n0\r\n\r\n")),
        ("chunk without its line end", chunked("2\r\n{}0\r\n\r\n")),
        (
            "chunk size behind a space",
            chunked(" 2\r\n{}\r\n0\r\n\r\n"),
        ),
        ("chunk line ended by LF", chunked("2\n{}\n0\n\n")),
        (
            "endless chunk extension",
            chunked(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(100_000))),
        ),
        (
            "two hosts",
            with(
                &format!("Host: other\r\nContent-Length: {length}\r\n"),
                BODY,
            ),
        ),
        (
            "bare LF in the first line only",
            head.replacen("\r\n", "\n", 1).replacen(" HTTP/1.1", "", 1) + "\r\n",
        ),
        ("no spaces", bare.replacen(' ', "", 1) + "\n"),
        ("nothing but lines", "\r\n".repeat(1000)),
        ("no end of the first line", "G".repeat(200_000)),
    ]
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
