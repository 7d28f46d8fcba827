//! How often one source may show keys that nobody knows.
//!
//! Guessing is hopeless (a key has 256 random bits, and is looked up by its SHA-256, so that the time
//! it takes says nothing of how much of a guess was right); what this bounds is the noise. Beyond the
//! rate a source is told to wait, and its refusals are counted and no longer written down one by one.
//! A key that is known is never refused here, whoever else calls from its address.
//!
//! Sources share a fixed number of places by their hash, so that no number of them takes more memory.
//! Two that meet in one place share its rate: that is no harm to keys that are known.

use std::time::Duration;

use ahash::RandomState;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, RateLimiter};

use super::rates::Pace;
use super::sources::{Seldom, Source};

/// Places for sources: some hundred kilobytes.
const PLACES: usize = 4096;

/// See the module.
#[derive(Debug)]
pub struct UnknownKeys {
    places: Box<[DefaultDirectRateLimiter]>,
    /// Seeded anew at each start: nobody can choose addresses that meet.
    hasher: RandomState,
    line: Seldom,
}

impl UnknownKeys {
    /// Each source may show them at this pace.
    pub fn new(pace: Pace) -> Self {
        // One clock for all: to make one asks the processor what it is, which is slow in a virtual machine.
        let clock = DefaultClock::default();
        let place = || RateLimiter::direct_with_clock(pace.allowance(), clock.clone());
        Self {
            places: std::iter::repeat_with(place).take(PLACES).collect(),
            hasher: RandomState::new(),
            line: Seldom::default(),
        }
    }

    /// Counts one more of a source's.
    ///
    /// # Errors
    /// How long it should wait, if that was too soon.
    pub fn count(&self, source: Source) -> Result<(), Duration> {
        let hash = self.hasher.hash_one(source) % PLACES as u64;
        let place = usize::try_from(hash).ok();
        let Some(place) = place.and_then(|place| self.places.get(place)) else {
            return Ok(());
        };
        place.check().map_err(|full| {
            if self.line.is_time() {
                tracing::warn!(%source, "keys that nobody knows keep coming from {source}: a client with an old key, or somebody who guesses; no more of these calls are written down one by one, but counted (guard_refusals_total)");
            }
            full.wait_time_from(place.clock().now())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn each_source_has_its_own_burst_and_a_million_of_them_take_no_more_memory() {
        let burst = NonZeroU32::new(3).unwrap();
        let unknown = UnknownKeys::new(Pace {
            period: Duration::from_secs(60),
            burst,
        });
        let source = |n: u32| Source::from(SocketAddr::new(Ipv4Addr::from_bits(n).into(), 1));
        let passed = |n: u32| (0..10).filter(|_| unknown.count(source(n)).is_ok()).count();
        assert_eq!(passed(1), 3);
        let wait = unknown.count(source(1)).unwrap_err();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60));
        assert!((2..9).any(|n| passed(n) == 3), "others are not held up");
        for n in 0..1_000_000 {
            let _ = unknown.count(source(n));
        }
        let bytes = PLACES * size_of::<DefaultDirectRateLimiter>();
        assert!(bytes <= 1 << 20, "{bytes}");
    }
}
