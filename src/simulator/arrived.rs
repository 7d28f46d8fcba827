//! A request that has arrived whole: which path it takes, who sent it, and what it says.
//!
//! It answers questions and decides nothing: their order is that of the exchange.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::access::{self, Bearer};
use super::account::Cause;
use super::answer::Answer;
use super::bodies::{self, Json, Unreadable};
use super::faults::Fault;
use super::routes::{self, Endpoint, Found, Route};
use super::settings::{Recording, SimulatorSettings};
use super::truth::{RequestSeen, digest};

/// Chooses a fault for one call, by its name.
const FAULT_HEADER: &str = "x-simulator-fault";
/// Is kept with the charge, so that a test can find its call again.
const MARKER_HEADER: &str = "x-simulator-marker";
const BEHAVIOUR_HEADER: &str = "x-generect-test-behaviour";

/// See the module.
pub(crate) struct Arrived {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    pub(crate) sequence: u64,
    pub(crate) settings: Arc<SimulatorSettings>,
    pub(crate) now: Timestamp,
    /// Cancelled when it is to wait no more.
    pub(crate) patience: CancellationToken,
}

impl Arrived {
    /// The route of its path, or the framework's answer to a path without one.
    pub(crate) fn route(&self) -> Result<(&'static Route, Option<String>), Answer> {
        let uri = &self.head.uri;
        match routes::find(uri.path()) {
            Found::Route { route, segment } => Ok((route, segment)),
            Found::NeedsSlash => Err(access::without_slash(
                &self.head.method,
                uri.path(),
                uri.query(),
                &self.settings,
            )),
            Found::Unknown => Err(Answer::refusal(StatusCode::NOT_FOUND, "Not found.")),
        }
    }

    /// Credentials first, then the method, as the framework has it. Log-in needs no token.
    pub(crate) fn bearer(&self, route: &Route) -> Result<Bearer, Answer> {
        let bearer = if route.endpoint == Endpoint::Login {
            Bearer {
                token: "".into(),
                test: false,
            }
        } else {
            access::authenticate(&self.head.headers, &self.settings)?
        };
        match access::by_method(&self.head.method, route) {
            Some(answer) => Err(answer),
            None => Ok(bearer),
        }
    }

    /// What its body says, or the framework's answer to one that cannot be read.
    pub(crate) fn read_body(&self) -> Result<Json, Answer> {
        if self.head.method == Method::GET || self.head.method == Method::HEAD {
            return Ok(Json::Map(Vec::new()));
        }
        let kind = self.header(CONTENT_TYPE.as_str());
        bodies::read(kind, &self.body).map_err(|unreadable| match unreadable {
            Unreadable::Malformed(text) => Answer::refusal(StatusCode::BAD_REQUEST, &text),
            Unreadable::MediaType(text) => {
                Answer::refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, &text)
            }
        })
    }

    /// The fault that it asks for, where that is allowed.
    pub(crate) fn fault(&self) -> Option<Fault> {
        if !self.settings.faults_by_header {
            return None;
        }
        self.header(FAULT_HEADER)?.parse().ok()
    }

    /// The behaviour that it asks for, if it comes with a test token.
    pub(crate) fn behaviour(&self) -> Option<&str> {
        self.header(BEHAVIOUR_HEADER)
    }

    /// What a charge for it is put down to.
    pub(crate) fn cause(&self, route: &'static Route, bearer: &Bearer) -> Cause {
        Cause {
            path: route.path,
            kind: route.kind,
            usage: route.usage,
            legacy: route.is_legacy(),
            token: Arc::clone(&bearer.token),
            request: self.sequence,
            marker: self.header(MARKER_HEADER).map(str::to_owned),
            body_sha256: if self.is_kept() {
                digest(&self.body)
            } else {
                String::new()
            },
        }
    }

    /// All of it, if it is to be kept.
    pub(crate) fn seen(&self) -> Option<RequestSeen> {
        self.is_kept().then(|| RequestSeen {
            sequence: self.sequence,
            at: self.now,
            method: self.head.method.clone(),
            path: self.head.uri.path().to_owned(),
            query: self.head.uri.query().map(str::to_owned),
            headers: self.head.headers.clone(),
            body: self.body.clone(),
            body_sha256: digest(&self.body),
        })
    }

    fn is_kept(&self) -> bool {
        self.settings.recording == Recording::Everything
    }

    fn header(&self, name: &str) -> Option<&str> {
        let value = self.head.headers.get(name);
        value.and_then(|value| value.to_str().ok())
    }
}
