//! Asks the upstream, while billable calls are held back, whether it is there again.
//!
//! The question is the account's own page (`accounts/me`): it is free, so that an outage that is not
//! over leaves no further doubt. One question at a time, each after the breaker's pause.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Request;
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http_body_util::{BodyExt, Limited};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder, ServiceExt};

use super::alarm::Alarm;
use super::attach_token::{AttachTokenLayer, Token};
use super::body::OutgoingBody;
use super::exchange::Exchange;
use super::forward::{Forward, ForwardSettings};
use super::job_poller::OURSELVES;
use super::meters::Meters;
use super::policy::Policy;
use super::{Admitted, Pledge};
use crate::catalogue::{Operation, OwnPage};

/// The page is fast; an upstream that needs longer for it is not there yet.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The page is about 300 bytes; what is so much larger is something else.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The label of these exchanges.
const REQUEST_ID: &str = "guard-breaker-probe";

/// See the module.
#[derive(Debug)]
pub struct BreakerProbe {
    /// The catalogue in force, which knows where the account's page is.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The account's token.
    pub token: Token,
    /// The exchange with the upstream, and the breaker it feeds.
    pub forward: Arc<ForwardSettings>,
}

impl BreakerProbe {
    /// Asks whenever it is time to, until `ended`.
    pub async fn run(self, ended: CancellationToken) {
        let breaker = Arc::clone(&self.forward.breaker);
        while ended
            .run_until_cancelled(breaker.pause_over())
            .await
            .is_some()
        {
            let asked = ended.run_until_cancelled(self.is_answered()).await;
            match asked {
                Some(answered) => breaker.probed(answered),
                None => return,
            }
        }
    }

    /// Whether the upstream answers a free question whole and without a failure of its own. A no
    /// (an expired token, say) is an answer: billable calls would get it as well, and be charged
    /// nothing. Where the catalogue has no such page, billable calls must find out themselves.
    async fn is_answered(&self) -> bool {
        let policy = self.policy.load_full();
        let mut operations = policy.catalogue.operations();
        let Some(page) = operations.find(|operation| operation.own_page == Some(OwnPage::Me))
        else {
            return true;
        };
        let asked = self.ask(page, &policy);
        let answered = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        answered.is_ok_and(|answered| answered.is_some())
    }

    async fn ask(&self, page: &Arc<Operation>, policy: &Arc<Policy>) -> Option<()> {
        let request = Request::get(page.path.as_str())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(OURSELVES))
            .body(OutgoingBody::Empty)
            .ok()?;
        let admitted = Admitted {
            request: Box::new(request),
            exchange: Exchange::begin(REQUEST_ID.into(), Arc::new(Meters::default())),
            policy: Arc::clone(policy),
            operation: Arc::clone(page),
            pledge: Pledge::Nothing,
            // A free question is in no family of slots.
            slot: None,
            keeping: None,
            alarm: Alarm::for_this_task(),
        };
        let attach = AttachTokenLayer {
            token: self.token.clone(),
        };
        let forward = Forward::new(Arc::clone(&self.forward));
        let mut way = ServiceBuilder::new().layer(attach).service(forward);
        let answer = way.ready().await.ok()?.call(admitted).await.ok()?;
        if answer.status().is_server_error() {
            return None;
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        body.collect().await.ok().map(drop)
    }
}
