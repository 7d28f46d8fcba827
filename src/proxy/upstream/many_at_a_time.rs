//! Connections of HTTP/2, each for as many exchanges at a time as the upstream says.
//!
//! The pool has one handle of each, and each exchange a clone, by which they are counted: one more than the
//! upstream serves hyper would have wait, and nobody knew that it had not left.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::header::HOST;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::greeting::{NoGreeting, Overheard, ServesNone, UNSAID};
use super::origin::Origin;
use super::queue::Queue;
use super::sender::Sender;
use crate::proxy::body::{BodyError, OutgoingBody};
use crate::proxy::link::Link;

/// What the upstream may send of one answer before its client takes it, in bytes.
const ANSWER_WINDOW_BYTES: u32 = 256 << 10;
/// The same of all answers of a connection: as good as no bound, which would let a few clients that
/// read slowly stop the answers of all others.
const CONNECTION_WINDOW_BYTES: u32 = (1 << 31) - 1;

/// While answers are awaited and nothing comes for so long, a sign of life is asked for, and waited for as
/// long. One connection has all calls: if it died without a word, every new one would end in doubt until the
/// system gives it up, which can take a quarter of an hour.
const SIGN_OF_LIFE_WITHIN: Duration = Duration::from_secs(30);

/// One connection, as one exchange or the pool has it.
#[derive(Clone)]
pub(super) struct ManyAtATime {
    sender: http2::SendRequest<OutgoingBody>,
    /// Gone when it has ended.
    connection: Weak<Mutex<Connection>>,
    exchanges: Arc<()>,
}

type Connection = http2::Connection<Overheard, OutgoingBody, TokioExecutor>;

/// Those there are, the oldest first: there are more than one where one has no room for all.
#[derive(Default)]
pub(super) struct Shared(Vec<Pooled>);

/// One of them, as the pool has it.
struct Pooled {
    sender: ManyAtATime,
    /// When it was made, or first seen without an exchange since; `None` once it was taken for one.
    rests_since: Option<Instant>,
}

impl ManyAtATime {
    /// When the upstream has said how many exchanges it serves at a time, for which it has `within`, until `by`.
    pub(super) async fn over(link: Link, within: Duration, by: Instant) -> Result<Self, BodyError> {
        let read_on = Arc::new(Notify::new());
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(ANSWER_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .keep_alive_interval(SIGN_OF_LIFE_WITHIN)
            .keep_alive_timeout(SIGN_OF_LIFE_WITHIN)
            .initial_max_send_streams(UNSAID)
            .handshake(Overheard::new(link, &read_on))
            .await?;
        let kept = Arc::new(Mutex::new(connection));
        let many = Self {
            sender,
            connection: Arc::downgrade(&kept),
            exchanges: Arc::default(),
        };
        let ended = Arc::clone(&read_on);
        tokio::spawn(async move {
            poll_fn(move |cx| Pin::new(&mut *locked(&kept)).poll(cx))
                .await
                .ok();
            ended.notify_one();
        });
        let greeted = timeout_at(by, many.greeted(&read_on)).await;
        match greeted.unwrap_or(Err(NoGreeting::Silent(within)))? {
            0 => Err(ServesNone.into()),
            _ => Ok(many),
        }
    }

    /// Waits until the upstream has said how many exchanges it serves at a time.
    async fn greeted(&self, read_on: &Notify) -> Result<usize, NoGreeting> {
        loop {
            match self.exchanges_max() {
                Some(UNSAID) => read_on.notified().await,
                said => return said.ok_or(NoGreeting::Ended),
            }
        }
    }

    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        self.sender.ready().await
    }

    pub(super) fn send(
        &mut self,
        mut request: Request<OutgoingBody>,
        origin: &Origin,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<OutgoingBody>>>> + use<>
    {
        request.headers_mut().remove(HOST);
        *request.uri_mut() = origin.absolute(std::mem::take(request.uri_mut()));
        self.sender.try_send_request(request)
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Whether the upstream serves one exchange more on it than there are.
    fn has_room(&self) -> bool {
        (self.exchanges_max()).is_some_and(|exchanges_max| self.exchanges() < exchanges_max)
    }

    /// As the upstream said last; `None`: the connection has ended.
    fn exchanges_max(&self) -> Option<usize> {
        let connection = self.connection.upgrade()?;
        Some(locked(&connection).current_max_send_streams())
    }

    /// How many there are, as the pool's own sees it: all clones but itself.
    fn exchanges(&self) -> usize {
        Arc::strong_count(&self.exchanges) - 1
    }
}

impl Pooled {
    /// One exchange more, although others may be under way.
    fn take(&mut self) -> ManyAtATime {
        self.rests_since = None;
        self.sender.clone()
    }

    /// Whether no exchange is on it, and since when: from the end of the last, however long that took.
    fn rests(&mut self, now: Instant) -> Option<Instant> {
        (self.sender.exchanges() == 0).then(|| *self.rests_since.get_or_insert(now))
    }
}

fn locked(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// One more exchange on the oldest that has room.
    pub(super) fn take(&mut self, now: Instant, idle_timeout: Duration) -> Option<ManyAtATime> {
        self.sweep(now, idle_timeout);
        let pooled = self.0.iter_mut().find(|pooled| pooled.sender.has_room())?;
        Some(pooled.take())
    }

    /// One that was made: for as many of those that wait as it has room for.
    pub(super) fn add(&mut self, sender: ManyAtATime, queue: &mut Queue) {
        self.give_room(queue);
        // Whoever waits has it, whatever room it has: nobody else makes one for that call.
        let rests_since = Some(Instant::now());
        let mut pooled = Pooled {
            sender,
            rests_since,
        };
        let is_taken = give(&mut pooled, true, queue);
        // Made at the same time as one that has room for all: nobody needs it.
        if is_taken || !self.0.iter().any(|pooled| pooled.sender.is_open()) {
            self.0.push(pooled);
            self.give_room(queue);
        }
    }

    /// An exchange has ended: others have its room, or the connection rests, if no more do than may.
    pub(super) fn ended(&mut self, queue: &mut Queue, idle_max: usize) {
        self.give_room(queue);
        let (now, mut resting) = (Instant::now(), 0);
        self.0.retain_mut(|pooled| {
            let rests = pooled.rests(now).is_some();
            resting += usize::from(rests);
            !rests || resting <= idle_max
        });
    }

    /// Gives those that wait the room there is.
    fn give_room(&mut self, queue: &mut Queue) {
        for pooled in self.0.iter_mut().filter(|pooled| pooled.sender.is_open()) {
            while pooled.sender.has_room() && give(pooled, false, queue) {}
        }
    }

    /// Lets go of those that rested too long, and of those that were closed meanwhile: exchanges that are
    /// under way end on them.
    pub(super) fn sweep(&mut self, now: Instant, idle_timeout: Duration) {
        self.0.retain_mut(|pooled| {
            let rested = |since| now.duration_since(since) >= idle_timeout;
            pooled.sender.is_open() && !pooled.rests(now).is_some_and(rested)
        });
    }
}

/// Gives one more exchange on a connection to the first that still waits. Whether anybody did.
fn give(pooled: &mut Pooled, is_new: bool, queue: &mut Queue) -> bool {
    if queue.is_empty() {
        return false;
    }
    let back = queue.give(Sender::Http2(pooled.sender.clone()), is_new);
    if back.is_none() {
        pooled.rests_since = None;
    }
    back.is_none()
}
