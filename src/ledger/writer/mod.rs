//! The one owner of the books.
//!
//! One loop takes what is waiting (endings first, then new holds), decides each by the rules of
//! `book/`, appends the whole batch in one transaction, syncs once, and answers all. It is an
//! async function, so that a simulation can drive it; in production it has a thread of its own,
//! because the store blocks.

mod answers;
mod archive;
mod batch;
mod decide;
mod keep;
mod message;
mod recovery;
mod telemetry;
mod turn;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use ahash::AHashMap;

use crate::clock::Clock;

use super::book::Book;
use super::entry::{Ending, HoldId};
use super::handle::Shared;
use super::known::{JobState, Known};
use super::request::{Job, LedgerError, Settings};
use super::store::Store;

use answers::Answers;
use batch::Batch;
use keep::Keeping;
use recovery::Unsure;

pub(super) use message::{Cover, Ended, Request};

/// How long endings that nobody waits for may wait for a hold to bring the next sync. Measured: it
/// spares a fifth of the work, and a process that dies within it leaves doubts, not losses.
const RIDE: Duration = Duration::from_millis(5);
/// Endings taken into one batch: bounds the time a commit takes (about 10 ms).
const ENDINGS_MAX: usize = 2_048;
/// Requests taken into one batch, for the same reason.
const REQUESTS_MAX: usize = 1_024;
/// How often jobs that ended long ago are forgotten.
const FORGET_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// A last entry this far ahead of the clock is worth a word: until then time stands still here.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// Why a hold is in doubt that was open when the ledger was opened.
const DIED: &str = "the process died while the call was under way";

/// Why nothing can be written any more when the writer has panicked.
const BROKEN_DOWN: &str = "its writer has broken down; only a restart helps";

/// What the writer is given by the handle.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) endings: mpsc::UnboundedReceiver<Ended>,
    /// Weak, so that the queues close when the last handle goes.
    pub(super) shared: Weak<Shared>,
    pub(super) known: Arc<Known>,
}

/// The loop that decides and writes. Nothing is answered until it runs.
pub struct Writer {
    store: Box<dyn Store>,
    book: Book,
    clock: Clock,
    inbox: Inbox,
    /// The last entry that is on disk.
    last_seq: i64,
    batch: Batch,
    answers: Answers,
    /// A batch of which nobody knows whether it is on disk.
    unsure: Option<Unsure>,
    /// Places of jobs under way.
    job_places: AHashMap<HoldId, OwnedSemaphorePermit>,
    forgot_at: Timestamp,
    waiting_requests: Vec<Request>,
    waiting_endings: Vec<Ended>,
    keeping: Vec<Keeping>,
    /// When a call last had something to do here.
    called_at: Option<Instant>,
    /// The last turn made holds. Their endings need not wake the thread: they ride with the next.
    expects_endings: bool,
    /// Who asked for the ledger to be closed.
    closing: Vec<oneshot::Sender<Result<(), LedgerError>>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writer")
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

impl Drop for Writer {
    /// When it broke down, who asks whether the ledger can be written must hear that it cannot.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let known = &self.inbox.known;
            known.failure.store(Arc::new(BROKEN_DOWN.into()));
            known.writable.store(false, Ordering::Release);
        }
    }
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Turn,
    End,
}

impl Writer {
    pub(super) fn open(
        store: Box<dyn Store>,
        settings: &Settings,
        clock: Clock,
        inbox: Inbox,
    ) -> Result<Self, LedgerError> {
        let now = clock.now();
        let tail = store.reader().tail()?;
        let ahead = tail.recorded_at.map(|last| last.duration_since(now));
        if let Some(ahead) = ahead.filter(|ahead| *ahead > AHEAD) {
            let seconds = ahead.as_secs();
            tracing::warn!(
                seconds,
                "the clock is behind the ledger's last entry: until it has caught up, time stands still here"
            );
        }
        let book = Book::restore(store.reader(), settings, now)?;
        let mut writer = Self {
            store,
            book,
            clock,
            inbox,
            last_seq: tail.seq,
            batch: Batch::default(),
            answers: Answers::default(),
            unsure: None,
            job_places: AHashMap::new(),
            forgot_at: now,
            waiting_requests: Vec::new(),
            waiting_endings: Vec::new(),
            keeping: Vec::new(),
            called_at: None,
            expects_endings: false,
            closing: Vec::new(),
        };
        writer.doubt_abandoned()?;
        writer.know_jobs();
        writer.inbox.known.levels.replace(writer.book.levels());
        Ok(writer)
    }

