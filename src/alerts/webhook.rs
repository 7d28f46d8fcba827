//! Posts to one receiver, one attempt at a time.

use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, StatusCode};
use reqwest::{Client, Proxy, Url, redirect};

use super::alert::{Shape, Webhook};
use super::event::Event;
use super::message::{Signer, body};
use crate::clock::Clock;

/// The header that carries the signature.
const SIGNATURE: &str = "guard-signature";

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address is no http or https URL.
    #[error("the webhook's address is no http or https URL")]
    Url,
    /// Nothing can be signed with the secret.
    #[error("the webhook's secret cannot be used")]
    Secret,
    /// It is to be posted through a proxy, and that is missing or no URL.
    #[error("there is no usable proxy to post the webhook through")]
    Proxy,
    /// The TLS settings do not fit the HTTP client.
    #[error("the TLS settings do not fit the HTTP client")]
    Tls,
}

/// Why an attempt failed. Says nothing of the address, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PostError {
    /// No connection.
    Unreachable,
    /// No answer in time.
    Silent,
    /// The connection broke before there was an answer.
    Cut,
    /// Not a 2xx.
    Status(StatusCode),
    /// The message could not be written.
    Unwritable,
}

impl PostError {
    /// Whether another attempt may succeed. A receiver that says no to a message as such, or wants
    /// it elsewhere, will say so again.
    pub(super) fn may_pass(self) -> bool {
        match self {
            Self::Unreachable | Self::Silent | Self::Cut => true,
            Self::Unwritable => false,
            Self::Status(status) => {
                status.is_server_error()
                    || matches!(
                        status,
                        StatusCode::REQUEST_TIMEOUT
                            | StatusCode::TOO_EARLY
                            | StatusCode::TOO_MANY_REQUESTS
                    )
            }
        }
    }
}

impl std::fmt::Display for PostError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable => out.write_str("it cannot be reached"),
            Self::Silent => out.write_str("it did not answer in time"),
            Self::Cut => out.write_str("the connection broke"),
            Self::Status(status) => write!(out, "it answered {}", status.as_u16()),
            Self::Unwritable => out.write_str("the message could not be written"),
        }
    }
}

/// Where messages are posted to.
pub(super) struct Receiver {
    client: Client,
    url: Url,
    signer: Option<Signer>,
    shape: Shape,
    clock: Clock,
}

impl Receiver {
    pub(super) fn new(
        webhook: &Webhook,
        tls: &rustls::ClientConfig,
        egress_proxy: Option<&str>,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, WebhookError> {
        let url = Url::parse(webhook.url.expose()).map_err(|_| WebhookError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WebhookError::Url);
        }
        let signer = match &webhook.secret {
            Some(secret) => Some(Signer::new(secret.expose()).ok_or(WebhookError::Secret)?),
            None => None,
        };
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .timeout(timeout)
            // Alerts are rare: a connection kept for the next one would be closed by then.
            .pool_max_idle_per_host(0);
        if webhook.through_proxy {
            let proxy = egress_proxy.and_then(|proxy| Proxy::all(proxy).ok());
            builder = builder.proxy(proxy.ok_or(WebhookError::Proxy)?);
        }
        Ok(Self {
            client: builder.build().map_err(|_| WebhookError::Tls)?,
            url,
            signer,
            shape: webhook.shape,
            clock,
        })
    }

    /// One attempt. Any 2xx is a success; what else the answer says is not read.
    pub(super) async fn post(&self, event: &Event) -> Result<(), PostError> {
        let body = body(event, self.shape, self.clock.now()).map_err(|_| PostError::Unwritable)?;
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static("generect-guard"));
        if let Some(signer) = &self.signer {
            request = request.header(SIGNATURE, signer.signature(&body));
        }
        let answer = request.body(body).send().await.map_err(|error| {
            if error.is_timeout() {
                PostError::Silent
            } else if error.is_connect() {
                PostError::Unreachable
            } else {
                PostError::Cut
            }
        })?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(PostError::Status(answer.status()))
        }
    }
}
