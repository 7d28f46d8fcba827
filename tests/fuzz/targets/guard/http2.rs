//! An upstream of HTTP/2 that says anything at all, frame by frame, and knows of what it hears where requests
//! begin and end.
//!
//! What it says on its first connection is a script of lines. A line is a letter for what is done, one for
//! flags and one for a stream (the flags and streams from 0 on are written `0`, `1` and so on in the order of
//! ASCII), and the rest:
//!
//! | letter | |
//! |---|---|
//! | `0` to `9` | a frame of this type (RFC 9113, section 6), whose bytes follow |
//! | `h`, `c` | HEADERS, CONTINUATION: of `name: value`, parted by tabs |
//! | `z` | DATA: what follows, packed by gzip |
//! | `x` | what follows, as it is: no frame |
//! | `w` | waits for one request more to have come whole |
//! | `r` | rests for as many seconds as its flags say |
//! | `e` | says no more |
//!
//! `$` stands for the token. Every further connection is answered well.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use super::TOKEN;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
/// Of these two flags the first bytes of a frame are something else.
const PADDED_OR_PRIORITY: u8 = 0x28;
const STATUS: &[u8] = b":status: ";

/// What becomes of the first connection when all is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Rests,
    Answers,
    Ends,
}

/// What the upstream says. See the module.
#[derive(Clone, Debug)]
pub struct Script {
    pub lines: Vec<u8>,
    pub then: Then,
    /// What every other connection is answered with.
    pub good: &'static str,
}

/// What went over all connections.
#[derive(Debug, Default)]
pub struct Spoken {
    /// Requests that were heard, if only their beginnings.
    pub asked: usize,
    /// Connections that the guard has not ended.
    pub open: usize,
    /// The bytes of each answer.
    pub answers: Vec<(Stream, Vec<u8>)>,
}

/// A connection's number, and one of its streams.
type Stream = (usize, u32);

impl Script {
    fn each(&self) -> impl Iterator<Item = (u8, u8, u32, &[u8])> {
        let lines = self.lines.split(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let ([kind, flags, stream], rest) = line.split_first_chunk::<3>()?;
            let number = |byte: &u8| byte.wrapping_sub(b'0');
            Some((*kind, number(flags), u32::from(number(stream)), rest))
        })
    }

    /// Whether an answer could be a no: one is told, or there are bytes that could be one.
    pub fn may_say_no(&self) -> bool {
        self.each().any(|(kind, flags, _, rest)| match kind {
            // A stream's reset (3) may say that it was not begun.
            b'x' | b'1' | b'3' | b'5' | b'9' => true,
            b'h' | b'c' => {
                let after = memchr::memmem::find_iter(rest, STATUS);
                let mut first = after.map(|at| rest.get(at + STATUS.len()));
                flags & PADDED_OR_PRIORITY != 0
                    || first.any(|first| matches!(first, Some(b'4' | b'5')))
            }
            _ => false,
        })
    }

    /// Whether the bytes of an answer are those of its frames.
    pub fn is_clear(&self) -> bool {
        let coded = memchr::memmem::find(&self.lines, b"encoding").is_some();
        let shows = self.lines.contains(&b'$');
        let strange = self.each().any(|(kind, flags, _, _)| match kind {
            b'x' | b'1' | b'5' | b'9' | b'z' => true,
            b'0' | b'h' | b'c' => flags & PADDED_OR_PRIORITY != 0,
            _ => false,
        });
        !coded && !shows && !strange
    }
}

/// The upstream's end of its connection of this number.
pub async fn serve(stream: DuplexStream, nth: usize, script: Script, spoken: Arc<Mutex<Spoken>>) {
    let (reading, writing) = split(stream);
    let (begun, asked) = unbounded_channel();
    spoken.lock().unwrap().open += 1;
    let hearing = tokio::spawn(hear(reading, begun, Arc::clone(&spoken)));
    let mut saying = Saying {
        writing,
        asked,
        nth,
        spoken: Arc::clone(&spoken),
    };
    // Nobody is there to hear the rest.
    let _ = saying.all(&script).await;
    let _ = hearing.await;
    spoken.lock().unwrap().open -= 1;
}

