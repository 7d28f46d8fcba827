//! A storm of calls on a used-up budget is answered without waking the writer, and never a moment
//! longer than the no is true.

use generect_guard::clock::Clock;
use generect_guard::ledger::{Budget, CalendarUnit, HoldError, HoldRequest, Ledger, WindowRule};
use jiff::SignedDuration;

use crate::support::{NOON, Place, at, budget, calendar, no, request, settle, with_budgets};

const MOMENT: SignedDuration = SignedDuration::from_millis(100);

/// A ledger whose one budget of 100 has 95 settled, and its writer, which is a task of the test:
/// it runs only while the test waits for something.
async fn nearly_spent(window: WindowRule) -> (Ledger, Clock) {
    let clock = Clock::manual(at(NOON));
    let settings = with_budgets(vec![budget("one", 100, window)]);
    let store = Place::memory().store();
    let (ledger, writer) = Ledger::open(store, settings, clock.clone()).unwrap();
    tokio::spawn(writer.run());
    settle(ledger.hold(request("growth", 95)).await.unwrap(), 95);
    ledger.budgets().await.unwrap();
    (ledger, clock)
}

/// The no, if it was there without waiting; otherwise the question is taken back.
fn at_once(ledger: &Ledger, request: HoldRequest) -> Option<HoldError> {
    let question = std::pin::pin!(ledger.hold(request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match question.poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.err(),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn the_same_no_is_said_again_without_asking_the_writer() {
    let (ledger, clock) = nearly_spent(calendar(CalendarUnit::Day)).await;
    assert!(at_once(&ledger, request("growth", 6)).is_none());
    let first = ledger.hold(request("growth", 6)).await.unwrap_err();
    assert_eq!(no(&first), "exhausted");
    clock.advance(MOMENT / 2);
    assert_eq!(at_once(&ledger, request("growth", 6)), Some(first));
    // What differs is asked anew: another quote, another client.
    assert!(at_once(&ledger, request("growth", 7)).is_none());
    assert!(at_once(&ledger, request("sales", 6)).is_none());
    ledger.hold(request("growth", 5)).await.unwrap().release("");
    clock.advance(MOMENT / 2);
    assert!(at_once(&ledger, request("growth", 6)).is_none());
}

#[tokio::test]
async fn a_busy_budget_is_always_asked_anew() {
    let (ledger, _) = nearly_spent(calendar(CalendarUnit::Day)).await;
    let holds_it = ledger.hold(request("growth", 3)).await.unwrap();
    let refused = ledger.hold(request("growth", 4)).await.unwrap_err();
    assert_eq!(no(&refused), "busy");
    assert!(at_once(&ledger, request("growth", 4)).is_none());
    ledger.budgets().await.unwrap(); // That question has been answered.
    holds_it.release("a test");
    ledger.hold(request("growth", 4)).await.unwrap().release("");
}

#[tokio::test]
async fn a_no_ends_with_its_window_and_with_a_raised_limit() {
    let (ledger, clock) = nearly_spent(calendar(CalendarUnit::Day)).await;
    clock.set(at("2026-03-10T23:59:59.990Z"));
    ledger.hold(request("growth", 6)).await.unwrap_err();
    assert!(at_once(&ledger, request("growth", 6)).is_some());
    clock.set(at("2026-03-11T00:00:00Z"));
    let hold = ledger.hold(request("growth", 6)).await.unwrap();
    settle(hold, 100);
    ledger.hold(request("growth", 6)).await.unwrap_err();
    let raised = Budget {
        limit: crate::support::micros(106),
        ..budget("one", 0, calendar(CalendarUnit::Day))
    };
    ledger.set_budgets(vec![raised]).await.unwrap();
    ledger.hold(request("growth", 6)).await.unwrap().release("");
}

#[tokio::test]
async fn a_no_of_a_rolling_budget_ends_when_its_oldest_step_leaves() {
    let span = SignedDuration::from_secs(1);
    let (ledger, clock) = nearly_spent(WindowRule::Rolling(span)).await;
    clock.advance(SignedDuration::from_millis(990));
    let refused = ledger.hold(request("growth", 6)).await.unwrap_err();
    assert_eq!(no(&refused), "exhausted");
    assert!(at_once(&ledger, request("growth", 6)).is_some());
    // A second and a step after the charge: sooner than the no would have been forgotten.
    clock.advance(SignedDuration::from_millis(20));
    ledger.hold(request("growth", 6)).await.unwrap().release("");
}

#[tokio::test]
async fn a_clock_set_back_asks_anew() {
    let (ledger, clock) = nearly_spent(calendar(CalendarUnit::Day)).await;
    ledger.hold(request("growth", 6)).await.unwrap_err();
    clock.advance(-MOMENT);
    assert!(at_once(&ledger, request("growth", 6)).is_none());
}
