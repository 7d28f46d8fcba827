//! One exchange, from the last byte of the request to the reply.
//!
//! The order is the framework's: path, slash, credentials, method, cap, body, acceptance (money set
//! aside), work, settlement, answer. A fault stands in before acceptance or after settlement, so
//! what is true about the money never depends on how the answer ends.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::Timestamp;

use super::access::Bearer;
use super::account::{Account, Standing, line_of, sum};
use super::answer::{self, Answer, Shape};
use super::arrived::Arrived;
use super::faults::{self, Ending, Fault, Faults};
use super::operations::{self, Call, Forced, WebhookList, Work};
use super::reply::{Cut, Reply, ReplyBody};
use super::routes::{Endpoint, Route};
use super::settings::{LegacyAmounts, SimulatorSettings};
use super::slots::{Slot, Slots};
use super::truth::{Arrivals, Delivery, Truth};
use crate::credits::Credits;

/// Everything the exchanges of one simulator share.
pub(crate) struct Service {
    pub(crate) settings: ArcSwap<SimulatorSettings>,
    pub(crate) account: Arc<Account>,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) webhooks: WebhookList,
}

/// What an operation came to, before it is written.
struct Outcome {
    answer: Answer,
    charge: Credits,
    delivery: Delivery,
}

impl Outcome {
    fn unpriced(answer: Answer) -> Self {
        Self {
            answer,
            charge: Credits::ZERO,
            delivery: Delivery::default(),
        }
    }
}

impl Service {
    pub(crate) fn now(&self) -> Timestamp {
        self.settings.load().clock.now()
    }

    pub(crate) fn standing(&self) -> Standing {
        self.account.standing(self.now())
    }

    pub(crate) fn truth(&self) -> Truth {
        Truth {
            account: Arc::clone(&self.account),
            arrivals: Arc::clone(&self.arrivals),
            slots: Arc::clone(&self.slots),
        }
    }

