//! The listening socket at its best and worst, HTTP/2, and callers who leave.

use std::time::Duration;

use bytes::Bytes;
use generect_guard::simulator::{Listening, SimulatorSettings};
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Pretend, credits};

const FIND: &str = "/api/v1/email/find/";
const BODY: &str = r#"{"lead_id":"FAKE1"}"#;
const SOON: Duration = Duration::from_millis(200);

/// A call has been accepted and has not come to its end.
fn is_under_way(pretend: &Pretend) -> bool {
    pretend.simulator.set_aside() > credits("0")
}

#[tokio::test]
async fn connections_are_refused_dropped_or_ignored() {
    let pretend = Pretend::start().await;
    let address = pretend.simulator.address();
    let faults = pretend.simulator.faults();
    faults.listen(Listening::Refusing).await;
    assert!(TcpStream::connect(address).await.is_err());
    faults.listen(Listening::Dropping).await;
    let mut dropped = TcpStream::connect(address).await.unwrap();
    let mut byte = [0];
    assert!(!matches!(dropped.read(&mut byte).await, Ok(1)));
    faults.listen(Listening::Ignoring).await;
    let mut ignored = TcpStream::connect(address).await.unwrap();
    ignored
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(timeout(SOON, ignored.read(&mut byte)).await.is_err());
    assert_eq!(pretend.simulator.truth().request_count(), 0);
    faults.listen(Listening::Normal).await;
    assert_eq!(pretend.post(FIND, BODY).await.charged(), credits("0.02"));
    assert_eq!(
        ignored.read(&mut byte).await.unwrap(),
        1,
        "served after all"
    );
}

#[tokio::test]
async fn open_connections_can_be_cut() {
    let pretend = Pretend::slow(SimulatorSettings::default()).await;
    let cut = async {
        pretend.until(is_under_way).await;
        pretend.simulator.faults().close_connections();
    };
    let (answer, ()) = tokio::join!(pretend.try_post(FIND, BODY, &[]), cut);
    assert!(answer.is_err());
    assert_eq!(pretend.total(), credits("0"));
    pretend.simulator.faults().hurry();
    // Accepted work runs to its end.
    pretend.until(|pretend| !is_under_way(pretend)).await;
    assert_eq!(pretend.total(), credits("0.02"));
    assert!(!pretend.charges()[0].delivered);
    assert_eq!(pretend.post(FIND, BODY).await.charged(), credits("0.02"));
}

#[tokio::test]
async fn a_caller_who_leaves_has_made_the_call() {
    let pretend = Pretend::slow(SimulatorSettings::default()).await;
    tokio::select! {
        answer = pretend.post(FIND, BODY) => panic!("it was not slow: {answer:?}"),
        () = pretend.until(is_under_way) => {}
    }
    // By the time others have been answered, it has been noticed that this one has left.
    for _ in 0..10 {
        pretend.get("/api/v1/accounts/me/").await;
    }
    pretend.simulator.faults().hurry();
    pretend.until(|pretend| !is_under_way(pretend)).await;
    assert_eq!(pretend.total(), credits("0.02"));
    assert!(!pretend.charges()[0].delivered);
    assert_eq!(pretend.simulator.set_aside(), credits("0"));
}

#[tokio::test]
async fn http2_is_spoken_without_ado() {
    let pretend = Pretend::start().await;
    let stream = TcpStream::connect(pretend.simulator.address())
        .await
        .unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = |fault: &str| -> Request<Full<Bytes>> {
        pretend
            .request("POST", FIND)
            .header("content-type", "application/json")
            .header("x-simulator-fault", fault)
            .body(Full::from(BODY))
            .unwrap()
    };
    let response = sender.send_request(request("none")).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert!(response.into_body().collect().await.is_ok());
    assert!(
        sender
            .send_request(request("cut_after_charge"))
            .await
            .is_err()
    );
    let refused = sender.send_request(request("refused_stream")).await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("REFUSED_STREAM"));
    let response = sender.send_request(request("cut_mid_body")).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(pretend.total(), credits("0.06"));
}

#[tokio::test]
async fn a_stopped_simulator_refuses_and_its_truth_stays() {
    let pretend = Pretend::start().await;
    pretend.post(FIND, BODY).await;
    let truth = pretend.simulator.truth();
    let address = pretend.simulator.address();
    pretend.simulator.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(truth.total_charged(), credits("0.02"));
}