    /// Holds without a job that were open when the process died are in doubt.
    fn doubt_abandoned(&mut self) -> Result<(), LedgerError> {
        let abandoned = self.book.abandoned();
        if !abandoned.is_empty() {
            let holds = abandoned.len();
            tracing::warn!(holds, "holds of a process that died are in doubt");
        }
        for some in abandoned.chunks(ENDINGS_MAX) {
            let mut entries = Vec::with_capacity(some.len());
            for (seq, hold) in (self.last_seq + 1..).zip(some) {
                let doubt = Ending::Doubted { why: DIED.into() };
                entries.extend(
                    self.book
                        .end(*hold, doubt, seq)
                        .map(|decided| decided.entry),
                );
            }
            self.store.append(&entries)?;
            self.last_seq = entries.last().map_or(self.last_seq, |entry| entry.seq);
        }
        Ok(())
    }

    fn know_jobs(&mut self) {
        let known = &self.inbox.known;
        for (job, hold, open) in self.book.known_jobs() {
            let Some((team, operation)) = self.book.job_origin(job) else {
                continue;
            };
            let state = Job {
                hold,
                team,
                operation,
                open,
            };
            known.jobs.insert(job.clone(), JobState::new(state));
            // Without a free place it goes without: its ending is bounded by the job itself.
            if open && let Ok(place) = Arc::clone(&known.places).try_acquire_owned() {
                self.job_places.insert(hold, place);
            }
        }
    }

    /// Runs until the ledger is closed or every handle and hold is gone.
    pub async fn run(mut self) {
        while self.gather().await == Next::Turn {
            if self.turn() == Next::End || self.recover_if_failing().await == Next::End {
                break;
            }
        }
        // Whoever asked for the end waits for it, in the callers' runtime.
        if !self.closing.is_empty() {
            self.answers.all_said().await;
        }
        self.finish();
    }

    /// Runs it on a thread of its own, named `ledger`. Called in a runtime, it answers its callers
    /// through a task of that.
    ///
    /// # Errors
    /// [`LedgerError::Thread`] if the system gives no thread or no timer.
    pub fn spawn(mut self) -> Result<std::thread::JoinHandle<()>, LedgerError> {
        let thread = |error: std::io::Error| LedgerError::Thread(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(thread)?;
        if let Ok(callers) = Handle::try_current() {
            self.answers.say_in(&callers);
        }
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || runtime.block_on(self.run()))
            .map_err(thread)
    }

    /// Waits until there is something to do, and takes it.
    async fn gather(&mut self) -> Next {
        let requests = &mut self.waiting_requests;
        let endings = &mut self.waiting_endings;
        if std::mem::take(&mut self.expects_endings) {
            let ride = self.inbox.requests.recv_many(requests, REQUESTS_MAX);
            if let Ok(0) = timeout(RIDE, ride).await {
                return Next::End;
            }
        }
        if requests.is_empty() {
            // What came meanwhile has waited long enough.
            let had = self.inbox.endings.len();
            let taken = tokio::select! {
                biased;
                taken = self.inbox.requests.recv_many(requests, REQUESTS_MAX) => taken,
                taken = self.inbox.endings.recv_many(endings, ENDINGS_MAX) => taken,
            };
            if taken == 0 {
                return Next::End;
            }
            if requests.is_empty() && had == 0 && endings.len() < ENDINGS_MAX {
                // Nobody waits: ride with the next hold, if one comes soon.
                let ride = self.inbox.requests.recv_many(requests, REQUESTS_MAX);
                let _ = timeout(RIDE, ride).await;
            }
        }
        // Whoever was running when we woke may be about to ask as well. Measured on one busy
        // core: nearly twice the calls a second. On an idle core it returns at once.
        std::thread::yield_now();
        while requests.len() < REQUESTS_MAX {
            match self.inbox.requests.try_recv() {
                Ok(request) => requests.push(request),
                Err(_) => break,
            }
        }
        while endings.len() < ENDINGS_MAX {
            match self.inbox.endings.try_recv() {
                Ok(ended) => endings.push(ended),
                Err(_) => break,
            }
        }
        Next::Turn
    }
}
