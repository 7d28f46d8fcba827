//! An upstream that says over HTTP/2 that it did nothing with a call, or that it serves none: the call's hold is
//! released, and it may go again. Only what is certain counts, and what was charged all the same is found.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use generect_guard::ledger::{EntryKind, FindingKind};
use generect_guard::proxy::body::OutgoingBody;
use generect_guard::proxy::upstream::{Arriving, NotTaken, SendError, Upstream, UpstreamSettings};
use generect_guard::simulator::{Fault, Simulator};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http2::{FOR_EVER, way_settings};
use crate::reconcile::{LONG_ENOUGH, SEARCH, findings, in_doubt, noon, plan, reconcile, search};
use crate::reconcile_findings::adds_up;
use crate::support::relay::{self, Identity};
use crate::support::{Plan, World, credits};

const COUNT: &str = "/api/v1/search/database/leads/count/";
const A_ROW: &str = r#"{"job_titles":["cto"],"limit_by":1}"#;
const REFUSED: Fault = Fault::RefusedStream { charged: false };

/// The guard of this plan, which speaks HTTP/2 with what listens at `upstream`.
async fn guard(plan: Plan, simulator: Simulator, upstream: SocketAddr) -> World {
    let (identity, folder) = (Identity::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &identity.certificate).unwrap();
    let tls = relay::tls(&identity, &["h2"], upstream).await;
    let base_url = format!("https://localhost:{}", tls.address.port());
    let plan = plan.set("upstream", &format!("ca_file = {file:?}"));
    plan.start_before(simulator, &base_url).await
}

/// The same before the simulator.
async fn before_simulator(plan: Plan) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let address = simulator.address();
    guard(plan, simulator, address).await
}

#[tokio::test]
async fn a_call_that_the_upstream_refused_to_begin_is_released_and_may_go_again() {
    let world = before_simulator(Plan::one_team("10")).await;
    for path in [SEARCH, COUNT] {
        world.simulator.faults().next_on(1, path, REFUSED);
        let refused = world.post(path, A_ROW).await;
        let told = (refused.status, refused.refusal());
        assert_eq!(told, (502, "upstream_unreachable"), "{}", refused.text);
        assert!(refused.text.contains("REFUSED_STREAM"), "{}", refused.text);
        assert_eq!(world.post(path, A_ROW).await.status, 200, "the same again");
    }
    let entries = world.end_with_nothing_open().await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    use EntryKind::{Held, Released, Settled};
    assert_eq!(kinds, [Held, Released, Held, Settled]);
    let why = &entries[1].evidence.as_ref().unwrap().text;
    assert!(why.contains("refused stream"), "{why}");
}

#[tokio::test]
async fn what_was_charged_for_a_call_that_was_said_to_be_refused_is_found() {
    let clock = noon();
    let world = before_simulator(plan(&clock)).await;
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::RefusedStream { charged: true });
    assert_eq!(search(&world, 4).await, 502);
    assert_eq!(in_doubt(&world).await, credits("0"));
    assert_eq!(search(&world, 2).await, 200);
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    let theirs_only = (FindingKind::TheirsOnly, "0.08".into(), true);
    assert_eq!(findings(&world), [theirs_only]);
    adds_up(&world, "0.12").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_call_that_the_upstream_broke_off_for_another_reason_is_in_doubt() {
    let world = before_simulator(Plan::one_team("10")).await;
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutBeforeCharge);
    let cut = world.post(SEARCH, A_ROW).await;
    assert_eq!((cut.status, cut.refusal()), (504, "upstream_silent"));
    let doubted = |budget: &generect_guard::ledger::BudgetStatus| budget.in_doubt == budget.held;
    let budget = world.budget_when("growth-month", doubted).await;
    assert_eq!(budget.in_doubt, credits("0.02"));
    world.end().await;
}

/// What an upstream says, byte for byte.
#[derive(Clone, Default)]
struct Script {
    /// In its first word: how many calls it serves at a time.
    streams_max: Arc<AtomicU32>,
    /// As soon as a call is there.
    then: Vec<u8>,
    /// So many calls came.
    calls: Arc<AtomicUsize>,
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame of HTTP/2 (RFC 9113, section 4.1) on this stream, whose payload is such numbers.
fn frame(kind: u8, flags: u8, stream: u32, numbers: &[u32]) -> Vec<u8> {
    let payload: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    bytes_frame(kind, flags, stream, &payload)
}

fn bytes_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()[..]];
    [&head.concat(), payload].concat()
}

impl Script {
    fn of(streams_max: u32, then: &[Vec<u8>]) -> Self {
        let streams_max = Arc::new(AtomicU32::new(streams_max));
        let then = then.concat();
        let calls = Arc::default();
        Self {
            streams_max,
            then,
            calls,
        }
    }

