//! What a test token can force, by a magic value or a header (dossier section 6.5).

use std::time::Duration;

use crate::simulator::bodies::Json;

/// An outcome that a request in test mode forces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forced {
    NotFound,
    InsufficientFunds,
    RateLimited,
    UpstreamError,
    /// The answer comes this much later.
    Slow(Duration),
}

/// How slow `slow` is.
const SLOW: Duration = Duration::from_secs(2);
/// The longest wait a header can ask for.
const LATENCY_S_MAX: u64 = 60;

/// What the header `X-Generect-Test-Behaviour` or a magic address in the body forces.
pub(crate) fn forced(header: Option<&str>, body: &Json) -> Option<Forced> {
    header.and_then(by_header).or_else(|| by_value(body))
}

fn by_header(value: &str) -> Option<Forced> {
    if let Some(seconds) = value.strip_prefix("latency=") {
        let seconds: u64 = seconds.parse().ok()?;
        let wait = Duration::from_secs(seconds.min(LATENCY_S_MAX));
        return Some(Forced::Slow(wait));
    }
    by_name(&value.replace('_', "-"))
}

fn by_name(name: &str) -> Option<Forced> {
    Some(match name {
        "not-found" => Forced::NotFound,
        "insufficient-funds" => Forced::InsufficientFunds,
        "rate-limited" => Forced::RateLimited,
        "upstream-error" => Forced::UpstreamError,
        "slow" => Forced::Slow(SLOW),
        _ => return None,
    })
}

/// The first magic address anywhere in the body.
fn by_value(body: &Json) -> Option<Forced> {
    match body {
        Json::Text(text) => by_name(text.strip_suffix("@example.com")?),
        Json::Form(values) => values
            .iter()
            .find_map(|text| by_name(text.strip_suffix("@example.com")?)),
        Json::List(items) => items.iter().find_map(by_value),
        Json::Map(members) => members.iter().find_map(|(_, value)| by_value(value)),
        _ => None,
    }
}
