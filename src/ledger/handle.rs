//! The handle everybody has: asks the one writer, and never touches the store itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::metrics::gauge;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::clock::Clock;
use crate::credits::Credits;
use crate::ids::JobId;
use crate::metrics::LEDGER_DAMAGED;

use super::budget::{Budget, BudgetStatus};
use super::entry::{Ending, Entry, Evidence, HoldId, Note, Origin};
use super::exhausted::Asked;
use super::grant::{Grant, GrantError, Granted};
use super::hold::Hold;
use super::known::Known;
use super::record::Record;
use super::request::{
    Considered, Decision, HoldError, HoldRequest, Job, LedgerError, OpenCall, Reading, Resolution,
    ResolveError, Settings,
};
use super::store::Store;
use super::writer::{Cover, Ended, Inbox, Request, Writer};

/// The way to the ledger. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
}

/// The ways to the writer, which the handles and the holds share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Bounded: callers that wait for an answer.
    pub(super) requests: mpsc::Sender<Request>,
    /// Without a bound of its own: every sender owns a place (see [`Known`]) or an open job.
    endings: mpsc::UnboundedSender<Ended>,
    known: Arc<Known>,
    clock: Clock,
    /// Records go to the writer one batch at a time, so that no turn has more than one.
    pub(super) keeping: Mutex<()>,
}

/// Records kept in one transaction, unless more belong together: a call waits no longer for them than
/// for a full batch of calls.
const RECORDS_MAX: usize = 128;

impl Shared {
    /// Queues an ending. If the writer has gone, the next start finds the hold open: in doubt.
    pub(super) fn end(&self, ended: Ended) {
        let _ = self.endings.send(ended);
    }
}

impl Ledger {
    /// Restores the books from `store`. Holds that were open and belong to no job are put in doubt:
    /// the process that made them has died. The writer must be run ([`Writer::run`] or
    /// [`Writer::spawn`]) before anything is answered.
    ///
    /// # Errors
    /// What the store says.
    pub fn open(
        store: Box<dyn Store>,
        settings: Settings,
        clock: Clock,
    ) -> Result<(Self, Writer), LedgerError> {
        let (request_sender, requests) = mpsc::channel(settings.queue_max.max(1));
        let (ending_sender, endings) = mpsc::unbounded_channel();
        let known = Arc::new(Known::new(&settings));
        let shared = Arc::new(Shared {
            requests: request_sender,
            endings: ending_sender,
            known: Arc::clone(&known),
            clock: clock.clone(),
            keeping: Mutex::new(()),
        });
        let inbox = Inbox {
            requests,
            endings,
            shared: Arc::downgrade(&shared),
            known,
        };
        let writer = Writer::open(store, &settings, clock, inbox)?;
        Ok((Self { shared }, writer))
    }

    /// Holds the quote in every budget that covers the call, and under the account's floor: all or
    /// none, and on disk before it returns.
    ///
    /// # Errors
    /// See [`HoldError`]; nothing is held then.
    pub async fn hold(&self, request: HoldRequest) -> Result<Hold, HoldError> {
        self.hold_if(request, Cover::Any).await
    }

    /// The same for a caller that may not spend without a limit: it must be covered by a budget at
    /// the moment of the decision, whatever was so when the call began.
    ///
    /// # Errors
    /// See [`HoldError`]; nothing is held then.
    pub async fn hold_covered(&self, request: HoldRequest) -> Result<Hold, HoldError> {
        self.hold_if(request, Cover::Needed).await
    }

    async fn hold_if(&self, request: HoldRequest, cover: Cover) -> Result<Hold, HoldError> {
        let known = &self.shared.known;
        let asked = known.exhausted.asked(self.shared.clock.now());
        if let Some(no) = self.no_at_once(&request, asked) {
            return Err(no);
        }
        let (origin, quote) = (request.origin(), request.quote);
        let held = self.ask_to_hold(request, cover).await;
        held.inspect_err(|no| known.exhausted.keep(origin, quote, asked, no))
    }

    /// The no that [`hold`](Self::hold) would say at this moment without asking the writer: because
    /// it said so to the same call just now, or because nothing can be written. `None` says nothing:
    /// what would be held is only known by holding it.
    pub fn no_again(&self, request: &HoldRequest) -> Option<HoldError> {
        let asked = self.shared.known.exhausted.asked(self.shared.clock.now());
        self.no_at_once(request, asked)
    }

    fn no_at_once(&self, request: &HoldRequest, asked: Asked) -> Option<HoldError> {
        let known = &self.shared.known;
        if let Some(why) = known.why_not() {
            return Some(HoldError::Unavailable(why));
        }
        known.exhausted.find(request, asked).map(HoldError::Short)
    }

