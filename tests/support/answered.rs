//! Clients, and the answers they read.

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::no_tls::no_tls;

/// A client that follows nothing and repeats nothing.
pub fn client() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .tls_backend_preconfigured(no_tls())
        .build()
        .unwrap()
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answered {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// A header as text, or the empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The guard's reason, or the empty text.
    pub fn refusal(&self) -> &str {
        self.header("guard-refusal")
    }
}

/// Sends a request and reads its answer; an error is one of the connection.
pub async fn send(request: RequestBuilder) -> Result<Answered, reqwest::Error> {
    let response = request.send().await?;
    let answered = Answered {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await?,
    };
    Ok(answered.silent())
}
