//! Many calls at one time, some of which leave half-way, before an upstream that answers in every way and
//! breaks off anywhere: no call gets another's answer, none is sent twice, and of what is said to be
//! unsent the upstream has not seen a byte.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use generect_guard::proxy::memory::Memory;
use generect_guard::proxy::upstream::{SendError, Upstream};
use http::Request;
use http_body_util::BodyExt;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::connections::settings;
use crate::many_callers::{Call, Knows, Seen, answered, some_body, upstream};

/// Serves one connection until it breaks off.
async fn talk(mut stream: TcpStream, mut random: StdRng, seen: Seen) -> std::io::Result<()> {
    let mut read = Vec::new();
    while random.random_range(0..20) > 0 {
        let (id, length) = next_head(&mut stream, &mut read).await?;
        *seen.lock().unwrap().entry(id.clone()).or_default() += 1;
        let is_early = random.random_range(0..4) == 0;
        if !is_early {
            skip(&mut stream, &mut read, length).await?;
        }
        let (says, stays) = answer(&id, random.random_range(0..16));
        // What is too much comes with the rest; later it could not be told from the next answer.
        let at_once = says.ends_with(TOO_MUCH) || random.random_range(0..3) > 0;
        let cut = if at_once {
            0
        } else {
            random.random_range(0..=says.len())
        };
        let (first, rest) = says.split_at(cut);
        stream.write_all(first.as_bytes()).await?;
        if !at_once {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..4))).await;
        }
        stream.write_all(rest.as_bytes()).await?;
        if !stays {
            break;
        }
        if is_early {
            skip(&mut stream, &mut read, length).await?;
        }
    }
    Ok(())
}

const TOO_MUCH: &str = "HTTP/1.1 200 OK\r\nx-id: none\r\ncontent-length: 0\r\n\r\n";

/// One way to answer the call `id`, and whether the connection is kept afterwards.
fn answer(id: &str, way: u32) -> (String, bool) {
    let body = format!("the answer to {id}");
    let head = |first: &str| format!("{first}\r\nx-id: {id}\r\n");
    let whole = format!(
        "{}content-length: {}\r\n\r\n{body}",
        head("HTTP/1.1 200 OK"),
        body.len()
    );
    match way {
        0 => (whole.replacen("\r\n", "\r\nconnection: close\r\n", 1), true),
        1 => (head("HTTP/1.1 204 No Content") + "\r\n", true),
        2 => (
            head("HTTP/1.1 304 Not Modified") + "content-length: 70\r\n\r\n",
            true,
        ),
        3 => (head("HTTP/1.0 200 OK") + "\r\n" + &body, false),
        4 => (
            format!("HTTP/1.1 103 Early Hints\r\nx-id: none\r\n\r\n{whole}"),
            true,
        ),
        5 => (whole + TOO_MUCH, true),
        6 => (whole[..whole.len() - 3].to_owned(), false),
        7 => (String::new(), false),
        8 => (whole, false),
        9 => {
            let size = body.len();
            let chunked =
                format!("transfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n");
            (head("HTTP/1.1 200 OK") + &chunked, true)
        }
        _ => (whole, true),
    }
}

/// Which call comes next, and how long its body is.
async fn next_head(stream: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<(String, usize)> {
    let end = loop {
        if let Some(at) = memchr::memmem::find(read, b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, read).await?;
    };
    let head = String::from_utf8(read.drain(..end).collect()).unwrap();
    let id = head.split([' ', '/']).nth(2).unwrap().to_owned();
    let length = head.split("content-length: ").nth(1);
    let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    Ok((id, length))
}

async fn skip(stream: &mut TcpStream, read: &mut Vec<u8>, bytes: usize) -> std::io::Result<()> {
    while read.len() < bytes {
        more(stream, read).await?;
    }
    read.drain(..bytes);
    Ok(())
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<()> {
    match stream.read_buf(read).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

async fn call(upstream: &Upstream, id: &str, random: &mut StdRng, memory: &Arc<Memory>) -> Knows {
    let body = some_body(random, memory);
    let request = Request::post(format!("/{id}")).body(body).unwrap();
    let leaves = [0, 1, 3, 1000, 1000, 1000, 1000, 1000][random.random_range(0..8)];
    let sent = tokio::time::timeout(
        Duration::from_millis(leaves),
        upstream.send(Box::new(request)),
    )
    .await;
    let answer = match sent {
        Err(_) | Ok(Err(SendError::Unanswered(_))) => return Knows::Nothing,
        Ok(Err(SendError::Unsent { .. } | SendError::Refused(_))) => return Knows::Unsent,
        Ok(Ok(answer)) => answer,
    };
    assert_eq!(answer.headers()["x-id"], id);
    let has_body = answer.status() == 200;
    match random.random_range(0..6) {
        0 => return Knows::Answered,
        1 => {
            let mut body = answer.into_body();
            let _ = tokio::time::timeout(Duration::from_millis(1), body.frame()).await;
            return Knows::Answered;
        }
        _ => {}
    }
    if let Ok(body) = answer.into_body().collect().await {
        let told = if has_body {
            format!("the answer to {id}")
        } else {
            String::new()
        };
        assert_eq!(body.to_bytes(), told);
    }
    Knows::Answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_gets_anothers_answer_and_what_is_unsent_was_not_seen() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (address, seen) = upstream(seed, talk).await;
    let upstream = Upstream::new(settings(&format!("http://{address}"), 5)).unwrap();
    let call: Call = |upstream, id, random, memory| call(upstream, id, random, memory).boxed();
    let answered = answered(&upstream, seed, 100, &seen, call).await;
    assert!(answered > 500, "seed {seed}: {answered} were answered");
}
