//! The guard asks for jobs itself: an end that nobody looks at is an end nobody settles.
//!
//! Jobs can be asked for during 24 hours; then only the account's transactions know what they took
//! (dossier section 5). Each open job is polled at a growing pause, by the same exchange that
//! serves a client's poll: whoever sees the end first settles it, once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder, ServiceExt};

use super::alarm::Alarm;
use super::attach_token::{AttachTokenLayer, Token};
use super::body::OutgoingBody;
use super::exchange::Exchange;
use super::forward::{Forward, ForwardSettings};
use super::meters::Meters;
use super::policy::Policy;
use super::{Admitted, Pledge};
use crate::ids::JobId;
use crate::ledger::{Ending, Job, Ledger};

/// The longest pause between two polls of one job.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// How many times the upstream must say that it does not know a job before that is believed.
const UNKNOWN_MAX: u32 = 3;
/// The label of the guard's own exchanges.
const REQUEST_ID: &str = "guard-job-poll";
/// What the guard calls itself in the calls it makes on its own.
pub(super) const OURSELVES: &str = concat!("generect-guard/", env!("CARGO_PKG_VERSION"));

/// What the poller is built from.
#[derive(Debug)]
pub struct JobPollerSettings {
    /// The books, whose open jobs are asked for.
    pub ledger: Ledger,
    /// The catalogue in force, which knows where a job is asked for.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The account's token.
    pub token: Token,
    /// The exchange with the upstream.
    pub forward: Arc<ForwardSettings>,
    /// From a job's submission to its first poll. Doubles from poll to poll, up to five minutes.
    pub interval: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct JobPoller {
    settings: JobPollerSettings,
    meters: Arc<Meters>,
    turns: HashMap<JobId, Turn>,
}

/// When a job is asked for next.
#[derive(Debug)]
struct Turn {
    due: Instant,
    pause: Duration,
    /// How often in a row the upstream did not know it.
    unknown: u32,
}

impl JobPoller {
    /// A poller that has asked nothing yet.
    pub fn new(settings: JobPollerSettings) -> Self {
        Self {
            settings,
            meters: Arc::default(),
            turns: HashMap::new(),
        }
    }

    /// Polls until `ended`. One job at a time: polls are free, and their slots are everybody's.
    pub async fn run(mut self, ended: CancellationToken) {
        let mut ticks = tokio::time::interval(self.settings.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while ended.run_until_cancelled(ticks.tick()).await.is_some() {
            for (id, job) in self.due() {
                let polled = ended.run_until_cancelled(self.poll(&id, &job)).await;
                match polled {
                    Some(status) => self.reschedule(&id, status),
                    None => return,
                }
            }
        }
    }

    /// The open jobs whose turn has come, the longest waiting first. Forgets those that have ended.
    fn due(&mut self) -> Vec<(JobId, Job)> {
        let now = Instant::now();
        let open = self.settings.ledger.open_jobs();
        let known: HashSet<&JobId> = open.iter().map(|(id, _)| id).collect();
        self.turns.retain(|id, _| known.contains(id));
        for id in known {
            let pause = self.settings.interval;
            self.turns.entry(id.clone()).or_insert(Turn {
                due: now + pause,
                pause,
                unknown: 0,
            });
        }
        let turn = |id: &JobId| self.turns.get(id).map_or(now, |turn| turn.due);
        let given_up =
            |id: &JobId| (self.turns.get(id)).is_some_and(|turn| turn.unknown >= UNKNOWN_MAX);
        let is_due = |id: &JobId| turn(id) <= now && !given_up(id);
        let mut due: Vec<_> = open.into_iter().filter(|(id, _)| is_due(id)).collect();
        due.sort_by(|(one, _), (other, _)| (turn(one), one).cmp(&(turn(other), other)));
        due
    }

    /// Asks once; the exchange tells the ledger what it finds. The status of the answer, if any.
    async fn poll(&self, id: &JobId, job: &Job) -> Option<StatusCode> {
        let policy = self.settings.policy.load_full();
        let submit = policy.catalogue.operation(job.operation.as_str())?;
        let operation = policy.catalogue.operation(submit.poll.as_ref()?.as_str())?;
        let request = Request::get(operation.path_of(id.as_str()))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(OURSELVES))
            .body(OutgoingBody::Empty)
            .ok()?;
        let exchange = Exchange::begin(REQUEST_ID.into(), Arc::clone(&self.meters));
        exchange.facts().operation = Some(operation.name.clone());
        let admitted = Admitted {
            request: Box::new(request),
            exchange,
            operation: Arc::clone(operation),
            pledge: Pledge::Job(id.clone()),
            policy: Arc::clone(&policy),
            slot: None,
            keeping: None,
            alarm: Alarm::for_this_task(),
        };
        let attach = AttachTokenLayer {
            token: self.settings.token.clone(),
        };
        let forward = Forward::new(Arc::clone(&self.settings.forward));
        let mut way = ServiceBuilder::new().layer(attach).service(forward);
        let answer = way.ready().await.ok()?.call(admitted).await;
        answer.ok().map(|answer| answer.status())
    }

    fn reschedule(&mut self, id: &JobId, status: Option<StatusCode>) {
        let Some(turn) = self.turns.get_mut(id) else {
            return;
        };
        turn.unknown = match status {
            Some(StatusCode::NOT_FOUND) => turn.unknown.saturating_add(1),
            _ => 0,
        };
        if turn.unknown == UNKNOWN_MAX {
            let why = "the upstream does not know its job any more".to_owned();
            tracing::warn!(job = %id, "{why}; its hold is in doubt");
            self.settings.ledger.end_job(id, Ending::Doubted { why });
        }
        turn.pause = (turn.pause * 2).min(PAUSE_MAX.max(self.settings.interval));
        turn.due = Instant::now() + turn.pause;
    }
}
