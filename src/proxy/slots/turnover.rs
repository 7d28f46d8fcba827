//! How fast slots have been freed of late, and so how long a call would wait for one.
//!
//! Pure: times are passed in, counted from any one moment.

use std::collections::VecDeque;
use std::time::Duration;

/// So many of the last freed slots are looked at.
const LOOKED_AT: usize = 32;
/// What was freed longer ago says nothing about now.
const RECENT: Duration = Duration::from_secs(60);

/// When slots were freed, oldest first.
#[derive(Debug, Default)]
pub struct Turnover(VecDeque<Duration>);

impl Turnover {
    /// A slot was freed.
    pub fn freed(&mut self, now: Duration) {
        if self.0.len() == LOOKED_AT {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// The time between two freed slots. `None`: none was freed of late.
    pub fn interval(&self, now: Duration) -> Option<Duration> {
        let ago = |at: &Duration| now.saturating_sub(*at);
        let recent = self.0.iter().filter(|at| ago(at) <= RECENT);
        let count = u32::try_from(recent.clone().count()).unwrap_or(u32::MAX);
        let oldest = recent.map(ago).max()?;
        Some(oldest / count.max(1))
    }

    /// How long a call would wait that comes after so many others.
    pub fn wait(&self, others: usize, now: Duration) -> Option<Duration> {
        let turns = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
        Some(self.interval(now)?.saturating_mul(turns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_as_many_intervals_as_there_are_turns() {
        let mut turnover = Turnover::default();
        assert_eq!(turnover.wait(3, Duration::ZERO), None);
        for second in 1..=100 {
            turnover.freed(Duration::from_secs(second));
        }
        let now = Duration::from_secs(101);
        assert_eq!(turnover.interval(now), Some(Duration::from_secs(1)));
        assert_eq!(turnover.wait(9, now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn what_was_long_ago_says_nothing() {
        let mut turnover = Turnover::default();
        turnover.freed(Duration::from_secs(1));
        turnover.freed(Duration::from_secs(100));
        let now = Duration::from_secs(104);
        assert_eq!(turnover.interval(now), Some(Duration::from_secs(4)));
        assert_eq!(turnover.interval(Duration::from_secs(161)), None);
    }
}
