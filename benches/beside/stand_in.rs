//! A stand-in for the guard's ledger: the bare proxy, and both entries of a call in an SQLite file.
//!
//! What somebody would write who wants the books and no rules. The first entry is on disk before the call
//! leaves, the second is queued when the answer comes and rides with the next batch. One writer on a
//! thread of its own, a transaction and a sync for all who wait, prepared statements, rows of the
//! same width. It looks up no key, reads no body, prices, sums, checks and logs nothing.
//!
//! There are two. One writes what is there when it looks, and answers each caller. The other is
//! tuned as the guard's ledger is: see [`Batches`]. A third, tuned too, keeps nothing that could be read:
//! what it takes is the least that a call on disk can take here.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use generect_guard::clock::Clock;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;

use crate::bare::{self, Body, Proxy};
use crate::books::{Books, Entry, Pages, Sqlite};

/// Their names on the command line.
pub(crate) const PLAIN: &str = "plain";
pub(crate) const TUNED: &str = "tuned";
pub(crate) const PAGES: &str = "pages";

/// How the tuned one lets endings that nobody waits for wait for a call to bring the next sync: as in the guard.
const RIDE: Duration = Duration::from_millis(5);

/// How entries become a batch, and how those who wait hear of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Batches {
    /// What is there, at once. The writer's thread answers each.
    Plain,
    /// As the guard does: endings wait a little for a call, whoever is running is let on first, and
    /// all are answered by one message to the proxy's thread.
    Tuned,
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
    mut books: impl Books,
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

/// Serves for ever as the stand-in of this name; the first line of standard output says where.
pub(crate) async fn serve(upstream: SocketAddr, folder: &Path, name: &str) {
    let path = folder.join("ledger.db");
    match name {
        PLAIN => serve_with(upstream, Sqlite::create(&path), Batches::Plain).await,
        TUNED => serve_with(upstream, Sqlite::create(&path), Batches::Tuned).await,
        _ => serve_with(upstream, Pages::create(&path), Batches::Tuned).await,
    }
}

async fn serve_with(upstream: SocketAddr, books: impl Books, batches: Batches) {
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
