//! One timer for all that a connection's task waits for.
//!
//! Nearly every wait ends before its time: the next head comes, the answer comes. A timer of the runtime
//! for each of them is made, entered and taken out again for nothing. Here one timer stays entered, for a
//! time that is over soon enough; only when it rings is it looked at how long there is still to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

/// See the module. Clones are the same timer, and all that waits for it waits in the same task.
#[derive(Clone)]
pub struct Alarm(Arc<Mutex<Pin<Box<Sleep>>>>);

/// Done at its time.
#[derive(Debug)]
pub struct Deadline {
    alarm: Alarm,
    at: Instant,
}

impl Alarm {
    /// Of a task in a runtime with timers.
    pub fn for_this_task() -> Self {
        let rings = tokio::time::sleep_until(Instant::now());
        Self(Arc::new(Mutex::new(Box::pin(rings))))
    }

    /// Waits until `at`.
    pub fn until(&self, at: Instant) -> Deadline {
        let alarm = self.clone();
        Deadline { alarm, at }
    }
}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.alarm.0.lock().unwrap_or_else(PoisonError::into_inner);
        if self.at < timer.deadline() {
            // It stays as it is for another wait of this task, which may have been looked at before.
            if self.at <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.at);
        }
        // It may ring for another wait, or for one that is over.
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() == self.at || self.at <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.at);
        }
    }
}

impl hyper::rt::Sleep for Deadline {}

impl hyper::rt::Timer for Alarm {
    fn sleep(&self, duration: std::time::Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.until(Instant::now() + duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.until(deadline.into()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Alarm")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FOR_EVER: Duration = Duration::from_hours(1);

    /// How long after its making each of these waits was over, all in one task.
    async fn waited(seconds: &[u32]) -> Vec<Duration> {
        let (alarm, began) = (Alarm::for_this_task(), Instant::now());
        let waits = seconds.iter().map(|&seconds| {
            let deadline = alarm.until(began + SECOND * seconds);
            async move {
                deadline.await;
                began.elapsed().as_secs()
            }
        });
        let all = futures_util::future::join_all(waits);
        let waited = tokio::time::timeout(FOR_EVER, all).await.unwrap();
        waited.into_iter().map(Duration::from_secs).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_time_in_whatever_order_they_began() {
        for seconds in [&[3, 1, 2][..], &[1, 2, 3], &[2, 2, 0, 5], &[0]] {
            let expected: Vec<_> = seconds.iter().map(|&seconds| SECOND * seconds).collect();
            assert_eq!(waited(seconds).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_one_wait_leaves_the_timer_to_another_that_was_looked_at_before_it() {
        let (alarm, began) = (Alarm::for_this_task(), Instant::now());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let [mut later, mut sooner] = [10, 5].map(|after| alarm.until(began + SECOND * after));
        assert!(Pin::new(&mut later).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut sooner).poll(&mut cx).is_pending());
        tokio::time::advance(SECOND * 5).await;
        assert!(Pin::new(&mut later).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut sooner).poll(&mut cx).is_ready());
        assert_eq!(alarm.0.lock().unwrap().deadline(), later.at);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_given_up_does_not_end_the_next_before_its_time() {
        let (alarm, began) = (Alarm::for_this_task(), Instant::now());
        for (after, given_up) in [(5, true), (9, false), (12, true), (20, false)] {
            let wait = alarm.until(began + SECOND * after);
            if given_up {
                let soon = tokio::time::timeout(SECOND / 2, wait);
                soon.await.expect_err("ended before its time");
            } else {
                tokio::time::timeout(FOR_EVER, wait).await.unwrap();
                assert_eq!(began.elapsed().as_secs(), u64::from(after));
            }
        }
    }
}
