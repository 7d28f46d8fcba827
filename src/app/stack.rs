//! From the settings to what the layers of the proxy are built from.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{StartError, policy};
use crate::account::{FundsGone, Reading};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::control::Pausing;
use crate::ledger::{Ledger, OpenError, OpenReader, Reader};
use crate::proxy::attach_token::Token;
use crate::proxy::breaker::{Breaker, BreakerSettings};
use crate::proxy::database_twin::TwinSavings;
use crate::proxy::forward::ForwardSettings;
use crate::proxy::kept::{Bounds, Shelf};
use crate::proxy::memory::Memory;
use crate::proxy::redact::Redactor;
use crate::proxy::resend::Patience;
use crate::proxy::savings::Savings;
use crate::proxy::slots::Slots;
use crate::proxy::stack::StackSettings;
use crate::proxy::team_view::Books;
use crate::proxy::unknown_keys::UnknownKeys;
use crate::proxy::upstream::Upstream;

/// Test tokens begin so (dossier section 1).
const TEST_TOKEN_PREFIX: &str = "test_";

/// What the settings do not say.
pub struct StackParts<'a> {
    /// The way to the upstream.
    pub upstream: Upstream,
    /// Readers of the ledger, beside its writer.
    pub open: OpenReader,
    /// The books.
    pub ledger: &'a Ledger,
    /// The account's latest reading.
    pub balance: watch::Receiver<Option<Reading>>,
    /// Told when the upstream says that funds are insufficient.
    pub funds_gone: FundsGone,
    /// What keys end by.
    pub clock: &'a Clock,
    /// Set when the guard shuts down.
    pub draining: &'a CancellationToken,
    /// The tasks that must end before the guard does.
    pub tasks: &'a TaskTracker,
}

/// What the layers are built from.
///
/// # Errors
/// [`StartError`]: what of the settings or of the ledger cannot be used.
pub fn stack_settings(config: &Config, parts: StackParts<'_>) -> Result<StackSettings, StartError> {
    let server = &config.server;
    let reader = parts.open.open().map_err(OpenError::from)?;
    let savings = savings(&*reader, parts.clock)?;
    let pauses = Pausing::kept(&*reader).map_err(OpenError::from)?;
    let policy = policy::build(config)?;
    let token = Token::new(config.upstream.token.expose());
    let books = Books::new(parts.ledger.clone(), parts.open, parts.clock.clone());
    let twin_savings = TwinSavings::new(savings.clone());
    Ok(StackSettings {
        policy: Arc::new(ArcSwap::from_pointee(policy)),
        unknown_keys: Arc::new(UnknownKeys::new(policy::unknown_keys(server))),
        draining: parts.draining.clone(),
        balance: parts.balance,
        books: Arc::new(books),
        slots: Arc::new(Slots::new(policy::slots(config))),
        savings,
        pauses: Arc::new(ArcSwap::from_pointee(pauses)),
        clock: parts.clock.clone(),
        shelf: Shelf::new(kept_answers(&config.kept_answers), parts.clock.clone()),
        body_bytes_max: server.body_bytes_max,
        body_read_timeout: server.body_read_timeout,
        token: token.map_err(|error| StartError::Upstream(error.to_string()))?,
        forward: Arc::new(ForwardSettings {
            upstream: parts.upstream,
            patience: patience(&config.upstream),
            ledger: parts.ledger.clone(),
            breaker: Arc::new(Breaker::new(breaker(&config.upstream))),
            funds_gone: parts.funds_gone,
            redactor: Redactor::new(config.upstream.token.expose()),
            token_is_test: (config.upstream.token.expose()).starts_with(TEST_TOKEN_PREFIX),
            response_timeout: config.upstream.response_timeout,
            answer_bytes_kept: server.answer_bytes_kept,
            memory: Arc::new(Memory::new(server.kept_bytes_max, server.one_call_bytes())),
            stalled_client_timeout: server.stalled_client_timeout,
            twin_savings,
            tasks: parts.tasks.clone(),
        }),
    })
}

fn patience(upstream: &config::Upstream) -> Patience {
    Patience {
        tries: upstream.retry.tries,
        pause: upstream.retry.pause,
        within: upstream.connect_timeout,
    }
}

fn breaker(upstream: &config::Upstream) -> BreakerSettings {
    BreakerSettings {
        failures: upstream.breaker.failures.get(),
        within: upstream.breaker.within,
        pause: upstream.breaker.pause,
        pause_max: upstream.breaker.pause_max,
    }
}

fn kept_answers(settings: &config::KeptAnswers) -> Bounds {
    Bounds {
        number_max: settings.number_max,
        bytes_max: settings.bytes_max,
        keep: settings.keep,
        idempotency_keep: settings.idempotency_keep,
    }
}

/// What was saved lately, to go on from.
fn savings(reader: &dyn Reader, clock: &Clock) -> Result<Savings, StartError> {
    let from = Savings::at_hand_from(clock.now());
    let kept = reader
        .savings(from, Timestamp::MAX)
        .map_err(OpenError::from)?;
    Ok(Savings::new(clock.clone(), kept))
}
