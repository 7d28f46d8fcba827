//! The teams' services: they call, wait, repeat, read slowly, and leave.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{sleep, timeout};

use crate::calls::Call;
use crate::explains;
use crate::net::Net;
use crate::shadow::Shadow;
use crate::shape::{Shape, secret_of};
use crate::wire::Side;

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// How a client behaves during one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Polite,
    /// Gone after so many milliseconds.
    Leaves(u64),
    /// Waits so long before each piece of the answer.
    ReadsSlowly(u64),
    /// Sends its body in two pieces with so long between them.
    SendsSlowly(u64),
    /// Sends half of its body.
    BreaksOff,
}

/// What a client got.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    /// Why the guard said no; `answer`: it did not.
    fn reason(&self) -> &str {
        let reason = self.headers.get("guard-refusal");
        reason.map_or("answer", |reason| reason.to_str().unwrap())
    }
}

/// One service.
pub struct Actor {
    net: Net,
    shadow: Arc<Mutex<Shadow>>,
    random: StdRng,
    number: u64,
    calls: u64,
    team: String,
    key: String,
    rude: u32,
    connection: Option<SendRequest<Body>>,
    last: Option<Call>,
}

impl Actor {
    pub fn new(number: u64, shape: &Shape, net: Net, shadow: Arc<Mutex<Shadow>>) -> Self {
        let keys = shape.keys();
        let at = usize::try_from(number).unwrap() % keys.len();
        let (team, key) = keys[at].clone();
        Self {
            net,
            shadow,
            random: StdRng::seed_from_u64(shape.seed.wrapping_mul(1_000) + number + 7),
            number,
            calls: 0,
            team,
            key,
            rude: shape.rude,
            connection: None,
            last: None,
        }
    }

    /// Calls again and again.
    pub async fn run(mut self) {
        loop {
            let pause = self.random.random_range(0..200);
            sleep(Duration::from_millis(pause)).await;
            let again = self.random.random_range(0..100) < 8;
            let call = match self.last.take().filter(|_| again) {
                Some(call) => call,
                None => self.new_call(),
            };
            self.last = Some(call.clone());
            let named = self.random.random_range(0..100) < 12;
            let named = named.then(|| format!("name-{}-{}", self.number, self.calls));
            self.make(&call, named.as_deref()).await;
        }
    }

    fn new_call(&mut self) -> Call {
        self.calls += 1;
        let number = self.number * 1_000_000 + self.calls;
        Call::any(&self.team, &self.key, number, &mut self.random)
    }

    /// Makes a call, and makes it again as the known clients do.
    async fn make(&mut self, call: &Call, named: Option<&str>) {
        for attempt in 0..3 {
            let got = self.attempt(call, named).await;
            let wait = match &got {
                Some(got) if got.status == StatusCode::ACCEPTED => {
                    return self.follow_job(call, &got.body).await;
                }
                Some(got) if matches!(got.status.as_u16(), 429 | 502 | 503 | 504) => 300,
                Some(_) => return,
                None => 50,
            };
            if self.random.random_bool(0.4) {
                return;
            }
            sleep(Duration::from_millis(wait * (attempt + 1))).await;
        }
    }

    fn manner(&mut self) -> Manner {
        if self.random.random_range(0..100) >= self.rude {
            return Manner::Polite;
        }
        match self.random.random_range(0..10) {
            0..=5 => Manner::Leaves(self.random.random_range(0..400)),
            6 | 7 => Manner::ReadsSlowly(self.random.random_range(1..600)),
            8 => Manner::SendsSlowly(self.random.random_range(1..800)),
            _ => Manner::BreaksOff,
        }
    }

    async fn attempt(&mut self, call: &Call, named: Option<&str>) -> Option<Got> {
        let manner = self.manner();
        let label = {
            self.calls += 1;
            format!("call-{}-{}", self.number, self.calls)
        };
        (self.shadow.lock().unwrap()).attempted(&label, call, named.map(str::to_owned));
        let mut request = Request::post(call.path)
            .header("host", "guard.test")
            .header("authorization", format!("Token {}", secret_of(&self.key)))
            .header("x-request-id", &label)
            .header("content-type", "application/json");
        if let Some(named) = named {
            request = request.header("idempotency-key", named);
        }
        let body = body(&call.body, manner);
        let request = request.header("content-length", call.body.len());
        let request = request.body(body).unwrap();
        let got = match manner {
            Manner::Leaves(after) => {
                let left = Duration::from_millis(after);
                let got = timeout(left, self.exchange(request, 0)).await;
                if got.is_err() {
                    self.connection = None;
                }
                got.ok().flatten()
            }
            Manner::ReadsSlowly(pause) => self.exchange(request, pause).await,
            _ => self.exchange(request, 0).await,
        };
        if let Some(got) = &got {
            self.look_at(&label, got);
        }
        got
    }

