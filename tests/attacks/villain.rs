//! An upstream that means harm. What it does to a call is named by the call's first job title.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::is_own_question;

/// All that it can do.
pub const DEEDS: &[&str] = &[
    "bomb",
    "bomb in pieces",
    "chunks without end",
    "pieces of one byte without end",
    "hints without end",
    "hints with large heads",
    "status without end",
    "head without end",
    "fields without end",
    "extension without end",
    "trailers without end",
    "length of terabytes",
    "lists in lists",
    "objects in objects",
    "text without end",
    "charge of a million digits",
    "charge with an exponent of a million digits",
    "charge of a thousand zeros",
    "charge beyond the told length",
    "keys without end",
    "megabytes in one piece",
    "all that it heard",
];

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const CHARGE: &str = r#""meta":{"amount_charged":0.02}}"#;
const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";

/// Starts to listen.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bomb: Arc<[u8]> = bomb().into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let bomb = Arc::clone(&bomb);
            tokio::spawn(async move {
                // However it ends: the guard may hang up on it.
                let _ = serve(stream, &bomb).await;
            });
        }
    });
    address
}

/// 64 MiB of zeros, packed.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(br#"{"rows":""#).unwrap();
    for _ in 0..64 {
        encoder.write_all(&vec![b'0'; 1 << 20]).unwrap();
    }
    encoder
        .write_all(format!("\",{CHARGE}").as_bytes())
        .unwrap();
    encoder.finish().unwrap()
}

async fn serve(mut stream: TcpStream, bomb: &[u8]) -> std::io::Result<()> {
    let mut read = Vec::new();
    let deed = loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&read);
        if is_own_question(text.split([' ', '?']).nth(1).unwrap_or_default()) {
            return stream
                .write_all(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        }
        if let Some((_, rest)) = text.split_once(r#"{"job_titles":[""#)
            && let Some((deed, _)) = rest.split_once('"')
        {
            break deed.to_owned();
        }
    };
    let deed = deed.split('/').next().unwrap();
    if deed == "all that it heard" {
        return repeat(&mut stream, &String::from_utf8_lossy(&read)).await;
    }
    act(&mut stream, deed, bomb).await
}

/// Says again what it was asked, the account's token in it, in a header, in the body and in pieces.
async fn repeat(stream: &mut TcpStream, heard: &str) -> std::io::Result<()> {
    let rest = heard.split("authorization: ").nth(1);
    let token = rest.and_then(|rest| rest.lines().next()).unwrap_or("none");
    let head = format!("{OK}x-heard: {token}\r\nset-cookie: {token}\r\n{CHUNKED}");
    let text = heard.escape_default().to_string().repeat(20);
    let body = format!(r#"{{"heard":"{text}",{CHARGE}"#);
    let pieces = in_pieces(body.as_bytes(), 50, &format!(";{token}"));
    let end = format!("0\r\nx-heard: {token}\r\n\r\n");
    let whole = [head.as_bytes(), &pieces, end.as_bytes()].concat();
    stream.write_all(&whole).await
}

/// The bytes as chunks, each with this behind its size.
fn in_pieces(bytes: &[u8], size: usize, extension: &str) -> Vec<u8> {
    let pieces = bytes.chunks(size).map(|piece| {
        let line = format!("{:x}{extension}\r\n", piece.len());
        [line.as_bytes(), piece, b"\r\n"].concat()
    });
    pieces.collect::<Vec<_>>().concat()
}

async fn act(stream: &mut TcpStream, deed: &str, bomb: &[u8]) -> std::io::Result<()> {
    let (begin, again) = match deed.starts_with("charge") || deed.starts_with("bomb") {
        true => (with_an_end(deed, bomb), Vec::new()),
        false => without_end(deed),
    };
    stream.write_all(&begin).await?;
    while !again.is_empty() {
        stream.write_all(&again).await?;
    }
    let mut rest = [0; 16];
    stream.read(&mut rest).await.map(drop)
}

/// What is said once.
fn with_an_end(deed: &str, bomb: &[u8]) -> Vec<u8> {
    let packed = format!("{OK}content-encoding: gzip\r\n");
    let digits = match deed {
        "bomb" => {
            let head = format!("{packed}content-length: {}\r\n\r\n", bomb.len());
            return [head.as_bytes(), bomb].concat();
        }
        "bomb in pieces" => {
            let head = format!("{packed}{CHUNKED}");
            return [head.as_bytes(), &in_pieces(bomb, 100, "")].concat();
        }
        "charge of a million digits" => "9".repeat(1_000_000),
        "charge with an exponent of a million digits" => format!("1e{}", "9".repeat(1_000_000)),
        "charge of a thousand zeros" => format!("0.{}1e1000", "0".repeat(999)),
        "charge beyond the told length" => "0.02".to_owned(),
        other => panic!("{other} is no deed"),
    };
    let body = format!(r#"{{"data":[],"meta":{{"amount_charged":{digits}}}}}"#);
    let lie = if deed == "charge beyond the told length" {
        20
    } else {
        0
    };
    format!("{OK}content-length: {}\r\n\r\n{body}", body.len() - lie).into_bytes()
}

/// What is said first, and what then for ever.
fn without_end(deed: &str) -> (Vec<u8>, Vec<u8>) {
    let chunked = format!("{OK}{CHUNKED}");
    let list = format!("{OK}content-length: {}\r\n\r\n{{\"data\":", 1_u64 << 40);
    let xs = |count: usize| vec![b'x'; count];
    match deed {
        "chunks without end" => (chunked.into(), in_pieces(&xs(1 << 16), 1 << 16, "")),
        "pieces of one byte without end" => (chunked.into(), in_pieces(&[b'['; 1000], 1, "")),
        "hints without end" => (Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
        "hints with large heads" => {
            let link = "x".repeat(30_000);
            let hint = format!("HTTP/1.1 103 Early Hints\r\nlink: <{link}>\r\n\r\n");
            (Vec::new(), hint.into())
        }
        "status without end" => (b"HTTP/1.1 200 ".into(), xs(4096)),
        "head without end" => (format!("{OK}x: ").into(), xs(4096)),
        "fields without end" => (OK.into(), b"x: 1\r\n".repeat(100)),
        "extension without end" => (format!("{chunked}5;").into(), xs(4096)),
        "trailers without end" => (format!("{chunked}0\r\n").into(), b"x: 1\r\n".repeat(100)),
        "length of terabytes" => (list.into(), vec![b' '; 1 << 16]),
        "lists in lists" => (list.into(), vec![b'['; 1 << 16]),
        "objects in objects" => (list.into(), br#"{"meta":"#.repeat(4096)),
        "text without end" => (format!("{list}\"").into(), xs(1 << 16)),
        "keys without end" => (
            list.into(),
            br#"{"meta":{"amount_charged":1},"#.repeat(1000),
        ),
        "megabytes in one piece" => (format!("{chunked}{:x}\r\n", 64 << 20).into(), xs(1 << 20)),
        other => panic!("{other} is no deed"),
    }
}
