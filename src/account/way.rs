//! How a question reaches the account: over the machine's network, or over links that somebody brings.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, Request, Response, StatusCode};
use reqwest::{Client, Url};

use super::error::AccountError;

/// The whole answer to a question, or why there is none.
pub type Carried<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, AccountError>> + Send + 'a>>;

/// Brings questions to the account over links of its own, in the place of the machine's network.
pub trait Carrier: Send + Sync {
    /// Asks, and gives the whole answer of any status, within a time of its own. Follows no redirect and
    /// repeats nothing.
    fn carry(&self, question: Request<()>) -> Carried<'_>;
}

/// See the module.
#[derive(Clone)]
pub(super) enum Way {
    Network(Client),
    Given(Arc<dyn Carrier>),
}

impl Way {
    /// Asks, and reads a 200 of at most `bytes_max`.
    pub(super) async fn ask(
        &self,
        url: Url,
        headers: HeaderMap,
        bytes_max: usize,
    ) -> Result<(HeaderMap, Vec<u8>), AccountError> {
        match self {
            Self::Network(client) => {
                let asked = client.get(url).headers(headers).send().await;
                let answer = asked.map_err(|error| not_answered(&error))?;
                check_status(answer.status())?;
                let headers = answer.headers().clone();
                Ok((headers, read_bounded(answer, bytes_max).await?))
            }
            Self::Given(carrier) => {
                let question = Request::get(url.as_str()).body(());
                let mut question = question.map_err(|_| AccountError::Path)?;
                *question.headers_mut() = headers;
                let (head, body) = carrier.carry(question).await?.into_parts();
                check_status(head.status)?;
                if body.len() > bytes_max {
                    return Err(AccountError::TooLarge);
                }
                Ok((head.headers, body))
            }
        }
    }
}

fn check_status(status: StatusCode) -> Result<(), AccountError> {
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED => Err(AccountError::TokenRefused),
        StatusCode::TOO_MANY_REQUESTS => Err(AccountError::Throttled),
        status if status.is_redirection() => Err(AccountError::Redirected(status.as_u16())),
        status => Err(AccountError::Status(status.as_u16())),
    }
}

async fn read_bounded(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<Vec<u8>, AccountError> {
    let broken = |error: reqwest::Error| {
        if error.is_timeout() {
            AccountError::Silent
        } else {
            AccountError::Cut(root_of(&error))
        }
    };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(AccountError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn not_answered(error: &reqwest::Error) -> AccountError {
    if error.is_timeout() {
        AccountError::Silent
    } else if error.is_connect() {
        AccountError::Unreachable(root_of(error))
    } else {
        AccountError::Cut(root_of(error))
    }
}

/// The innermost cause, which is what an operator can act on ("connection refused"). The outer
/// texts repeat the URL.
fn root_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "no further cause given".to_owned(),
        None => cause.to_string(),
    }
}
