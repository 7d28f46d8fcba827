//! Says in the log which keys end soon, and which have ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::ids::KeyId;
use crate::proxy::policy::Policy;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long before its end a key is warned of, and how often.
const NEAR: SignedDuration = SignedDuration::from_hours(7 * 24);
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// Looks until `ended`.
pub(super) async fn warn_of_ends(
    policy: Arc<ArcSwap<Policy>>,
    clock: Clock,
    ended: CancellationToken,
) {
    let mut told = BTreeMap::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while ended.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = clock.now();
        for (key, at) in due(&policy.load(), &mut told, now) {
            if at <= now {
                tracing::warn!(key.id = %key, expires = %at, "a key has expired: its calls are refused");
            } else {
                tracing::warn!(key.id = %key, expires = %at, "a key expires soon: give its client a new one");
            }
        }
    }
}

/// The keys to be warned of at `now`, and their ends. `told` remembers of which and when it was said:
/// once a day before the end, and once after it.
fn due(
    policy: &Policy,
    told: &mut BTreeMap<KeyId, (Timestamp, Timestamp)>,
    now: Timestamp,
) -> BTreeMap<KeyId, Timestamp> {
    let mut due = BTreeMap::new();
    for found in policy.directory.iter() {
        let Some(at) = found.expires.filter(|at| at.duration_since(now) <= NEAR) else {
            continue;
        };
        let key = &found.client.key;
        let again = match told.get(key) {
            None => true,
            Some((end, _)) if *end != at => true,
            Some((_, said)) if at <= now => *said < at,
            Some((_, said)) => now.duration_since(*said) >= AGAIN,
        };
        if again {
            due.insert(key.clone(), at);
        }
    }
    for (key, at) in &due {
        told.insert(key.clone(), (*at, now));
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};

    /// A policy whose key `growth-crm` ends at `expires`.
    fn policy(expires: &str) -> Policy {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard.toml");
        let text = format!(
            "[upstream]\ntoken_env = \"TOKEN\"\n[[team]]\nid = \"growth\"\n\
             [[key]]\nid = \"growth-crm\"\nteam = \"growth\"\nsha256 = \"{}\"\nexpires = \"{expires}\"\n\
             [[budget]]\nid = \"all\"\nlimit = 1\nper = \"day\"",
            "1".repeat(64)
        );
        std::fs::write(&path, text).unwrap();
        let environment = Environment::from_iter([("TOKEN", "some-token")]);
        let config = config::load(Some(&path), &environment).unwrap();
        super::super::policy::build(&config).unwrap()
    }

    #[test]
    fn a_key_is_warned_of_from_a_week_before_its_end_once_a_day_and_once_after_it() {
        let policy = policy("2027-01-10T00:00:00Z");
        let mut told = BTreeMap::new();
        let mut warned = |now: &str| !due(&policy, &mut told, now.parse().unwrap()).is_empty();
        for (now, expected) in [
            ("2027-01-02T23:59:00Z", false),
            ("2027-01-03T00:00:00Z", true),
            ("2027-01-03T23:59:00Z", false),
            ("2027-01-04T00:00:00Z", true),
            ("2027-01-09T23:59:00Z", true),
            ("2027-01-10T00:00:00Z", true),
            ("2027-01-12T00:00:00Z", false),
        ] {
            assert_eq!(warned(now), expected, "{now}");
        }
    }
}