    /// What would become of a call, had it asked to be held now. Nothing is held or written.
    ///
    /// # Errors
    /// [`HoldError::Unavailable`], [`HoldError::Overloaded`] or [`HoldError::Closed`]: what it would
    /// be told as well, without anything being known of the budgets.
    pub async fn consider(&self, request: HoldRequest) -> Result<Considered, HoldError> {
        if let Some(why) = self.shared.known.why_not() {
            return Err(HoldError::Unavailable(why));
        }
        let (reply, answer) = oneshot::channel();
        self.try_ask(Request::Consider { request, reply })?;
        answer.await.map_err(|_| HoldError::Closed)?
    }

    async fn ask_to_hold(&self, request: HoldRequest, cover: Cover) -> Result<Hold, HoldError> {
        let place = Arc::clone(&self.shared.known.places)
            .try_acquire_owned()
            .map_err(|_| HoldError::Overloaded)?;
        let (reply, answer) = oneshot::channel();
        let message = Request::Hold {
            request,
            cover,
            place,
            reply,
        };
        self.try_ask(message)?;
        match answer.await {
            Ok(Ok(delivery)) => delivery.take().ok_or(HoldError::Closed),
            Ok(Err(refused)) => Err(refused),
            Err(_) => Err(HoldError::Closed),
        }
    }

    /// Asks the writer, unless too many wait for it already.
    fn try_ask(&self, message: Request) -> Result<(), HoldError> {
        use mpsc::error::TrySendError::{Closed, Full};
        let sent = self.shared.requests.try_send(message);
        sent.map_err(|error| match error {
            Full(_) => HoldError::Overloaded,
            Closed(_) => HoldError::Closed,
        })
    }

    /// The hold of a job. Known for at least 25 hours after the call began, across restarts.
    pub fn job(&self, job: &JobId) -> Option<Job> {
        self.shared
            .known
            .jobs
            .get(job)
            .map(|state| state.job.clone())
    }

    /// The jobs that have not ended, in no order.
    pub fn open_jobs(&self) -> Vec<(JobId, Job)> {
        let jobs = self.shared.known.jobs.iter();
        jobs.filter(|state| state.job.open)
            .map(|state| (state.key().clone(), state.job.clone()))
            .collect()
    }

    /// Ends a job's hold. Queued like any ending; a job that has ended, or is not known, is left
    /// alone, so that one charge is one however often it is seen. Says whether this was the first
    /// to tell it, so that whoever counts charges counts each once.
    pub fn end_job(&self, job: &JobId, ending: Ending) -> bool {
        let hold = match self.shared.known.jobs.get(job) {
            Some(state) if state.job.open && state.queue(&ending) => state.job.hold,
            _ => return false,
        };
        self.shared.end(Ended {
            hold,
            ending,
            place: None,
        });
        true
    }

    /// Ends a hold that is in doubt or bound to a job, by a person's decision. On disk before it
    /// returns.
    ///
    /// # Errors
    /// See [`ResolveError`]; nothing has changed then.
    pub async fn resolve(
        &self,
        hold: HoldId,
        resolution: Resolution,
    ) -> Result<Entry, ResolveError> {
        let Resolution {
            decision,
            who,
            reason,
        } = resolution;
        let evidence = Evidence::Operator { who, reason };
        self.decide(hold, decision, evidence.into()).await
    }