    /// Answers one request, or cuts its connection.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut::Off)?.to_bytes();
        // Before the settings it goes by, and before anybody can see that it has arrived.
        let patience = self.faults.patience();
        let settings = self.settings.load_full();
        let arrived = Arrived {
            sequence: self.arrivals.request(),
            now: settings.clock.now(),
            head,
            body,
            settings,
            patience,
        };
        if let Some(seen) = arrived.seen() {
            self.arrivals.keep(seen);
        }
        let admitted = arrived
            .route()
            .and_then(|(route, segment)| Ok((route, segment, arrived.bearer(route)?)));
        match admitted {
            Ok((route, segment, bearer)) => {
                self.exchange(&arrived, route, segment.as_deref(), &bearer)
                    .await
            }
            Err(refusal) => Ok(unpriced(refusal, &arrived.settings)),
        }
    }

    /// An exchange of a known caller on a known path.
    async fn exchange(
        &self,
        arrived: &Arrived,
        route: &'static Route,
        segment: Option<&str>,
        bearer: &Bearer,
    ) -> Result<Response<ReplyBody>, Cut> {
        let settings = &arrived.settings;
        let fault = self.fault(arrived, route, bearer.test);
        if let Some(ending) = fault
            .as_ref()
            .and_then(|fault| before_acceptance(fault, route, settings))
        {
            return self.end(arrived, ending, Delivery::default()).await;
        }
        let mut extra = HeaderMap::new();
        if bearer.test {
            let name = HeaderName::from_static("x-generect-mode");
            extra.insert(name, HeaderValue::from_static("test"));
        }
        let mut slot = None;
        if let Some(scope) = route.scope {
            slot = self.slots.take(scope, settings.parallel_caps);
            let Some(slot) = &slot else {
                let after = settings.rate_limit_headers.then_some(1);
                return Ok(unpriced(faults::throttled(after), settings));
            };
            if settings.rate_limit_headers {
                add_limits(slot, &mut extra);
            }
        }
        let outcome = self
            .run(arrived, route, segment, bearer, fault.as_ref(), slot)
            .await
            .unwrap_or_else(Outcome::unpriced);
        let delivery = outcome.delivery.clone();
        let ending = ending_of(&outcome, fault.as_ref(), bearer, settings, extra);
        self.end(arrived, ending, delivery).await
    }

    async fn end(
        &self,
        arrived: &Arrived,
        ending: Ending,
        delivery: Delivery,
    ) -> Result<Response<ReplyBody>, Cut> {
        match ending {
            Ending::Cut => Err(Cut::Off),
            Ending::Refused => Err(Cut::Refused(h2::Reason::REFUSED_STREAM.into())),
            Ending::Silence => std::future::pending().await,
            Ending::Reply(reply, wait) => {
                self.faults.wait(wait, &arrived.patience).await;
                Ok(reply.into_response(delivery))
            }
        }
    }

    /// The fault of this call. A test token is never made to misbehave: it has its own means.
    fn fault(&self, arrived: &Arrived, route: &Route, test: bool) -> Option<Fault> {
        if test {
            return None;
        }
        arrived
            .fault()
            .or_else(|| self.faults.pick(arrived.head.uri.path(), route.priced))
    }

    /// Reads the body and does the operation.
    async fn run(
        &self,
        arrived: &Arrived,
        route: &'static Route,
        segment: Option<&str>,
        bearer: &Bearer,
        fault: Option<&Fault>,
        slot: Option<Slot>,
    ) -> Result<Outcome, Answer> {
        let settings = &arrived.settings;
        let body = arrived.read_body()?;
        let mut call = Call {
            settings,
            account: &self.account,
            webhooks: &self.webhooks,
            route,
            method: &arrived.head.method,
            segment,
            query: arrived.head.uri.query(),
            body: &body,
            now: arrived.now,
            test: bearer.test,
            finds_nothing: false,
        };
        if bearer.test {
            self.force(&mut call, arrived).await?;
        }
        if !route.priced {
            let (answer, delivery) = operations::free(&call);
            return Ok(Outcome {
                answer,
                charge: Credits::ZERO,
                delivery: delivery.unwrap_or_default(),
            });
        }
        let mut work = operations::priced(&call)?;
        if let Some(Fault::Overrun(extra)) = fault
            && work.answer.status.is_success()
        {
            overrun(&mut work, *extra);
        }
        if bearer.test {
            return Ok(self.rehearse(work, arrived.now));
        }
        self.perform(work, arrived, route, bearer, slot).await
    }

    /// What a test token forces, and what it cannot use.
    async fn force(&self, call: &mut Call<'_>, arrived: &Arrived) -> Result<(), Answer> {
        if matches!(
            call.route.endpoint,
            Endpoint::Webhooks | Endpoint::Webhook | Endpoint::WebhookTest | Endpoint::Data
        ) {
            return Err(Answer::refusal(
                StatusCode::NOT_IMPLEMENTED,
                "This endpoint does not support test mode yet. Use a live API key.",
            ));
        }
        match operations::forced(arrived.behaviour(), call.body) {
            Some(Forced::NotFound) => call.finds_nothing = true,
            Some(Forced::InsufficientFunds) => return Err(faults::funds_short(call.settings)),
            Some(Forced::RateLimited) => return Err(faults::throttled(Some(1))),
            Some(Forced::UpstreamError) => {
                return Err(Answer::refusal(
                    StatusCode::BAD_GATEWAY,
                    "Upstream data source is temporarily unavailable. Please retry.",
                ));
            }
            Some(Forced::Slow(wait)) => tokio::time::sleep(wait).await,
            None => {}
        }
        Ok(())
    }

    /// Test mode: the amounts of a live call, and no money.
    fn rehearse(&self, work: Work, now: Timestamp) -> Outcome {
        let charge = sum(&work.lines);
        let answer = match work.job {
            Some(job) => {
                let total = job.rows.len();
                operations::accepted(&self.account.begin_job(None, job, now), total)
            }
            None => work.answer,
        };
        Outcome {
            answer,
            charge,
            delivery: Delivery::default(),
        }
    }

    /// Sets money aside, waits as long as the work takes, charges.
    async fn perform(
        &self,
        work: Work,
        arrived: &Arrived,
        route: &'static Route,
        bearer: &Bearer,
        slot: Option<Slot>,
    ) -> Result<Outcome, Answer> {
        let settings = &arrived.settings;
        let cause = arrived.cause(route, bearer);
        let Ok(aside) = self.account.set_aside(cause, work.at_most, arrived.now) else {
            return Err(faults::funds_short(settings));
        };
        if let Some(job) = work.job {
            let total = job.rows.len();
            let id = self.account.begin_job(Some(aside), job, arrived.now);
            return Ok(Outcome::unpriced(operations::accepted(&id, total)));
        }
        let delivery = Delivery::default();
        let charge = if settings.latency.is_zero() {
            self.account
                .settle(aside, &work.lines, &delivery, arrived.now)
        } else {
            // Accepted work runs to its end even if the caller goes away meanwhile.
            let account = Arc::clone(&self.account);
            let (settings, faults) = (Arc::clone(settings), Arc::clone(&self.faults));
            let (lines, marked) = (work.lines, delivery.clone());
            let patience = arrived.patience.clone();
            let finishing = tokio::spawn(async move {
                faults.wait(settings.latency, &patience).await;
                drop(slot);
                account.settle(aside, &lines, &marked, settings.clock.now())
            });
            finishing.await.unwrap_or_default()
        };
        Ok(Outcome {
            answer: work.answer,
            charge,
            delivery,
        })
    }
}