    /// Sends and reads to the end, within some seconds.
    async fn exchange(&mut self, request: Request<Body>, pause: u64) -> Option<Got> {
        let asked = async {
            if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
                self.connection = Some(connect(&self.net).await?);
            }
            let connection = self.connection.as_mut()?;
            connection.ready().await.ok()?;
            let (head, mut body) = connection.send_request(request).await.ok()?.into_parts();
            let mut whole = BytesMut::new();
            while let Some(frame) = body.frame().await {
                whole.extend_from_slice(&frame.ok()?.into_data().unwrap_or_default());
                if pause > 0 {
                    sleep(Duration::from_millis(pause)).await;
                }
            }
            Some(Got {
                status: head.status,
                headers: head.headers,
                body: whole.freeze(),
            })
        };
        let got = timeout(Duration::from_secs(9), asked).await.ok().flatten();
        if got.is_none() {
            self.connection = None;
        }
        got
    }

    fn look_at(&self, label: &str, got: &Got) {
        let status = got.status.as_u16();
        let faults = explains::faults_of(status, &got.headers, &got.body);
        let text = |name: &str| got.headers.get(name).map(|value| value.to_str().unwrap());
        let shadow = &mut *self.shadow.lock().unwrap();
        shadow
            .trace
            .note(&[5, i64::from(status), i64::try_from(got.body.len()).unwrap()]);
        let reason = got.reason();
        *(shadow.outcomes.entry(format!("{status} {reason}"))).or_default() += 1;
        shadow.is_stopped(label, reason);
        let (ask, print) = (shadow.attempts[label].ask, shadow.attempts[label].print);
        shadow.has_answer(ask, reason);
        shadow.nothing_of_refused(print);
        for fault in faults {
            shadow.breaks("9 every no explains itself", &format!("{label}: {fault}"));
        }
        let told = text("guard-charge").map(|text| {
            let credits: generect_guard::credits::Credits = text.parse().unwrap();
            credits.micros()
        });
        let replayed = text("guard-replayed").is_some();
        shadow.answered(label, status, told, replayed);
    }

    /// Asks for a job some times, as its owner does.
    async fn follow_job(&mut self, call: &Call, body: &[u8]) {
        let accepted: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let job = accepted["data"]["job_id"]
            .as_str()
            .or(accepted["job_id"].as_str());
        let Some(job) = job else { return };
        let place = call.place_of_job(job);
        for _ in 0..self.random.random_range(0..4) {
            sleep(Duration::from_millis(self.random.random_range(50..900))).await;
            let request = Request::get(&place)
                .header("host", "guard.test")
                .header("x-api-key", secret_of(&self.key))
                .body(body_of(""))
                .unwrap();
            let ask = { self.shadow.lock().unwrap() }.asks(&call.team, &call.key, call.operation);
            if let Some(got) = self.exchange(request, 0).await {
                { self.shadow.lock().unwrap() }.has_answer(ask, got.reason());
            }
        }
    }
}

/// A connection to the guard, with its own task.
async fn connect(net: &Net) -> Option<SendRequest<Body>> {
    let made = timeout(Duration::from_secs(2), net.connect(Side::Clients)).await;
    let io = TokioIo::new(made.ok()?.ok()?);
    let (sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Some(sender)
}

fn body_of(text: &str) -> Body {
    body(text, Manner::Polite)
}

fn body(text: &str, manner: Manner) -> Body {
    let half = text.len() / 2;
    let (first, second) = text.split_at(half);
    let (first, second) = (
        Bytes::copy_from_slice(first.as_bytes()),
        Bytes::copy_from_slice(second.as_bytes()),
    );
    let second = futures_util::stream::once(async move {
        match manner {
            Manner::SendsSlowly(pause) => {
                sleep(Duration::from_millis(pause)).await;
                Ok(Frame::data(second))
            }
            Manner::BreaksOff => Err(std::io::ErrorKind::BrokenPipe.into()),
            _ => Ok(Frame::data(second)),
        }
    });
    let first = futures_util::stream::once(async move { Ok(Frame::data(first)) });
    BodyExt::boxed_unsync(StreamBody::new(first.chain(second)))
}
