//! The connections to the upstream: used again, shared, let go of, and never handed on half read.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use generect_guard::proxy::body::OutgoingBody;
use generect_guard::proxy::link::Link;
use generect_guard::proxy::upstream::{Arriving, Connector, Upstream, UpstreamSettings};
use generect_guard::simulator::{Fault, LIVE_TOKEN, Simulator, SimulatorSettings};
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::support::no_tls::no_tls;
use crate::support::relay::{self, Identity, Relay};
use crate::support::{Plan, UNTIL_TOLD, World, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const A_ROW: &str = r#"{"job_titles":["cto"],"limit_by":1}"#;

fn a_row(of: usize) -> String {
    format!(r#"{{"job_titles":["cto {of}"],"limit_by":1}}"#)
}

/// A guard before a relay that counts connections, those of the account's watcher too.
async fn counted(plan: Plan) -> (World, Relay) {
    let simulator = simulator().await;
    let relay = relay::plain(simulator.address()).await;
    let base_url = format!("http://{}", relay.address);
    (plan.start_before(simulator, &base_url).await, relay)
}

async fn simulator() -> Simulator {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(listener, SimulatorSettings::default()).await
}

/// The way to a simulator behind a relay, without a guard around it, with these bounds on connections at rest.
async fn way(
    idle_connections_max: usize,
    pool_idle_timeout: Duration,
) -> (Upstream, Simulator, Relay) {
    let simulator = simulator().await;
    let relay = relay::plain(simulator.address()).await;
    let base_url = format!("http://{}", relay.address);
    let settings = UpstreamSettings {
        pool_idle_timeout,
        ..settings(&base_url, idle_connections_max)
    };
    (Upstream::new(settings).unwrap(), simulator, relay)
}

pub fn settings(base_url: &str, idle_connections_max: usize) -> UpstreamSettings {
    UpstreamSettings {
        base_url: base_url.parse().unwrap(),
        connect_timeout: Duration::from_secs(10),
        pool_idle_timeout: Duration::from_secs(60),
        idle_connections_max,
        proxy: None,
        tls: no_tls(),
    }
}

/// Asks for the balance, which is free.
async fn balance(upstream: &Upstream) -> Response<Arriving> {
    let request = Request::get("/api/v1/accounts/me/")
        .header("authorization", format!("Token {LIVE_TOKEN}"))
        .body(OutgoingBody::Empty);
    let answer = upstream.send(Box::new(request.unwrap())).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

/// Waits until the relay has this many connections open.
pub async fn until_open(relay: &Relay, open: usize) {
    for _ in 0..3_000 {
        if relay.open() == open {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} connections are open, not {open}", relay.open());
}

#[tokio::test]
async fn calls_one_after_another_use_one_connection_free_or_billable() {
    let plan = Plan::one_team("10")
        .set("account", "poll_interval = \"5m\"\nstale_after = \"1h\"")
        .set("reconciliation", "source = \"none\"");
    let (world, relay) = counted(plan).await;
    world.account_read().await;
    assert_eq!(world.post(COUNT, A_ROW).await.status, 200);
    let before = relay.uses();
    for call in 0..10 {
        assert_eq!(world.post(SEARCH, &a_row(call)).await.status, 200);
        assert_eq!(world.post(COUNT, A_ROW).await.status, 200);
    }
    assert_eq!(relay.uses(), before);
    world.end_with_nothing_open().await;
    until_open(&relay, 0).await;
}

#[tokio::test]
async fn no_more_connections_rest_than_the_settings_say_and_none_longer() {
    let (upstream, simulator, relay) = way(3, Duration::from_secs(2)).await;
    let slow = Fault::SlowHeaders(UNTIL_TOLD);
    simulator.faults().on("accounts/me", slow);
    let read = async || drop(balance(&upstream).await.into_body().collect().await);
    let all_there = async {
        while simulator.truth().request_count() < 12 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        simulator.faults().hurry();
    };
    tokio::join!(join_all((0..12).map(|_| read())), all_there);
    assert_eq!(relay.uses(), 12, "all were in flight at one time");
    until_open(&relay, 3).await;
    until_open(&relay, 0).await;
    balance(&upstream).await;
}

#[tokio::test]
async fn whoever_waits_takes_a_connection_that_comes_free_before_its_own_is_made() {
    // Answers one after another; one connection is made, and after it none ever.
    let (answer, answers) = tokio::sync::mpsc::channel::<()>(1);
    let answers = Arc::new(tokio::sync::Mutex::new(answers));
    let respond = service_fn(move |_| {
        let answers = Arc::clone(&answers);
        async move {
            answers.lock().await.recv().await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("{}"))))
        }
    });
    let (guards, upstreams) = tokio::io::duplex(4096);
    let served = http1::Builder::new().serve_connection(TokioIo::new(upstreams), respond);
    tokio::spawn(async move { drop(served.await) });
    let only = Arc::new(Mutex::new(Some(guards)));
    let connector = Connector::new(tower::service_fn(move |_| {
        let only = only.lock().unwrap().take();
        async {
            match only {
                Some(stream) => Ok(Link::Given(
                    Box::new(TokioIo::new(stream)),
                    Version::HTTP_11,
                )),
                None => std::future::pending().await,
            }
        }
    }));
    let upstream = Upstream::over(connector, &settings("http://upstream", 8)).unwrap();
    let asked = async || drop(balance(&upstream).await.into_body().collect().await);
    let say = async {
        for _ in 0..3 {
            answer.send(()).await.unwrap();
        }
    };
    tokio::join!(asked(), asked(), asked(), say);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_to_its_end_takes_its_connection_along() {
    let (upstream, simulator, relay) = way(8, Duration::from_secs(60)).await;
    let pause = Duration::from_secs(30);
    simulator.faults().on(
        "accounts/me",
        Fault::SlowBody {
            pause,
            chunk_bytes: 1,
        },
    );
    drop(balance(&upstream).await);
    until_open(&relay, 0).await;
    simulator.faults().clear();
    // What is asked next gets its own answer.
    let body = balance(&upstream)
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    assert!(body.to_bytes().starts_with(b"{"));
    until_open(&relay, 1).await;
}

#[tokio::test]
async fn a_connection_the_upstream_closed_at_rest_is_not_noticed_by_any_call() {
    let plan = Plan::one_team("10").set("upstream", "retry = { tries = 1 }");
    let (world, relay) = counted(plan).await;
    for call in 0..20 {
        assert_eq!(world.post(SEARCH, &a_row(call)).await.status, 200);
        world.simulator.faults().close_connections();
        // A request that is on its way by then is another matter.
        until_open(&relay, 0).await;
    }
    assert!(relay.uses() >= 20);
    assert_eq!(world.simulator.truth().total_charged(), credits("0.4"));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn over_http2_many_calls_share_one_connection() {
    let (identity, folder) = (Identity::new(), tempfile::tempdir().unwrap());
    let simulator = simulator().await;
    let tls = relay::tls(&identity, &["h2"], simulator.address()).await;
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &identity.certificate).unwrap();
    let plan = Plan::one_team("10").set("upstream", &format!("ca_file = {file:?}"));
    let base_url = format!("https://localhost:{}", tls.address.port());
    let world = plan.start_before(simulator, &base_url).await;
    assert_eq!(world.post(COUNT, A_ROW).await.status, 200);
    let before = tls.uses();
    let bodies: Vec<_> = (0..20).map(a_row).collect();
    let at_once = join_all(bodies.iter().map(|body| world.post(SEARCH, body))).await;
    assert!(at_once.iter().all(|answer| answer.status == 200));
    assert_eq!(tls.uses(), before);
    // When it has gone, another is made; a call may leave on it while the news of that is on its way.
    world.simulator.faults().close_connections();
    while tls.uses() == before {
        world.post(COUNT, A_ROW).await;
    }
    assert_eq!(world.post(SEARCH, &a_row(99)).await.status, 200);
    world.end_with_nothing_open().await;
}
