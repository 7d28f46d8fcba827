//! An upstream that reads as strictly as can be; what it finds strange fails the test.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use generect_guard::simulator::{Simulator, SimulatorSettings};
use tokio::net::{TcpListener, TcpStream};

use crate::strict::{self, Arrived, Said, Seen};
use crate::support::{Plan, World, is_own_question};

pub const SEARCH: &str = "/api/v1/search/database/leads/";
pub const COUNT: &str = "/api/v1/search/database/leads/count/";

/// See the module. It answers everything with a charge of 0.02.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Recorder {
    /// Starts to listen.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let recorder = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&recorder.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move { serve(stream, &seen).await });
            }
        });
        recorder
    }

    /// A guard by this plan before it.
    pub async fn world(&self, plan: Plan) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
        plan.start_before(simulator, &format!("http://{}", self.address))
            .await
    }

    /// All that arrived, the guard's own questions left out.
    pub fn arrived(&self) -> Vec<Arrived> {
        let seen = self.seen.lock().unwrap();
        assert!(seen.strange.is_empty(), "no requests: {:?}", seen.strange);
        seen.requests
            .iter()
            .filter(|one| !is_own(one))
            .cloned()
            .collect()
    }
}

async fn serve(stream: TcpStream, seen: &Mutex<Seen>) {
    strict::serve(stream, seen, |arrived| {
        let (status, body) = match is_own(arrived) {
            true => ("503 No", ""),
            false => ("200 OK", r#"{"data":[],"meta":{"amount_charged":0.02}}"#),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        Said {
            bytes: answer.into_bytes(),
            is_last: false,
        }
    })
    .await;
}

/// Whether the guard asks for itself.
fn is_own(arrived: &Arrived) -> bool {
    is_own_question(arrived.line.split([' ', '?']).nth(1).unwrap())
}
