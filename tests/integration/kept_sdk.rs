//! What kept answers are for: the vendor's SDK, unchanged, repeats after read timeouts and cut
//! connections, and would pay each time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::Fault;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::sdk_session::{Came, Sdk};
use crate::support::{Plan, World, credits};

const SEARCH: &str = "/api/v1/search/database/leads/";

fn rows() -> Value {
    json!({"job_titles": ["matches:3"], "limit_by": 5})
}

async fn one_charge(world: World, came: &Came) {
    came.returned();
    assert_eq!(came.amount_charged(), "0.06", "{came:?}");
    let charge = credits("0.06");
    world
        .budget_when("growth-month", |budget| {
            budget.settled == charge && budget.held == Credits::ZERO
        })
        .await;
    let truth = world.simulator.truth();
    assert_eq!(truth.charges().len(), 1, "charged once");
    let seen = truth.requests();
    let sent = seen.iter().filter(|seen| seen.path == SEARCH).count();
    assert_eq!(sent, 1, "sent once");
    world.end_with_nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_timeouts_while_the_call_runs_are_charged_once_and_the_sdk_gets_its_answer() {
    let world = Plan::one_team("100").start().await;
    let slow = Fault::SlowHeaders(Duration::from_millis(1500));
    world.simulator.faults().next_on(1, SEARCH, slow);
    let impatient = json!({"timeout": 0.6});
    let sdk = Sdk::start_with(world.address(), "growth-crm", impatient).await;
    let came = sdk.call("search.database_leads", rows()).await;
    let wire = came.wire();
    let (last, before) = wire.split_last().unwrap();
    assert_eq!(last, "200", "{came:?}");
    assert!(!before.is_empty(), "it was slow enough to be repeated");
    assert!(before.iter().all(|came| came == "ReadTimeout"), "{came:?}");
    one_charge(world, &came).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_timeout_in_the_middle_of_an_answer_is_charged_once() {
    let world = Plan::one_team("100")
        // Handed on as it comes.
        .set("server", "answer_bytes_kept = 0")
        .start()
        .await;
    let slow = Fault::SlowBody {
        pause: Duration::from_millis(800),
        chunk_bytes: 400,
    };
    world.simulator.faults().next_on(1, SEARCH, slow);
    let impatient = json!({"timeout": 0.6, "backoff_base": 0.3});
    let sdk = Sdk::start_with(world.address(), "growth-crm", impatient).await;
    let came = sdk.call("search.database_leads", rows()).await;
    assert_ne!(came.wire(), ["200"], "it was slow enough to be repeated");
    one_charge(world, &came).await;
}

/// Stands before the guard and cuts the first `times` connections after so many bytes of an answer,
/// having read all of it or not.
async fn cutting_relay(guard: SocketAddr, times: usize, after: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cut = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = TcpStream::connect(guard).await.unwrap();
            let cuts = cut.fetch_add(1, Ordering::SeqCst) < times;
            tokio::spawn(relay(client, upstream, cuts.then_some(after)));
        }
    });
    address
}

async fn relay(client: TcpStream, guard: TcpStream, mut left: Option<usize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_guard, mut to_guard) = guard.into_split();
    let asking = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_guard).await;
        let _ = to_guard.shutdown().await;
        std::future::pending().await
    };
    let answering = async {
        let mut buffer = vec![0; 4096];
        loop {
            let most = left.unwrap_or(buffer.len()).min(buffer.len());
            if most == 0 {
                break;
            }
            let Ok(read @ 1..) = from_guard.read(&mut buffer[..most]).await else {
                break;
            };
            left = left.map(|left| left - read);
            if to_client.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
    // Closed in one, as a client's socket is: not first its one half, and when there is time the other.
    to_guard.forget();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_in_an_answer_are_charged_once_and_the_sdk_gets_its_answer() {
    for after in [1, 200, 700] {
        let world = Plan::one_team("100").start().await;
        let through = cutting_relay(world.address(), 2, after).await;
        let slowly = json!({"backoff_base": 0.2});
        let sdk = Sdk::start_with(through, "growth-crm", slowly).await;
        let came = sdk.call("search.database_leads", rows()).await;
        let wire = came.wire();
        assert_eq!(wire.len(), 3, "{came:?}");
        assert_eq!(wire[2], "200", "{came:?}");
        one_charge(world, &came).await;
    }
}