    /// Ends a hold that is in doubt or bound to a job, on what the account's own records say. On
    /// disk before it returns. It ends once: whoever comes second is told how.
    ///
    /// # Errors
    /// See [`ResolveError`]; nothing has changed then.
    pub async fn decide(
        &self,
        hold: HoldId,
        decision: Decision,
        evidence: Note,
    ) -> Result<Entry, ResolveError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Decide {
            hold,
            decision,
            evidence,
            reply,
        };
        self.ask(request, answer).await?
    }

    /// Corrects what an ended hold was charged by `difference` (with its sign). `ended` is the
    /// entry that ended it, as it was read: see `ending_of` of
    /// [`Reader`](super::store::Reader). In total a hold is never charged less than nothing, and
    /// the same evidence corrects it once. On disk before it returns.
    ///
    /// # Errors
    /// See [`ResolveError`]; nothing has changed then.
    pub async fn correct(
        &self,
        ended: Entry,
        difference: Credits,
        evidence: Note,
    ) -> Result<Entry, ResolveError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Correct {
            ended: Box::new(ended),
            difference,
            evidence,
            reply,
        };
        self.ask(request, answer).await?
    }

    /// Gives a budget more room in the window of this moment, or takes back what it was given there.
    /// On disk before it returns; calls that come later have the room.
    ///
    /// # Errors
    /// See [`GrantError`]; nothing has changed then.
    pub async fn grant(&self, grant: Grant) -> Result<Granted, GrantError> {
        let (reply, answer) = oneshot::channel();
        let grant = Box::new(grant);
        self.ask(Request::Grant { grant, reply }, answer).await?
    }

    /// Keeps records in their order, on disk before it returns. What is kept together is a hundred
    /// or so at a time, with rests between them while calls are made: after an error some of the
    /// first are kept, so what says how far one got belongs at the end. Keeping them again does no
    /// harm.
    ///
    /// # Errors
    /// What the store says, or that a record names what is not there.
    pub async fn keep(&self, records: Vec<Record>) -> Result<(), LedgerError> {
        let mut records = records.into_iter();
        loop {
            let some = records.by_ref().take(RECORDS_MAX).collect::<Vec<_>>();
            if some.is_empty() {
                return Ok(());
            }
            self.keep_together(some).await?;
        }
    }

    /// Keeps records all or none, however many, in their order and on disk before it returns: for what
    /// would say something wrong if it were torn. Calls wait for as long as that takes; while
    /// they are made it rests afterwards.
    ///
    /// # Errors
    /// What the store says, or that a record names what is not there; none is kept then.
    pub async fn keep_together(&self, records: Vec<Record>) -> Result<(), LedgerError> {
        let _turn = self.shared.keeping.lock().await;
        let (reply, answer) = oneshot::channel();
        let rest = self.ask(Request::Keep { records, reply }, answer).await??;
        tokio::time::sleep(rest).await;
        Ok(())
    }

    /// Every hold that has not ended, oldest first. Of one that is not among them the end is on disk.
    ///
    /// # Errors
    /// [`LedgerError::Closed`], or what the store says while it cannot write ends that are known.
    pub async fn open_calls(&self) -> Result<Vec<OpenCall>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::OpenCalls { reply }, answer).await?
    }

    /// Tells the latest reading of the account. An older one than the last is ignored.
    pub fn observe(&self, reading: Reading) {
        self.shared.known.reading.rcu(|last| match last {
            Some(last) if last.started_at > reading.started_at => Some(Arc::clone(last)),
            _ => Some(Arc::new(reading)),
        });
    }

    /// Whether any budget that covers such a call is used (settled and held) beyond `percent` of its
    /// limit. Known at once, as of the last change; nothing is held by it.
    pub fn is_used_beyond(&self, percent: u32, origin: &Origin) -> bool {
        let now = self.shared.clock.now();
        self.shared.known.levels.any_beyond(percent, origin, now)
    }

    /// How all budgets stand.
    ///
    /// # Errors
    /// [`LedgerError::Closed`].
    pub async fn budgets(&self) -> Result<Vec<BudgetStatus>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Budgets { reply }, answer).await
    }

    /// Replaces all budgets; each is worked out from the store, so a new one counts the past.
    ///
    /// # Errors
    /// What the store says; the old budgets stay then.
    pub async fn set_budgets(&self, budgets: Vec<Budget>) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::SetBudgets { budgets, reply }, answer)
            .await?
    }

    /// Whether the last write, or a probe since, succeeded.
    pub fn writable(&self) -> bool {
        self.shared.known.writable.load(Ordering::Acquire)
    }

    /// From here on no hold is made, for something is wrong with the ledger's file; `what` is told to
    /// whoever calls. Endings are still written. Only another start undoes it.
    pub fn distrust(&self, what: String) {
        tracing::error!(
            what,
            "the ledger is damaged: calls are refused; put a backup in its place (`restore`), then start again"
        );
        gauge!(LEDGER_DAMAGED).set(1);
        // The first that was found stays.
        let _ = self.shared.known.damage.set(what);
    }

    /// What was found wrong with the ledger's file.
    pub fn damage(&self) -> Option<&str> {
        self.shared.known.damage.get().map(String::as_str)
    }

    /// Writes everything that is queued; then the writer ends. Holds that end later are found open
    /// by the next start.
    ///
    /// # Errors
    /// What the store says; what could not be written is found open by the next start.
    pub async fn close(&self) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Close { reply }, answer).await?
    }

    pub(super) async fn ask<T>(
        &self,
        request: Request,
        answer: oneshot::Receiver<T>,
    ) -> Result<T, LedgerError> {
        let sent = self.shared.requests.send(request).await;
        sent.map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)
    }
}