    async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(script.clone().talk(stream));
            }
        });
        address
    }

    async fn talk(self, mut stream: TcpStream) -> std::io::Result<()> {
        // SETTINGS_MAX_CONCURRENT_STREAMS is the third.
        let mut first = vec![0, 3];
        first.extend(self.streams_max.load(Ordering::SeqCst).to_be_bytes());
        stream
            .write_all(&bytes_frame(SETTINGS, 0, 0, &first))
            .await?;
        stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut payload).await?;
            if head[3] == HEADERS {
                self.calls.fetch_add(1, Ordering::SeqCst);
                stream.write_all(&self.then).await?;
            }
        }
    }

    /// What becomes of a call that is sent to it.
    async fn ask(&self) -> Result<Response<Arriving>, SendError> {
        let identity = Identity::new();
        let tls = relay::tls(&identity, &["h2"], self.listen().await).await;
        let settings = way_settings(&identity, tls.address.port());
        ask(&Upstream::new(settings).unwrap()).await
    }
}

async fn ask(upstream: &Upstream) -> Result<Response<Arriving>, SendError> {
    let request = Request::get("/").body(OutgoingBody::Empty).unwrap();
    let asked = tokio::time::timeout(FOR_EVER, upstream.send(Box::new(request))).await;
    asked.unwrap()
}

#[tokio::test]
async fn only_a_stream_that_the_upstream_itself_says_it_did_not_begin_is_refused() {
    const REFUSED_STREAM: u32 = 7;
    // No error, protocol error, internal error, stream closed, cancel, enhance your calm, HTTP/1.1 required.
    for reason in [0, 1, 2, 5, REFUSED_STREAM, 8, 11, 13] {
        let script = Script::of(9, &[frame(RST_STREAM, 0, 1, &[reason])]);
        let told = script.ask().await;
        assert_eq!(script.calls.load(Ordering::SeqCst), 1);
        let is_refused = matches!(told, Err(SendError::Refused(_)));
        assert_eq!(is_refused, reason == REFUSED_STREAM, "{reason}: {told:?}");
        assert!(is_refused || matches!(told, Err(SendError::Unanswered(_))));
    }
    // The call is of stream 1: above what the first two name, and not above what the others do.
    for (last, reason) in [(0, 0), (0, REFUSED_STREAM), (1, 0), (1, REFUSED_STREAM)] {
        let goes = frame(GOAWAY, 0, 0, &[last, reason]);
        // A frame that is none: the connection ends.
        let told = Script::of(9, &[goes, frame(RST_STREAM, 0, 0, &[0])])
            .ask()
            .await;
        let is_unanswered = matches!(told, Err(SendError::Unanswered(_)));
        assert!(is_unanswered, "{last}, {reason}: {told:?}");
    }
    // By then it has begun, whatever it says: `:status: 200`, and the refusal in the place of the body.
    let begun = bytes_frame(HEADERS, END_HEADERS, 1, &[0x88]);
    let told = Script::of(9, &[begun, frame(RST_STREAM, 0, 1, &[REFUSED_STREAM])]);
    assert!(
        told.ask()
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_call_is_not_sent_to_an_upstream_that_serves_none_until_it_does() {
    let identity = Identity::new();
    let begun = bytes_frame(HEADERS, END_HEADERS, 1, &[0x88]);
    let script = Script::of(0, &[begun]);
    let tls = relay::tls(&identity, &["h2"], script.listen().await).await;
    let upstream = Upstream::new(way_settings(&identity, tls.address.port())).unwrap();
    for _ in 0..3 {
        let told = ask(&upstream).await;
        let Err(SendError::Unsent { how, why, .. }) = told else {
            panic!("{told:?}");
        };
        assert_eq!(how, NotTaken::ServesNone, "{why}");
    }
    assert_eq!(script.calls.load(Ordering::SeqCst), 0);
    script.streams_max.store(1, Ordering::SeqCst);
    assert_eq!(ask(&upstream).await.unwrap().status(), 200);
}

#[tokio::test]
async fn before_an_upstream_that_serves_no_calls_they_are_refused_and_their_holds_released() {
    let script = Script::of(0, &[]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = Plan::one_team("10").set("upstream", "response_timeout = \"10m\"");
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let world = guard(plan, simulator, script.listen().await).await;
    for path in [SEARCH, COUNT] {
        let refused = world.post(path, A_ROW).await;
        let told = (refused.status, refused.refusal());
        assert_eq!(told, (502, "upstream_unreachable"), "{}", refused.text);
        assert!(refused.text.contains("serves no calls"), "{}", refused.text);
    }
    assert_eq!(script.calls.load(Ordering::SeqCst), 0);
    let entries = world.end_with_nothing_open().await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Held, EntryKind::Released]);
}

#[tokio::test]
async fn an_upstream_that_does_not_begin_to_speak_is_not_sent_anything() {
    let identity = Identity::new();
    for hangs_up in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                silent.push(stream);
                silent.truncate(if hangs_up { 0 } else { usize::MAX });
            }
        });
        let tls = relay::tls(&identity, &["h2"], plain).await;
        let upstream = Upstream::new(UpstreamSettings {
            connect_timeout: Duration::from_millis(if hangs_up { 60_000 } else { 500 }),
            ..way_settings(&identity, tls.address.port())
        });
        let told = ask(&upstream.unwrap()).await;
        let Err(SendError::Unsent { how, why, .. }) = told else {
            panic!("{told:?}");
        };
        assert_eq!(how, NotTaken::NoConnection);
        let says = if hangs_up { "ended" } else { "within 500ms" };
        assert!(why.contains(says), "{why}");
    }
}