/// How the exchange ends if its fault strikes before any money is set aside.
fn before_acceptance(fault: &Fault, route: &Route, settings: &SimulatorSettings) -> Option<Ending> {
    if fault.spares_the_account() {
        return faults::instead_of_the_call(fault, Credits::ZERO, settings);
    }
    match fault {
        Fault::Account(kind) if route.endpoint == Endpoint::Me => {
            let reply = faults::nonsense(*kind)?;
            Some(Ending::Reply(reply, Duration::ZERO))
        }
        _ => None,
    }
}

/// The gauge headers of a capped operation (dossier section 1.2).
fn add_limits(slot: &Slot, headers: &mut HeaderMap) {
    let name = HeaderName::from_static;
    headers.insert(name("x-ratelimit-limit"), slot.scope.cap().into());
    headers.insert(name("x-ratelimit-remaining"), slot.remaining.into());
    headers.insert(
        name("x-ratelimit-scope"),
        HeaderValue::from_static(slot.scope.name()),
    );
}

/// Makes the charge `extra` more than everything that was set aside.
fn overrun(work: &mut Work, extra: Credits) {
    match &mut work.job {
        Some(job) => job.overrun = extra,
        None => {
            let missing = work.at_most.saturating_sub(sum(&work.lines));
            work.lines.push(line_of(missing.saturating_add(extra)));
        }
    }
}

/// An answer that no operation gave and no fault touches.
fn unpriced(answer: Answer, settings: &SimulatorSettings) -> Response<ReplyBody> {
    let outcome = Outcome::unpriced(answer);
    reply_of(&outcome, None, settings).into_response(outcome.delivery)
}

/// Writes an outcome as a reply.
fn reply_of(outcome: &Outcome, fault: Option<&Fault>, settings: &SimulatorSettings) -> Reply {
    let money = settings.legacy_amounts == LegacyAmounts::Money;
    let answer = &outcome.answer;
    let stated = match &answer.shape {
        Shape::Legacy { count, .. } if !money => count.to_string(),
        Shape::Legacy { .. } => Credits::ZERO.saturating_sub(outcome.charge).to_string(),
        Shape::Envelope { states, .. } => states.unwrap_or(outcome.charge).to_string(),
        Shape::Plain(_) | Shape::Nothing => String::new(),
    };
    let writing = faults::writing(fault, &stated, settings.answer_bytes_min);
    let body = answer::write(&answer.shape, outcome.charge, money, &writing);
    let mut reply = Reply::json(answer.status, body);
    for (name, value) in &answer.headers {
        reply.set(HeaderName::from_static(name), value);
    }
    reply
}

fn ending_of(
    outcome: &Outcome,
    fault: Option<&Fault>,
    bearer: &Bearer,
    settings: &SimulatorSettings,
    extra: HeaderMap,
) -> Ending {
    let mut reply = reply_of(outcome, fault, settings);
    reply.headers.extend(extra);
    match fault {
        None => Ending::Reply(reply, Duration::ZERO),
        Some(fault) => faults::instead_of_the_call(fault, outcome.charge, settings)
            .unwrap_or_else(|| faults::dress(fault, reply, &bearer.token)),
    }
}
