//! Sockets without an HTTP library in between: a client that sends the bytes it is given, and an
//! upstream that answers with them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Answered;
use super::silence::assert_silent;

/// Longer than any bound a test sets; a guard that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The rows `name | bytes` of a table. `\r`, `\n`, `\t`, `\0` stand for bytes, `<x*9>` for nine x,
/// and each name in `places` for its text.
pub fn table<'a>(text: &'a str, places: &[(&str, &str)]) -> Vec<(&'a str, String)> {
    let rows = text.lines().map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| {
        let (name, bytes) = row.split_once('|').unwrap_or((row, ""));
        let mut bytes = bytes.trim_start().to_owned();
        for (place, text) in places {
            bytes = bytes.replace(place, text);
        }
        for (letter, byte) in [("r", "\r"), ("n", "\n"), ("t", "\t"), ("0", "\0")] {
            bytes = bytes.replace(&format!("\\{letter}"), byte);
        }
        while let Some(start) = bytes.find('<') {
            let end = start + bytes[start..].find('>').unwrap();
            let (what, times) = bytes[start + 1..end].rsplit_once('*').unwrap();
            let repeated = what.repeat(times.parse().unwrap());
            bytes.replace_range(start..=end, &repeated);
        }
        (name.trim(), bytes)
    })
    .collect()
}

/// Sends the bytes and reads one answer. `None`: the connection was closed without a whole one.
pub async fn once(address: SocketAddr, bytes: impl Into<Vec<u8>>) -> Option<Answered> {
    let bytes = bytes.into();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    // The other side may answer, or close, before it has read everything.
    let writing = tokio::spawn(async move {
        let _ = writer.write_all(&bytes).await;
        writer
    });
    let answer = read_answer(&mut reader, &mut Vec::new()).await;
    writing.abort();
    answer
}

/// Sends the bytes and reads everything until the connection is closed.
pub async fn everything(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes.as_ref()).await;
    let mut read = Vec::new();
    while more(&mut stream, &mut read).await.is_some() {}
    assert_silent("what a connection heard", &read);
    read
}

/// Sends the bytes and reads so many answers; fewer if the connection is closed before.
pub async fn several(
    address: SocketAddr,
    bytes: impl AsRef<[u8]>,
    answers: usize,
) -> Vec<Answered> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    let (mut found, mut read) = (Vec::new(), Vec::new());
    while found.len() < answers {
        let Some(answer) = read_answer(&mut stream, &mut read).await else {
            break;
        };
        found.push(answer);
    }
    found
}

/// The next answer; what was read beyond it stays in `read`.
pub async fn read_answer(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
) -> Option<Answered> {
    loop {
        let end = loop {
            if let Some(at) = memchr::memmem::find(read, b"\r\n\r\n") {
                break at;
            }
            more(stream, read).await?;
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        read.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let mut headers = http::HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        if (100..200).contains(&status) {
            continue;
        }
        let body = read_body(stream, read, &headers).await?;
        let answered = Answered {
            status,
            headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        };
        return Some(answered.silent());
    }
}

async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
    headers: &http::HeaderMap,
) -> Option<Vec<u8>> {
    if let Some(length) = headers.get("content-length") {
        let length: usize = length.to_str().unwrap().parse().unwrap();
        while read.len() < length {
            more(stream, read).await?;
        }
        return Some(read.drain(..length).collect());
    }
    if !headers.contains_key("transfer-encoding") {
        while more(stream, read).await.is_some() {}
        return Some(std::mem::take(read));
    }
    let mut body = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = memchr::memmem::find(read, b"\r\n") {
                break at;
            }
            more(stream, read).await?;
        };
        let size = std::str::from_utf8(&read[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        while read.len() < end + 2 + size + 2 {
            more(stream, read).await?;
        }
        body.extend_from_slice(&read[end + 2..end + 2 + size]);
        read.drain(..end + 2 + size + 2);
        if size == 0 {
            return Some(body);
        }
    }
}

/// Reads on; `None` at the end, which may also come as an error.
async fn more(stream: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> Option<()> {
    let mut chunk = vec![0; 16 * 1024];
    let next = tokio::time::timeout(PATIENCE, stream.read(&mut chunk)).await;
    match next {
        Ok(Ok(0) | Err(_)) => None,
        Ok(Ok(length)) => {
            read.extend_from_slice(&chunk[..length]);
            Some(())
        }
        Err(_) => panic!("neither an answer nor a closed connection; so far: {read:?}"),
    }
}

/// An upstream that answers everything but the account's page with the same bytes, and closes.
pub struct Hostile {
    pub address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Hostile {
    /// Starts to listen; it answers nothing yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hostile = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::default(),
            seen: Arc::default(),
        };
        let (answer, seen) = (Arc::clone(&hostile.answer), Arc::clone(&hostile.seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move { answer_once(stream, &answer, &seen).await });
            }
        });
        hostile
    }

    /// From now on it answers with these bytes.
    pub fn answers(&self, bytes: impl Into<Vec<u8>>) {
        *self.answer.lock().unwrap() = bytes.into();
    }

    /// The heads of all requests, those for the account's page left out.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer_once(
    mut stream: TcpStream,
    answer: &Mutex<Vec<u8>>,
    seen: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = memchr::memmem::find(&read, b"\r\n\r\n") {
            break at + 4;
        }
        more(&mut stream, &mut read).await?;
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse::<usize>().unwrap())
    });
    while read.len() < end + length.unwrap_or(0) {
        more(&mut stream, &mut read).await?;
    }
    let path = head.split([' ', '?']).nth(1).unwrap_or_default();
    let bytes = if super::is_own_question(path) {
        b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
    } else {
        seen.lock().unwrap().push(head);
        answer.lock().unwrap().clone()
    };
    stream.write_all(&bytes).await.ok()?;
    stream.shutdown().await.ok()?;
    // Waits for the other side, so that nothing sent is thrown away by a reset.
    while more(&mut stream, &mut read).await.is_some() {}
    Some(())
}
