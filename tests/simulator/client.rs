//! A simulator on port 0 and a client that speaks to it.

use std::time::Duration;

use bytes::Bytes;
use generect_guard::credits::Credits;
use generect_guard::simulator::{Charged, LIVE_TOKEN, Simulator, SimulatorSettings};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// How long work takes that lasts until the simulator is told to hurry.
pub const UNTIL_TOLD: Duration = Duration::from_secs(60);

pub struct Pretend {
    pub simulator: Simulator,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.bytes))
    }

    /// `meta.amount_charged`, read as digits.
    pub fn charged(&self) -> Credits {
        credits(&self.json()["meta"]["amount_charged"].to_string())
    }

    pub fn detail(&self) -> String {
        match &self.json()["detail"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub fn credits(text: &str) -> Credits {
    Credits::parse_nearest(text).unwrap()
}

impl Pretend {
    pub async fn start() -> Self {
        Self::with(SimulatorSettings::default()).await
    }

    /// One whose calls take their time until it is told to hurry.
    pub async fn slow(settings: SimulatorSettings) -> Self {
        Self::with(SimulatorSettings {
            latency: UNTIL_TOLD,
            ..settings
        })
        .await
    }

    /// Waits until something has come to pass.
    pub async fn until(&self, done: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if done(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it did not come to pass");
    }

    pub async fn with(settings: SimulatorSettings) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            simulator: Simulator::start(listener, settings).await,
            http: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.simulator.base_url()))
            .header(AUTHORIZATION, format!("Token {LIVE_TOKEN}"))
    }

    /// Sends a request and reads the answer to its end; an error is a cut connection.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self
            .http
            .request(request)
            .await
            .map_err(|error| format!("no answer: {error:?}"))?;
        let (head, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map_err(|error| format!("cut body: {error:?}"))?
            .to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            bytes,
        })
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request = self.request("GET", path).body(Full::default()).unwrap();
        self.send(request).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.try_post(path, body, &[]).await.unwrap()
    }

    pub async fn try_post(
        &self,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let mut request = self
            .request("POST", path)
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::from(Bytes::copy_from_slice(body.as_bytes()));
        self.send(request.body(body).unwrap()).await
    }

    /// A call whose fault is chosen by the header.
    pub async fn faulty(&self, fault: &str, path: &str, body: &str) -> Result<Answer, String> {
        self.try_post(path, body, &[("x-simulator-fault", fault)])
            .await
    }

    pub fn charges(&self) -> Vec<Charged> {
        self.simulator.truth().charges()
    }

    /// The sum of all charges, checked against the balance.
    pub fn total(&self) -> Credits {
        let truth = self.simulator.truth();
        assert!(truth.adds_up());
        truth.total_charged()
    }

    /// What the account says through its own page.
    pub async fn shown_balance(&self) -> Credits {
        let me = self.get("/api/v1/accounts/me/").await.json();
        credits(&me["data"]["credits"]["balance"].to_string())
    }
}
