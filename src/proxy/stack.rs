//! THE place where the layers are ordered.
//!
//! Read it from top to bottom as a request does. Where a layer changes the request's type, two
//! swapped lines do not compile; where it does not (answer refusals and bounds, normalise path,
//! throttle, team view, ask, kept answers) `tests/integration/order.rs` pins the order.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Response;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder};

use super::Arrived;
use super::answer_refusals::AnswerRefusalsLayer;
use super::ask::AskLayer;
use super::attach_token::{AttachTokenLayer, Token};
use super::authenticate::AuthenticateLayer;
use super::bounds::BoundsLayer;
use super::classify::ClassifyLayer;
use super::forward::{Forward, ForwardSettings};
use super::hold_credits::HoldCreditsLayer;
use super::kept::{KeptAnswersLayer, Shelf};
use super::may_call::MayCall;
use super::normalise_path::NormalisePathLayer;
use super::policy::Policy;
use super::quote_body::QuoteBodyLayer;
use super::read_body::BodyBounds;
use super::savings::Savings;
use super::slots::Slots;
use super::slots::wait_for_slot::WaitForSlotLayer;
use super::team_view::{Books, TeamViewLayer};
use super::throttle::ThrottleLayer;
use super::trace::{TraceLayer, TracedBody};
use super::unknown_keys::UnknownKeys;
use crate::account::Reading;
use crate::clock::Clock;
use crate::identity::Pauses;

/// What the layers are built from.
#[derive(Clone, Debug)]
pub struct StackSettings {
    /// The rules in force, swapped whole when they change.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Who may make no calls, swapped whole when that changes.
    pub pauses: Arc<ArcSwap<Pauses>>,
    /// What keys end by.
    pub clock: Clock,
    /// How often a source may show keys that nobody knows.
    pub unknown_keys: Arc<UnknownKeys>,
    /// Set when the guard shuts down.
    pub draining: CancellationToken,
    /// The account's latest reading.
    pub balance: watch::Receiver<Option<Reading>>,
    /// The books, for the pages that show a team its own.
    pub books: Arc<Books>,
    /// The upstream's caps on calls in flight.
    pub slots: Arc<Slots>,
    /// What calls did not take, for reports.
    pub savings: Savings,
    /// Paid answers that did not reach their clients.
    pub shelf: Arc<Shelf>,
    /// The largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// The longest a body may take to arrive.
    pub body_read_timeout: Duration,
    /// The account's token.
    pub token: Token,
    /// The exchange with the upstream.
    pub forward: Arc<ForwardSettings>,
}

impl StackSettings {
    fn body_bounds(&self) -> BodyBounds {
        BodyBounds {
            bytes_max: self.body_bytes_max,
            read_timeout: self.body_read_timeout,
            memory: Arc::clone(&self.forward.memory),
        }
    }

    fn hold_credits(&self) -> HoldCreditsLayer {
        HoldCreditsLayer {
            ledger: self.forward.ledger.clone(),
            breaker: Arc::clone(&self.forward.breaker),
            may_call: self.may_call(),
        }
    }

    fn may_call(&self) -> MayCall {
        MayCall {
            policy: Arc::clone(&self.policy),
            pauses: Arc::clone(&self.pauses),
            clock: self.clock.clone(),
        }
    }
}

/// The whole life of a call.
pub fn stack(
    settings: &StackSettings,
) -> impl Service<Arrived, Response = Response<TracedBody>, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send
+ 'static {
    let forward = &settings.forward;
    let (balance, books) = (settings.balance.clone(), Arc::clone(&settings.books));
    let token = settings.token.clone();
    ServiceBuilder::new()
        // Outermost: whatever happens below is one line in the log.
        .layer(TraceLayer::default())
        // Inside trace, so that refusals are logged; outside all that can refuse.
        .layer(AnswerRefusalsLayer)
        // Before any work is done for a request.
        .layer(BoundsLayer {
            body_bytes_max: settings.body_bytes_max,
            draining: settings.draining.clone(),
        })
        // Before anything that tells a stranger about the catalogue.
        .layer(AuthenticateLayer {
            may_call: settings.may_call(),
            unknown_keys: Arc::clone(&settings.unknown_keys),
        })
        // Before classify, which knows one spelling of each path.
        .layer(NormalisePathLayer)
        .layer(ClassifyLayer)
        // Before quote: nobody reads the body of a client over its rate.
        .layer(ThrottleLayer { balance })
        // Behind throttle: what is answered here goes no further, and is still not asked for too often.
        .layer(TeamViewLayer { books })
        // From here on a call that is sent as its twin on stored data is that twin.
        .layer(QuoteBodyLayer {
            bounds: settings.body_bounds(),
            ledger: forward.ledger.clone(),
        })
        // Behind quote, whose figure it is asked about; before all that a dry run must not touch.
        .layer(AskLayer {
            ledger: forward.ledger.clone(),
            breaker: Arc::clone(&forward.breaker),
            shelf: Arc::clone(&settings.shelf),
            slots: Arc::clone(&settings.slots),
        })
        // Behind quote, which says what the same call is; before anything is waited for or held.
        .layer(KeptAnswersLayer {
            shelf: Arc::clone(&settings.shelf),
            ledger: forward.ledger.clone(),
            savings: settings.savings.clone(),
        })
        // After quote, so that only readable calls wait; before hold, so that who waits holds nothing.
        .layer(WaitForSlotLayer {
            slots: Arc::clone(&settings.slots),
            ledger: forward.ledger.clone(),
            draining: settings.draining.clone(),
        })
        .layer(settings.hold_credits())
        // Last before the wire: no other layer sees the token.
        .layer(AttachTokenLayer { token })
        .service(Forward::new(Arc::clone(forward)))
}