/// Tells of each request that has come whole.
async fn hear(
    mut reading: ReadHalf<DuplexStream>,
    begun: UnboundedSender<u32>,
    spoken: Arc<Mutex<Spoken>>,
) -> Option<()> {
    let mut preface = [0; PREFACE.len()];
    reading.read_exact(&mut preface).await.ok()?;
    assert_eq!(preface, *PREFACE);
    let mut newest = 0;
    loop {
        let mut head = [0; 9];
        reading.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        reading.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes(stream);
        if kind == HEADERS && stream > newest {
            newest = stream;
            spoken.lock().unwrap().asked += 1;
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            // It may say no more.
            let _ = begun.send(stream);
        }
    }
}

/// What the upstream says on one connection.
struct Saying {
    writing: WriteHalf<DuplexStream>,
    asked: UnboundedReceiver<u32>,
    nth: usize,
    spoken: Arc<Mutex<Spoken>>,
}

impl Saying {
    async fn all(&mut self, script: &Script) -> Option<()> {
        if self.nth > 0 {
            self.frame(4, 0, 0, &[]).await?;
            return self.answer(script.good).await;
        }
        for (kind, flags, stream, rest) in script.each() {
            let rest = with_token(rest);
            match kind {
                b'0'..=b'9' => self.frame(kind - b'0', flags, stream, &rest).await?,
                b'h' => self.frame(HEADERS, flags, stream, &fields(&rest)).await?,
                b'c' => {
                    self.frame(CONTINUATION, flags, stream, &fields(&rest))
                        .await?
                }
                b'z' => self.frame(DATA, flags, stream, &packed(&rest)).await?,
                b'x' => self.writing.write_all(&rest).await.ok()?,
                b'w' => drop(self.asked.recv().await?),
                b'r' => sleep(Duration::from_secs(flags.into())).await,
                b'e' => return self.writing.shutdown().await.ok(),
                _ => {}
            }
        }
        match script.then {
            Then::Rests => Some(()),
            Then::Answers => self.answer(script.good).await,
            Then::Ends => self.writing.shutdown().await.ok(),
        }
    }

    /// Answers each request well.
    async fn answer(&mut self, good: &str) -> Option<()> {
        loop {
            let stream = self.asked.recv().await?;
            let head = format!(":status: 200\tcontent-length: {}", good.len());
            self.frame(HEADERS, 0x4, stream, &fields(head.as_bytes()))
                .await?;
            self.frame(DATA, END_STREAM, stream, good.as_bytes())
                .await?;
        }
    }

    async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<()> {
        if kind == DATA {
            self.note((self.nth, stream), payload);
        }
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.writing.write_all(&bytes).await.ok()
    }

    fn note(&self, stream: Stream, said: &[u8]) {
        let answers = &mut self.spoken.lock().unwrap().answers;
        match answers.iter_mut().find(|(of, _)| *of == stream) {
            Some((_, bytes)) => bytes.extend_from_slice(said),
            None => answers.push((stream, said.to_vec())),
        }
    }
}

fn with_token(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'$' => bytes.extend_from_slice(TOKEN.as_bytes()),
            byte => bytes.push(*byte),
        }
    }
    bytes
}

/// Fields in HPACK, each as a literal that is not kept (RFC 7541, section 6.2.2).
fn fields(text: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for field in text.split(|byte| *byte == b'\t') {
        let cut = memchr::memmem::find(field, b": ");
        let (name, value) = match cut {
            Some(at) => (&field[..at], &field[at + 2..]),
            None => (field, &b""[..]),
        };
        block.push(0);
        for part in [name, value] {
            number(&mut block, part.len());
            block.extend_from_slice(part);
        }
    }
    block
}

/// A length in HPACK, of a text that is not shortened (RFC 7541, section 5.1).
fn number(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut left = length - 127;
    while left >= 128 {
        block.push(u8::try_from(left % 128).unwrap() | 128);
        left /= 128;
    }
    block.push(u8::try_from(left).unwrap());
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
