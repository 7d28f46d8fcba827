//! Where connections come from, and how many of them one source may have open.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Half of an IPv6 address belongs to one network, which has the other half to itself: whoever has
/// one of its addresses has them all.
const NETWORK_BITS: u32 = 64;
/// From one line about something that happens all the time to the next.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// One source: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl From<SocketAddr> for Source {
    fn from(address: SocketAddr) -> Self {
        Self(match address.ip().to_canonical() {
            IpAddr::V6(ip) => {
                let network = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(out),
            IpAddr::V6(ip) => write!(out, "{ip}/{NETWORK_BITS}"),
        }
    }
}

/// The connections that each source has open. Never more sources than connections.
#[derive(Clone, Debug)]
pub struct OpenBySource {
    each_max: usize,
    open: Arc<Mutex<HashMap<Source, usize, RandomState>>>,
}

/// One open connection of a source's, until it is dropped.
#[derive(Debug)]
pub struct OpenOne {
    source: Source,
    all: OpenBySource,
}

impl OpenBySource {
    /// Each source may have `each_max` connections.
    pub fn new(each_max: usize) -> Self {
        Self {
            each_max,
            open: Arc::default(),
        }
    }

    /// Counts one more; `None`: the source has as many as it may have.
    pub fn open(&self, source: Source) -> Option<OpenOne> {
        let mut open = self.lock();
        let count = open.entry(source).or_default();
        // At zero there is always room, so no entry is left behind here.
        if *count >= self.each_max.max(1) {
            return None;
        }
        *count += 1;
        Some(OpenOne {
            source,
            all: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Source, usize, RandomState>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenOne {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        match open.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.source)),
        }
    }
}

/// Says when something that strangers can make happen at will may be logged: once a minute.
#[derive(Debug)]
pub struct Seldom(DefaultDirectRateLimiter);

impl Default for Seldom {
    fn default() -> Self {
        let quota = Quota::with_period(BETWEEN_LINES);
        let quota = quota.unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        Self(RateLimiter::direct(quota))
    }
}

impl Seldom {
    /// Whether it is time for a line.
    pub fn is_time(&self) -> bool {
        self.0.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(ip: &str) -> Source {
        SocketAddr::new(ip.parse().unwrap(), 1).into()
    }

    #[test]
    fn a_source_is_an_address_or_the_network_that_has_it() {
        assert_eq!(source("10.0.0.1"), source("::ffff:10.0.0.1"));
        assert_ne!(source("10.0.0.1"), source("10.0.0.2"));
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("::ffff:10.0.0.1").to_string(), "10.0.0.1");
        assert_eq!(source("2001:db8:1:2::9").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn one_source_has_its_number_and_others_theirs_and_none_is_remembered_without_connections() {
        let all = OpenBySource::new(2);
        let (one, other) = (source("10.0.0.1"), source("10.0.0.2"));
        let first = all.open(one).unwrap();
        let _second = all.open(one).unwrap();
        assert!(all.open(one).is_none());
        let theirs = all.open(other).unwrap();
        drop(first);
        let _third = all.open(one).unwrap();
        assert!(all.open(one).is_none());
        drop(theirs);
        assert_eq!(all.lock().len(), 1);
    }
}
