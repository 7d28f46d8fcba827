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
    "length that lies short",
    "lists in lists",
    "objects in objects",
    "text without end",
    "charge of a million digits",
    "charge with an exponent of a million digits",
    "charge of a thousand zeros",
    "keys without end",
    "megabytes in one piece",
];

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
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

/// A quarter of a gigabyte of zeros, packed.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(br#"{"rows":""#).unwrap();
    for _ in 0..256 {
        encoder.write_all(&vec![b'0'; 1 << 20]).unwrap();
    }
    encoder
        .write_all(br#"","meta":{"amount_charged":0.02}}"#)
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
    let deed = deed.split('/').next().unwrap().to_owned();
    act(&mut stream, &deed, bomb).await
}

async fn act(stream: &mut TcpStream, deed: &str, bomb: &[u8]) -> std::io::Result<()> {
    let chunked = format!("{OK}{CHUNKED}");
    let data = format!("{chunked}10000\r\n{}\r\n", "x".repeat(1 << 16));
    let list = format!("{OK}content-length: {}\r\n\r\n{{\"data\":", 1_u64 << 40);
    let charge = |digits: String| {
        let body = format!(r#"{{"data":[],"meta":{{"amount_charged":{digits}}}}}"#);
        format!("{OK}content-length: {}\r\n\r\n{body}", body.len())
    };
    let (begin, again): (Vec<u8>, Vec<u8>) = match deed {
        "bomb" => {
            let head = format!(
                "{OK}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                bomb.len()
            );
            ([head.as_bytes(), bomb].concat(), Vec::new())
        }
        "bomb in pieces" => {
            let head = format!("{OK}content-encoding: gzip\r\n{CHUNKED}");
            let pieces = bomb.chunks(100);
            let pieces = pieces.map(|piece| {
                [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
            });
            (
                [head.into_bytes(), pieces.collect::<Vec<_>>().concat()].concat(),
                Vec::new(),
            )
        }
        "chunks without end" => (data.clone().into(), data[chunked.len()..].into()),
        "pieces of one byte without end" => (chunked.into(), b"1\r\n[\r\n".repeat(1000)),
        "hints without end" => (Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
        "hints with large heads" => {
            let hint = format!(
                "HTTP/1.1 103 Early Hints\r\nlink: <{}>\r\n\r\n",
                "x".repeat(30_000)
            );
            (Vec::new(), hint.into())
        }
        "status without end" => (b"HTTP/1.1 200 ".into(), vec![b'x'; 4096]),
        "head without end" => (format!("{OK}x: ").into(), vec![b'x'; 4096]),
        "fields without end" => (OK.into(), b"x: 1\r\n".repeat(100)),
        "extension without end" => (format!("{chunked}5;").into(), vec![b'x'; 4096]),
        "trailers without end" => (format!("{chunked}0\r\n").into(), b"x: 1\r\n".repeat(100)),
        "length of terabytes" => (list.into(), vec![b' '; 1 << 16]),
        "length that lies short" => (
            charge("0.02".into()).replace("h: 4", "h: 1").into(),
            Vec::new(),
        ),
        "lists in lists" => (list.into(), vec![b'['; 1 << 16]),
        "objects in objects" => (list.into(), br#"{"meta":"#.repeat(4096)),
        "text without end" => (format!("{list}\"").into(), vec![b'x'; 1 << 16]),
        "charge of a million digits" => (charge("9".repeat(1_000_000)).into(), Vec::new()),
        "charge with an exponent of a million digits" => (
            charge(format!("1e{}", "9".repeat(1_000_000))).into(),
            Vec::new(),
        ),
        "charge of a thousand zeros" => (
            charge(format!("0.{}1e1000", "0".repeat(999))).into(),
            Vec::new(),
        ),
        "keys without end" => (
            list.into(),
            br#"{"meta":{"amount_charged":1},"#.repeat(1000),
        ),
        "megabytes in one piece" => {
            let head = format!("{chunked}{:x}\r\n", 64 << 20);
            (head.into(), vec![b'x'; 1 << 20])
        }
        other => panic!("{other} is no deed"),
    };
    stream.write_all(&begin).await?;
    while !again.is_empty() {
        stream.write_all(&again).await?;
    }
    let mut rest = [0; 16];
    stream.read(&mut rest).await.map(drop)
}
