//! Questions about the account, over the simulated network.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use generect_guard::account::{AccountClient, AccountError, Carried, Carrier};
use generect_guard::clock::Clock;
use generect_guard::simulator::LIVE_TOKEN;
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::net::Net;
use crate::wire::Side;

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The guard's client of the account's pages, with links of `net`.
pub fn client(net: &Net, clock: &Clock) -> AccountClient {
    let carrier = SimCarrier(net.clone());
    let base = "http://upstream.test";
    AccountClient::over(
        std::sync::Arc::new(carrier),
        base,
        LIVE_TOKEN,
        clock.clone(),
    )
    .unwrap()
}

/// A link for each question.
struct SimCarrier(Net);

impl Carrier for SimCarrier {
    fn carry(&self, question: Request<()>) -> Carried<'_> {
        Box::pin(async move {
            let asked = timeout(PATIENCE, self.ask(question)).await;
            asked.map_err(|_| AccountError::Silent)?
        })
    }
}

impl SimCarrier {
    async fn ask(&self, question: Request<()>) -> Result<Response<Vec<u8>>, AccountError> {
        let cut = |error: hyper::Error| AccountError::Cut(error.to_string());
        let end = self.0.connect(Side::Upstream).await;
        let end = end.map_err(|error| AccountError::Unreachable(error.to_string()))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(end));
        let (mut sender, connection) = handshake.await.map_err(cut)?;
        let (mut head, ()) = question.into_parts();
        let path = head.uri.path_and_query().ok_or(AccountError::Path)?;
        head.uri = path.as_str().parse().map_err(|_| AccountError::Path)?;
        (head.headers).insert(HOST, HeaderValue::from_static("upstream.test"));
        let question = Request::from_parts(head, Empty::<Bytes>::new());
        let exchange = async move {
            let (head, body) = sender.send_request(question).await?.into_parts();
            Ok((head, body.collect().await?.to_bytes()))
        };
        // Nothing of it is left over when it has ended: who blocks next has its runtime for itself.
        let (answered, _) = join(exchange, connection).await;
        let (head, body) = answered.map_err(cut)?;
        Ok(Response::from_parts(head, body.to_vec()))
    }
}
