//! A stand-in for the guard's ledger: the bare proxy, and both entries of a call in an SQLite file.
//!
//! What somebody would write who wants the books and no rules. The first entry is on disk before the call
//! leaves, the second is queued when the answer comes and rides with the next batch. One writer on a
//! thread of its own, a transaction and a sync for all who wait, prepared statements, rows of the
//! same width. It looks up no key, reads no body, prices, sums, checks and logs nothing.
//!
//! There are two. One writes what is there when it looks, and answers each caller. The other is
//! tuned as the guard's ledger is: see [`Batches`].

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use generect_guard::clock::Clock;
use http::{Request, Response};
use hyper::body::Incoming;
use rusqlite::{Connection, params};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;

use crate::bare::{self, Body, Proxy};

/// How the tuned one lets endings that nobody waits for wait for a call to bring the next sync: as in the guard.
const RIDE: Duration = Duration::from_millis(5);
/// Pages of the log after which it is moved into the file: 32 MiB, as in the guard.
const CHECKPOINT: &str = "PRAGMA wal_autocheckpoint = 8192";

const TABLE: &str = "CREATE TABLE entries (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, \
     hold INTEGER NOT NULL, began_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, \
     team INTEGER NOT NULL, \"key\" INTEGER NOT NULL, operation INTEGER NOT NULL, \
     amount INTEGER NOT NULL, fingerprint INTEGER, detail TEXT) STRICT";
const INSERT: &str = "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// How entries become a batch, and how those who wait hear of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batches {
    /// What is there, at once. The writer's thread answers each.
    Plain,
    /// As the guard does: endings wait a little for a call, whoever is running is let on first, and
    /// all are answered by one message to the proxy's thread.
    Tuned,
}

/// One of the two entries of a call.
pub(crate) enum Entry {
    Held,
    Settled { hold: i64, began_at: i64 },
}

/// The file.
pub(crate) struct Books {
    file: Connection,
    seq: i64,
}

impl Books {
    pub(crate) fn create(path: &Path) -> Self {
        let file = Connection::open(path).unwrap();
        let wal = "PRAGMA journal_mode = WAL";
        file.query_row(wal, [], |_| Ok(())).unwrap();
        file.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;")
            .unwrap();
        file.query_row(CHECKPOINT, [], |_| Ok(())).unwrap();
        file.execute_batch(TABLE).unwrap();
        Self { file, seq: 0 }
    }

    /// All on disk when it returns. The number of the first.
    pub(crate) fn append<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: i64) -> i64 {
        let first = self.seq + 1;
        let transaction = self.file.unchecked_transaction().unwrap();
        let mut insert = self.file.prepare_cached(INSERT).unwrap();
        for entry in entries {
            self.seq += 1;
            let (seq, print) = (
                self.seq,
                self.seq
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()),
            );
            let written = match *entry {
                Entry::Held => insert.execute(params![
                    seq,
                    1,
                    seq,
                    now,
                    now,
                    1,
                    2,
                    3,
                    60_000,
                    print,
                    None::<&str>
                ]),
                Entry::Settled { hold, began_at } => insert.execute(params![
                    seq,
                    3,
                    hold,
                    began_at,
                    now,
                    1,
                    2,
                    3,
                    40_000,
                    None::<i64>,
                    "0.04"
                ]),
            };
            written.unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
        first
    }
}

/// A held entry on disk: its number and time.
type Hold = (i64, i64);
/// Who waits for a hold.
type Waiting = oneshot::Sender<Hold>;

struct Message {
    entry: Entry,
    reply: Option<Waiting>,
}

/// Takes what is there, writes it together, and answers all who wait.
fn write(
    mut books: Books,
    messages: &Receiver<Message>,
    batches: Batches,
    mut answer: impl FnMut(Vec<(Waiting, Hold)>),
) {
    let clock = Clock::system();
    let mut batch = Vec::new();
    while let Ok(message) = messages.recv() {
        let waits = message.reply.is_some();
        batch.push(message);
        if batches == Batches::Tuned {
            if !waits {
                batch.extend(messages.recv_timeout(RIDE));
            }
            // Whoever was running when this thread woke may be about to ask as well.
            std::thread::yield_now();
        }
        batch.extend(messages.try_iter());
        let now = clock.now().as_microsecond();
        let first = books.append(batch.iter().map(|message| &message.entry), now);
        let numbered = (first..).zip(batch.drain(..));
        let waiting = numbered.filter_map(|(seq, message)| Some((message.reply?, (seq, now))));
        answer(waiting.collect());
    }
}

/// Who waited may have left with its client.
fn say(answers: Vec<(Waiting, Hold)>) {
    for (waiting, hold) in answers {
        let _ = waiting.send(hold);
    }
}

/// Serves for ever; the first line of standard output says where.
pub(crate) async fn serve(upstream: SocketAddr, folder: &Path, batches: Batches) {
    let books = Books::create(&folder.join("ledger.db"));
    let (messages, received) = channel();
    let (answers, mut answered) = unbounded_channel();
    let thread = std::thread::Builder::new().name("ledger".into());
    let writer = move || match batches {
        Batches::Plain => write(books, &received, batches, say),
        Batches::Tuned => write(books, &received, batches, |waiting| {
            // The proxy goes when the process does.
            let _ = answers.send(waiting);
        }),
    };
    thread.spawn(writer).unwrap();
    tokio::spawn(async move {
        while let Some(answers) = answered.recv().await {
            say(answers);
        }
    });
    let proxy = Arc::new(Proxy::to(upstream));
    bare::answer(move |request| keep_books(Arc::clone(&proxy), messages.clone(), request)).await;
}

async fn keep_books(
    proxy: Arc<Proxy>,
    messages: Sender<Message>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (reply, answer) = oneshot::channel();
    let reply = Some(reply);
    let entry = Entry::Held;
    messages.send(Message { entry, reply }).unwrap();
    let (hold, began_at) = answer.await.unwrap();
    let response = proxy.pass(request).await;
    let entry = Entry::Settled { hold, began_at };
    let reply = None;
    messages.send(Message { entry, reply }).unwrap();
    response
}
