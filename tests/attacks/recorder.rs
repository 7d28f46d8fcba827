//! An upstream that reads as strictly as can be: every byte it gets belongs to a request whose end
//! is beyond doubt, or the test fails.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use generect_guard::simulator::{Simulator, SimulatorSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Plan, World, is_own_question};

pub const SEARCH: &str = "/api/v1/search/database/leads/";
pub const COUNT: &str = "/api/v1/search/database/leads/count/";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub line: String,
    pub head: String,
    pub body: String,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Arrived>,
    /// Bytes that are no request.
    strange: Vec<String>,
}

/// See the module. It answers everything with a charge of 0.02.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Recorder {
    /// Starts to listen.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let recorder = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&recorder.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move { serve(stream, &seen).await });
            }
        });
        recorder
    }

    /// A guard by this plan before it.
    pub async fn world(&self, plan: Plan) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
        plan.start_before(simulator, &format!("http://{}", self.address))
            .await
    }

    /// All that arrived, the guard's own questions left out.
    pub fn arrived(&self) -> Vec<Arrived> {
        let seen = self.seen.lock().unwrap();
        assert!(seen.strange.is_empty(), "no requests: {:?}", seen.strange);
        seen.requests.clone()
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Seen>) -> Option<()> {
    let mut read = Vec::new();
    loop {
        match next(&mut read) {
            Ok(Some(arrived)) => {
                let own = is_own_question(arrived.line.split([' ', '?']).nth(1).unwrap());
                let (status, body) = match own {
                    true => ("503 No", ""),
                    false => ("200 OK", r#"{"data":[],"meta":{"amount_charged":0.02}}"#),
                };
                if !own {
                    seen.lock().unwrap().requests.push(arrived);
                }
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            Ok(None) => {
                if stream.read_buf(&mut read).await.ok()? == 0 {
                    if !read.is_empty() {
                        let rest = String::from_utf8_lossy(&read).into_owned();
                        seen.lock().unwrap().strange.push(rest);
                    }
                    return None;
                }
            }
            Err(why) => {
                let text = format!("{why}: {}", String::from_utf8_lossy(&read));
                seen.lock().unwrap().strange.push(text);
                return None;
            }
        }
    }
}

/// Takes the next request off what was read, if it is whole.
fn next(read: &mut Vec<u8>) -> Result<Option<Arrived>, String> {
    let Some(end) = memchr::memmem::find(read, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&read[..end]).map_err(|error| error.to_string())?;
    let (line, fields) = head.split_once("\r\n").ok_or("no fields")?;
    let [_, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err("a strange first line".into());
    };
    let plain = |byte: u8| byte.is_ascii_graphic();
    if !target.starts_with("/api/") || !target.bytes().all(plain) {
        return Err("a strange target".into());
    }
    let mut lengths = Vec::new();
    for field in fields.split("\r\n") {
        let (name, value) = field.split_once(": ").ok_or("a strange field")?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !name.bytes().all(token) || value.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err("a strange field".into());
        }
        match name.to_ascii_lowercase().as_str() {
            "content-length" => lengths.push(value.parse::<usize>().map_err(|e| e.to_string())?),
            "transfer-encoding" | "upgrade" | "expect" | "trailer" => {
                return Err(format!("{name} went on"));
            }
            _ => {}
        }
    }
    let length = match lengths[..] {
        [] => 0,
        [length] => length,
        _ => return Err("two lengths".into()),
    };
    let (line, head) = (line.to_owned(), head.to_owned());
    let Some(body) = read.get(end + 4..end + 4 + length) else {
        return Ok(None);
    };
    let body = String::from_utf8_lossy(body).into_owned();
    read.drain(..end + 4 + length);
    Ok(Some(Arrived { line, head, body }))
}
