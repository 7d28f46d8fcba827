//! An upstream that reads as strictly as can be: every byte it gets belongs to a request whose end is
//! beyond doubt, or it is written down as strange.

use std::sync::Mutex;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub line: String,
    pub head: String,
    pub body: String,
}

/// All that arrived.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: Vec<Arrived>,
    /// Bytes that are no request.
    pub strange: Vec<String>,
}

/// What is said to a request.
pub struct Said {
    pub bytes: Vec<u8>,
    /// And nothing more after it.
    pub is_last: bool,
}

/// Reads requests, and answers each with what `answer` says.
pub async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Seen>,
    mut answer: impl FnMut(&Arrived) -> Said,
) -> Option<()> {
    let mut read = Vec::new();
    loop {
        match next(&mut read) {
            Ok(Some(arrived)) => {
                let said = answer(&arrived);
                seen.lock().unwrap().requests.push(arrived);
                stream.write_all(&said.bytes).await.ok()?;
                if said.is_last {
                    return stream.shutdown().await.ok();
                }
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
pub fn next(read: &mut Vec<u8>) -> Result<Option<Arrived>, String> {
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
    let Some(body) = read[end + 4..].get(..length) else {
        return Ok(None);
    };
    let body = String::from_utf8_lossy(body).into_owned();
    read.drain(..end + 4 + length);
    Ok(Some(Arrived { line, head, body }))
}
